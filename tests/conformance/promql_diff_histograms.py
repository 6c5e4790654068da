# SPDX-License-Identifier: Apache-2.0
"""The second data set of promql_diff.py: native histograms of every make, stale markers, resets.

Histograms that reset, say so or not, change their schema, zero bucket or bounds, have negative
observations, odd sums and extreme schemas, integers and floats, and stop with a stale marker (a
float's and a histogram's); series that mix both; counters that fall every few samples.
"""

from promql_diff_data import END, SPAN, START, Data, deltas, spans
from lib.remote_write import STALE, float_histogram, histogram

UNKNOWN, RESET, NO_RESET, GAUGE = range(4)


class Histograms(Data):
    """Labels to [(t_ms, value or bytes of an encoded histogram)]."""

    def build(self):
        for job in ("api", "web"):
            for n, instance in enumerate(("a:1", "b:2", "c:3")):
                ids = {"job": job, "instance": instance}
                self.add("nh_resets", self.grown((0, 2, -1)[n], falls=0.12), **ids)
                self.add("nh_hints", self.grown((1, 0, 3)[n], falls=0.15, hints=True), **ids)
                self.add("nh_floats", self.grown(n, falls=0.05, floats=True), **ids)
                self.add("nhcb_seconds", self.custom(n), **ids)
                self.add("restarts_total", self.counter(grow=30, resets=14), **ids)
                self.add("up", ((t, float(self.draw.random() < 0.8)) for t in self.ticks()), **ids)
                self.add("target_info", ((t, 1.0) for t in self.ticks()), region=("eu", "us")[n % 2], **ids)
        self.classic(job="api", instance="a:1")
        self.classic(job="web", instance="a:1")
        self.changing_makes()
        self.odd_ones()
        self.with_markers()

    def changing_makes(self):
        for i in range(3):
            self.add("nh_schemas", self.in_turns([dict(schema=s) for s in ((3, 0, 2, 1), (-2, 1, 0, 4), (0, 5))[i]]),
                     i=str(i))
            self.add("nh_zero", self.in_turns([dict(schema=1, width=w) for w in
                                               ((0.001, 0.5, 0.01), (0.0, 0.25), (1.0, 0.001))[i]]), i=str(i))
            self.add("nh_signs", self.grown(i, negative=True, floats=i == 1, falls=0.04), i=str(i))
            self.add("nh_gauges", self.grown(i, negative=i == 2, floats=i != 1, falls=0.3, gauge=True), i=str(i))
            self.add("nhcb_moving", self.moving(i), i=str(i))

    def in_turns(self, makes):
        """One make after the other, each for its share of the time."""
        for n, make in enumerate(makes):
            first = START + n * SPAN // len(makes)
            yield from self.grown(make["schema"], width=make.get("width", 0.001), falls=0.03,
                                  first=first, last=first + SPAN // len(makes))

    def odd_ones(self):
        for kind, make in {"nan": dict(odd_sum=float("nan")), "inf": dict(odd_sum=float("inf")),
                           "zero": dict(empty=True), "tiny": dict(schema=8), "huge": dict(schema=-4),
                           "const": dict(constant=True)}.items():
            self.add("nh_odd", self.grown(make.pop("schema", 0), **make), kind=kind)
        for i in range(3):
            self.add("large_total", ((t, 2.0 ** 53 + v * (1, 2, 1e6)[i]) for t, v in self.counter()), i=str(i))
            self.add("level", self.walk((0, -50, 1e9)[i], 7, jitter=4000), i=str(i))
        half = START + SPAN // 2
        for job in ("api", "web"):
            self.add("churn_total", self.ended(list(self.counter(last=half))), job=job, rev="r1")
            self.add("churn_total", self.counter(first=half), job=job, rev="r2")

    def with_markers(self):
        for i in range(3):
            self.add("stale_total", self.with_gaps(self.counter(resets=6), 9, True), i=str(i))
            self.add("stale_level", self.with_gaps(self.walk(3, 2), 12, i != 1), i=str(i))
            self.add("nh_stale", self.stopping(self.grown(i, floats=i == 2, falls=0.03), i == 2, i > 0), i=str(i))
            mixed = list(self.grown(1, falls=0.05))
            run = (1, 4, 30)[i]
            mixed = [(t, float(n)) if n // run % 2 else (t, h) for n, (t, h) in enumerate(mixed)]
            self.add("mixed", mixed, i=str(i))
            self.add("mixed_stale", self.with_gaps(mixed, 5, True), i=str(i))

    # -- series --------------------------------------------------------------------------

    def ended(self, points):
        return points[:-1] + [(points[-1][0], STALE)]

    def stopping(self, points, floats, of_histogram):
        """Pieces cut out, each with a stale marker where it begins."""
        points = list(points)
        for _ in range(6):
            at = self.draw.randrange(len(points) - 20)
            t = points[at][0]
            encode = float_histogram if floats else histogram
            marker = encode(t, count=0, sum_=STALE) if of_histogram else STALE
            points[at:at + self.draw.randrange(2, 18)] = [(t, marker)]
        return points

    def grown(self, schema, *, falls=0.01, floats=False, negative=False, hints=False,
              gauge=False, width=0.001, odd_sum=None, empty=False, constant=False, **kw):
        """Exponential buckets, the same ones in all samples. A reset with a hint shows in the counts,
        too: Prometheus forgets hints where its chunks meet."""
        draw = self.draw
        at = sorted({round(max(draw.gauss(0, 3), -7) * 2.0 ** max(schema, -2)) for _ in range(14)})
        at = [k for k in at if 2.0 ** (k * 2.0 ** -schema) > width]  # none inside the zero bucket
        counts, zero, total = {}, 0, 0.0
        for t in self.ticks(30_000, **kw):
            fell = not counts or draw.random() < falls
            if fell:
                counts = {("p", k): 0 for k in at}
                counts.update({("n", k): 0 for k in at[:5]} if negative else {})
                zero, total = 0, 0.0
            for _ in range(0 if empty or constant and not fell else draw.randrange(1, 9)):
                counts[draw.choice(list(counts))] += draw.randrange(1, 4)
                total += round(draw.uniform(-5 if negative else 0, 9), 2)
            zero += 0 if empty or constant else draw.randrange(2)
            sides = [spans({k: c for (s, k), c in counts.items() if s == side}) for side in "pn"]
            hint = GAUGE if gauge else (RESET if fell else NO_RESET) if hints else UNKNOWN
            same = {"count": zero + sum(counts.values()), "schema": schema, "zero_threshold": width,
                    "sum_": total if odd_sum is None or draw.random() < 0.7 else odd_sum,
                    "zero_count": zero, "pos_spans": sides[0][0], "neg_spans": sides[1][0],
                    "reset_hint": hint}
            if floats:
                yield t, float_histogram(t, pos_counts=sides[0][1], neg_counts=sides[1][1], **same)
            else:
                yield t, histogram(t, pos_deltas=deltas(sides[0][1]), neg_deltas=deltas(sides[1][1]), **same)

    def moving(self, i):
        """Custom buckets; those of the second series have other bounds in each third."""
        turns = [(0.1, 0.5, 1.0, 5.0), (0.1, 1.0, 5.0), (0.25, 0.5, 2.0)]
        for n in range(3):
            bounds = turns[n if i == 1 else 0]
            counts, total = dict.fromkeys(range(len(bounds) + 1), 0), 0.0
            for t in self.ticks(30_000, first=START + n * SPAN // 3, last=min(START + (n + 1) * SPAN // 3, END)):
                for _ in range(self.draw.randrange(1, 6)):
                    counts[self.draw.randrange(len(bounds) + 1)] += 1
                    total += round(self.draw.uniform(0, 6), 2)
                where, values = spans(counts)
                yield t, histogram(t, count=sum(values), sum_=total, schema=-53, pos_spans=where,
                                   pos_deltas=deltas(values), custom_values=bounds)
