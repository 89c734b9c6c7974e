#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""siege_results.py [--write] DIR SUITE...: what besiege.py found out in each suite,
put together with what was found before, which is in docs/siege.json: an attack that
was made again counts as it went last. With --write docs/siege.json is written, and
from it the tables in docs/siege.md. Exit status 1: a guarded compositor does not
survive something."""

import argparse
import json
import pathlib
import re
import sys

DOCS = pathlib.Path(__file__).resolve().parents[2] / 'docs'
LEVELS = 5  # suite, compositor, guarded or not, attacks, attack
STORE = DOCS / 'siege.json'
PAGE = DOCS / 'siege.md'
BEGIN = '<!-- begin: tests/matrix/run --siege --write -->\n'
END = '<!-- end -->\n'

HARMLESS = 'OK', 'SKIP'
WAYS = 'stock', 'guarded'


def slim(results):
    """Of each attack what a reader wants to know: its word for each state, and
    what was said of the worst."""
    attacks = {}
    for result in results:
        attack = attacks.setdefault(result['attack'],
            {'date': result['date'], 'words': {}, 'text': ''})
        attack['words'][result['state']] = result['word']
        if result['word'] != 'OK':
            attack['text'] = result['text']
    return attacks


def merge(old, new):
    """What is known of a compositor after one more siege."""
    if old is None or old['packages'] != new['packages']:
        old = {}
    merged = {'packages': new['packages']}
    for way in WAYS:
        siege = dict(old.get(way, {}))
        found = new.get(way, {})
        if 'problem' in found or 'refusal' in found:
            siege = found
        elif found:
            siege = {'command': found['command'], 'kernel': found['kernel'],
                'attacks': {**siege.get('attacks', {}),
                    **slim(found['results'])}}
        if siege:
            merged[way] = siege
    return merged


def word_of(siege, name):
    """'OK', or how it differs between cold and warm."""
    attack = siege.get('attacks', {}).get(name)
    if attack is None:
        return '-'
    words = list(attack['words'].values())
    # How long is no difference.
    kinds = {re.sub(r'\(\d+ ms\)', '', word) for word in words}
    return words[0] if len(kinds) == 1 else f'{words[0]}, warm {words[1]}'


def is_harmless(word):
    return all(part in HARMLESS for part in word.split(', warm '))


class Entry:
    """One compositor of one suite."""

    def __init__(self, name, known):
        self.name = name
        self.known = known
        self.problem = known.get('stock', {}).get('problem') or \
            known.get('guarded', {}).get('problem')
        self.refusal = known.get('guarded', {}).get('refusal')
        # Of the package with the program, without what Debian adds.
        version = next(iter(known['packages'].values()))
        self.version = version.split(':')[-1].split('-')[0]

    def head(self):
        return f'{self.name} {self.version}' + \
            (' (stock)' if self.refusal else '')

    def words(self, attack):
        return [word_of(self.known.get(way, {}), attack)
            for way in (WAYS[:1] if self.refusal else WAYS)]

    def cell(self, attack):
        words = [word if is_harmless(word) or word == '-' else f'**{word}**'
            for word in self.words(attack)]
        return ' / '.join(dict.fromkeys(words))

    def failures(self):
        """Of it guarded: each attack with what was said."""
        guarded = self.known.get('guarded', {})
        if 'problem' in guarded and 'problem' not in self.known['stock']:
            yield 'start', 'ERROR', guarded['problem']
        for name, attack in guarded.get('attacks', {}).items():
            word = word_of(guarded, name)
            if not is_harmless(word):
                yield name, word, attack['text']

    def attacks(self):
        return list(self.known.get('stock', {}).get('attacks', {}))


def order(entries):
    """All attacks, as the siege lists them."""
    names = []
    for entry in entries:
        names += [name for name in entry.attacks() if name not in names]
    return names


def table(entries):
    rows = []
    for attack in order(entries):
        if not all(is_harmless(word) for entry in entries
                for word in entry.words(attack)):
            rows.append([attack] + [entry.cell(attack) for entry in entries])
    yield '| attack | ' + ' | '.join(entry.head() for entry in entries) + ' |'
    yield '|' + ' --- |' * (len(entries) + 1)
    for row in rows:
        yield '| ' + ' | '.join(row) + ' |'


def skipped(entries):
    """What could not be tried, and why, by reason."""
    reasons = {}
    for entry in entries:
        for name in entry.attacks():
            if entry.words(name)[0] == 'SKIP':
                attack = entry.known['stock']['attacks'][name]
                reasons.setdefault(attack['text'], {}).setdefault(name,
                    []).append(entry.name)
    for reason, attacks in reasons.items():
        yield f'- {reason}: ' + '; '.join(
            f'{name} ({", ".join(who)})' for name, who in attacks.items())


def section(suite, entries):
    """The part of the page about one suite."""
    usable = [entry for entry in entries if not entry.problem]
    yield f'## {suite}\n'
    for entry in entries:
        packages = ', '.join(f'{name} {version}' for name, version in
            entry.known['packages'].items())
        name = '' if entry.name in entry.known['packages'] \
            else f'{entry.name}: '
        yield f'- {name}{packages}' + \
            (f'. SKIP: {entry.problem}' if entry.problem else '') + \
            (f'. Stock only: {entry.refusal}' if entry.refusal else '')
    sieges = [entry.known[way] for entry in usable for way in WAYS
        if 'attacks' in entry.known.get(way, {})]
    dates = sorted({attack['date'] for siege in sieges
        for attack in siege['attacks'].values()})
    kernels = sorted({siege['kernel'] for siege in sieges})
    yield f'\nLinux {", ".join(kernels)}; {dates[0]}' + \
        (f' to {dates[-1]}' if len(dates) > 1 else '') + '.\n'
    yield from table(usable)
    harmless = [name for name in order(usable)
        if all(word == 'OK' or word == 'SKIP' for entry in usable
            for word in entry.words(name))]
    yield '\nOK on all of them, or skipped: ' + ', '.join(harmless) + '.\n'
    yield 'Skipped:\n'
    yield from skipped(usable)
    yield ''


def in_lines(value, levels, indent=1):
    """JSON with a line for each thing on that many levels."""
    if levels == 0 or not isinstance(value, dict) or not value:
        return json.dumps(value)
    lines = (f"{' ' * indent}{json.dumps(key)}: "
        f'{in_lines(item, levels - 1, indent + 1)}'
        for key, item in value.items())
    return '{\n' + ',\n'.join(lines) + f"\n{' ' * (indent - 1)}}}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--write', action='store_true')
    parser.add_argument('directory', type=pathlib.Path)
    parser.add_argument('suites', nargs='+')
    options = parser.parse_args()

    store = json.loads(STORE.read_text()) if STORE.exists() else {}
    for suite in options.suites:
        for path in sorted((options.directory / suite / 'siege').glob('*')):
            new = json.loads(path.read_text())
            known = store.setdefault(suite, {})
            known[new['name']] = merge(known.get(new['name']), new)
    suites = {suite: [Entry(name, known) for name, known in found.items()]
        for suite, found in store.items()}

    text = '\n'.join(line for suite, entries in suites.items()
        for line in section(suite, entries))
    print(text)
    if options.write:
        STORE.write_text(in_lines(store, LEVELS) + '\n')
        page = PAGE.read_text()
        before, _, rest = page.partition(BEGIN)
        PAGE.write_text(before + BEGIN + '\n' + text + '\n' + END +
            rest.partition(END)[2])

    failed = False
    for suite in options.suites:
        if (options.directory / suite / 'failed').exists():
            print(f'FAILED {suite}: see its logs')
            failed = True
    for suite, entries in suites.items():
        for entry in entries:
            for name, word, said in entry.failures():
                print(f'FAILED {suite}, {entry.name}, {name}: {word}: {said}')
                failed = True
    sys.exit(failed)


if __name__ == '__main__':
    main()
