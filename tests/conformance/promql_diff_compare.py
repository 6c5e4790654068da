# SPDX-License-Identifier: Apache-2.0
"""What differs between two answers of the query API (promql_diff.py).

Equal means: the same kind of answer or of refusal, the same labels, points at the same times, NaN
where NaN is, values within a relative 1e-9; histograms count by count, a bucket that one answer
leaves out counted as empty. compare() returns every difference, not only the first: each has to be
explained by itself.
"""

import math
import re

EXACT = 1e-9
MOST = 400  # differences told of one answer
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")


class Diff(str):
    """What differs, as text. kind: "value" (labels, t, a, b), "histogram" (labels, t and parts
    [(which, a, b)]), "type" (labels, t), "points" (labels, t), "labels" (a, b: the series of one
    answer only), "status", "error", "result", "order" or "twice"."""

    def __new__(cls, kind, text, **facts):
        self = super().__new__(cls, text)
        self.kind = kind
        self.labels = facts.get("labels")
        self.t = facts.get("t")
        self.a = facts.get("a")
        self.b = facts.get("b")
        self.parts = facts.get("parts", ())
        return self


def same_number(a, b, tolerance=EXACT):
    if a == b:
        return True
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    if math.isinf(x) or math.isinf(y):
        return x == y
    return abs(x - y) <= tolerance * max(abs(x), abs(y))


def histogram_parts(histogram):
    """{which: text} of a histogram of the API: count, sum, and buckets by kind and bounds."""
    out = {"count": histogram["count"], "sum": histogram["sum"]}
    for kind, low, high, count in histogram.get("buckets", []):
        out[(kind, float(f"{float(low):.12g}"), float(f"{float(high):.12g}"))] = count
    return out


def histogram_differences(a, b):
    """[(which, ours, theirs)] of what differs."""
    left, right = histogram_parts(a), histogram_parts(b)
    out = []
    for which in list(left) + [k for k in right if k not in left]:
        x, y = left.get(which, "0"), right.get(which, "0")
        if not same_number(x, y):
            out.append((which, float(x), float(y)))
    return out


def points(series):
    """{time: (float text or None, histogram or None)} of one series of an answer."""
    out = {}
    for t, v in series.get("values", [series["value"]] if "value" in series else []):
        out[t] = (v, None)
    for t, h in series.get("histograms", [series["histogram"]] if "histogram" in series else []):
        out[t] = (None, h)
    return out


def by_labels(result, expr=""):
    """{labels: points}; None when two series have the same."""
    if len({tuple(sorted(s["metric"].items())) for s in result}) != len(result):
        return None
    out = {}
    for series in result:
        into = out.setdefault(identity(series["metric"], expr), {})
        for t, point in points(series).items():
            into[t] = both_counted(into[t], point) if t in into else point
    return out


def both_counted(a, b):
    """Values that differ in their last digits are two series of count_values: one, by identity()."""
    return (repr(float(a[0]) + float(b[0])), None) if a[0] and b[0] else a


def identity(metric, expr):
    """The labels as a key; the values that count_values prints lose the digits that may differ."""
    if "count_values" in expr:
        metric = {k: near(v) if k in ("value", "job") else v for k, v in metric.items()}
    return tuple(sorted(metric.items()))


def near(text):
    """Numbers to 12 digits, those in the text of a histogram too."""
    return NUMBER.sub(lambda m: f"{float(m.group()):.12g}", text)


def table(answer, expr=""):
    """{labels: points} of an answer, a scalar as a series without labels; None: it has none."""
    if answer["status"] != "success":
        return None
    data = answer["data"]
    if data["resultType"] in ("scalar", "string"):
        t, v = data["result"]
        return {(): {t: (v, None)}}
    return by_labels(data["result"], expr)


def compare_series(labels, a, b):
    """The differences of one series' points."""
    out = [Diff("points", f"{dict(labels)}: points at {t} in one only", labels=labels, t=t)
           for t in sorted(a.keys() ^ b.keys())]
    for t, (value, histogram) in a.items():
        if t not in b:
            continue
        other, other_histogram = b[t]
        where = {"labels": labels, "t": t}
        if (histogram is None) != (other_histogram is None):
            out.append(Diff("type", f"{dict(labels)}: a float against a histogram at {t}", **where))
        elif histogram is None:
            if not same_number(value, other):
                out.append(Diff("value", f"{dict(labels)}: value {value} against {other} at {t}",
                                a=float(value), b=float(other), **where))
        else:
            parts = histogram_differences(histogram, other_histogram)
            if parts:
                out.append(Diff("histogram", f"{dict(labels)}: histogram {parts[:3]} at {t}",
                                parts=parts, **where))
    return out


def compare(belfry, peer, expr):
    """The differences of two answers, belfry's first; none when they are alike."""
    if belfry["code"] != peer["code"]:
        return [Diff("status", f"status {belfry['code']} {belfry.get('error', '')} against "
                               f"{peer['code']} {peer.get('error', '')}")]
    if peer["status"] != "success":
        same = belfry.get("errorType") == peer.get("errorType")
        return [] if same else [
            Diff("error", f"{belfry.get('errorType')} against {peer.get('errorType')}")]
    ours, theirs = belfry["data"], peer["data"]
    if ours["resultType"] != theirs["resultType"]:
        return [Diff("result", f"type {ours['resultType']} against {theirs['resultType']}")]
    left, right = table(belfry, expr), table(peer, expr)
    if left is None or right is None:
        return [Diff("twice", "two series with the same labels")]
    out = []
    if left.keys() != right.keys():
        ours_only, theirs_only = left.keys() - right.keys(), right.keys() - left.keys()
        out.append(Diff("labels", f"labels: only belfry {list(ours_only)[:2]}, "
                                  f"only the other {list(theirs_only)[:2]}",
                        a={k: left[k] for k in ours_only}, b={k: right[k] for k in theirs_only}))
    for labels, series in left.items():
        if labels in right:
            out += compare_series(labels, series, right[labels])
        if len(out) > MOST:
            break
    if not out and is_sort(expr) and ours["resultType"] == "vector":
        out = compare_order(expr, ours["result"], theirs["result"])
    return out[:MOST]


def is_sort(expr):
    """A call of sort() and the like and nothing behind it."""
    depth = 0
    for at, c in enumerate(expr):
        depth += (c == "(") - (c == ")")
        if c == ")" and depth == 0:
            return expr.startswith("sort") and at == len(expr) - 1
    return False


def compare_order(expr, ours, theirs):
    """The order of the outermost sort; equal values may stand either way."""
    by_label = expr.startswith("sort_by_label")
    for a, b in zip(ours, theirs):
        if by_label and a["metric"] != b["metric"]:
            return [Diff("order", f"order: {a['metric']} against {b['metric']}")]
        if "value" in a and "value" in b and not same_number(a["value"][1], b["value"][1]):
            return [Diff("order", f"order: {a['value'][1]} against {b['value'][1]}")]
    return []
