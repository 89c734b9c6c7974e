# SPDX-License-Identifier: MIT
"""Friendly clients: ordinary programs that present wl_shm buffers."""

import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).parent

# libwayland's own log of the protocol, in the spelling of every version.
CALLBACK = re.compile(r'wl_callback[@#]\d+\.done\(')
POOL = re.compile(r'wl_shm[@#]\d+\.create_pool\(')
ERROR = re.compile(r'wl_display[@#]\d+\.error\((.*)\)')

# What some say that cannot live with a compositor, guarded or not.
EXCUSES = {
    'no seats available': 'no seat',
    'Both buffers busy': 'wants a third buffer',
}


class Client:
    """A program. A picture of a still one is always the same."""

    def __init__(self, name, command, still=True, env=None):
        self.name = name
        self.command = command
        self.still = still
        self.env = {'WAYLAND_DEBUG': '1', **(env or {})}

    def is_installed(self):
        return shutil.which(self.command[0]) is not None

    @staticmethod
    def frames(output):
        """How many times it was answered after its first pool."""
        pool = POOL.search(output)
        return len(CALLBACK.findall(output, pool.end())) if pool else 0

    @staticmethod
    def error(output):
        found = ERROR.search(output)
        return found[1] if found else None

    @staticmethod
    def excuse(output):
        """Why it gave up, in our words."""
        for said, meant in EXCUSES.items():
            if said in output:
                return meant
        return None


ALL = [
    Client('weston-simple-shm', ['weston-simple-shm'], still=False),
    Client('foot', ['foot', '--config=/dev/null',
        '--font=DejaVu Sans Mono:size=9', '--window-size-pixels=500x300',
        'sh', '-c', 'seq 30; exec sleep infinity']),
    Client('GTK 3', ['gtk3-demo']),
    Client('GTK 4', ['gtk4-demo', '--run=drawingarea'],
        env={'GSK_RENDERER': 'cairo'}),
    Client('Qt 6', [sys.executable, str(HERE / 'qt_window.py')],
        env={'QT_QPA_PLATFORM': 'wayland',
            'QT_WAYLAND_DISABLE_WINDOWDECORATION': '1'}),
]
