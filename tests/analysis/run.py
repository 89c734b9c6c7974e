#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the C code to what clang-tidy, Clang's static analyzer (scan-build) and
cppcheck have to say, and prints TAP.

run.py [PATTERN]...: all tests, or those with such names. In the environment:
SOURCE, and BUILD, a build directory in which everything is built. With
SHMGUARD_TEST_LONG the tests' own code too.

Each version of a tool knows something that others do not. Ours are Debian 12's:
with others the test is skipped, for it would fail of what is new.
"""

import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = pathlib.Path(os.environ['SOURCE']).resolve()
BUILD = pathlib.Path(os.environ['BUILD']).resolve()
AREAS = ['src', 'run', 'examples', 'siege', 'benchmarks']
if 'SHMGUARD_TEST_LONG' in os.environ:
    AREAS.append('tests')
JOBS = os.cpu_count()

# Checks of .clang-tidy that are for the library, and why not for the rest.
LIBRARY = ['src', 'run']
LIBRARY_ONLY = [
    # Sizes of the program's own that are known to be small.
    'bugprone-implicit-widening-of-multiplication-result',
    # Names that the sanitizers, the C library and the linker's --wrap give.
    'bugprone-reserved-identifier', 'cert-dcl37-c', 'cert-dcl51-cpp',
    # Names of types and members, which cannot stand in parentheses.
    'bugprone-macro-parentheses',
    # Handlers are tested with signals that come when they are called for.
    'bugprone-signal-handler', 'cert-sig30-c',
    # Into places that were made for the text, or are larger than any.
    'clang-analyzer-security.insecureAPI.strcpy',
    # popen, with commands of the program's own.
    'cert-env33-c',
]


class Skip(Exception):
    """The test cannot run here."""


def want(tool, version):
    """Ends the test if the tool is not the one whose opinion counts."""
    try:
        said = subprocess.run([tool, '--version'], capture_output=True,
            text=True, check=False).stdout
    except OSError:
        raise Skip(f'{tool} is not installed') from None
    found = re.search(r'(?:version |Cppcheck )(\d+[.\d]*)', said)
    if not found or not found[1].startswith(version):
        raise Skip(f'held to {tool} {version}, this is '
            f'{found[1] if found else "another"}')


def database():
    """The compiler's command for each file, as compile_commands.json has them."""
    commands = {}
    for entry in json.loads((BUILD / 'compile_commands.json').read_text()):
        path = (BUILD / entry['file']).resolve()
        if not path.is_relative_to(SOURCE) or path.is_relative_to(BUILD):
            continue
        area = path.relative_to(SOURCE).parts[0]
        if area in AREAS:
            commands.setdefault(path, {'area': area, 'file': str(path),
                'directory': str(BUILD), 'command': entry['command']})
    return list(commands.values())


def relative(text):
    return text.replace(f'{SOURCE}/', '')


def run_each(commands):
    """Runs them side by side. Returns what those that failed said."""
    def run(command):
        done = subprocess.run(command, cwd=BUILD, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout if done.returncode != 0 else ''
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return ''.join(pool.map(run, commands))


def test_clang_tidy():
    want('clang-tidy', '14.')
    others = ','.join('-' + check for check in LIBRARY_ONLY)
    # One file a process: it mixes up their variable arguments otherwise.
    problems = run_each(['clang-tidy', '--quiet', '-p', BUILD, entry['file']] +
        ([f'--checks={others}'] if entry['area'] not in LIBRARY else [])
        for entry in database())
    assert not problems, relative(problems)


def test_scan_build():
    want('clang', '14.')
    with tempfile.TemporaryDirectory() as reports:
        try:
            done = subprocess.run(['scan-build', '--status-bugs', '-o', reports,
                # As in .clang-tidy.
                '-disable-checker', 'valist.Uninitialized',
                sys.executable, str(HERE / 'run.py'), '--compile'],
                capture_output=True, text=True, check=False)
        except OSError:
            raise Skip('scan-build is not installed') from None
        assert done.returncode == 0, relative(done.stdout + done.stderr)


def compile_all():
    """Compiles each file with the compiler that scan-build gives."""
    problems = run_each(
        [os.environ['CC'], *shlex.split(entry['command'])[1:], '-o', '/dev/null']
        for entry in database())
    print(problems)


def test_cppcheck():
    want('cppcheck', '2.10')
    with tempfile.TemporaryDirectory() as directory:
        project = pathlib.Path(directory) / 'compile_commands.json'
        project.write_text(json.dumps(database()), encoding='utf-8')
        done = subprocess.run(['cppcheck', f'--project={project}', f'-j{JOBS}',
            '--enable=warning,performance,portability', '--inline-suppr',
            f'--library={HERE}/cppcheck.cfg',
            f'--cppcheck-build-dir={directory}', '--quiet',
            '--error-exitcode=1',
            '--template={file}:{line}: {message} [{id}]'],
            cwd=BUILD, capture_output=True, text=True, check=False)
    assert done.returncode == 0, relative(done.stdout + done.stderr)


def main(patterns):
    names = [name for name in globals() if name.startswith('test_') and (
        not patterns or
        any(fnmatch.fnmatch(name[5:], pattern) for pattern in patterns))]
    print(f'1..{len(names)}{"" if names else " # SKIP no test is selected"}')
    failures = 0
    for number, name in enumerate(names, 1):
        try:
            globals()[name]()
            print(f'ok {number} {name[5:]}', flush=True)
        except Skip as why:
            print(f'ok {number} {name[5:]} # SKIP {why}', flush=True)
        except AssertionError as problems:
            print(f'not ok {number} {name[5:]}')
            for line in str(problems).splitlines():
                print(f'# {line}')
            failures += 1
    return 1 if failures else 0


if __name__ == '__main__':
    if sys.argv[1:] == ['--compile']:
        compile_all()
    else:
        sys.exit(main(sys.argv[1:]))
