#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kwin_screenshot.py FILE.png: a screenshot of KWin, which sends the pixels through a
pipe. It has to be started with KWIN_SCREENSHOT_NO_PERMISSION_CHECKS=1."""

import os
import struct
import sys
import time
import zlib

from gi.repository import Gio, GLib

PATIENCE = 10  # seconds
FORMATS = 4, 5, 6  # of QImage: four bytes a pixel, blue first


def ask(pipe):
    """Has KWin write the screen to a pipe, after it has told of the picture what is
    returned."""
    descriptors = Gio.UnixFDList()
    descriptors.append(pipe)
    answer, _ = Gio.bus_get_sync(Gio.BusType.SESSION) \
        .call_with_unix_fd_list_sync('org.kde.KWin',
            '/org/kde/KWin/ScreenShot2', 'org.kde.KWin.ScreenShot2',
            'CaptureWorkspace', GLib.Variant('(a{sv}h)', ({}, 0)),
            GLib.VariantType('(a{sv})'), Gio.DBusCallFlags.NONE,
            1000 * PATIENCE, descriptors, None)
    return answer.unpack()[0]


def rgb_of(pixels):
    rgb = bytearray(len(pixels) // 4 * 3)
    for place in range(3):
        rgb[place::3] = pixels[2 - place::4]
    return bytes(rgb)


def ask_when_ready(pipe):
    """KWin listens to clients before it does to this."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ask(pipe)
        except GLib.Error:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def png_of(width, height, stride, pixels):
    def chunk(kind, content):
        return struct.pack('>I', len(content)) + kind + content + \
            struct.pack('>I', zlib.crc32(kind + content))

    rows = b''.join(b'\0' + rgb_of(pixels[y * stride:y * stride + width * 4])
        for y in range(height))
    return b'\x89PNG\r\n\x1a\n' + \
        chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) + \
        chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')


def main():
    reader, writer = os.pipe()
    said = ask_when_ready(writer)
    os.close(writer)
    with os.fdopen(reader, 'rb') as stream:
        pixels = stream.read()
    if said['format'] not in FORMATS:
        sys.exit(f'KWin sends pixels of the unknown format {said["format"]}')
    with open(sys.argv[1], 'wb') as output:
        output.write(png_of(said['width'], said['height'], said['stride'],
            pixels))


if __name__ == '__main__':
    main()
