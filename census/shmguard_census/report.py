# SPDX-License-Identifier: MIT
"""What is told of a run: as a dictionary for JSON, and as rows of a table."""

import re

HEADS = ['program', 'process', 'pools', 'file', 'seals', 'access', 'tier', 'why',
    'largest', 'peak', 'in memory']
SEALS = ['SEAL', 'SHRINK', 'GROW', 'WRITE', 'FUTURE_WRITE', 'EXEC']
NOT_FOUND = 'exit status 127' # says a shell
UNITS = ['B', 'KiB', 'MiB', 'GiB']


def human_size(size):
    """About three digits, and a unit."""
    if size is None:
        return '-'
    unit = 0
    while size >= 1000 and unit + 1 < len(UNITS):
        size /= 1024
        unit += 1
    return f'{size:.3g} {UNITS[unit]}'


def seal_names(seals):
    """'SHRINK GROW' for '0x6'."""
    if seals == '-':
        return 'none possible'
    bits = int(seals, 16)
    names = [name for i, name in enumerate(SEALS) if bits & 1 << i]
    return ' '.join(names) or 'none'


def file_pattern(pool, runtime_dir):
    """The file's name without what is different each time."""
    name = pool.name
    if pool.kind in ('memfd', 'hugetlb'):
        name = re.sub(r'^/(memfd|hugetlbfs?):', '', name)
    elif name.startswith(runtime_dir):
        name = '$XDG_RUNTIME_DIR' + name[len(runtime_dir):]
    if pool.kind not in ('memfd', 'hugetlb'):
        name = re.sub(r'[-_.][A-Za-z0-9]{6,}$', '-*', name)
        name = re.sub(r'-[0-9a-f]+(?=-\*$)', '-*', name)
    return re.sub(r'[0-9]+', '*', name)


def describe(account, names, runtime_dir):
    """A dictionary of all that an account says; pools that are alike are one
    entry."""
    groups = {}
    for pool in account.pools + account.refused:
        key = {
            'process': names.get(pool.pid) or '?',
            'kind': pool.kind,
            'name': file_pattern(pool, runtime_dir),
            'seals': pool.seals,
            'access': pool.access,
            'tier': pool.tier,
            'reason': pool.reason,
        }
        group = groups.setdefault(tuple(key.values()),
            {**key, 'pools': 0, 'smallest': pool.size, 'largest': 0,
                'resident': None})
        group['pools'] += 1
        group['smallest'] = min(group['smallest'], pool.size)
        group['largest'] = max(group['largest'], pool.size)
        if pool.resident is not None:
            group['resident'] = max(group['resident'] or 0, pool.resident)
    return {
        'pools': len(account.pools),
        'refused': len(account.refused),
        'peak_pools': account.peak_pools(),
        'peak_bytes': account.peak_bytes(),
        'peak_resident': account.peak_resident(),
        'files': sorted(groups.values(), key=lambda group: -group['pools']),
    }


def summary(result):
    """Why there are no pools to tell of, or None."""
    if result['files']:
        return None
    why = result['outcome']
    if why == 'ran':
        return 'ran, made no pool'
    if why == NOT_FOUND:
        return 'not installed'
    return f'{why}: {result["output"]}' if result['output'] else why


def rows(result):
    """Rows of the table for a result, as lists of text."""
    why = summary(result)
    if why is not None:
        return [[result['name'], why]]
    table = []
    for group in result['files']:
        first = not table
        table.append([
            result['name'] if first else '',
            group['process'],
            str(group['pools']),
            f'{group["kind"]} {group["name"]}',
            seal_names(group['seals']),
            group['access'],
            group['tier'],
            group['reason'],
            human_size(group['largest']),
            human_size(result['peak_bytes']) if first else '',
            human_size(result['peak_resident']) if first else '',
        ])
    return table


def text_table(results):
    table = [HEADS] + [row for result in results for row in rows(result)]
    widths = [max(len(row[i]) for row in table if len(row) == len(HEADS))
        for i in range(len(HEADS))]
    widths[0] = max(len(row[0]) for row in table)
    return '\n'.join('  '.join(f'{cell:{width}}'
        for cell, width in zip(row, widths)).rstrip()
        if len(row) == len(HEADS) else f'{row[0]:{widths[0]}}  {row[1]}'
        for row in table)
