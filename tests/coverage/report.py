#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Says what of the library the tests have run, and prints TAP.

report.py [PATTERN]...: all of it. With patterns, which select tests, there is
nothing to say. In the environment: SOURCE; BUILD, a build directory whose tests
have left what they counted in BUILD/counts; UNCOVERED, the document that has the
reasons.

Leaves BUILD/coverage/index.html, which shows each line. The document lists each
place that no test runs, a run of lines by its first, with the reason:

    - Reason, a sentence or two:
      `src/file.c`, `function`: `source text`
      `src/file.c`, `function`: `source text` (or is run)

The latter is for what depends on the machine. A place without a reason fails the
test, and so does a reason whose place is run or gone.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(os.environ['SOURCE']).resolve()
BUILD = pathlib.Path(os.environ['BUILD']).resolve()
DOCUMENT = pathlib.Path(os.environ['UNCOVERED'])
LINES_WANTED = 95
BRANCHES_WANTED = 90

BEGIN, END = '<!-- uncovered: begin -->', '<!-- uncovered: end -->'
PLACE = re.compile(r'\s+`(?P<file>[^`]+)`, `(?P<function>[^`]+)`: '
    r'`(?P<text>.+)`(?P<maybe> \(or is run\))?')

Place = collections.namedtuple('Place', 'file function text')


def llvm(tool, *arguments):
    return subprocess.run([tool, *arguments], cwd=BUILD, check=True, text=True,
        stdout=subprocess.PIPE).stdout


def export():
    """Has llvm-cov write the pages. Returns its data, as lcov has them."""
    data = BUILD / 'coverage.profdata'
    llvm('llvm-profdata', 'merge', '-o', data,
        *(BUILD / 'counts').glob('*.profraw'))
    libraries = sorted(path for path in BUILD.glob('*.so') if path.is_file())
    objects = [libraries[0]]
    for library in libraries[1:]:
        objects += ['-object', library]
    what = [*objects, '-instr-profile', data,
        '-ignore-filename-regex=protocol\\.[ch]$']
    llvm('llvm-cov', 'show', '-format=html', '-show-branches=count',
        '-output-dir', BUILD / 'coverage', *what)
    return llvm('llvm-cov', 'export', '-format=lcov', *what)


class File:
    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(SOURCE))
        self.functions = []  # (first line, name)
        self.lines = {}  # number: times it was run
        self.branches = [0, 0]  # taken, of how many

    def function_at(self, number):
        names = [name for first, name in self.functions if first <= number]
        return names[-1] if names else '-'

    def places(self):
        """Each run of lines that was not run, by its first."""
        text = self.path.read_text(encoding='utf-8').splitlines()
        before = None
        for number, count in sorted(self.lines.items()):
            place = Place(self.name, self.function_at(number),
                text[number - 1].strip())
            if count == 0 and (before is None or
                    before != (number - 1, place.function)):
                yield number, place
            before = (number, place.function) if count == 0 else None


def read_files(lcov):
    files = []
    for line in lcov.splitlines():
        key, _, value = line.partition(':')
        if key == 'SF':
            files.append(File((BUILD / value).resolve()))
        elif key == 'FN':
            first, name = value.split(',', 1)
            # Functions of one file only have its name before theirs.
            files[-1].functions.append((int(first), name.rpartition(':')[2]))
        elif key == 'DA':
            number, count = value.split(',')[:2]
            files[-1].lines[int(number)] = int(count)
        elif key == 'BRDA':
            files[-1].branches[0] += value.rpartition(',')[2] not in '0-'
            files[-1].branches[1] += 1
    for file in files:
        file.functions.sort()
    return files


def read_reasons():
    """The places that the document lists: whether they may be run as well."""
    listed = DOCUMENT.read_text(encoding='utf-8').partition(BEGIN)[2] \
        .partition(END)[0]
    reasons = {}
    for line in listed.splitlines():
        match = PLACE.fullmatch(line)
        if match:
            place = Place(match['file'], match['function'], match['text'])
            reasons[place] = bool(match['maybe'])
        elif '`src/' in line:
            sys.exit(f'{DOCUMENT} has a line that is no place: {line}')
    return reasons


def judge(name, problems):
    """Prints a line of TAP. Returns whether it is good."""
    judge.number += 1
    print(f'{"not " if problems else ""}ok {judge.number} {name}')
    for problem in problems:
        print(f'# {problem}')
    return not problems


judge.number = 0


def percent(files, what):
    done, of = (sum(numbers) for numbers in zip(*map(what, files)))
    return 100 * done / of, f'{done} of {of}'


def judge_percentage(name, files, what, wanted):
    share, words = percent(files, what)
    print(f'# {name}: {share:.2f} %, {words}')
    return judge(f'{name}_at_least_{wanted}_percent',
        [f'only {share:.2f} %'] if share < wanted else [])


def main():
    files = read_files(export())
    built = {file.name for file in files}
    reasons = read_reasons()
    unrun = {}
    for file in files:
        for number, place in file.places():
            unrun.setdefault(place, number)

    print('1..4')
    for file in sorted(files, key=lambda file: file.name):
        print(f'#   {file.name:28} lines {percent([file], lines_of)[1]:>12}, '
            f'branches {file.branches[0]} of {file.branches[1]}')
    good = judge_percentage('lines', files, lines_of, LINES_WANTED)
    good &= judge_percentage('branches', files,
        lambda file: file.branches, BRANCHES_WANTED)
    good &= judge('what_is_not_run_has_a_reason', [
        f'{place.file}:{number}: `{place.file}`, `{place.function}`: '
        f'`{place.text}`'
        for place, number in unrun.items() if place not in reasons])
    # Some files are built with newer libraries only.
    good &= judge('what_has_a_reason_is_not_run', [
        f'`{place.file}`, `{place.function}`: `{place.text}`'
        for place, maybe in reasons.items()
        if place not in unrun and not maybe and place.file in built])
    return 0 if good else 1


def lines_of(file):
    return sum(count > 0 for count in file.lines.values()), len(file.lines)


if __name__ == '__main__':
    if sys.argv[1:]:
        print('1..0 # SKIP not all tests are run')
    else:
        sys.exit(main())
