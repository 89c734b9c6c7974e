#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up what ./test ran.

summary.py DIR CONFIG...: for each configuration DIR has CONFIG.json (meson's
test log, TAP inside), CONFIG.skipped (why it could not run) or CONFIG.failed
(why it could not be built). DIR/selected exists if not all tests were wanted.
The last line printed has the counts. Exits with 1 if anything failed or nothing
passed.
"""

import collections
import json
import pathlib
import re
import sys

PLAN = re.compile(r'1\.\.(\d+)')
RESULT = re.compile(
    r'(?P<not>not )?ok\b\s*\d*\s*(?:- )?(?P<name>[^#]*?)\s*'
    r'(?:#\s*(?:(?P<skip>SKIP)|(?P<todo>TODO))\S*\s*(?P<reason>.*))?$',
    re.IGNORECASE)
STDERR_LINES = 100
NOT_ITS_OWN = '(test program exited with status code'


class Program:
    """What one test program said."""

    def __init__(self, config, record, all_wanted):
        suites, _, name = record['name'].rpartition(' / ')
        self.suite = suites.rpartition(':')[2].partition('+')[0]
        self.where = f'{config}: {name}'
        self.stderr = [line for line in record.get('stderr', '').splitlines()
            if line and not line.startswith(NOT_ITS_OWN)]
        self.passed = 0
        self.skipped = []  # (test, reason)
        self.failed = []  # (test, message)
        self.expected = []  # (test, reason): failed, which is no news
        self.read(record.get('stdout', '').splitlines())
        self.judge_end(record, all_wanted)

    def read(self, lines):
        self.planned = None
        last_failed = False
        for line in lines:
            plan, result = PLAN.match(line), RESULT.match(line)
            if plan:
                self.planned = int(plan[1])
            elif result:
                last_failed = bool(result['not'] and not result['todo'])
                if last_failed:
                    self.failed.append((result['name'], []))
                elif result['not']:
                    self.expected.append((result['name'], result['reason']))
                elif result['skip']:
                    self.skipped.append((result['name'], result['reason']))
                else:
                    self.passed += 1
            elif line.startswith('#') and last_failed:
                self.failed[-1][1].append(line[1:].strip())

    def judge_end(self, record, all_wanted):
        """Catches what a program cannot say in TAP."""
        ran = self.passed + len(self.skipped) + len(self.failed) + \
            len(self.expected)
        problem = None
        if record['result'] == 'TIMEOUT':
            problem = 'ran out of time'
        elif self.planned is None:
            problem = 'ended without a plan'
        elif self.planned != ran:
            problem = f'planned {self.planned} tests and ran {ran}'
        elif ran == 0 and all_wanted:
            problem = 'has no tests'
        elif record['returncode'] != 0 and not self.failed:
            problem = 'passed and failed to exit'
        if problem:
            self.failed.append(('(the whole program)', [
                f'{problem}; exit status {record["returncode"]}']))


def count(number, word):
    return [f'{number} {word}'] if number else []


def print_counts(config, programs):
    suites = collections.defaultdict(collections.Counter)
    for program in programs:
        suites[program.suite].update(passed=program.passed,
            failed=len(program.failed), skipped=len(program.skipped),
            expected=len(program.expected))
    print(f'{config}:')
    for suite, counts in sorted(suites.items()):
        if sum(counts.values()):
            print(f'    {suite:10}', ', '.join(
                count(counts['passed'], 'passed') +
                count(counts['failed'], 'failed') +
                count(counts['skipped'], 'skipped') +
                count(counts['expected'], 'failed as expected')))


def print_skips(skips):
    print('\nSkipped:')
    for reason, tests in skips.items():
        print(f'    {reason}')
        for test, configs in tests.items():
            print(f'        {test} ({", ".join(configs)})')


def print_expected(expected):
    print(f'\nFailed as expected, {expected.total()}:')
    for reason, number in expected.items():
        print(f'    {reason} ({number})')


def print_failures(program):
    for test, message in program.failed:
        print(f'\nFAILED {program.where}: {test}')
        for line in message:
            print(f'    {line}')
    if program.stderr:
        print(f'\n{program.where} wrote to stderr:')
        for line in program.stderr[-STDERR_LINES:]:
            print(f'    {line}')


def main(directory, configs):
    all_wanted = not (pathlib.Path(directory) / 'selected').exists()
    total = collections.Counter()
    skips = collections.defaultdict(lambda: collections.defaultdict(list))
    expected = collections.Counter()
    bad_programs = []
    broken = {}
    for config in configs:
        base = pathlib.Path(directory) / config
        log, skipped, failed = (base.with_suffix(suffix)
            for suffix in ('.json', '.skipped', '.failed'))
        programs = []
        if log.exists():
            with log.open(encoding='utf-8') as lines:
                programs = [Program(config, json.loads(line), all_wanted)
                    for line in lines]
            print_counts(config, programs)
        if failed.exists():
            broken[config] = failed.read_text(errors='replace')
        elif skipped.exists():
            skips[skipped.read_text().strip()]['all tests'].append(config)
            total['skipped'] += 1

        for program in programs:
            total['passed'] += program.passed
            total['failed'] += len(program.failed)
            total['skipped'] += len(program.skipped)
            if program.failed:
                bad_programs.append(program)
            expected.update(reason for _, reason in program.expected)
            for test, reason in program.skipped:
                skips[reason or 'no reason given'][test].append(config)

    if skips:
        print_skips(skips)
    if expected:
        print_expected(expected)
    for program in bad_programs:
        print_failures(program)
    for config, text in broken.items():
        total['failed'] += 1
        print(f'\nFAILED {config}:')
        for line in text.splitlines():
            print(f'    {line}')

    if not sum(total.values()):
        print('\nNo test has such a name.')
    print(f'\n{total["passed"]} passed, {total["failed"]} failed, '
        f'{total["skipped"]} skipped')
    return 0 if total['passed'] and not total['failed'] else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2:]))
