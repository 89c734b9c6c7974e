# SPDX-License-Identifier: MIT
"""Screenshots, as the bytes of a PNG file: the same pixels make the same bytes."""

import pathlib
import subprocess
import sys

TIME_LIMIT = 20  # seconds


class Failed(Exception):
    """No screenshot, and why."""


def run(command, env, cwd):
    try:
        done = subprocess.run(command, env=env, cwd=cwd, check=False,
            timeout=TIME_LIMIT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError as error:
        raise Failed(f'{command[0]} is not installed') from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f'{command[0]} does not end') from error
    if done.returncode != 0:
        said = done.stdout.decode(errors='replace').strip().splitlines()
        raise Failed(f'{command[0]}: {said[-1] if said else "failed"}')


def collect(directory):
    """Takes the one picture that is in the directory away."""
    pictures = sorted(directory.glob('*.png'))
    if len(pictures) != 1:
        raise Failed(f'{len(pictures)} files where one screenshot should be')
    content = pictures[0].read_bytes()
    pictures[0].unlink()
    return content


def grim(env, directory):
    run(['grim', 'shot.png'], env, directory)
    return collect(directory)


def weston_screenshooter(env, directory):
    run(['weston-screenshooter'],
        {**env, 'XDG_PICTURES_DIR': str(directory)}, directory)
    return collect(directory)


def with_program(name):
    """A way that is a program of its own, in this directory."""
    program = pathlib.Path(__file__).with_name(name)

    def take(env, directory):
        run([sys.executable, str(program), 'shot.png'], env, directory)
        return collect(directory)
    return take


mutter_screen_cast = with_program('mutter_screen_cast.py')
kwin_screenshot = with_program('kwin_screenshot.py')
