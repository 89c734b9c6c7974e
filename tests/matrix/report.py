#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py [--markdown | --tap] DIR SUITE...: what ./run found out in each suite.

DIR/SUITE has compositors.json from stage.py, tests.log from ./test, and failed if
something could not even be tried. Exit status 1: something is not as it should be.
"""

import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys

RESIZED = 'sealed-then-resized'
# From bad to good; the worst end of several stands for them.
ENDS = ['DIED', 'HUNG', 'canary lost', 'not tried', 'wrong',
    'unread', 'ok', 'skipped']
HEADS = ['suite', 'compositor', 'clients', 'screenshots',
    'truncation: stock', 'guarded', 'sealed, resized: stock', 'guarded']


def end_of(report, names):
    """What became of the compositor in these attacks, in a word or two."""
    ends = [(name, report['attacks'][name]) for name in names
        if name in report['attacks']]
    if not ends:
        return '-'
    worst = min(ends, key=lambda item: ENDS.index(item[1]['end']))[1]
    bad = [item for name, item in ends if item['end'] == worst['end']]
    share = f' in {len(bad)} of {len(ends)}' if len(ends) > 1 else ''
    return {
        'DIED': f'died of {worst["line"]}{share}',
        'HUNG': 'hung',
        'canary lost': 'lost others',
        'not tried': 'not tried',
        'wrong': 'lives, client not told',
        'unread': f'lives, unread{share}',
        'ok': 'lives',
        'skipped': '-',
    }[worst['end']]


def client_cell(stock, guarded):
    """'5 ok', and which of the clients does not do well."""
    cells = []
    for name, how in stock['clients'].items():
        how_guarded = guarded['clients'].get(name, 'not tried')
        if how == how_guarded:
            if how != 'ok':
                cells.append(f'{name}: {how}, also stock')
        else:
            cells.append(f'{name}: {how_guarded}, stock {how}')
    well = sum(how == 'ok' for how in guarded['clients'].values())
    return '; '.join([f'{well} ok'] + cells)


def picture_cell(result):
    problem = result['stock']['screenshot'] or result['guarded']['screenshot']
    if problem:
        return f'none: {problem}'
    cells = []
    for how in 'equal', 'differs', 'never the same':
        names = [name for name, what in result['pictures'].items()
            if what == how]
        if how == 'equal':
            cells.append(f'{len(names)} equal')
        elif how == 'differs' and names:
            cells.append(f'differs: {", ".join(names)}')
        elif names:
            cells.append(f'{", ".join(names)}: not two alike, also stock')
    return '; '.join(cells)


class Entry:
    """One compositor of one suite: its row, and what is wrong with it."""

    def __init__(self, suite, result):
        self.who = f'{result["name"]} {result["version"]}'
        stock = result['stock']
        self.skipped = stock['problem'] if not stock['clients'] else None
        self.wrong = []
        truncations = [name for name in stock['attacks'] if name != RESIZED]
        if self.skipped:
            self.cells = [suite, self.who, f'SKIP: {self.skipped}']
            return
        if 'refusal' in result:
            self.skipped = result['refusal']
            self.cells = [suite, self.who, client_cell(stock, stock),
                'none to compare', end_of(stock, truncations), 'refused',
                end_of(stock, [RESIZED]), 'refused']
            return
        guarded = result['guarded']
        if guarded['problem']:
            self.wrong.append(f'guarded: {guarded["problem"]}')
        for name, how in guarded['clients'].items():
            if how not in ('ok', 'not installed', stock['clients'].get(name)):
                self.wrong.append(f'{name}, guarded: {how}')
        for name, how in result['pictures'].items():
            if how == 'differs':
                self.wrong.append(f'{name} does not look the same')
        for name, attack in guarded['attacks'].items():
            if attack['end'] not in ('ok', 'unread', 'skipped'):
                self.wrong.append(f'{name}: {attack["end"]}: {attack["line"]}')
        self.cells = [suite, self.who, client_cell(stock, guarded),
            picture_cell(result),
            end_of(stock, truncations), end_of(guarded, truncations),
            end_of(stock, [RESIZED]), end_of(guarded, [RESIZED])]


class Suite:
    """What is in one directory of results."""

    def __init__(self, directory):
        self.name = directory.name
        self.failed = (directory / 'failed').exists()
        self.entries = []
        compositors = directory / 'compositors.json'
        if compositors.exists():
            self.entries = [Entry(self.name, result)
                for result in json.loads(compositors.read_text())]
        self.tests = None
        self.tests_failed = False
        tests = directory / 'tests.log'
        if tests.exists():
            lines = tests.read_text().strip().splitlines() or ['nothing']
            failed = [line.partition(': ')[2] for line in lines
                if line.startswith('FAILED ')]
            self.tests = '; '.join(lines[-1:] + failed)
            status = directory / 'tests.status'
            self.tests_failed = not status.exists() or \
                status.read_text().strip() != '0'

    def is_well(self):
        return not (self.failed or self.tests_failed or
            any(entry.wrong for entry in self.entries))


def print_text(suites):
    rows = [HEADS] + [entry.cells for suite in suites
        for entry in suite.entries]
    widths = [max(len(row[i]) for row in rows if len(row) == len(HEADS))
        for i in range(len(HEADS))]
    print()
    for row in rows:
        print('  '.join(f'{cell:{width}}'
            for cell, width in zip(row, widths)).rstrip())
    print()


def print_notes(suites):
    for suite in suites:
        if suite.tests:
            print(f'{suite.name}: tests: {suite.tests}')
        if suite.tests_failed:
            print(f'FAILED {suite.name}: tests')
        if suite.failed:
            print(f'FAILED {suite.name}: see its logs')
        for entry in suite.entries:
            for what in entry.wrong:
                print(f'FAILED {suite.name}, {entry.who}: {what}')


def print_markdown(suites):
    introduction = pathlib.Path(__file__).with_name('matrix.md.in')
    version = subprocess.run(['git', 'describe', '--always'], text=True,
        cwd=pathlib.Path(__file__).parent, stdout=subprocess.PIPE,
        check=True).stdout.strip()
    print(introduction.read_text().format(version=version,
        date=datetime.date.today().isoformat()))
    print('| ' + ' | '.join(HEADS) + ' |')
    print('|' + ' --- |' * len(HEADS))
    for suite in suites:
        for entry in suite.entries:
            cells = entry.cells + [''] * (len(HEADS) - len(entry.cells))
            print('| ' + ' | '.join(cells) + ' |')
    print('\n## The tests\n\n| suite | result |\n| --- | --- |')
    for suite in suites:
        print(f'| {suite.name} | {suite.tests or "not run"} |')


def print_tap(suites):
    """For meson: a test for each compositor."""
    entries = [entry for suite in suites for entry in suite.entries]
    if not entries:
        print('1..1\nok 1 compositors # SKIP none of them is installed')
        return
    print(f'1..{len(entries)}')
    for number, entry in enumerate(entries, 1):
        name = re.sub(r'\W', '_', entry.who)
        if entry.skipped:
            print(f'ok {number} {name} # SKIP {entry.skipped}')
        else:
            print(f'{"not " if entry.wrong else ""}ok {number} {name}')
            for what in entry.wrong:
                print(f'# {what}')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--markdown', action='store_true')
    parser.add_argument('--tap', action='store_true')
    parser.add_argument('directory', type=pathlib.Path)
    parser.add_argument('suites', nargs='+')
    options = parser.parse_args()
    suites = [Suite(options.directory / name) for name in options.suites]
    if options.tap:
        print_tap(suites)
    elif options.markdown:
        print_markdown(suites)
    else:
        print_text(suites)
        print_notes(suites)
    sys.exit(0 if all(suite.is_well() for suite in suites) else 1)


if __name__ == '__main__':
    main()
