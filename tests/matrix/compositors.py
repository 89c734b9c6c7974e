# SPDX-License-Identifier: MIT
"""How to start each compositor without a screen, and how to photograph it."""

import os
import re
import shutil
import subprocess

import screenshot

# Without a GPU there is no scan-out either, which reads nothing: what is shown is
# to be rendered.
WLROOTS = {
    'WLR_SCENE_DISABLE_DIRECT_SCANOUT': '1',
    'WLR_BACKENDS': 'headless',
    'WLR_LIBINPUT_NO_DEVICES': '1',
    'WLR_RENDERER': 'pixman',
}

# Nothing on the screen but windows, and those without a clock or a cursor.
WESTON_CONFIG = """
[shell]
panel-position=none
background-color=0xff203040
animation=none
startup-animation=none
"""
# Tiling goes with transactions, which show old buffers in place of the last ones.
SWAY_CONFIG = """
default_border none
output * bg #203040 solid_color
for_window [app_id="shmguard-siege"] floating enable
"""
WAYFIRE_CONFIG = '[core]\nplugins = place move alpha\nxwayland = false\n'


class Compositor:
    """One of the distribution's own compositors. Subclasses say how it differs."""

    name = None
    version_option = '--version'
    environment = {}
    take_picture = staticmethod(screenshot.grim)

    def is_installed(self):
        return shutil.which(self.name) is not None

    def ask(self, option):
        """What it prints when asked for its version or for help."""
        return subprocess.run([self.name, option], text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=20).stdout

    def version(self):
        found = re.search(r'\d+(\.\d+)+', self.ask(self.version_option))
        return found[0] if found else 'unknown'

    # What has to run before it: each program makes the socket that is named.
    helpers = []

    def command(self, home):
        """The command line; its configuration may be written to home."""
        raise NotImplementedError


class Weston(Compositor):
    name = 'weston'
    take_picture = staticmethod(screenshot.weston_screenshooter)

    def command(self, home):
        config = home / 'weston.ini'
        config.write_text(WESTON_CONFIG)
        # Without --debug nobody may take screenshots.
        command = ['weston', f'--config={config}', '--idle-time=0', '--debug']
        if int(self.version().split('.')[0]) < 12:
            return command + ['--backend=headless-backend.so', '--use-pixman']
        command += ['--backend=headless', '--renderer=pixman']
        if '--fake-seat' in self.ask('--help'):
            command += ['--fake-seat']
        return command


class Mutter(Compositor):
    name = 'mutter'
    environment = {'LIBGL_ALWAYS_SOFTWARE': '1'}
    take_picture = staticmethod(screenshot.mutter_screen_cast)

    @property
    def helpers(self):
        # Links streams; with all that 0.4 does it would need systemd-logind.
        wireplumber = ['wireplumber']
        if os.path.exists('/usr/share/wireplumber/policy.conf'):
            wireplumber += ['--config-file=policy.conf']
        return [
            ('bus', ['dbus-daemon', '--session', '--nofork',
                '--address={bus}']),
            ('pipewire-0', ['pipewire']),
            (None, wireplumber),
        ]

    def command(self, home):
        return ['mutter', '--headless', '--wayland', '--no-x11',
            '--virtual-monitor', '1024x768']


class Sway(Compositor):
    name = 'sway'
    environment = WLROOTS

    def command(self, home):
        config = home / 'sway.config'
        config.write_text(SWAY_CONFIG)
        return ['sway', '--config', str(config)]


class Labwc(Compositor):
    name = 'labwc'
    environment = WLROOTS

    def command(self, home):
        config = home / 'labwc'
        config.mkdir()
        return ['labwc', '--config-dir', str(config)]


class Cage(Compositor):
    name = 'cage'
    version_option = '-v'
    environment = WLROOTS

    def command(self, home):
        # It ends when its program ends.
        return ['cage', '--', 'sleep', 'infinity']


class Wayfire(Compositor):
    name = 'wayfire'
    # Only its later versions can do without OpenGL.
    environment = WLROOTS

    def command(self, home):
        config = home / 'wayfire.ini'
        config.write_text(WAYFIRE_CONFIG)
        return ['wayfire', '--config', str(config)]


ALL = [Weston(), Mutter(), Sway(), Labwc(), Cage(), Wayfire()]
