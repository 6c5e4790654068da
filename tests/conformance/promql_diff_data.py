# SPDX-License-Identifier: Apache-2.0
"""The data set of promql_diff.py: every kind of series that PromQL treats differently.

The same for a seed. All times lie in [START, END] ms; series are made sorted by their labels, so
that an engine which takes them in order of arrival and one which sorts them agree on ties.
"""

import itertools
import random
import struct

from lib.remote_write import STALE, STALE_BITS, encode, float_histogram, histogram

START = 1_700_000_000_000 // 60_000 * 60_000
SPAN = 80 * 60_000
END = START + SPAN
STEP = 15_000
BATCH = 5 * 60_000
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
GAUGE_HINT = 3


def is_stale(value):
    return struct.pack("<d", value) == struct.pack("<Q", STALE_BITS)


def kind(point):
    """What a sample is to a receiver."""
    if isinstance(point[1], bytes):
        return "histogram"
    return "marker" if is_stale(point[1]) else "float"


class Data:
    """All series: labels to [(t_ms, value or bytes of an encoded histogram)]."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.series = []
        self.build()
        self.series.sort(key=lambda s: sorted(s[0].items()))

    def add(self, name, points, **labels):
        self.series.append(({"__name__": name, **labels}, sorted(points, key=lambda p: p[0])))

    def batches(self):
        """Remote write bodies, in order of time. No body holds both floats and histograms of one
        series, nor samples behind a stale marker: a receiver may make the marker a histogram's, and
        apply all of a kind before the others."""
        for lo in range(START, END + BATCH, BATCH):
            rounds = {}
            for labels, points in self.series:
                inside = [p for p in points if lo <= p[0] < lo + BATCH]
                runs = itertools.groupby(inside, kind)
                for n, (what, run) in enumerate(runs):
                    run = list(run)
                    one = (labels, [], [h for _, h in run]) if what == "histogram" else (labels, run, [])
                    rounds.setdefault(n, []).append(one)
            yield from map(encode, rounds.values())

    # -- values --------------------------------------------------------------------------

    def ticks(self, step=STEP, jitter=0, first=START, last=END):
        offset = self.draw.randrange(step)
        for t in range(first + offset, last, step):
            yield t + (self.draw.randrange(-jitter, jitter + 1) if jitter else 0)

    def counter(self, step=STEP, grow=20, resets=3, fraction=False, **kw):
        """A counter from a random start that falls back to zero a few times."""
        value = float(self.draw.randrange(1000))
        cuts = {self.draw.randrange(START, END) // (10 * step) for _ in range(resets)}
        for t in self.ticks(step, **kw):
            if t // (10 * step) in cuts:
                cuts.discard(t // (10 * step))
                value = 0.0
            value += self.draw.random() * grow if fraction else self.draw.randrange(grow)
            yield t, value

    def walk(self, mean, width, digits=3, **kw):
        value = mean
        for t in self.ticks(**kw):
            value += self.draw.gauss(0, width) + (mean - value) * 0.05
            yield t, round(value, digits)

    def with_gaps(self, points, gaps, stale):
        """Cuts pieces out; with stale, a marker stands where each piece begins."""
        points = list(points)
        for _ in range(gaps):
            at = self.draw.randrange(len(points) - 30)
            size = self.draw.randrange(3, 28)
            marker = [(points[at][0], STALE)] if stale else []
            points[at:at + size] = marker
        return points

    # -- the set -------------------------------------------------------------------------

    def build(self):
        for job in ("api", "web"):
            for n, instance in enumerate(("a:1", "b:2", "c:3")):
                self.instance(n, job=job, instance=instance)
        for room in ("attic", "cellar", "hall"):
            for floor in ("1", "2"):
                self.add("temp", self.walk(20, 2, digits=2), room=room, floor=floor)
        self.odd()
        self.native()

    def instance(self, n, **ids):
        draw = self.draw
        for code in ("200", "404", "500"):
            for method in ("GET", "POST"):
                points = self.counter(grow=40 if code == "200" else 3)
                if draw.random() < 0.3:
                    points = self.with_gaps(points, 2, True)
                self.add("http_requests_total", points, code=code, method=method, **ids)
        self.add("errors_total", self.counter(grow=3, fraction=True), **ids)
        self.add("cpu_seconds_total", self.counter(grow=9, fraction=True, jitter=3000), **ids)
        self.add("up", ((t, float(draw.random() < 0.9)) for t in self.ticks()), **ids)
        self.add("mem_bytes", self.walk(3e9, 4e7, digits=0), zone="z1", **ids)
        self.add("mem_bytes", self.walk(5e8, 4e7, digits=0), zone="z2", **ids)
        self.add("target_info", ((t, 1.0) for t in self.ticks()), region=("eu", "us")[n % 2],
                 version=f"1.{n}", **ids)
        if n != 2:
            churn = START + SPAN // 2
            self.add("build_info", ((t, 1.0) for t in self.ticks(last=churn)), rev="r1", **ids)
            self.add("build_info", ((t, 1.0) for t in self.ticks(first=churn)), rev="r2", **ids)
        self.classic(**ids)

    def classic(self, **ids):
        counts = [0.0] * (len(BOUNDS) + 1)
        total = 0.0
        rows = []
        for t in self.ticks():
            if self.draw.random() < 0.004:
                counts, total = [0.0] * len(counts), 0.0
            for _ in range(self.draw.randrange(12)):
                value = self.draw.lognormvariate(-1, 1.2)
                total += value
                for i, bound in enumerate(BOUNDS + (float("inf"),)):
                    counts[i] += value <= bound
            rows.append((t, list(counts), total))
        for i, le in enumerate([str(b) for b in BOUNDS] + ["+Inf"]):
            self.add("lat_seconds_bucket", ((t, c[i]) for t, c, _ in rows), le=le, **ids)
        self.add("lat_seconds_count", ((t, c[-1]) for t, c, _ in rows), **ids)
        self.add("lat_seconds_sum", ((t, s) for t, _, s in rows), **ids)

    def odd(self):
        draw = self.draw
        special = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1.5, -7.0]
        kinds = {"nan": special[:1], "inf": special[1:2], "ninf": special[2:3],
                 "mix": special, "zero": [0.0], "tiny": [1e-300, 3e-303, -1e-307],
                 "huge": [1e300, -1.7e308, 1e308], "const": [0.1]}
        for kind, values in kinds.items():
            self.add("weird", [(t, draw.choice(values)) for t in self.ticks(30_000)], kind=kind)
        for i in range(4):
            sparse = [(draw.randrange(START, END), round(draw.gauss(0, 50), 1)) for _ in range(18)]
            self.add("sparse", dict(sparse).items(), i=str(i))
            self.add("irregular", self.walk(0, 5, step=17_000, jitter=8_000), i=str(i))
            self.add("stale_gauge", self.with_gaps(self.walk(100, 9), 4, i % 2 == 0), i=str(i))
        self.add("once", [(START + SPAN // 3, 42.0)])
        self.add("bare", self.walk(-4, 3))
        self.add("slow_total", self.counter(step=60_000, grow=5), job="api")
        self.add("utf8.metric name", self.walk(7, 1), **{"label.a": "x y", "job": "api"})

    # -- native histograms ---------------------------------------------------------------

    def native(self):
        for job in ("api", "web"):
            for n, instance in enumerate(("a:1", "b:2", "c:3")):
                ids = {"job": job, "instance": instance}
                self.add("nh_seconds", self.observed((0, 3, -1)[n]), **ids)
                self.add("nhcb_seconds", self.custom(n), **ids)
        self.add("nh_gauge", self.observed(1, gauge=True), i="0")
        self.add("nh_gauge", self.observed(2, gauge=True, negative=True), i="1")
        self.add("nh_changing", self.changing(), i="0")
        self.add("nh_changing", self.with_gaps(self.observed(2), 2, True), i="1")
        halves = list(self.observed(1))
        mixed = [(t, float(i)) if i // 25 % 2 else (t, h) for i, (t, h) in enumerate(halves)]
        self.add("mixed", mixed, i="0")
        self.add("mixed", self.walk(5, 1), i="1")
        self.add("mixed", self.observed(0), i="2")

    def changing(self):
        """A counter whose schema changes twice."""
        third = SPAN // 3
        for i, schema in enumerate((1, 3, 0)):
            yield from self.observed(schema, first=START + i * third, last=START + (i + 1) * third)

    def observed(self, schema, gauge=False, negative=False, **kw):
        """Exponential buckets; counters (integers) grow and reset, gauges (floats) come and go.

        All samples of a series have the same buckets, some of them empty: Prometheus's chunks give
        samples of different buckets those of their neighbours, which histogram_quantile() of an
        edge (0, or of negative counts) shows."""
        draw = self.draw
        at = sorted({round(max(draw.gauss(0, 3), -7) * 2.0 ** schema) for _ in range(20)})
        pos, neg, zero, total = {}, {}, 0, 0.0
        for t in self.ticks(30_000, **kw):
            if gauge or not pos or draw.random() < 0.01:
                pos = dict.fromkeys(at, 0)  # the lowest may overlap the zero bucket
                neg = dict.fromkeys(at[:8], 0) if negative else {}
                zero, total = 0, 0.0
            for _ in range(draw.randrange(1, 9)):
                side = neg if negative and draw.random() < 0.3 else pos
                side[draw.choice(list(side))] += draw.randrange(1, 4)
            zero += draw.randrange(2)
            total += round(draw.uniform(-5 if negative else 0, 9), 2)
            count = zero + sum(pos.values()) + sum(neg.values())
            pos_spans, pos_counts = spans(pos)
            neg_spans, neg_counts = spans(neg)
            same = {"count": count, "sum_": total, "schema": schema, "zero_threshold": 0.001,
                    "zero_count": zero, "pos_spans": pos_spans, "neg_spans": neg_spans}
            if gauge:
                yield t, float_histogram(t, pos_counts=pos_counts, neg_counts=neg_counts,
                                         reset_hint=GAUGE_HINT, **same)
            else:
                yield t, histogram(t, pos_deltas=deltas(pos_counts),
                                   neg_deltas=deltas(neg_counts), **same)

    def custom(self, n):
        """Custom buckets; the third instance has other bounds."""
        draw = self.draw
        bounds = (0.1, 0.5, 1.0, 5.0) if n < 2 else (0.1, 1.0, 2.0, 5.0, 20.0)
        counts, total = {}, 0.0
        for t in self.ticks(30_000):
            if not counts or draw.random() < 0.01:
                counts, total = dict.fromkeys(range(len(bounds) + 1), 0), 0.0
            for _ in range(draw.randrange(1, 6)):
                counts[draw.randrange(len(bounds) + 1)] += 1
                total += round(draw.uniform(0, 6), 2)
            where, values = spans(counts)
            yield t, histogram(t, count=sum(values), sum_=total, schema=-53, pos_spans=where,
                               pos_deltas=deltas(values), custom_values=bounds)


def spans(buckets):
    """Spans (gap, length) and the counts of the buckets of {index: count}."""
    out, previous = [], None
    for index in sorted(buckets):
        if previous is not None and index == previous + 1:
            out[-1][1] += 1
        else:
            out.append([index if previous is None else index - previous - 1, 1])
        previous = index
    return [tuple(s) for s in out], [buckets[i] for i in sorted(buckets)]


def deltas(counts):
    return [c - p for p, c in zip([0] + counts, counts)]
