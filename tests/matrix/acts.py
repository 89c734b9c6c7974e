# SPDX-License-Identifier: MIT
"""What is done to a compositor: clients that visit it, and attacks."""

import subprocess

import screenshot
from processes import wait_until
from show import Show

# Others may be using the machine.
SHOW_LIMIT = 30    # seconds, as all below
ATTACK_LIMIT = 100
PATIENCE = 15      # of an attack that waits for an answer
TRIES = 3
FRAMES = 10        # of an animation that goes on
VISITS = {'as it is': 2, 'guarded': 3}

# How an attack can end, from its exit status. Only the first is as it should be.
# 'unread' is added for what proves nothing: the bad memory was not looked at.
ENDS = {0: 'ok', 1: 'wrong', 2: 'not tried', 3: 'DIED', 4: 'HUNG', 77: 'skipped'}


def visit(show, client, empty):
    """How a client fares, 'ok' or what is wrong, and its picture."""
    process = show.start_program(client.name.replace(' ', ''), client.command,
        client.env)
    wanted = 1 if client.still else FRAMES
    picture, problem = None, None
    try:
        wait_until(lambda: not process.is_running() or
            client.frames(process.output()) >= wanted, SHOW_LIMIT)
        if client.still and empty is not None and process.is_running():
            try:
                picture = show.take_still_picture(other_than=empty)
            except screenshot.Failed as error:
                problem = str(error)
        output = process.output()
        if client.error(output):
            problem = client.error(output)
        elif not process.is_running():
            problem = client.excuse(output) or process.how_it_ended()
        elif client.frames(output) < wanted:
            problem = 'not shown'
    finally:
        process.stop()
    return problem or 'ok', picture


def attack(show, siege, name):
    """How an attack ends. One that the client is not told of is tried again: it is
    a matter of time whether its buffer is read before the next one comes."""
    for _ in range(TRIES):
        result = attack_once(show, siege, name)
        if result['end'] not in ('wrong', 'unread'):
            break
    return result


def attack_once(show, siege, name):
    """How an attack ends, while a canary is watching."""
    canary = show.start_program('canary', [siege, '--canary'])

    def sings_on():
        sung = len(canary.output().splitlines())
        return wait_until(lambda: len(canary.output().splitlines()) >
            sung + FRAMES, SHOW_LIMIT)

    try:
        if not sings_on():
            return {'end': 'not tried', 'line': 'the canary is not shown'}
        done = subprocess.run([siege, '--timeout', str(PATIENCE), name],
            env=show.env, text=True, check=False, timeout=ATTACK_LIMIT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        line = done.stdout.strip().partition(': ')[2]
        end = ENDS.get(done.returncode, 'not tried')
        if line.startswith('unread'):
            end = 'unread'
        if end == 'DIED' or not show.is_alive():
            return {'end': 'DIED', 'line': show.how_it_ended()}
        if end != 'HUNG' and not sings_on():
            return {'end': 'canary lost', 'line': line}
        return {'end': end, 'line': line}
    except subprocess.TimeoutExpired:
        return {'end': 'HUNG', 'line': 'the attack does not end'}
    finally:
        canary.stop()


class Performance:
    """One compositor as it is or guarded, from its start to its end."""

    def __init__(self, stage, compositor, guard, known):
        self.stage = stage
        self.compositor = compositor
        self.guard = guard
        self.known = known  # pictures of each client, to compare with
        self.visits = VISITS['guarded' if guard else 'as it is']
        self.pictures = {}  # of each client, a list
        self.report = {'clients': {}, 'attacks': {}, 'problem': None,
            'screenshot': None}
        self.show = None

    def open(self):
        """Starts the compositor, again if need be."""
        self.close()
        self.show = Show(self.compositor, self.guard,
            self.stage.new_directory(self.compositor.name))
        self.report['problem'] = self.show.start()
        return self.report['problem'] is None

    def close(self):
        if self.show is not None:
            self.show.stop()

    def has_seen(self, client):
        """Whether the last picture of the client is like one before."""
        *before, last = self.pictures[client.name]
        return last in self.known.get(client.name, before)

    def receive(self, client, empty):
        """Shows a client until it looks as it did before, or as often as may be:
        some compositors do not always show the same. Each time on a fresh one:
        where the next window goes can depend on those before."""
        for _ in range(self.visits):
            if not self.open():
                return
            result, picture = visit(self.show, client, empty)
            self.report['clients'][client.name] = result
            if picture is None:
                return
            pictures = self.pictures.setdefault(client.name, [])
            pictures.append(picture)
            (self.show.home / f'{client.name}-{len(pictures)}.png') \
                .write_bytes(picture)
            if self.has_seen(client):
                return

    def receive_all(self):
        empty = None
        try:
            empty = self.show.take_still_picture()
        except screenshot.Failed as error:
            self.report['screenshot'] = str(error)
        for client in self.stage.clients:
            if not client.is_installed():
                self.report['clients'][client.name] = 'not installed'
            else:
                self.receive(client, empty)
            if not self.show.is_alive():
                self.report['problem'] = \
                    f'died with {client.name}: {self.show.how_it_ended()}'
                return

    def attack_all(self):
        for name in self.stage.attacks:
            result = attack(self.show, self.stage.siege, name)
            self.report['attacks'][name] = result
            if result['end'] in ('DIED', 'HUNG') and not self.open():
                return

    def run(self):
        try:
            if self.open():
                self.receive_all()
            if self.report['problem'] is None:
                self.attack_all()
        finally:
            self.close()


def compare(stock, guarded):
    """For each client that was photographed: whether it looks the same guarded."""
    result = {}
    for name, pictures in stock.pictures.items():
        if set(pictures) & set(guarded.pictures.get(name, [])):
            result[name] = 'equal'
        elif len(set(pictures)) > 1:
            result[name] = 'never the same'
        else:
            result[name] = 'differs'
    return result
