# SPDX-License-Identifier: MIT
"""What is aimed at, and where the measurements miss it."""

import fnmatch
import statistics

SHMGUARD = ('shmguard', 'shmguard-stock')


class Spread:
    """The middle of what several rounds gave, and how far they lie apart."""

    def __init__(self, values):
        self.values = list(values)
        self.median = statistics.median(self.values)
        self.low, self.high = min(self.values), max(self.values)


class Results:
    """Values by implementation, measurement and round."""

    def __init__(self):
        self.values = {}
        self.units = {}
        self.skipped = {}

    def add(self, implementation, measurement, round_number, unit, value):
        if unit == 'skip':
            self.skipped[implementation, measurement] = value
            return
        self.units[measurement] = unit
        self.values.setdefault((implementation, measurement), {})[
            round_number] = float(value)

    def implementations(self):
        return list(dict.fromkeys(name for name, _ in self.values))

    def measurements(self, pattern):
        names = dict.fromkeys(name for _, name in self.values)
        return [name for name in names if fnmatch.fnmatchcase(name, pattern)]

    def spread(self, implementation, measurement):
        values = self.values.get((implementation, measurement))
        return Spread(values.values()) if values else None

    def ratio(self, implementation, measurement, other, of=None):
        """Round by round, so that what slows the machine slows both."""
        ours = self.values.get((implementation, measurement), {})
        theirs = self.values.get((other, of or measurement), {})
        ratios = [ours[i] / theirs[i] for i in ours
                  if theirs.get(i, 0) > 0]
        return Spread(ratios) if ratios else None


class Ratio:
    """At most so many times what another implementation takes."""

    def __init__(self, pattern, other, limit, of=None):
        self.pattern, self.other, self.limit = pattern, other, limit
        self.of = of

    def text(self):
        return f'≤ {self.limit:g} × {self.other}'

    def outcomes(self, results):
        others = [name for name in results.implementations()
                  if fnmatch.fnmatchcase(name, self.other)]
        for measurement in results.measurements(self.pattern):
            for name in SHMGUARD:
                for other in others:
                    ratio = results.ratio(name, measurement, other, self.of)
                    if ratio is not None:
                        yield (name, measurement, ratio.median,
                               ratio.median <= self.limit)


class Bound:
    """Not past a value."""

    def __init__(self, pattern, unit, most=None, least=None):
        self.pattern, self.unit = pattern, unit
        self.most, self.least = most, least

    def text(self):
        sign, limit = (('≤', self.most) if self.least is None
                       else ('≥', self.least))
        return f'{sign} {limit:g} {self.unit}'

    def outcomes(self, results):
        for measurement in results.measurements(self.pattern):
            for name in SHMGUARD:
                spread = results.spread(name, measurement)
                if spread is None:
                    continue
                if self.least is None:
                    met = spread.median <= self.most
                else:
                    met = spread.median >= self.least
                yield name, measurement, spread.median, met


class Flat:
    """The same however many there are, compared with the fewest."""

    def __init__(self, prefix, limit):
        self.prefix, self.limit = prefix, limit
        self.pattern = prefix + '*'

    def text(self):
        return f'≤ {self.limit:g} × that with the fewest'

    def outcomes(self, results):
        counts = sorted(results.measurements(self.pattern),
                        key=lambda name: int(name[len(self.prefix):]))
        for measurement in counts[1:]:
            for name in SHMGUARD:
                ratio = results.ratio(name, measurement, name, counts[0])
                if ratio is not None:
                    yield (name, measurement, ratio.median,
                           ratio.median <= self.limit)


class Section:
    """One heading of the page."""

    def __init__(self, key, title, about, families, targets):
        self.key, self.title, self.about = key, title, about
        self.families, self.targets = families, targets
        self.pattern = key + '/*'


SECTIONS = [
    Section('access', 'Access',
            'begin, a byte through the pointer, end; the buffer is drawn, '
            'shown and warm',
            ['access'],
            [Ratio('access/256x256/*', 'libwayland', 0.5),
             Ratio('access/256x256/*', 'wlroots-*', 0.02)]),
    Section('threads', 'Access under threads',
            'accesses of two threads together, as a multiple of what one does '
            'alone; unsealed 256x256 buffers, one each or the same',
            ['threads'], [Bound('threads/*', '× one thread', least=1.9)]),
    Section('churn', 'Pool churn',
            'dispatch of the requests create_pool, create_buffer and those that '
            'destroy both, received over a real socket',
            ['churn'], [Ratio('churn/*', 'libwayland', 1)]),
    Section('frame', 'Frame churn',
            'a new pool of 3840x2160 pixels, drawn by its client, copied out '
            'once by the compositor, and dropped; the compositor\'s part',
            ['frame'], [Ratio('frame/4K/*sealed', 'libwayland', 0.7)]),
    Section('copy', 'Warm copy',
            '3840x2160 pixels out of a mapped pool into private memory',
            ['copy'], [Ratio('copy/*', 'floor', 1 / 0.97)]),
    Section('stall', 'Display-thread stall',
            'the longest dispatch while a populated pool goes: of the request '
            'itself, and of a bystander\'s requests while the pool is torn '
            'down. The client drops its own descriptor first or last',
            ['stall'],
            [Bound('stall/*MiB/client-first', 'ms', most=1),
             Bound('stall/*MiB/client-last', 'ms', most=1)]),
    Section('resize', 'Resize',
            'each of 20,480 requests by which a pool grows page by page to '
            '80 MiB, without and with an access held',
            ['resize'], [Ratio('resize/free', 'libwayland', 0.5)]),
    Section('fault', 'Fault',
            'from a look at a page that the file has lost to the byte that is '
            'read instead, with so many other pools',
            ['fault'],
            [Ratio('fault/1', 'floor', 2),
             Bound('fault/60000', 'µs', most=100)]),
    Section('scale', 'Scale',
            'access and churn while there are so many others',
            ['pools', 'buffers'],
            [Flat(f'scale/{what}/{of}/', 1.1) for what in ('access', 'churn')
             for of in ('pools', 'buffers')]),
    Section('memory', 'Memory',
            'what the compositor grows by for each pool (without a buffer) '
            'and each buffer: on the heap, and in private pages altogether',
            ['memory'],
            [Ratio('memory/*/heap', 'libwayland', 1),
             Bound('memory/*/descriptors', 'descriptors', most=0)]),
    Section('spawn', 'Starting programs',
            'fork, exec of /bin/true and its end, with 20,000 pools that were '
            'looked at; and fork alone',
            ['spawn'], [Ratio('spawn/*', 'libwayland', 1)]),
    Section('compositor', 'Whole compositors',
            'eight clients, half of them with sealed files, repaint windows of '
            '1920x1080 pixels for 20 s: processor time for each frame, and the '
            'longest wait for one',
            ['compositor'],
            [Ratio('compositor/*/cpu', 'libwayland', 1),
             Ratio('compositor/*/gap', 'libwayland', 1)]),
]
