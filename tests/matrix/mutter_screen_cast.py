#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutter_screen_cast.py FILE.png: a screenshot of Mutter, which has no protocol for
that: one frame of its screen cast, through PipeWire."""

import subprocess
import sys

from gi.repository import Gio, GLib

SCREEN_CAST = 'org.gnome.Mutter.ScreenCast'
PATIENCE = 10  # seconds
EMBED_NO_CURSOR = 0


class Cast:
    """The session of a screen cast. It ends with our connection to the bus."""

    def __init__(self):
        self.bus = Gio.bus_get_sync(Gio.BusType.SESSION)
        self.node = None

    def call(self, path, interface, method, arguments=None, answer='(o)'):
        result = self.bus.call_sync(SCREEN_CAST, path, interface, method,
            arguments, GLib.VariantType(answer), Gio.DBusCallFlags.NONE,
            1000 * PATIENCE, None).unpack()
        return result[0] if result else None

    def start(self):
        """The PipeWire node that the primary monitor is shown in."""
        loop = GLib.MainLoop()

        def handle_node(*arguments):
            self.node, = arguments[-1].unpack()
            loop.quit()

        session = self.call('/org/gnome/Mutter/ScreenCast', SCREEN_CAST,
            'CreateSession', GLib.Variant('(a{sv})', ({},)))
        stream = self.call(session, SCREEN_CAST + '.Session', 'RecordMonitor',
            GLib.Variant('(sa{sv})',
                ('', {'cursor-mode': GLib.Variant('u', EMBED_NO_CURSOR)})))
        self.bus.signal_subscribe(SCREEN_CAST, SCREEN_CAST + '.Stream',
            'PipeWireStreamAdded', stream, None, Gio.DBusSignalFlags.NONE,
            handle_node)
        self.call(session, SCREEN_CAST + '.Session', 'Start', answer='()')
        GLib.timeout_add_seconds(PATIENCE, loop.quit)
        if self.node is None:
            loop.run()
        return self.node


def main():
    cast = Cast()
    node = cast.start()
    if node is None:
        sys.exit('Mutter offers no PipeWire node')
    try:
        subprocess.run(['gst-launch-1.0', '--quiet', 'pipewiresrc',
            f'path={node}', 'num-buffers=1', '!', 'videoconvert', '!',
            'video/x-raw,format=RGB', '!', 'pngenc', '!',
            'filesink', f'location={sys.argv[1]}'],
            stdin=subprocess.DEVNULL, check=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        sys.exit('no frame arrives')


if __name__ == '__main__':
    main()
