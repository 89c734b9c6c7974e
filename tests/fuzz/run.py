#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a fuzz target: its seeds, then inputs that are made from them.

run.py PROGRAM TARGET SECONDS DIR [PATTERN]...: prints TAP. With SHMGUARD_TEST_LONG
it goes on for an hour. Inputs that reach something new are kept in DIR/TARGET and
used the next time. What fails goes to SHMGUARD_FUZZ_RESULTS (DIR if that is not
set), with a line about each target in the file 'figures'.
"""

import fnmatch
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
LONG = 3600
# Of one input, in seconds: others may be using the machine.
TIMEOUT = 60
# Addresses for what clients claim but do not have; instrumented, too.
MEMORY = 4096
# Of an input, in bytes. Seeds may be longer: they are tried as they are.
LENGTH = 65536
LINES = 60
# Of short runs, which are to say what a change has done and not how lucky
# they were. Long ones choose anew each time (0).
SEED = 1


def run(program, *arguments):
    command = [str(part) for part in (program, *arguments)]
    result = subprocess.run(command, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False)
    return result.returncode, result.stdout.decode(errors='replace')


def tail(output):
    """From where the report begins, or the end if there is none."""
    lines = output.splitlines()
    start = next((i for i, line in enumerate(lines)
        if 'not so:' in line or 'ERROR:' in line or 'runtime error' in line),
        len(lines) - LINES)
    return lines[max(start, 0):][:LINES]


class Target:
    def __init__(self, program, name, seconds, directory):
        self.program = pathlib.Path(program).resolve()
        self.name = name
        long = bool(os.environ.get('SHMGUARD_TEST_LONG'))
        self.seconds = LONG if long else seconds
        self.kept = pathlib.Path(directory) / name
        self.kept.mkdir(parents=True, exist_ok=True)
        self.results = pathlib.Path(
            os.environ.get('SHMGUARD_FUZZ_RESULTS', directory))
        self.results.mkdir(parents=True, exist_ok=True)
        self.options = [f'-timeout={TIMEOUT}', f'-rss_limit_mb={MEMORY}',
            f'-seed={0 if long else SEED}']

    def make_seeds(self, directory):
        subprocess.run([sys.executable, HERE / 'seeds.py', 'make', self.name,
            directory], check=True)
        return sorted(pathlib.Path(directory).iterdir())

    def note(self, text):
        with (self.results / 'figures').open('a', encoding='utf-8') as file:
            file.write(f'{self.program.name}: {text}\n')
        print('#', text)

    def seeds(self):
        with tempfile.TemporaryDirectory() as directory:
            files = self.make_seeds(directory)
            status, output = run(self.program, *self.options, *files)
            if status == 0:
                return None
            ran = re.findall(r'^Running: (.*)$', output, re.MULTILINE)
            return [f'seed {ran[-1] if ran else "?"}', *tail(output)]

    def fuzz(self):
        dictionary = HERE / 'seeds' / f'{self.name}.dict'
        words = [f'-dict={dictionary}'] if dictionary.exists() else []
        prefix = self.results / f'{self.program.name}-'
        with tempfile.TemporaryDirectory() as directory:
            self.make_seeds(directory)
            status, output = run(self.program, *self.options, *words,
                f'-max_total_time={self.seconds}', f'-max_len={LENGTH}',
                '-print_final_stats=1',
                f'-artifact_prefix={prefix}', self.kept, directory)
        edges = re.findall(r' cov: (\d+) ', output)
        total = re.search(r'inline 8-bit counters\): (\d+)', output)
        made = re.search(r'number_of_executed_units: (\d+)', output)
        self.note(f'{made[1] if made else "?"} executions, '
            f'{edges[-1] if edges else "?"} of '
            f'{total[1] if total else "?"} edges')
        if status == 0:
            return None
        artifact = re.search(r'Test unit written to (\S+)', output)
        return [*self.reproduction(artifact), *tail(output)]

    def reproduction(self, artifact):
        if not artifact:
            return ['no input was kept']
        command = shlex.join([str(self.program), artifact[1]])
        self.note(f'FAILED, again with: {command}')
        lines = [f'the input is {artifact[1]}, again with:', command]
        if (HERE / f'{self.name}_ops.inc').exists():
            lines.append('in words: ' + shlex.join([str(HERE / 'seeds.py'),
                'explain', self.name, artifact[1]]))
        return lines


def main(program, name, seconds, directory, *patterns):
    target = Target(program, name, int(seconds), directory)
    tests = {f'fuzz_{name}_seeds': target.seeds, f'fuzz_{name}': target.fuzz}
    wanted = [test for test in tests if not patterns or
        any(fnmatch.fnmatch(test, pattern) for pattern in patterns)]
    print(f'1..{len(wanted)}')
    failed = False
    for number, test in enumerate(wanted, 1):
        message = tests[test]()
        print(f'{"not ok" if message else "ok"} {number} {test}')
        for line in message or []:
            print('#', line)
        failed = failed or bool(message)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
