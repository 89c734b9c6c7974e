#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts each compositor that is installed, without a screen: as it is, and
guarded. Shows it friendly clients, photographs them, and attacks it. Writes what
came of it to a JSON file, which report.py reads. Not as root: some compositors
refuse that."""

import argparse
import json
import pathlib
import signal
import sys

import clients
import compositors
from acts import Performance, compare

ATTACKS = ['truncate-before-read', 'truncate-while-presenting', 'short-file',
    'sealed-too-late', 'sealed-meanwhile', 'destroyed-before-read',
    'sealed-then-resized']


class Stage:
    """What all performances need."""

    def __init__(self, options):
        self.siege = options.siege
        self.attacks = options.attack or ATTACKS
        self.clients = [client for client in clients.ALL
            if not options.client or client.name in options.client]
        self.logs = options.logs
        self.count = 0

    def new_directory(self, name):
        self.count += 1
        directory = self.logs / f'{self.count:02}-{name}'
        directory.mkdir()
        return directory

    def perform(self, compositor, guard):
        stock = Performance(self, compositor, [], {})
        stock.run()
        refusal = compositor.refusal(guard)
        if refusal:
            return {'stock': stock.report, 'refusal': refusal}
        guarded = Performance(self, compositor, guard, stock.pictures)
        guarded.run()
        return {'stock': stock.report, 'guarded': guarded.report,
            'pictures': compare(stock, guarded)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--siege', required=True, metavar='PROGRAM',
        help='shmguard-siege-client')
    parser.add_argument('--guard', required=True, metavar='PROGRAM',
        help='shmguard-run')
    parser.add_argument('--lib-dir', metavar='DIR',
        help='where it finds its libraries')
    parser.add_argument('--logs', required=True, type=pathlib.Path,
        metavar='DIR', help='for what all programs write; empty')
    parser.add_argument('--only', action='append', metavar='COMPOSITOR',
        choices=[compositor.name for compositor in compositors.ALL])
    parser.add_argument('--client', action='append', metavar='CLIENT',
        choices=[client.name for client in clients.ALL])
    parser.add_argument('--attack', action='append', metavar='ATTACK')
    parser.add_argument('json', type=pathlib.Path, help='the file to write')
    options = parser.parse_args()

    # Not to leave programs behind: finally clauses end them.
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda number, frame: sys.exit(128 + number))

    guard = [options.guard]
    if options.lib_dir:
        guard += [f'--lib-dir={options.lib_dir}']
    stage = Stage(options)
    results = []
    for compositor in compositors.ALL:
        if options.only and compositor.name not in options.only or \
                not compositor.is_installed():
            continue
        version = compositor.version()
        print(f'    {compositor.name} {version}', file=sys.stderr, flush=True)
        results.append({'name': compositor.name, 'version': version,
            **stage.perform(compositor, guard)})
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == '__main__':
    main()
