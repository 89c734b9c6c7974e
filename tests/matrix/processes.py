# SPDX-License-Identifier: MIT
"""Programs that run in the background, each with a log, and waiting for things."""

import os
import signal
import subprocess
import time

POLL = 0.1  # seconds
GRACE = 3   # seconds from SIGTERM to SIGKILL


def wait_until(condition, seconds):
    """What condition() returns as soon as that is true, or at the end."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result or time.monotonic() > end:
            return result
        time.sleep(POLL)


class Process:
    """A program and whatever it starts. Its output is in the file log."""

    def __init__(self, command, log, env=None, cwd=None):
        self.command = command
        self.log = log
        with open(log, 'wb') as output:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, cwd=cwd, env=env,
                start_new_session=True)

    def is_running(self):
        return self.popen.poll() is None

    def output(self):
        return self.log.read_text(errors='replace')

    def signal(self, number):
        try:
            os.killpg(self.popen.pid, number)
        except ProcessLookupError:
            pass

    def how_it_ended(self):
        status = self.popen.wait()
        if status >= 0:
            return f'exit status {status}'
        return signal.Signals(-status).name

    def stop(self):
        if self.is_running():
            self.signal(signal.SIGTERM)
            wait_until(lambda: not self.is_running(), GRACE)
        self.signal(signal.SIGKILL)
        self.popen.wait()
