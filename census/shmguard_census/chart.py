# SPDX-License-Identifier: MIT
"""A chart of results: what each program shares at most, and how it is protected."""

# From good to bad. What is not here is drawn like the last.
COLORS = {
    'sealed': ('#2a7f3f', 'sealed'),
    'adopted': ('#7fbf3f', 'sealed by the compositor'),
    'sealable': ('#f2b134', 'not sealed, could be'),
    'unsealable': ('#e06c2a', 'not sealed, cannot be'),
    'local_file': ('#b03a2e', 'file on a disk'),
    'short': ('#8e44ad', 'sealed, shorter than claimed'),
    'other': ('#555555', 'other, or refused'),
}
# Inches.
ROW = 0.24
LEGEND = 0.8


def parts(result):
    """(reason, bytes of the largest pool), one for each reason."""
    largest = {}
    for group in result['files']:
        reason = group['reason'] if group['reason'] in COLORS else 'other'
        largest[reason] = max(largest.get(reason, 0), group['largest'])
    return [(reason, largest[reason]) for reason in COLORS
        if reason in largest]


def draw(axes, names, results):
    """Thin bars side by side, as the sizes differ by orders of magnitude."""
    for row, name in enumerate(names):
        bars = parts(results[name]) if name in results else []
        height = 0.8 / max(len(bars), 1)
        for i, (reason, size) in enumerate(bars):
            axes.barh(row - 0.4 + (i + 0.5) * height, size / 1024, height,
                color=COLORS[reason][0])
    axes.set_xscale('log')
    axes.set_xlim(1, 4 << 20)
    axes.set_xticks([1, 1 << 10, 1 << 20], ['1 KiB', '1 MiB', '1 GiB'])
    axes.minorticks_off()
    axes.grid(axis='x', color='#dddddd')
    axes.set_axisbelow(True)


def write_chart(path, panels):
    """panels: (title, results) each; programs are rows that all share."""
    import matplotlib
    matplotlib.use('svg')
    # The same results make the same file.
    matplotlib.rcParams['svg.hashsalt'] = 'shmguard-census'
    matplotlib.rcParams['svg.fonttype'] = 'none'
    from matplotlib import patches, pyplot

    names = list(dict.fromkeys(result['name'] for _, results in panels
        for result in results))
    height = 1.6 + ROW * len(names)
    figure, all_axes = pyplot.subplots(1, len(panels), sharey=True,
        squeeze=False, figsize=(3 + 3 * len(panels), height))
    figure.set_layout_engine('constrained',
        rect=(0, LEGEND / height, 1, 1 - LEGEND / height))
    for axes, (title, results) in zip(all_axes[0], panels):
        draw(axes, names, {result['name']: result for result in results})
        axes.set_title(title)
    # Names are text, not markup.
    all_axes[0][0].set_yticks(range(len(names)),
        [name.replace('$', r'\$') for name in names])
    all_axes[0][0].set_ylim(len(names) - 0.4, -0.6)
    used = {reason for _, results in panels for result in results
        for reason, _ in parts(result)}
    figure.legend(handles=[patches.Patch(color=color, label=label)
        for reason, (color, label) in COLORS.items() if reason in used],
        loc='lower center', ncols=3, frameon=False,
        title='largest pool of each kind')
    figure.savefig(path, format='svg', metadata={'Date': None})
