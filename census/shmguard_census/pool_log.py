# SPDX-License-Identifier: MIT
"""Reads the log of pools, which docs/guide.md describes.

Clients choose the names of their files and nothing else that is in a line, and
names arrive escaped. Still, a line that is not as it should be is left out: the
file can be cut off anywhere, and other lines can be mixed in."""

import re

LINE = re.compile(r'shmguard: (client|pool) ([a-z_]+=[!-~]+(?: [a-z_]+=[!-~]+)*)')
NUMBERS = ('pid', 'id', 'size', 'inode', 'file_size', 'resident')
NEEDED = {
    'bind': ('pid',),
    'create': ('pid', 'id', 'size', 'tier', 'reason', 'kind', 'seals',
        'access', 'name'),
    'refuse': ('pid', 'size', 'tier', 'reason', 'kind', 'seals', 'access',
        'name'),
    'resize': ('id', 'size', 'tier', 'reason'),
    'destroy': ('id',),
}


def parse_line(line):
    """The event as a dictionary, or None. Numbers are int, None if unknown."""
    found = LINE.fullmatch(line)
    if found is None:
        return None
    event = {}
    for word in found[2].split():
        key, value = word.split('=', 1)
        if key in event:
            return None
        if key in NUMBERS and value != '-':
            # More digits are no number of ours.
            if re.fullmatch(r'-?[0-9]{1,20}', value) is None:
                return None
            value = int(value)
        event[key] = None if value == '-' and key in NUMBERS else value
    needed = NEEDED.get(event.get('event'))
    if needed is None or (event['event'] == 'bind') != (found[1] == 'client') \
            or any(event.get(key) is None for key in needed):
        return None
    return event


class Follower:
    """Reads a log that somebody appends to."""

    def __init__(self, path):
        self.file = open(path, 'rb')
        self.rest = b''

    def read(self):
        """The events that have been added since."""
        *lines, self.rest = (self.rest + self.file.read()).split(b'\n')
        events = (parse_line(line.decode('ascii', 'replace'))
            for line in lines)
        return [event for event in events if event is not None]

    def close(self):
        self.file.close()


class Pool:
    """One pool's life. What was in memory is the most that was ever seen."""

    def __init__(self, event):
        self.pid = event['pid']
        self.kind = event['kind']
        self.seals = event['seals']
        self.access = event['access']
        self.name = event['name']
        self.tier = event['tier']
        self.reason = event['reason']
        self.size = event['size']
        self.resident = event.get('resident')
        # Pools of one file share its memory; unless that is not known.
        inode = event.get('inode')
        self.file = (self.kind, inode) if inode else ('pool', id(self))

    def change(self, event):
        if event.get('resident') is not None:
            self.resident = max(self.resident or 0, event['resident'])
        # A pool that a client has lost is in its worst tier from then on.
        self.tier = event.get('tier', self.tier)
        self.reason = event.get('reason', self.reason)
        self.size = max(self.size, event.get('size') or 0)


def peak(lives, amount):
    """The most that was there at once. lives: (pool, is_born) in order."""
    files, most = {}, 0
    for pool, is_born in lives:
        pools = files.setdefault(pool.file, [])
        if is_born:
            pools.append(pool)
        else:
            pools.remove(pool)
        most = max(most, sum(max(map(amount, pools), default=0)
            for pools in files.values()))
    return most


class Account:
    """All pools of one run, from its events."""

    def __init__(self):
        self.pids = []
        self.pools = []
        self.refused = []
        self.lives = []
        self.alive = {}

    def add(self, event):
        what = event['event']
        if what == 'bind':
            if event['pid'] not in self.pids:
                self.pids.append(event['pid'])
        elif what == 'refuse':
            self.refused.append(Pool(event))
        elif what == 'create':
            pool = Pool(event)
            self.pools.append(pool)
            self.lives.append((pool, True))
            self.alive[event['id']] = pool
        elif event['id'] in self.alive:
            pool = self.alive[event['id']]
            pool.change(event)
            if what == 'destroy':
                self.lives.append((self.alive.pop(event['id']), False))

    def peak_pools(self):
        count = most = 0
        for _, is_born in self.lives:
            count += 1 if is_born else -1
            most = max(most, count)
        return most

    def peak_bytes(self):
        return peak(self.lives, lambda pool: pool.size)

    def peak_resident(self):
        return peak(self.lives, lambda pool: pool.resident or 0)
