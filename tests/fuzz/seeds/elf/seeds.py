# SPDX-License-Identifier: MIT
"""Small ELF files, whole and damaged, and what a dynamic linker lists."""

import struct

DYNAMIC, STRTAB, DYNSYM, RELA, REL = 6, 3, 11, 4, 9
SONAME, SYMBOLIC, FLAGS = 14, 16, 30
X86_64, I386, PPC64 = 62, 3, 21
SHAPES = {  # header, program header, section header, symbol, dynamic, rel, rela
    64: ('16sHHIQQQIHHHHHH', 'IIQQQQQQ', 'IIQQQQIIQQ', 'IBBHQQ', 'qQ', 'QQ',
        'QQq'),
    32: ('16sHHIIIIIHHHHHH', 'IIIIIIII', 'IIIIIIIIII', 'IIIBBH', 'iI', 'II',
        'IIi'),
}


class Elf:
    def __init__(self, bits=64, order='<', machine=X86_64):
        self.bits, self.order, self.machine = bits, order, machine
        self.shapes = [order + shape for shape in SHAPES[bits]]
        self.body = b''
        self.segments = []
        self.sections = [(0,) * 6]  # type, offset, size, link, entry, flags
        self.start = struct.calcsize(self.shapes[0])

    def add(self, data):
        self.body += b'\0' * (-len(self.body) % 8)
        offset = self.start + len(self.body)
        self.body += data
        return offset

    def section(self, kind, data, link=0, entry=0, size=None, offset=None):
        at = self.add(data) if offset is None else offset
        self.sections.append((kind, at, len(data) if size is None else size,
            link, entry, 2))
        return len(self.sections) - 1

    def interpreter(self, path):
        data = path.encode() + b'\0'
        self.segments.append((3, self.add(data), len(data)))

    def strings(self, *names):
        table, offsets = b'\0', {'': 0}
        for name in names:
            offsets[name] = len(table)
            table += name.encode() + b'\0'
        return self.section(STRTAB, table), offsets

    def symbols(self, link, offsets, *symbols):
        """(name, defined)"""
        data = b''
        for name, defined in (('', False), *symbols):
            where = 1 if defined else 0
            fields = (offsets[name], 0x12, 0, where, 0x1000, 8)
            if self.bits == 32:
                fields = (offsets[name], 0x1000, 8, 0x12, 0, where)
            data += struct.pack(self.shapes[3], *fields)
        return self.section(DYNSYM, data, link,
            struct.calcsize(self.shapes[3]))

    def dynamic(self, link, *entries):
        data = b''.join(struct.pack(self.shapes[4], *entry)
            for entry in (*entries, (0, 0)))
        return self.section(DYNAMIC, data, link,
            struct.calcsize(self.shapes[4]))

    def relocations(self, link, *indices, kind=RELA):
        shape = self.shapes[6 if kind == RELA else 5]
        shift = 32 if self.bits == 64 else 8
        data = b''.join(struct.pack(shape, 0x2000, i << shift | 7,
            *((0,) if kind == RELA else ())) for i in indices)
        return self.section(kind, data, link, struct.calcsize(shape))

    def bytes(self, **changes):
        body = self.body + b'\0' * (-len(self.body) % 8)
        program_at = self.start + len(body)
        programs = b''
        for kind, offset, size in self.segments:
            fields = (kind, 4, offset, 0, 0, size, size, 1)
            if self.bits == 32:
                fields = (kind, offset, 0, 0, size, size, 4, 1)
            programs += struct.pack(self.shapes[1], *fields)
        sections = b''.join(struct.pack(self.shapes[2], 0, kind, flags, 0,
            offset, size, link, 0, 8, entry)
            for kind, offset, size, link, entry, flags in self.sections)
        header = {
            'type': 3, 'machine': self.machine, 'version': 1, 'entry': 0,
            'phoff': program_at, 'shoff': program_at + len(programs),
            'flags': 0, 'ehsize': self.start,
            'phentsize': struct.calcsize(self.shapes[1]),
            'phnum': len(self.segments),
            'shentsize': struct.calcsize(self.shapes[2]),
            'shnum': len(self.sections), 'shstrndx': 1,
        }
        header.update(changes)
        ident = bytes([0x7f, *b'ELF', 2 if self.bits == 64 else 1,
            1 if self.order == '<' else 2, 1]) + bytes(9)
        return struct.pack(self.shapes[0], ident, *header.values()) + body + \
            programs + sections


def library(soname, *symbols, flags=(), kind=RELA, **how):
    elf = Elf(**how)
    elf.interpreter('/lib64/ld-linux-x86-64.so.2')
    strings, offsets = elf.strings(soname, *(name for name, _ in symbols))
    table = elf.symbols(strings, offsets, *symbols)
    elf.dynamic(strings, (SONAME, offsets[soname]), *flags)
    elf.relocations(table, *range(1, len(symbols) + 1), kind=kind)
    return elf


WAYLAND = ('libwayland-server.so.0', ('wl_display_init_shm', True),
    ('wl_shm_interface', True), ('wl_global_create', True))
COMPOSITOR = ('libweston.so', ('wl_display_init_shm', False),
    ('wl_global_create', False), ('f', True))


def overlapping(count, size, **how):
    """Sections of relocations that all are the same bytes."""
    elf = library(*COMPOSITOR, **how)
    elf.sections += [(RELA, 0, size, 2, 24, 2)] * count
    elf.add(bytes(size))
    return elf


def endless_strings(size, count):
    """Symbols whose names have no end."""
    elf = Elf()
    strings = elf.section(STRTAB, b'\0' + b'x' * size)
    elf.symbols(strings, {'': 0, 'x': 1}, *[('x', False)] * count)
    return elf


def seeds():
    yield 'calls_wayland_shm', library(*COMPOSITOR).bytes()
    yield 'is_wayland', library(*WAYLAND).bytes()
    yield 'bound_symbolically', library(*WAYLAND,
        flags=[(SYMBOLIC, 0), (FLAGS, 2)]).bytes()
    for name in 'libwlroots-0.18.so', 'libwlroots.so.12', \
            'libwlroots-0.99999999999.so':
        yield f'is_{name}', library(name, ('wlr_shm_create', True),
            ('wlr_shm_create_with_renderer', True)).bytes()
    yield 'brings_its_own', library('x', ('wl_shm_interface', False),
        ('wl_global_create', False)).bytes()
    yield 'guards_itself', library('x', ('shmguard_create', False)).bytes()
    yield '32_bit', library(*COMPOSITOR, bits=32, machine=I386,
        kind=REL).bytes()
    yield 'big_endian', library(*COMPOSITOR, order='>', machine=PPC64).bytes()
    yield 'static', Elf().bytes(shoff=0, shnum=0)

    whole = library(*COMPOSITOR).bytes()
    yield 'cut_in_the_middle', whole[:len(whole) // 2]
    yield 'cut_in_the_header', whole[:40]
    yield 'no_elf', b'#!/bin/sh\n'
    yield 'sections_past_the_end', library(*COMPOSITOR).bytes(shoff=1 << 40)
    yield 'many_sections', library(*COMPOSITOR).bytes(shnum=0xfeff)
    yield 'segments_past_the_end', library(*COMPOSITOR).bytes(phnum=0xfffe)
    for offset, size in (1 << 32, 16), (64, 1 << 62), (80, 3):
        elf = library(*COMPOSITOR)
        elf.segments = [(3, offset, size)]
        yield f'interpreter_at_{offset}', elf.bytes()
    for entry in 0, 1, 7:
        elf = library(*COMPOSITOR)
        elf.sections[-1] = (*elf.sections[-1][:4], entry, 2)
        yield f'entries_of_{entry}_bytes', elf.bytes()
    elf = library(*COMPOSITOR)
    elf.sections = [(kind, offset, size, index, entry, flags) for index,
        (kind, offset, size, _, entry, flags) in enumerate(elf.sections)]
    yield 'sections_linked_to_themselves', elf.bytes()
    elf = library(*COMPOSITOR)
    elf.sections[1] = (STRTAB, elf.sections[1][1], 2, 0, 0, 2)
    yield 'names_past_the_strings', elf.bytes()
    yield 'overlapping_sections', overlapping(300, 24000).bytes()
    yield 'overlapping_sections_to_be_converted', overlapping(300, 24000,
        order='>').bytes()
    yield 'endless_strings', endless_strings(1000, 1000).bytes()
    # Would take minutes, or all memory, if nothing bounded it.
    yield 'large_and_overlapping', overlapping(20000, 2400000).bytes()
    yield 'large_and_overlapping_to_be_converted', overlapping(20000, 2400000,
        order='>').bytes()
    yield 'large_and_endless', endless_strings(3000000, 100000).bytes()
    yield 'linker_list', b'\tlinux-vdso.so.1 (0x00007ffd)\n' \
        b'\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n' \
        b'\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n' \
        b'\tlibx.so => not found\n\t=> /(\n\t/ (\n\t(\n\t => /a (b) (c)\n'
