#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Which protection the mappings of each test had.

tiers.py LOG: reads meson's log of test programs that had count_mappings.so with
them, and prints a line for each test that had mappings, and a summary. Fails if a
test that nosigbus_tests lists had others: then the library does not use what the
kernel has.
"""

import json
import pathlib
import re
import sys

RESULT = re.compile(r'(?:not )?ok \d+ (\S+)(?: # SKIP)?')
MAPPINGS = re.compile(r'# mappings: nosigbus (\d+), sealed (\d+), plain (\d+), '
    r'writable (\d+)$')
KINDS = ('nosigbus', 'sealed', 'plain', 'writable')
NONE = dict.fromkeys(KINDS, 0)


def read(path):
    """Tests that ran, as "program: test", with their mappings by kind; programs."""
    tests, programs = {}, set()
    with open(path, encoding='utf-8') as log:
        for line in log:
            record = json.loads(line)
            program = record['name'].rpartition(' / ')[2]
            programs.add(program)
            name = None
            for line in record.get('stdout', '').splitlines():
                result, mappings = RESULT.match(line), MAPPINGS.match(line)
                if result:
                    name = f'{program}: {result[1]}'
                    tests[name] = None if result[0].endswith('SKIP') else NONE
                elif mappings and tests.get(name) is not None:
                    tests[name] = dict(zip(KINDS, map(int, mappings.groups())))
    return tests, programs


def read_list():
    """What must be, by test: whether it may have others, too."""
    path = pathlib.Path(__file__).with_name('nosigbus_tests')
    lines = path.read_text(encoding='utf-8').splitlines()
    return {line.removeprefix('+ '): line.startswith('+ ')
        for line in lines if not line.startswith('#')}


def errors(tests, programs):
    for name, others_too in read_list().items():
        if name.partition(':')[0] not in programs:
            continue  # not built here
        if name not in tests:
            yield f'{name}: there is no such test'
        elif tests[name] is None:
            continue
        elif tests[name]['nosigbus'] == 0:
            yield f'{name}: no mapping was without SIGBUS'
        elif tests[name]['plain'] > 0 and not others_too:
            yield f'{name}: {tests[name]["plain"]} mappings could raise SIGBUS'


def main(path):
    tests, programs = read(path)
    counted = dict(NONE)
    total = 0
    for name, numbers in tests.items():
        if not numbers or not any(numbers.values()):
            continue
        total += 1
        shown = ', '.join(f'{number} {kind}'
            for kind, number in numbers.items() if number)
        print(f'{name}: {shown}')
        for kind, number in numbers.items():
            counted[kind] += number > 0
    wrong = list(errors(tests, programs))
    for line in wrong:
        print(f'ERROR: {line}')
    print(f'{total} tests had mappings; ' +
        ', '.join(f'{kind} {number}' for kind, number in counted.items()))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
