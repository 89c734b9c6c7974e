# SPDX-License-Identifier: MIT
"""The page that shows the results, and its plots."""

import re

from targets import SECTIONS

UNITS = {'us': 'µs', 'x': '×'}


def number(value):
    """Three digits that matter."""
    if value == 0:
        return '0'
    if abs(value) >= 100:
        return f'{value:,.0f}'
    return f'{value:.3g}'


def cell(spread):
    if spread is None:
        return ''
    text = number(spread.median)
    if spread.high > spread.low:
        text += f' ({number(spread.low)}–{number(spread.high)})'
    return text


def table(results, section):
    names = results.implementations()
    lines = ['| | unit | ' + ' | '.join(names) + ' |',
             '|---' * (len(names) + 2) + '|']
    for measurement in results.measurements(section.pattern):
        unit = results.units[measurement]
        cells = [measurement.split('/', 1)[1], UNITS.get(unit, unit)]
        cells += [cell(results.spread(name, measurement)) for name in names]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return lines


def verdicts(results, section):
    """Lines for the page, and the misses among them for the summary."""
    lines, misses = [], []
    for target in section.targets:
        for name, measurement, value, met in target.outcomes(results):
            line = (f'{measurement}, {name}: {number(value)} '
                    f'(target {target.text()})')
            lines.append(f'- {"met" if met else "**missed**"}: {line}')
            if not met:
                misses.append(line)
    return lines, misses


def read_notes(path):
    """Written by hand: a heading for each section, by its key."""
    if not path.exists():
        return {}
    parts = re.split(r'^## (.+)$', path.read_text(), flags=re.MULTILINE)
    return {key.strip(): text.strip()
            for key, text in zip(parts[1::2], parts[2::2])}


def plot_section(results, section, path):
    import matplotlib
    matplotlib.use('svg')
    matplotlib.rcParams['svg.hashsalt'] = section.key
    from matplotlib import pyplot

    measurements = results.measurements(section.pattern)
    names = results.implementations()
    figure, axes = pyplot.subplots(figsize=(8, 0.6 + 0.11 * (
        len(names) + 1.5) * len(measurements) + 0.6))
    height = 0.8 / len(names)
    for i, name in enumerate(names):
        for j, measurement in enumerate(measurements):
            spread = results.spread(name, measurement)
            if spread is None:
                continue
            axes.barh(j + (i - len(names) / 2) * height, spread.median,
                      height, align='edge', color=f'C{i}',
                      xerr=[[spread.median - spread.low],
                            [spread.high - spread.median]],
                      error_kw={'elinewidth': 0.6})
    for i, name in enumerate(names):
        axes.barh(0, 0, color=f'C{i}', label=name)
    axes.set_yticks(range(len(measurements)),
                    [m.split('/', 1)[1] for m in measurements])
    axes.invert_yaxis()
    axes.set_xscale('symlog', linthresh=smallest(results, measurements))
    units = dict.fromkeys(results.units[m] for m in measurements)
    axes.set_xlabel(', '.join(UNITS.get(unit, unit) for unit in units))
    axes.legend(fontsize='small')
    figure.tight_layout()
    figure.savefig(path, metadata={'Date': None})
    pyplot.close(figure)


def smallest(results, measurements):
    """Where the scale turns linear: below everything but zeros."""
    medians = [value for (_, m), rounds in results.values.items()
               for value in rounds.values() if m in measurements and value > 0]
    return min(medians) if medians else 1


def plot_growth(results, prefix, unit, path):
    """Lines: one for each implementation, by how many there are."""
    import matplotlib
    matplotlib.use('svg')
    matplotlib.rcParams['svg.hashsalt'] = prefix
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.2))
    for i, name in enumerate(results.implementations()):
        points = sorted(
            (int(m[len(prefix):]), results.spread(name, m).median)
            for m in results.measurements(prefix + '*')
            if results.spread(name, m) is not None)
        if len(points) > 1:
            axes.plot(*zip(*points), marker='o', color=f'C{i}', label=name)
    axes.set_xscale('log')
    axes.set_ylim(bottom=0)
    axes.set_xlabel('pools' if prefix == 'fault/' else
                    prefix.split('/')[-2])
    axes.set_ylabel(unit)
    axes.legend(fontsize='small')
    figure.tight_layout()
    figure.savefig(path, metadata={'Date': None})
    pyplot.close(figure)


def have_plots():
    try:
        import matplotlib
    except ImportError:
        return False
    return matplotlib is not None


def plots_for(results, section, directory):
    """Names of the files made."""
    made = []
    if section.key in ('scale', 'fault'):
        prefixes = (['fault/'] if section.key == 'fault' else
                    [f'scale/{what}/{of}/' for what in ('access', 'churn')
                     for of in ('pools', 'buffers')])
        for prefix in prefixes:
            measurements = results.measurements(prefix + '*')
            if not measurements:
                continue
            file = prefix.strip('/').replace('/', '-') + '.svg'
            unit = results.units[measurements[0]]
            plot_growth(results, prefix, UNITS.get(unit, unit),
                        directory / file)
            made.append(file)
    elif results.measurements(section.pattern):
        file = section.key + '.svg'
        plot_section(results, section, directory / file)
        made.append(file)
    return made


def write(results, machine, directory):
    """README.md, and the plots; returns the lines of the summary."""
    notes = read_notes(directory / 'notes.md')
    plots = have_plots()
    page = ['# What it costs', '',
            '<!-- Made by ./bench from results.csv and notes.md: '
            'do not edit. -->', '']
    page += [notes['introduction'], ''] if 'introduction' in notes else []
    page += ['| | |', '|---|---|']
    page += [f'| {key} | {value} |' for key, value in machine.items()]
    page += ['', 'Each cell is the median of the rounds, in which the '
             'implementations take turns, and in brackets the lowest and the '
             'highest. Targets are judged by the median of the ratios within '
             'each round.', '']
    summary = []
    for section in SECTIONS:
        if not results.measurements(section.pattern):
            continue
        lines, misses = verdicts(results, section)
        summary += misses
        page += [f'## {section.title}', '', section.about[0].upper() +
                 section.about[1:] + '.', '']
        page += table(results, section) + ['']
        page += lines + [''] if lines else []
        if plots:
            for file in plots_for(results, section, directory):
                page += [f'![{section.title}]({file})', '']
        if section.key in notes:
            page += ['### What was found', '', notes[section.key], '']
    page += left_out(results, plots)
    (directory / 'README.md').write_text('\n'.join(page).rstrip() + '\n')
    return summary


def left_out(results, plots):
    lines = [f'- {measurement}, {name}: {why}' for (name, measurement), why
             in results.skipped.items()]
    if not plots:
        lines.append('- plots: matplotlib is not installed')
    return ['## Left out', ''] + lines if lines else []
