# SPDX-License-Identifier: MIT
"""How to start each compositor without a screen, and how to photograph it."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import screenshot

# Without a GPU there is no scan-out either, which reads nothing: what is shown is
# to be rendered.
WLROOTS = {
    'WLR_SCENE_DISABLE_DIRECT_SCANOUT': '1',
    'WLR_BACKENDS': 'headless',
    'WLR_LIBINPUT_NO_DEVICES': '1',
    'WLR_RENDERER': 'pixman',
}

SOFTWARE_GL = {'LIBGL_ALWAYS_SOFTWARE': '1'}

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

# The session bus, for those that need one.
BUS = ('bus', ['dbus-daemon', '--session', '--nofork', '--address={bus}'])
# shmguard-run's exit status if it cannot reach what reads memory.
OUT_OF_REACH = 123


def output_of(command):
    return subprocess.run(command, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=20).stdout


class Compositor:
    """One of the distribution's own compositors. Subclasses say how it differs."""

    name = None
    version_option = '--version'
    environment = {}
    take_picture = staticmethod(screenshot.grim)

    @property
    def program(self):
        return self.name

    def is_installed(self):
        return shutil.which(self.program) is not None

    def ask(self, option):
        """What it prints when asked for its version or for help."""
        return output_of([self.program, option])

    def version(self):
        found = re.search(r'\d+(\.\d+)+', self.ask(self.version_option))
        return found[0] if found else 'unknown'

    # What has to run before it: each program makes the socket that is named.
    helpers = []

    def command(self, home):
        """The command line; its configuration may be written to home."""
        raise NotImplementedError

    def refusal(self, guard):
        """Why shmguard-run, which guard starts, does not reach what reads memory
        in it; None if it does."""
        with tempfile.TemporaryDirectory() as home:
            program = shutil.which(self.command(pathlib.Path(home))[0])
            done = subprocess.run([*guard, '--check', program], text=True,
                check=False, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20)
        if done.returncode != OUT_OF_REACH:
            return None
        return done.stderr.strip().splitlines()[-1] \
            .replace(program, os.path.basename(program))


class Weston(Compositor):
    name = 'weston'
    renderer = 'pixman'
    take_picture = staticmethod(screenshot.weston_screenshooter)

    def command(self, home):
        config = home / 'weston.ini'
        config.write_text(WESTON_CONFIG)
        # Without --debug nobody may take screenshots.
        command = ['weston', f'--config={config}', '--idle-time=0', '--debug']
        if int(self.version().split('.')[0]) < 12:
            return command + ['--backend=headless-backend.so',
                f'--use-{self.renderer}']
        command += ['--backend=headless', f'--renderer={self.renderer}']
        if '--fake-seat' in self.ask('--help'):
            command += ['--fake-seat']
        return command


class WestonGL(Weston):
    """With OpenGL, where formats of several planes are read too."""

    name = 'weston-gl'
    program = 'weston'
    renderer = 'gl'
    environment = SOFTWARE_GL


class KWin(Compositor):
    """The version of Debian 12 draws with OpenGL; later ones do not find it without
    a device, draw with QPainter and take no screenshots then."""

    name = 'kwin'
    program = 'kwin_wayland'
    environment = {**SOFTWARE_GL, 'KWIN_SCREENSHOT_NO_PERMISSION_CHECKS': '1'}
    helpers = [BUS]
    take_picture = staticmethod(screenshot.kwin_screenshot)

    def copy(self, home):
        """Without the capability that its package gives it: where that is not to
        be had it does not start, and where it is LD_PRELOAD is ignored. It has to
        keep its name, which it asks for."""
        copy = home / self.program
        shutil.copy(shutil.which(self.program), copy)
        return str(copy)

    def ask(self, option):
        with tempfile.TemporaryDirectory() as directory:
            return output_of([self.copy(pathlib.Path(directory)), option])

    def command(self, home):
        return [self.copy(home), '--virtual', '--width', '1024',
            '--height', '768', '--no-lockscreen', '--no-global-shortcuts']


class Mutter(Compositor):
    name = 'mutter'
    environment = SOFTWARE_GL
    take_picture = staticmethod(screenshot.mutter_screen_cast)

    @property
    def helpers(self):
        # Links streams; with all that 0.4 does it would need systemd-logind.
        wireplumber = ['wireplumber']
        if os.path.exists('/usr/share/wireplumber/policy.conf'):
            wireplumber += ['--config-file=policy.conf']
        return [
            BUS,
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


ALL = [Weston(), WestonGL(), Mutter(), KWin(), Sway(), Labwc(), Cage(),
    Wayfire()]
