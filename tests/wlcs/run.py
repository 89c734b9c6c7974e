#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the Wayland conformance suite on tinywl-safe and prints TAP.

run.py [PATTERN]...: all tests, or those with such names. In the environment:
WLCS (the runner), WLCS_VERSION, MODULE (tinywl-safe for it), WLROOTS_VERSION,
STOCK (libshmguard-stock.so, if MODULE needs it preloaded).

What is expected is in expected.txt next to this file: see there. The compositor
is in the runner's process. If that ends in the middle of a test, or a test goes
on for too long, then the test has failed, whatever was expected; the others are
run in a new process.
"""

import concurrent.futures
import fnmatch
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading

PATIENCE = 120  # seconds for one test; those that wait in vain take 10
DESCRIPTORS = 100  # if every test left one behind, that would not be enough
BATCH = 150  # tests in one process

RULE = re.compile(r'(fails|omitted)(?: with (wlcs|wlroots) (\S+))?: (.*)')
BEGIN = re.compile(r'\[ RUN      \] (\S+)')
END = re.compile(r'\[ +(OK|FAILED|SKIP) +\] ([^\s,]+).*\(\d+ ?ms\)')
MISSING = re.compile(r'Missing extension: ([a-z0-9_]+)')


class Rules:
    def __init__(self, path):
        self.rules = []  # (verdict, reason, pattern)
        versions = {'wlcs': os.environ['WLCS_VERSION'],
            'wlroots': os.environ['WLROOTS_VERSION']}
        applies = False
        for line in path.read_text(encoding='utf-8').splitlines():
            header = RULE.fullmatch(line)
            if header:
                verdict, what, version, reason = header.groups()
                applies = what is None or \
                    f'{versions[what]}.'.startswith(f'{version}.')
            elif line.startswith('\t'):
                if applies:
                    self.rules.append((verdict, reason, line.strip()))
            elif line and not line.startswith('#'):
                sys.exit(f'{path}: cannot make sense of: {line}')

    def find(self, verdict, test):
        for kind, reason, pattern in self.rules:
            if kind == verdict and fnmatch.fnmatchcase(test, pattern):
                return reason
        return None


class Runner:
    def __init__(self):
        self.command = [os.environ['WLCS'], os.environ['MODULE'],
            '--gtest_also_run_disabled_tests']
        self.environment = dict(os.environ)
        for name in ('WAYLAND_DISPLAY', 'WAYLAND_SOCKET', 'WAYLAND_DEBUG'):
            self.environment.pop(name, None)
        if os.environ.get('STOCK'):
            self.environment['LD_PRELOAD'] = ' '.join(filter(None,
                [os.environ.get('LD_PRELOAD'), os.environ['STOCK']]))

    def list(self):
        tests = []
        output = subprocess.run(self.command + ['--gtest_list_tests'],
            env=self.environment, check=True, stdout=subprocess.PIPE,
            encoding='utf-8').stdout
        for line in output.splitlines():
            if not line.startswith(' '):
                suite = line.split()[0]
            elif line.strip():
                tests.append(suite + line.split()[0])
        return tests

    def start(self, tests):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE,
                (DESCRIPTORS, DESCRIPTORS))

        return subprocess.Popen(
            self.command + ['--gtest_filter=' + ':'.join(tests)],
            env=self.environment, preexec_fn=limit,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding='utf-8', errors='replace')

    def run_process(self, tests, results):
        """Adds at least one result: NAME -> (how it ended, lines)."""
        process = self.start(tests)
        current, lines, hung = None, [], threading.Event()

        def give_up():
            hung.set()
            process.kill()

        timer = threading.Timer(PATIENCE, give_up)
        timer.start()
        for line in process.stdout:
            begin, end = BEGIN.match(line), END.match(line)
            if begin:
                timer.cancel()
                timer = threading.Timer(PATIENCE, give_up)
                timer.start()
                current, lines = begin[1], []
            elif end and end[2] == current:
                results[current] = (end[1], lines)
                current = None
            else:
                lines.append(line.rstrip())
        timer.cancel()
        status = process.wait()

        if hung.is_set():
            end = f'HUNG for {PATIENCE} s'
        elif status < 0:
            end = f'KILLED by {signal.Signals(-status).name}'
        else:
            end = f'ENDED with status {status}'
        rest = [test for test in tests if test not in results]
        if current or rest == tests:
            results[current or tests[0]] = (end, lines)
        elif rest or status not in (0, 1):
            # It came to grief between tests: the one before is to blame.
            last = [test for test in tests if test in results][-1]
            results[last] = (end, lines)

    def run(self, tests):
        results = {}
        while tests:
            self.run_process(tests, results)
            tests = [test for test in tests if test not in results]
        return results


def run_all(runner, tests):
    # Dealt out like cards: those that take long are next to each other.
    count = -(-len(tests) // BATCH)
    batches = [tests[i::count] for i in range(count)]
    results = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for some in pool.map(runner.run, batches):
            results.update(some)
    return results


def report(tests, results, rules):
    """Returns whether all is as expected. Prints no line for each test that is
    skipped but one for each reason: they are many."""
    output = []
    skipped = {}
    ok = True
    for test in tests:
        reason = rules.find('omitted', test)
        if reason:
            skipped[reason] = skipped.get(reason, 0) + 1
            continue
        end, lines = results[test]
        missing = MISSING.search('\n'.join(lines)) if end == 'SKIP' else None
        expected = rules.find('fails', test)
        if end == 'SKIP':
            reason = f'tinywl-safe has no {missing[1]}' if missing else \
                'wlcs does not say why'
            skipped[reason] = skipped.get(reason, 0) + 1
        elif end == 'OK' and not expected:
            output.append((f'ok {{}} {test}', []))
        elif end == 'FAILED' and expected:
            output.append((f'not ok {{}} {test} # TODO {expected}', []))
        else:
            ok = False
            if end == 'OK':
                lines = ['passed, against what expected.txt says: '
                    f'"{expected}"']
            output.append((f'not ok {{}} {test}', [end] + lines))

    for reason, count in skipped.items():
        output.append((f'ok {{}} {count} tests # SKIP {reason}', []))
    print(f'1..{len(output)}')
    for number, (line, details) in enumerate(output, 1):
        print(line.format(number))
        for detail in details:
            print('#', detail)
    return ok


def main():
    rules = Rules(pathlib.Path(__file__).with_name('expected.txt'))
    runner = Runner()
    tests = [test for test in runner.list() if len(sys.argv) == 1 or
        any(fnmatch.fnmatchcase(test, pattern) for pattern in sys.argv[1:])]
    if not tests:
        print('1..0 # SKIP no test is selected')
        return 0
    with tempfile.TemporaryDirectory() as directory:
        runner.environment['XDG_RUNTIME_DIR'] = directory
        results = run_all(runner,
            [test for test in tests if not rules.find('omitted', test)])
    return 0 if report(tests, results, rules) else 1


if __name__ == '__main__':
    sys.exit(main())
