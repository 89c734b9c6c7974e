# SPDX-License-Identifier: MIT
"""Whole compositors with clients that repaint full-HD windows: as they are, and
guarded."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       'tests/matrix'))

import compositors  # noqa: E402
from processes import Process, wait_until  # noqa: E402

CLIENTS = 8
SETTLE = 2.0  # seconds until what is measured
SECONDS = 20.0
START = 10  # seconds a compositor may take
GUARDED = 'shmguard-stock'
NAMES = (GUARDED, 'libwayland')


class Weston(compositors.Weston):
    def __init__(self, build):
        self.build = build
        self.guard = build / 'run/shmguard-run'

    def is_installed(self):
        return super().is_installed() and self.guard.exists()

    def command(self, home, guard):
        guarded = [str(self.guard), f'--lib-dir={self.build}'] if guard else []
        return guarded + super().command(home) + ['--width=1920',
                                                  '--height=1080']


class TinywlSafe:
    name = 'tinywl-safe'
    environment = compositors.WLROOTS

    def __init__(self, build):
        self.guarded = build / 'examples/tinywl-safe'
        self.stock = build / 'benchmarks/tinywl-unguarded'

    def is_installed(self):
        return self.guarded.exists() and self.stock.exists()

    def command(self, home, guard):
        return [str(self.guarded if guard else self.stock)]


def cpu_time(pid):
    """Nanoseconds on a processor, of all threads."""
    total = 0
    for path in pathlib.Path(f'/proc/{pid}/task').glob('*/schedstat'):
        with contextlib.suppress(FileNotFoundError):
            total += int(path.read_text().split()[0])
    return total


def sleep_until(moment):
    time.sleep(max(0.0, moment - time.monotonic()))


def find_socket(runtime):
    sockets = [path.name for path in runtime.glob('wayland-*')
               if path.is_socket()]
    return sockets[0] if sockets else None


class Trial:
    """One compositor with its clients, in a directory that goes with it."""

    def __init__(self, build, directory):
        self.build, self.directory = build, directory
        self.running = []

    def start(self, name, command, environment):
        process = Process(command, self.directory / name, environment)
        self.running.append(process)
        return process

    def stop(self):
        for process in reversed(self.running):
            process.stop()

    def run(self, compositor, guard):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(('SHMGUARD_', 'WAYLAND_', 'LD_'))}
        environment |= {'XDG_RUNTIME_DIR': str(self.directory),
                        'HOME': str(self.directory), 'LC_ALL': 'C.UTF-8'}
        server = self.start('compositor.log',
                            compositor.command(self.directory, guard),
                            environment | compositor.environment)
        display = wait_until(lambda: find_socket(self.directory), START)
        if not display:
            raise RuntimeError(f'{compositor.name}: {server.output()}')
        return self.measure(server, environment | {'WAYLAND_DISPLAY': display})

    def measure(self, server, environment):
        begin = time.monotonic() + SETTLE
        end = begin + SECONDS
        painters = [self.start(f'painter-{i}', [
            str(self.build / 'benchmarks/painter'),
            'unsealed' if i % 2 else 'sealed', str(begin), str(end),
        ], environment) for i in range(CLIENTS)]
        sleep_until(begin)
        before = cpu_time(server.popen.pid)
        sleep_until(end)
        used = cpu_time(server.popen.pid) - before
        frames, gaps = [], []
        for painter in painters:
            if painter.popen.wait(timeout=START) != 0:
                raise RuntimeError(f'a client failed: {painter.output()}')
            count, gap = painter.output().split()
            frames.append(int(count))
            gaps.append(float(gap))
        return used / 1e6 / max(frames), max(gaps)


def measure_one(build, compositor, guard):
    with tempfile.TemporaryDirectory() as directory:
        trial = Trial(build, pathlib.Path(directory))
        try:
            return trial.run(compositor, guard)
        finally:
            trial.stop()


def measure(build, name):
    """Rows like a driver's: measurement, unit, value."""
    rows = []
    for compositor in Weston(build), TinywlSafe(build):
        if not compositor.is_installed():
            rows.append([f'compositor/{compositor.name}', 'skip',
                         'not installed, or not built'])
            continue
        cpu, gap = measure_one(build, compositor, name == GUARDED)
        rows.append([f'compositor/{compositor.name}/cpu', 'ms', cpu])
        rows.append([f'compositor/{compositor.name}/gap', 'ms', gap])
    return rows
