#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""document.py --output DIR RESULTS SUITE...: writes census.md and census.svg from what
./run found. document.py --sealable CENSUS.json: prints the names of the programs some
of whose files others could seal."""

import argparse
import datetime
import json
import pathlib

from shmguard_census import chart, report

HERE = pathlib.Path(__file__).parent
FILE_COLUMN = report.HEADS.index('file')
TITLES = {
    'bookworm': 'Debian 12 (bookworm)',
    'trixie': 'Debian 13 (trixie)',
    'sid': 'Debian unstable (sid)',
}
# From best to worst; how a program is protected is how its worst file is.
REASONS = list(chart.COLORS)
WORDS = {
    'sealed': 'sealed',
    'sealable': 'sealable',
    'unsealable': 'unsealable',
    'local_file': 'file on a disk',
    'short': 'sealed, too short',
    'adopted': 'sealed by the compositor',
}


def cell(text):
    """Text that a program may have chosen, in a table."""
    for special in '\\`*_|<>[]$':
        text = text.replace(special, '\\' + special)
    return text


def code(text):
    return '`' + text.replace('`', "'").replace('|', '\\|') + '`'


def table(heads, rows):
    lines = [heads, ['---'] * len(heads), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines) + '\n'


def is_sealable(group):
    """Whether a compositor could add the seal: that wants a writable descriptor."""
    return group['reason'] == 'sealable' and group['access'] == 'rw'


def sealable_names(results):
    return [result['name'] for result in results
        if any(map(is_sealable, result['files']))]


def worst_reason(result):
    reasons = [group['reason'] for group in result['files']]
    return max(reasons, key=lambda reason: REASONS.index(reason)
        if reason in REASONS else len(REASONS), default=None)


class Suite:
    """What is in one directory of results."""

    def __init__(self, directory):
        self.name = directory.name
        self.title = TITLES[self.name]
        self.results = json.loads((directory / 'census.json').read_text())
        adopted = directory / 'adopted.json'
        self.adopted = {result['name']: result for result in
            json.loads(adopted.read_text())} if adopted.exists() else {}
        self.versions = dict(line.split() for line in
            (directory / 'versions').read_text().splitlines())

    def result(self, name):
        found = [result for result in self.results if result['name'] == name]
        return found[0] if found else None

    def counts(self):
        """How many programs there are of each kind, in words."""
        worst = [worst_reason(result) for result in self.results]
        words = [f'{worst.count(reason)} {WORDS[reason]}'
            for reason in REASONS if reason in WORDS and worst.count(reason)]
        adopted = [name for name, result in self.adopted.items()
            if worst_reason(self.result(name)) == 'sealable' and
                worst_reason(result) == 'adopted']
        return [self.title, str(len(worst) - worst.count(None)),
            ', '.join(words), str(worst.count('sealed') + len(adopted))]


def overview_cell(result):
    if result is None:
        return ''
    if not result['files']:
        return '-'
    reason = worst_reason(result)
    return f'{WORDS.get(reason, reason)}, {report.human_size(result["peak_bytes"])}'


def overview(suites):
    names = list(dict.fromkeys((result['group'], result['name'])
        for suite in suites for result in suite.results))
    rows, last = [], None
    for group, name in names:
        if group != last:
            rows.append([f'**{group}**'] + [''] * len(suites))
            last = group
        rows.append([cell(name)] + [overview_cell(suite.result(name))
            for suite in suites])
    return table(['program'] + [suite.title for suite in suites], rows)


def adopted_cell(suite, name):
    """What became of a program when its files were sealed for it."""
    before, after = suite.result(name), suite.adopted.get(name)
    if name not in sealable_names(suite.results):
        return ''
    if after is None:
        return 'not tried'
    if not any(group['reason'] == 'adopted' for group in after['files']):
        return 'made no such file this time'
    left = sorted({WORDS.get(group['reason'], group['reason'])
        for group in after['files']} - {WORDS['sealed'], WORDS['adopted']})
    how = 'as before' if after['outcome'] == before['outcome'] else \
        f'{after["outcome"]}: {after["output"]}'
    return cell(how) + (f'; {", ".join(left)}' if left else '')


def adopted(suites):
    files = {}
    for suite in suites:
        for name in sealable_names(suite.results):
            files.setdefault(name, set()).update(group['name']
                for group in suite.result(name)['files']
                if is_sealable(group))
    return table(['program', 'files'] + [suite.title for suite in suites],
        [[cell(name), ', '.join(map(code, sorted(files[name])))] +
            [adopted_cell(suite, name) for suite in suites]
            for name in files])


def details(suite):
    rows = []
    for result in suite.results:
        for row in report.rows(result):
            cells = list(map(cell, row))
            if len(row) > FILE_COLUMN:
                cells[FILE_COLUMN] = code(row[FILE_COLUMN])
            rows.append(cells + [''] * (len(report.HEADS) - len(cells)))
    return f'### {suite.title}\n\n' + table(report.HEADS, rows)


def versions(suites, packages):
    rows = [[package] + [suite.versions.get(package, '-')
        for suite in suites] for package in packages]
    return table(['package'] + [suite.title for suite in suites],
        [row for row in rows if set(row[1:]) != {'-'}])


def read_words(path):
    return ' '.join(line.partition('#')[0]
        for line in path.read_text().splitlines()).split()


def write_document(output, suites):
    text = (HERE / 'census.md.in').read_text()
    parts = {
        'date': datetime.date.today().isoformat(),
        'counts': table(['release', 'programs with pools',
            'by their worst file', 'sealed if the compositor adds seals'],
            [suite.counts() for suite in suites]),
        'overview': overview(suites),
        'adopted': adopted(suites),
        'details': '\n'.join(map(details, suites)),
        'versions': versions(suites, read_words(HERE / 'packages.list')),
    }
    for name, part in parts.items():
        text = text.replace(f'@{name}@', part.strip('\n'))
    (output / 'census.md').write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--sealable', type=pathlib.Path)
    parser.add_argument('--output', type=pathlib.Path)
    parser.add_argument('results', type=pathlib.Path, nargs='?')
    parser.add_argument('suites', nargs='*')
    options = parser.parse_args()
    if options.sealable:
        for name in sealable_names(json.loads(options.sealable.read_text())):
            print(name)
        return
    suites = [Suite(options.results / name) for name in options.suites]
    write_document(options.output, suites)
    chart.write_chart(options.output / 'census.svg',
        [(suite.title, suite.results) for suite in suites])


if __name__ == '__main__':
    main()
