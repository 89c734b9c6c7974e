# SPDX-License-Identifier: MIT
"""Mount tables: the mount looked for, and lines of /proc/self/mountinfo."""


def mount(mount_id, major, minor, *lines):
    return b''.join(number.to_bytes(4, 'little')
        for number in (mount_id, major, minor)) + ''.join(
            line + '\n' for line in lines).encode()


def line(mount_id=36, device='8:1', optional='', kind='ext4',
        source='/dev/sda1', options='rw'):
    return f'{mount_id} 35 {device} / /mnt rw,noatime {optional}- {kind} ' \
        f'{source} {options}'


def seeds():
    yield 'local', mount(36, 8, 1, line())
    yield 'fuse', mount(36, 0, 50, line(device='0:50', kind='fuse.sshfs',
        source='host:/'))
    yield 'not_listed', mount(99, 8, 2, line())
    yield 'by_device', mount(0, 8, 1, line(37, kind='nfs', device='0:4'),
        line(38))
    yield 'by_device_two_opinions', mount(0, 8, 1, line(37),
        line(38, kind='fuse'))
    yield 'by_number_after_device', mount(36, 8, 1, line(35, kind='fuse'),
        line())
    yield 'optional_fields', mount(36, 8, 1,
        line(optional='shared:1 master:2 unbindable '))
    yield 'no_dash', mount(36, 8, 1, line().replace(' - ', ' '))
    yield 'dash_early', mount(36, 8, 1, '36 35 8:1 - ext4 - - ext4 x y')
    yield 'long_source', mount(36, 8, 1, line(source='/dev/' + 'x' * 200),
        line(source='y' * 5000))
    yield 'long_type', mount(36, 8, 1, line(kind='ext4' + 'x' * 300))
    yield 'longer_than_a_chunk', mount(36, 8, 1,
        *(line(i, f'0:{i}', kind='tmpfs', source='tmpfs')
            for i in range(100, 180)), line())
    yield 'loop_device', mount(36, 7, 0, line(device='7:0',
        source='/dev/loop0'))
    yield 'foreign_device', mount(36, 8, 13, line(device='8:13'))
    yield 'no_newline', mount(36, 8, 1, line())[:-1]
    yield 'cut', mount(36, 8, 1, line())[:40]
    yield 'numbers', mount(36, 8, 1, line('+36'), line('36x'), line(''),
        line('99999999999999999999'), line(36, '8:1:2'), line(36, '8'))
    yield 'empty', mount(36, 8, 1)
