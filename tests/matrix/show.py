# SPDX-License-Identifier: MIT
"""One running compositor, in a world of its own."""

import os
import re
import time

import screenshot
from processes import Process, wait_until

START_LIMIT = 60  # seconds, as all below; others may be using the machine
STILL_LIMIT = 30
STILL = 1         # without a change: the screen has come to rest

# What compositors put in front of their messages.
STAMP = re.compile(r'^(\S+ ){0,2}\[?\d+:\d\d[.:]\S+[- ]*(\[\S*\] )*')

# What fades, moves or blinks makes pictures that differ.
GTK_SETTINGS = """[Settings]
gtk-enable-animations=0
gtk-cursor-blink=0
"""
# GTK 3 does not always draw the same shadow.
GTK_STYLE = 'decoration, decoration:backdrop { box-shadow: none; margin: 0; }'


class Show:
    """A compositor, what it needs and its clients; all that they write goes to the
    directory home."""

    def __init__(self, compositor, guard, home):
        self.compositor = compositor
        self.guard = guard
        self.home = home
        self.runtime = home / 'runtime'
        self.pictures = home / 'pictures'
        self.runtime.mkdir(mode=0o700)
        self.pictures.mkdir()
        for version in '3.0', '4.0':
            settings = home / 'config' / f'gtk-{version}'
            settings.mkdir(parents=True)
            (settings / 'settings.ini').write_text(GTK_SETTINGS)
            (settings / 'gtk.css').write_text(GTK_STYLE)
        self.bus = f'unix:path={self.runtime}/bus'
        self.env = {
            **os.environ,
            'HOME': str(home),
            'XDG_RUNTIME_DIR': str(self.runtime),
            'XDG_CONFIG_HOME': str(home / 'config'),
            'XDG_CACHE_HOME': str(home / 'cache'),
            'XDG_DATA_HOME': str(home / 'data'),
            'DBUS_SESSION_BUS_ADDRESS': self.bus,
            'GDK_BACKEND': 'wayland',
            'GSETTINGS_BACKEND': 'memory',
            'GTK_A11Y': 'none',
            'GTK_OVERLAY_SCROLLING': '0',
            'NO_AT_BRIDGE': '1',
        }
        for name in ('DISPLAY', 'WAYLAND_DISPLAY', 'WAYLAND_SOCKET'):
            self.env.pop(name, None)
        self.processes = []
        self.server = None

    def start_program(self, name, command, env=None):
        """Its log is called name, perhaps with a number."""
        log, number = self.home / f'{name}.log', 1
        while log.exists():
            number += 1
            log = self.home / f'{name}-{number}.log'
        process = Process(command, log, env={**self.env, **(env or {})})
        self.processes.append(process)
        return process

    def sockets(self):
        return [path.name for path in self.runtime.glob('wayland-*')
            if path.is_socket()]

    def start(self):
        """None, or why it does not start."""
        for socket, command in self.compositor.helpers:
            self.start_program(command[0],
                [word.format(bus=self.bus) for word in command])
            if socket:
                wait_until((self.runtime / socket).is_socket, START_LIMIT)
        self.server = self.start_program('compositor',
            self.guard + self.compositor.command(self.home),
            self.compositor.environment)
        wait_until(lambda: self.sockets() or not self.is_alive(), START_LIMIT)
        sockets = self.sockets()
        if not sockets or not self.is_alive():
            said = self.server.output().strip().splitlines()
            return STAMP.sub('', said[-1]) if said else 'it says nothing'
        self.env['WAYLAND_DISPLAY'] = sockets[0]
        return None

    def is_alive(self):
        return self.server.is_running()

    def how_it_ended(self):
        """For one that is not alive any more, or soon."""
        if wait_until(lambda: not self.is_alive(), START_LIMIT):
            return self.server.how_it_ended()
        return 'it does not end'

    def take_still_picture(self, other_than=None):
        """A picture of the screen when it has come to rest."""
        last, since = None, None

        def is_still():
            nonlocal last, since
            picture = self.compositor.take_picture(self.env, self.pictures)
            now = time.monotonic()
            if picture != last or picture == other_than:
                last, since = picture, now
            return now - since > STILL

        if not wait_until(is_still, STILL_LIMIT):
            raise screenshot.Failed('nothing is shown' if last == other_than
                else 'the screen never comes to rest')
        return last

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
