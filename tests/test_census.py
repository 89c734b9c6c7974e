#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shmguard-census: what it makes of lines that are not as they should be, and of
real programs. In the environment: SOURCE, and COMPOSITOR, the command of a guarded
one, if there is any."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

SOURCE = pathlib.Path(os.environ['SOURCE'])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / 'census'))
# pylint: disable=wrong-import-position
from shmguard_census import chart, pool_log, report, stage

CREATE = ('shmguard: pool event=create pid=7 id=1 size=4096 tier=sealed '
    'reason=sealed kind=memfd seals=0x2 access=rw inode=5 file_size=4096 '
    'resident=- name=/memfd:x')


class Skip(Exception):
    """The test cannot run here."""


def account(*lines):
    """An account of the events that are in these lines."""
    result = pool_log.Account()
    for line in lines:
        event = pool_log.parse_line(line)
        assert event is not None, line
        result.add(event)
    return result


def create(number, size, **words):
    line = CREATE.replace('id=1', f'id={number}').replace('size=4096',
        f'size={size}', 1)
    for key, value in words.items():
        before, _, rest = line.partition(f' {key}=')
        line = f'{before} {key}={value} {rest.partition(" ")[2]}'.rstrip()
    return line


def destroy(number, size, resident):
    return (f'shmguard: pool event=destroy pid=7 id={number} size={size} '
        f'tier=sealed reason=sealed resident={resident}')


def test_a_line_is_read():
    event = pool_log.parse_line(CREATE)
    assert event['size'] == 4096 and event['name'] == '/memfd:x'
    assert event['resident'] is None
    # Later versions may add keys.
    assert pool_log.parse_line(CREATE + ' color=red')['color'] == 'red'


def test_lines_that_are_not_whole_are_left_out():
    # But for the end of a name, which is cut anyway.
    for end in range(CREATE.index('/memfd:x') + 1):
        assert pool_log.parse_line(CREATE[:end]) is None, CREATE[:end]


def test_hostile_lines_are_left_out():
    for line in (
            '', 'shmguard: ', 'shmguard: pool ', 'pool event=create',
            'x' + CREATE, CREATE + ' \x1b[2J', CREATE + '\n', CREATE + '\0',
            CREATE + ' pid=8', CREATE + ' size=1', CREATE + ' event=destroy',
            CREATE.replace('4096', '4096x'), CREATE.replace('4096', '9' * 99),
            CREATE.replace('pid=7', 'pid=\u0667'),
            CREATE.replace('pid=7', 'pid=-'),
            CREATE.replace('event=create', 'event=bind'),
            CREATE.replace('event=create', 'event=__class__'),
            CREATE.replace('pool', 'client'),
            'shmguard: client with pid 7 ended: pool event=create',
            'shmguard: pool event=destroy', '=' * 10000, 'a=b ' * 10000):
        assert pool_log.parse_line(line) is None, line


def test_events_of_unknown_pools_change_nothing():
    result = account(destroy(1, 9, 9), create(1, 4096), destroy(1, 4096, 9),
        destroy(1, 4096, 9))
    assert len(result.pools) == 1 and result.peak_bytes() == 4096


def test_peak_counts_what_is_there_at_once():
    result = account(create(1, 1000, inode=1), create(2, 500, inode=2),
        destroy(1, 1000, 100), create(3, 700, inode=3))
    assert result.peak_bytes() == 1500
    assert result.peak_pools() == 2
    assert result.peak_resident() == 100


def test_pools_of_one_file_count_once():
    result = account(create(1, 1000), create(2, 3000))
    assert result.peak_bytes() == 3000
    # Where the file is not known they may be of two.
    result = account(create(1, 1000, inode=0), create(2, 3000, inode=0))
    assert result.peak_bytes() == 4000


def test_a_log_that_grows_is_read_in_whole_lines():
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / 'log'
        with open(path, 'wb', buffering=0) as log:
            follower = pool_log.Follower(path)
            log.write(b'\xff\0 rubbish\n' + CREATE[:40].encode())
            assert follower.read() == []
            log.write(CREATE[40:].encode() + b'\n\n')
            assert len(follower.read()) == 1
            follower.close()


def test_names_of_programs_cannot_spoil_a_table():
    assert stage.printable('a\x1b[2J\n\u202eb|') == 'a?[2J??b|'
    import document # of census/
    assert document.cell('a|b`<i>') == 'a\\|b\\`\\<i\\>'
    assert document.code('a|b`') == "`a\\|b'`"


def test_file_names_lose_what_is_random():
    def pattern(kind, name):
        pool = account(create(1, 1, kind=kind, name=name)).pools[0]
        return report.file_pattern(pool, '/tmp/run')
    assert pattern('memfd', '/memfd:mesa-shared') == 'mesa-shared'
    assert pattern('memfd', '/memfd:pool17') == 'pool*'
    assert pattern('tmpfs', '/dev/shm/grim-aBcD12') == '/dev/shm/grim-*'
    assert pattern('tmpfs', '/dev/shm/sway-2e-aBcDef') == '/dev/shm/sway-*-*'
    assert pattern('tmpfs', '/tmp/run/x') == '$XDG_RUNTIME_DIR/x'


def test_sizes_and_seals_in_words():
    assert report.human_size(0) == '0 B'
    assert report.human_size(512 << 20) == '512 MiB'
    assert report.human_size(1023 << 10) == '0.999 MiB'
    assert report.seal_names('0x3') == 'SEAL SHRINK'
    assert report.seal_names('0x0') == 'none'
    assert report.seal_names('-') == 'none possible'


def test_a_program_without_pools_has_a_reason():
    def summary(outcome, output):
        return report.summary({'files': [], 'outcome': outcome,
            'output': output})
    assert summary('ran', 'hello') == 'ran, made no pool'
    assert summary('exit status 1', 'no luck') == 'exit status 1: no luck'
    assert summary('exit status 127', 'sh: not found') == 'not installed'


def test_a_chart_is_drawn_of_any_name():
    try:
        import matplotlib # pylint: disable=unused-import
    except ImportError as error:
        raise Skip('Matplotlib is not installed') from error
    result = {'name': '<b>$\\x{$', 'files': [
        {'reason': 'sealed', 'largest': 1 << 30},
        {'reason': 'may_block', 'largest': 1}]}
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / 'chart.svg'
        chart.write_chart(path, [('one', [result]), ('none', [])])
        assert '<b>' not in path.read_text()


def find_compositor():
    """Its command."""
    command = os.environ.get('COMPOSITOR')
    if command is None:
        raise Skip('neither tinywl-safe nor shmguard-run was built')
    if 'sway' in command.split() and shutil.which('sway') is None:
        raise Skip('sway is not installed')
    return command


def take_census(*command):
    """What shmguard-census says of one program."""
    compositor = find_compositor()
    if shutil.which(command[0]) is None:
        raise Skip(f'{command[0]} is not installed')
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / 'census.json'
        subprocess.run([SOURCE / 'census/shmguard-census', '--seconds', '10',
            '--compositor', compositor, '--json', path, '--', *command],
            check=True, timeout=120, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        result, = json.loads(path.read_text())
        return result


def test_census_of_weston_simple_shm():
    result = take_census('weston-simple-shm')
    assert result['outcome'] == 'ran', result
    file, = result['files']
    assert file['process'] == 'weston-simple-s', file # as the kernel cuts it
    assert (file['kind'], file['name']) == ('memfd', 'weston-shared'), file
    assert (file['tier'], file['reason']) == ('sealed', 'sealed'), file
    assert int(file['seals'], 16) & 2, file
    assert file['access'] == 'rw', file
    assert 0 < file['resident'] < file['largest'] + (64 << 10), file
    assert result['peak_bytes'] >= file['largest'] > 0, result


def test_census_of_foot():
    result = take_census('foot', '--config=/dev/null', 'sleep', '60')
    assert {file['process'] for file in result['files']} == {'foot'}, result
    large = max(result['files'], key=lambda file: file['largest'])
    assert (large['kind'], large['tier']) == ('memfd', 'sealed'), large
    # Its pool is mostly holes.
    assert large['resident'] < large['largest'] / 4, large


def test_census_of_what_does_not_start():
    compositor = find_compositor()
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / 'list'
        path.write_text('[a group]\n# no program\n'
            'missing: /nonexistent --option\n'
            "fails: sh -c 'printf \"a\\033\\n no\\033 luck\"; exit 3'\n")
        run = subprocess.run([SOURCE / 'census/shmguard-census',
            '--compositor', compositor, '--list', path, '--json',
            path.with_suffix('.json')], check=False, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert run.returncode == 1, run
        missing, fails = json.loads(path.with_suffix('.json').read_text())
        assert missing['outcome'] == 'not installed'
        assert missing['group'] == 'a group'
        assert fails['outcome'] == 'exit status 3'
        assert fails['output'] == 'no? luck', fails
        assert b'\033' not in run.stdout


def main():
    names = [name for name in globals() if name.startswith('test_')]
    print(f'1..{len(names)}')
    failures = 0
    for number, name in enumerate(names, 1):
        try:
            globals()[name]()
            print(f'ok {number} {name[5:]}')
        except Skip as why:
            print(f'ok {number} {name[5:]} # SKIP {why}')
        except Exception: # pylint: disable=broad-except
            failures += 1
            print(f'not ok {number} {name[5:]}')
            print('# ' + traceback.format_exc().replace('\n', '\n# '))
    sys.exit(failures > 0)


if __name__ == '__main__':
    main()
