# SPDX-License-Identifier: MIT
"""Starts a compositor, and a program on it, and watches what pools it makes."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time

from .pool_log import Account, Follower

POLL = 0.02        # seconds
START_TIME = 30    # for the compositor, seconds
GRACE = 3          # from SIGTERM to SIGKILL, seconds
CLOSE_TIME = 10    # for the compositor to see that a client is gone, seconds
OUTPUT_LENGTH = 160

# Nothing that a headless compositor would miss; those who set it know better.
ENVIRONMENT = {
    'WLR_BACKENDS': 'headless',
    'WLR_RENDERER': 'pixman',
    'WLR_LIBINPUT_NO_DEVICES': '1',
}


class StageError(Exception):
    """The compositor did not start, or did not last."""


def printable(text):
    """Nothing that a terminal or a table would take for more than text."""
    return re.sub(r'[^ -~]', '?', text)


def last_line(path):
    """What a program said last, as far as it can be printed."""
    lines = path.read_text(errors='replace').strip().splitlines()
    return printable(lines[-1].strip())[:OUTPUT_LENGTH] if lines else ''


class Process:
    """A program and what it starts, in a session of their own."""

    def __init__(self, command, log, env):
        self.log = log
        with open(log, 'wb') as output:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, env=env,
                start_new_session=True)
        self.pid = self.popen.pid

    def has_ended(self):
        return self.popen.poll() is not None

    def signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def outcome(self):
        """How it ended, in words; None as long as it has not."""
        status = self.popen.poll()
        if status is None:
            return None
        if status < 0:
            return f'killed by {signal.Signals(-status).name}'
        return f'exit status {status}'

    def stop(self):
        self.signal(signal.SIGTERM)
        end = time.monotonic() + GRACE
        while not self.has_ended() and time.monotonic() < end:
            time.sleep(POLL)
        self.signal(signal.SIGKILL)
        self.popen.wait()


def process_name(pid):
    """What a process calls itself, or None when it is gone already."""
    try:
        name = pathlib.Path(f'/proc/{pid}/comm').read_bytes()
    except OSError:
        return None
    return printable(name.decode(errors='replace').rstrip('\n'))


def command_line(pid):
    try:
        words = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return None
    return printable(words.rstrip(b'\0').replace(b'\0', b' ')
        .decode(errors='replace'))


class Stage:
    """One run of one compositor, in a directory of its own."""

    def __init__(self, compositor):
        self.directory = tempfile.TemporaryDirectory(prefix='shmguard-census.',
            ignore_cleanup_errors=True)
        self.path = pathlib.Path(self.directory.name)
        self.log = self.path / 'pools.log'
        self.log.touch()
        self.env = {name: value for name, value in os.environ.items()
            if name not in ('WAYLAND_DISPLAY', 'WAYLAND_SOCKET', 'DISPLAY')}
        self.env['XDG_RUNTIME_DIR'] = str(self.path)
        self.compositor = Process(shlex.split(compositor),
            self.path / 'compositor.log',
            {**ENVIRONMENT, **self.env, 'SHMGUARD_LOG': f'debug:{self.log}'})
        self.follower = Follower(self.log)
        self.account = Account()
        self.names = {}
        self.lines = {}

    def find_socket(self):
        for path in self.path.glob('wayland-*'):
            if stat.S_ISSOCK(path.stat().st_mode):
                return path.name
        return None

    def await_socket(self):
        end = time.monotonic() + START_TIME
        while not self.find_socket():
            if self.compositor.has_ended() or time.monotonic() > end:
                raise StageError('the compositor did not start: ' +
                    (last_line(self.compositor.log) or 'it does not say why'))
            time.sleep(POLL)
        self.env['WAYLAND_DISPLAY'] = self.find_socket()

    def watch(self):
        """Names of processes are to be had as long as these run."""
        for event in self.follower.read():
            pid = event.get('pid')
            if pid and self.names.get(pid) is None:
                self.names[pid] = process_name(pid)
                self.lines[pid] = command_line(pid)
            self.account.add(event)

    def watch_for(self, seconds, process):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not process.has_ended() and \
                not self.compositor.has_ended():
            self.watch()
            time.sleep(POLL)
        self.watch()

    def play(self, command, seconds):
        """Runs a program for some time. Returns how it ended, and what it said
        last."""
        self.await_socket()
        program = Process(command, self.path / 'program.log', self.env)
        try:
            self.watch_for(seconds, program)
            outcome = program.outcome() or 'ran'
        finally:
            program.stop()
        if self.names.get(program.pid, '') is None:
            self.names[program.pid] = os.path.basename(command[0])
        if self.compositor.has_ended():
            raise StageError(f'the compositor: {self.compositor.outcome()}: '
                f'{last_line(self.compositor.log)}')
        # The pools of a client go once its connection is seen to be closed.
        end = time.monotonic() + CLOSE_TIME
        while self.account.alive and time.monotonic() < end:
            time.sleep(POLL)
            self.watch()
        return outcome, last_line(program.log)

    def close(self):
        self.compositor.stop()
        self.follower.close()
        self.directory.cleanup()


def is_installed(command):
    """Whether the program is there, which env may be about to start."""
    words = list(command)
    if os.path.basename(words[0]) == 'env':
        words = [word for word in words[1:] if '=' not in word] or words
    return shutil.which(words[0]) is not None
