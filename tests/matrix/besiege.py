#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Besieges each compositor that is installed, without a screen: as it is, and
guarded. As root, which some attacks need; the compositors are nobody's, as some
refuse root. Writes DIR/COMPOSITOR.json, which siege_results.py merges."""

import argparse
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys

import compositors
from show import STAMP

PATIENCE = 10     # seconds of waiting before a compositor counts as hung
SIEGES = 3        # at a time
JOBS = 2          # compositors of each
LIMIT = 90 * 60   # and for one siege
USER = 'nobody'

# What decides how memory is read, by the name of its library.
LIBRARIES = re.compile(r'lib(wayland-server|wlroots|mutter|kwin)\b')


def output_of(*command):
    return subprocess.run(command, text=True, check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60).stdout


def package_of(path):
    """Name and version of the Debian package with this file."""
    # Packages list their files in /lib in one of two ways.
    for name in path, path.removeprefix('/usr'), f'/usr{path}':
        found = subprocess.run(['dpkg-query', '-S', name], text=True,
            check=False, capture_output=True, timeout=60)
        if found.returncode == 0:
            package = found.stdout.split(':')[0]
            return package, output_of('dpkg-query', '-W',
                '-f', '${Version}\n', package).split('\n')[0]
    return None


def packages(compositor):
    """What is besieged: the compositor's package and those of its libraries."""
    program = output_of('which', compositor.program).strip()
    paths = [line.split()[2] for line in output_of('ldd', program).splitlines()
        if LIBRARIES.match(line.strip()) and '=> /' in line]
    return dict(filter(None, (package_of(path)
        for path in [program] + sorted(paths))))


class Siege:
    """One compositor as it is or guarded."""

    def __init__(self, options, compositor, guarded):
        self.compositor = compositor
        self.how = 'guarded' if guarded else 'stock'
        self.name = f'{compositor.name}-{self.how}'
        self.home = options.logs / self.name
        self.home.mkdir()
        words = compositor.command(self.home)
        if guarded:
            words = [options.guard] + words
        if any(socket == 'bus' for socket, _ in compositor.helpers):
            words = ['dbus-run-session', '--'] + words
        self.json = self.home / 'siege.json'
        environment = [shlex.quote(f'{name}={value}') for name, value in
            compositor.environment.items()]
        # Nothing that is kept from one start to the next.
        self.shown = ' '.join([*environment, shlex.join(words)])
        command = ('exec env HOME="$XDG_RUNTIME_DIR" GSETTINGS_BACKEND=memory '
            + self.shown)
        self.command = [options.siege, f'--timeout={PATIENCE}',
            f'--jobs={options.jobs}', f'--user={USER}', f'--json={self.json}',
            f'--compositor={command}',
            *(f'--only={pattern}' for pattern in options.attack)]

    def make(self):
        with open(self.home / 'siege.log', 'wb') as log:
            done = subprocess.run(self.command, check=False, timeout=LIMIT,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if done.returncode == 2 or not self.json.exists():
            said = (self.home / 'siege.log').read_text(errors='replace')
            return {'problem': STAMP.sub('', said.strip().splitlines()[-1])}
        found = json.loads(self.json.read_text())
        order = [attack['name'] for attack in found['attacks']]
        found['results'].sort(key=lambda result:
            order.index(result['attack']))
        return {'command': self.shown, 'kernel': found['kernel'],
            'results': [{**result, 'date': found['date'][:10]}
                for result in found['results']]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--siege', required=True, metavar='PROGRAM',
        help='shmguard-siege')
    parser.add_argument('--guard', required=True, metavar='PROGRAM',
        help='shmguard-run')
    parser.add_argument('--logs', required=True, type=pathlib.Path,
        metavar='DIR', help='for what all programs write; empty')
    parser.add_argument('--only', action='append', metavar='COMPOSITOR',
        choices=[compositor.name for compositor in compositors.ALL])
    parser.add_argument('--attack', action='append', default=[],
        metavar='PATTERN', help='these attacks only')
    parser.add_argument('directory', type=pathlib.Path, metavar='DIR')
    options = parser.parse_args()
    # What is made again is made with nothing else beside it.
    options.jobs = 1 if options.attack else JOBS
    sieges = 1 if options.attack else SIEGES

    found = {}
    with concurrent.futures.ThreadPoolExecutor(sieges) as pool:
        futures = {}
        for compositor in compositors.ALL:
            if options.only and compositor.name not in options.only or \
                    not compositor.is_installed():
                continue
            found[compositor.name] = {'name': compositor.name,
                'packages': packages(compositor)}
            refusal = compositor.refusal([options.guard])
            if refusal:
                found[compositor.name]['guarded'] = {'refusal': refusal}
            for guarded in (False,) if refusal else (False, True):
                siege = Siege(options, compositor, guarded)
                futures[pool.submit(siege.make)] = siege
        for future in concurrent.futures.as_completed(futures):
            siege = futures[future]
            found[siege.compositor.name][siege.how] = future.result()
            print(f'    {siege.name}', file=sys.stderr, flush=True)
            (options.directory / f'{siege.compositor.name}.json').write_text(
                json.dumps(found[siege.compositor.name], indent=1))


if __name__ == '__main__':
    main()
