# SPDX-License-Identifier: MIT
"""Formats, by their place in pixel_formats.inc, with widths, heights, strides."""


def buffer(which, *numbers):
    return bytes([which]) + b''.join(b'\xff' +
        (number & 0xffffffff).to_bytes(4, 'little') for number in numbers)


def seeds():
    most = 2**31 - 1
    every = range(255)
    yield 'small', b''.join(buffer(i, 17, 5, 256) for i in every)
    yield 'odd_stride', b''.join(buffer(i, 31, 33, 249) for i in every)
    yield 'one_pixel', b''.join(buffer(i, 1, 1, 16) for i in every)
    yield 'largest', b''.join(buffer(i, most // 16, most, most)
        for i in every)
    yield 'rows_do_not_fit', b''.join(buffer(i, most, 1, most) for i in every)
    yield 'exact_rows', b''.join(buffer(i, 64, 3, 64 * size) for i in every
        for size in (1, 2, 3, 4, 8))
    yield 'one_byte_short', b''.join(buffer(i, 64, 3, 64 * size - 1)
        for i in every for size in (1, 2, 3, 4, 8))
    yield 'not_positive', b''.join(buffer(0, *(0 if i == j else 1 - 2 * k
        for i in range(3))) for j in range(3) for k in range(2))
    yield 'by_number', buffer(255, 0x3231564e, 100, 100, 128)
