#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Scripts for the fuzz targets, as text and as the bytes that the targets take.

seeds.py make TARGET DIR: writes a file to DIR for each seed of the target:
seeds/TARGET/*.txt are translated (see below), the seeds() of seeds/TARGET/*.py
yield names and bytes, and all other files are copied.
seeds.py explain TARGET FILE: prints an input of the target as text.

A line of text is an operation of TARGET_ops.inc and its arguments: numbers, names
of the .inc files, or sums of those. 'bytes' is followed by bytes that are no
operation. What follows a # is for the reader.
"""

import pathlib
import re
import runpy
import shutil
import sys

HERE = pathlib.Path(__file__).parent
# Of the bytes before the first operation.
NAMES = {
    'TRAP': 0, 'COPY': 1, 'REJECT': 2,
    'BLOCKING_REJECT': 0, 'BLOCKING_ALLOW': 3, 'BLOCKING_COPY': 6,
    'INSTALL': 0, 'HOST': 1, 'NONE': 2,
}
ANY_NUMBER = 0xff


def entries(macro, path):
    """What the macro is used for in an .inc file and those that it includes."""
    found = []
    for line in path.read_text().splitlines():
        include = re.match(r'#include "(.*)"', line)
        if include:
            found += entries(macro, path.parent / include[1])
        entry = re.match(macro + r'\(([^)]*)\)', line)
        if entry:
            found.append([part.strip(' "') for part in entry[1].split(',')])
    return found


def read_names():
    names = dict(NAMES)
    for macro in 'KIND', 'HOW', 'GLOBAL', 'FORMAT_NAME', 'FLAG':
        for path in HERE.glob('*.inc'):
            for i, entry in enumerate(entries(macro, path)):
                names[entry[0]] = 1 << i if macro == 'FLAG' else i
    return names


class Language:
    def __init__(self, target):
        path = HERE / f'{target}_ops.inc'
        self.ops = entries('OP', path) if path.exists() else []
        self.names = read_names()
        self.numbers = [int(entry[0])
            for entry in entries('NUMBER', HERE / 'numbers.inc')]

    def value(self, word):
        return sum(self.names[part] if part in self.names else int(part, 0)
            for part in word.split('+'))

    def argument(self, kind, word):
        value = self.value(word)
        if kind == 'b':
            return bytes([value])
        if value in self.numbers:
            return bytes([self.numbers.index(value)])
        return bytes([ANY_NUMBER]) + (value & 0xffffffff).to_bytes(4, 'little')

    def assemble(self, text):
        output = b''
        names = [op[0] for op in self.ops]
        for line in text.splitlines():
            words = line.partition('#')[0].split()
            if not words:
                continue
            if words[0] == 'bytes':
                output += bytes(self.value(word) for word in words[1:])
                continue
            op = names.index(words[0])
            kinds = self.ops[op][1]
            if len(kinds) != len(words) - 1:
                raise ValueError(f'{line}: {len(kinds)} arguments are wanted')
            output += bytes([op]) + b''.join(map(self.argument, kinds,
                words[1:]))
        return output

    def explain(self, data, header):
        data = list(data)

        def take():
            return data.pop(0) if data else 0

        def take_number():
            which = take()
            if which != ANY_NUMBER:
                return self.numbers[which % len(self.numbers)]
            return int.from_bytes([take() for _ in range(4)], 'little',
                signed=True)

        print('bytes', *(take() for _ in range(header)))
        while data:
            name, kinds = self.ops[take() % len(self.ops)]
            print(name, *(take() if kind == 'b' else take_number()
                for kind in kinds))


def make(target, directory):
    language = Language(target)
    directory.mkdir(parents=True, exist_ok=True)
    for path in sorted((HERE / 'seeds' / target).iterdir()):
        if path.suffix == '.txt':
            (directory / path.stem).write_bytes(
                language.assemble(path.read_text()))
        elif path.suffix == '.py':
            for name, data in runpy.run_path(str(path))['seeds']():
                (directory / name).write_bytes(data)
        else:
            shutil.copy(path, directory)


if __name__ == '__main__':
    if sys.argv[1] == 'make':
        make(sys.argv[2], pathlib.Path(sys.argv[3]))
    else:
        Language(sys.argv[2]).explain(
            pathlib.Path(sys.argv[3]).read_bytes(),
            1 if sys.argv[2] == 'map' else 3)
