#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Which protection the mappings of each test had.

tiers.py LOG: reads meson's log of test programs that had count_mappings.so with
them, and prints a line for each test that had mappings, and a summary. Fails if hardly any test had
mappings without SIGBUS: then the library has not found that the kernel has them.
"""

import json
import re
import sys

RESULT = re.compile(r'(?:not )?ok \d+ ([^ ]*)')
MAPPINGS = re.compile(r'# mappings: nosigbus (\d+), sealed (\d+), plain (\d+), '
    r'writable (\d+)$')
KINDS = ('nosigbus', 'sealed', 'plain', 'writable')
LEAST = 40  # tests


def read(path):
    """Yields program, test and its numbers of mappings by kind."""
    with open(path, encoding='utf-8') as log:
        for line in log:
            record = json.loads(line)
            program = record['name'].rpartition(' / ')[2]
            test = None
            for line in record.get('stdout', '').splitlines():
                result, mappings = RESULT.match(line), MAPPINGS.match(line)
                if result:
                    test = result[1]
                elif mappings and test:
                    yield program, test, [int(number)
                        for number in mappings.groups()]


def main(path):
    counted = {kind: 0 for kind in KINDS}
    total = 0
    for program, test, numbers in read(path):
        total += 1
        shown = ', '.join(f'{number} {kind}'
            for kind, number in zip(KINDS, numbers) if number)
        print(f'{program}: {test}: {shown}')
        for kind, number in zip(KINDS, numbers):
            counted[kind] += number > 0
    print(f'{total} tests had mappings; ' +
        ', '.join(f'{kind} {number}' for kind, number in counted.items()))
    if counted['nosigbus'] < LEAST:
        print('ERROR: the library does not use no-SIGBUS mappings here')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
