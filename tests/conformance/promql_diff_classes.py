# SPDX-License-Identifier: Apache-2.0
"""The classes of differences between belfry (which follows Prometheus 3.14) and Prometheus 3.5.

Each class is a list of rules. A rule says of one difference in the smallest inner expression on
which the two differ whether it is of its kind, and believes nothing that can be evaluated: it asks
for operands, raw samples or a variant of the expression (promql_diff_case.py). Numbers after # are
pull requests of prometheus/prometheus as its changelog names them, after the version that brought
them.
"""

import math
import re

from promql_diff_case import Case
from promql_diff_compare import by_labels, compare, histogram_parts, same_number
from promql_diff_rounding import cancelled, last_digits, last_ulps, rounded_remainder
from promql_diff_ties import arbitrary_choice, labels_without_order

OTHER_BOUNDS = {"nhcb_seconds": 'instance!="c:3"', "nhcb_moving": 'i!="1"'}
COMPARES = ("==", "!=", "<", ">", "<=", ">=")


def native_bounds(case, diff):
    """3.8 (#17278): custom-bucket histograms whose bounds differ are added and subtracted over the
    bounds they share; 3.5 drops the result with a warning. Shown by leaving the series with other
    bounds out: points missing on one side are gone."""
    if diff.kind == "labels" and diff.b or diff.kind not in ("labels", "points"):
        return False
    if diff.kind == "points" and diff.t in case.theirs_at(diff.labels):
        return False
    if "same bounds" not in case.cache:
        text = case.expr
        for name, matcher in OTHER_BOUNDS.items():
            text = re.sub(rf"\b{name}\b(?!\{{)", name + "{}", text)
            text = re.sub(rf"\b{name}\{{", f"{name}{{{matcher},", text).replace(",}", "}")
        case.cache["same bounds"] = text != case.expr and not any(
            d.kind not in ("value", "histogram") for d in case.differ(text))
    return case.cache["same bounds"]


def reset_of_bounds(case, diff):
    """3.8 (#17278): a custom-bucket histogram with other bounds than the one before is subtracted over
    the bounds they share; 3.5 takes it for a counter reset. Shown by two neighbours in the window of
    which buckets overlap and are not the same."""
    name, operands = case.function()
    if name not in ("rate", "increase", "irate", "resets") or diff.kind not in ("histogram", "value"):
        return False
    for labels, window in case.windows(operands[0], diff.t):
        if {k: v for k, v in labels if k != "__name__"} != dict(diff.labels):
            continue
        sides = [[tuple(map(float, b[1:3])) for b in h.get("buckets", [])]
                 for _, h in window if isinstance(h, dict)]
        return any(p != q and max(p[0], q[0]) < min(p[1], q[1])
                   for x, y in zip(sides, sides[1:]) for p in x for q in y)
    return False


def native_extrapolation(case, diff):
    """3.6 (#16828): rate() and increase() of native histograms do not extrapolate to before the
    count was zero; 3.5 does. Shown by the factor: the same for all of the histogram, and what the
    samples in the window say."""
    name, operands = case.function()
    if name not in ("rate", "increase") or diff.kind != "histogram":
        return False
    ours, theirs = (histogram_parts(t[diff.labels][diff.t][1]) for t in case.answers())
    count = float(theirs["count"])
    if not count or ours.keys() != theirs.keys():
        return False
    factor = float(ours["count"]) / count
    if not all(same_number(float(ours[k]), float(theirs[k]) * factor) for k in ours):
        return False
    said = expected_factor(case, operands[0], diff, count if name == "increase" else 0)
    return 0 < factor < 1 if said is None else same_number(factor, said, 1e-6)


def expected_factor(case, matrix, diff, count):
    """What 3.14's extrapolation is of 3.5's, or None when the window is not simple."""
    edges = case.edges(matrix, diff.t)
    found = [w for labels, w in case.windows(matrix, diff.t)
             if {k: v for k, v in labels if k != "__name__"} == dict(diff.labels)]
    if edges is None or len(found) != 1:
        return None
    start, end = edges
    times = [t for t, _ in found[0]]
    sampled = times[-1] - times[0]
    gap = sampled / (len(times) - 1)
    before, after = times[0] - start, end - times[-1]
    if after >= 1.1 * gap:
        after = gap / 2
    if before >= 1.1 * gap:
        before = gap / 2
    old = (sampled + before + after) / sampled
    if not count:  # rate: a second's share
        count = float(histogram_parts(case.theirs_at(diff.labels)[diff.t][1])["count"]) * (end - start)
    to_zero = sampled * float(found[0][0][1]["count"]) / (count / old)
    return (sampled + min(before, to_zero) + after) / sampled / old


def native_stats_of_gauge(case, diff):
    """Below histogram_count(), _sum() and _avg() 3.14 reads counts and sums only, and rate() and
    the like of a gauge histogram (no use, it warns) do not see a bucket that fell; 3.5 reads the
    buckets where that call is outermost. Shown by 3.5's answer without it, which is the same."""
    name, operands = case.function()
    if name not in ("histogram_count", "histogram_sum", "histogram_avg") or diff.kind != "value" \
            or "gauge" not in case.expr:
        return False
    inner = case.tables(operands[0])
    point = inner and inner[1].get(diff.labels, {}).get(diff.t)
    if not point or point[1] is None:
        return False
    count, total = float(point[1]["count"]), float(point[1]["sum"])
    if name == "histogram_avg":
        return count != 0 and same_number(diff.b, total / count)
    return same_number(diff.b, count if name == "histogram_count" else total)


def native_stats_of_custom(case, diff):
    """3.5 reads counts and sums only below an inner histogram_count(), _sum() or _avg(), and then
    cannot add custom-bucket histograms, whose bounds it has left out; it warns and drops them. Shown
    by asking for that call alone: no difference."""
    if diff.kind not in ("labels", "points") or diff.kind == "labels" and diff.b \
            or not any("incompatible bucket layout" in w for w in case.right.get("warnings", ())):
        return False
    calls = [p for p in case.inner() if re.match(r"histogram_(count|sum|avg)\(", p)]
    return bool(calls) and not any(case.differ(p) for p in calls)


def mean_of_infinity(case, diff):
    """3.10 (KahanAdd): the mean of native histograms with an infinite sum or count is infinite; 3.5
    subtracts it from itself. Shown by what goes in."""
    name, operands = case.function()
    if name not in ("avg", "avg_over_time") or diff.kind != "histogram" \
            or not all(math.isinf(a) and math.isnan(b) for _, a, b in diff.parts):
        return False
    points = [v for _, w in case.windows(operands[0], diff.t) for _, v in w]
    points += [h for series in (compare_table(case, operands[0], diff) or {}).values()
               for _, h in series.values() if h is not None]
    points = [histogram_parts(v) for v in points if isinstance(v, dict)]
    return all(any(math.isinf(float(p.get(which, 0))) for p in points) for which, _, _ in diff.parts)


def rounded_means(case, diff):
    """3.10 (KahanAdd): means of native histograms are compensated; in 3.5 a bucket that stays the
    same falls by its last digit from one mean to the next, and a rate over means takes that for a
    reset. Shown by two neighbours in 3.5's window of which a bucket fell by rounding only and the
    count did not fall."""
    name, operands = case.function()
    if name not in ("rate", "increase", "irate", "resets") or diff.kind not in ("value", "histogram"):
        return False
    for labels, window in case.windows(operands[0], diff.t):
        if {k: v for k, v in labels if k != "__name__"} == dict(diff.labels):
            both = [{k: float(v) for k, v in histogram_parts(h).items() if k != "sum"}
                    for _, h in window if isinstance(h, dict)]
            return any(all(b.get(k, 0) >= a[k] or same_number(b.get(k, 0), a[k], 1e-12) for k in a)
                       and any(b.get(k, 0) < a[k] for k in a) for a, b in zip(both, both[1:]))
    return False


def quantile_of_nan(case, diff):
    """histogram_quantile() of a native histogram whose sum is NaN: 3.5 finds the bucket of the
    quantile and then interpolates in the highest one (its loop that counts what is left over
    overwrites the bucket; 3.14 has it, too). belfry interpolates in the bucket it found. Shown by
    the buckets: belfry's value lies in the one, Prometheus's in the other."""
    name, operands = case.function()
    if name != "histogram_quantile" or diff.kind != "value":
        return False
    quantile = case.number(operands[0], diff.t)
    found = [h for labels, series in (compare_table(case, operands[1], diff) or {}).items()
             for _, h in series.values() if h is not None
             and {k: v for k, v in labels if k != "__name__"} == dict(diff.labels)]
    if quantile is None or len(found) != 1 or not math.isnan(float(found[0]["sum"])):
        return False
    buckets = [tuple(map(float, b[1:])) for b in found[0].get("buckets", [])]
    rank = 0.0
    for low, high, count in buckets:
        rank += count
        if rank >= quantile * float(found[0]["count"]):
            inside = min(low, 0) <= diff.a <= high if low < 0 < high else low <= diff.a <= high
            return inside and buckets[-1][0] <= diff.b
    return False


def compare_table(case, expr, diff):
    """An operand's table at a time, as Prometheus has it."""
    answer = case.instant(case.theirs, expr, diff.t)
    return None if answer["status"] != "success" else by_labels(answer["data"]["result"], expr)


def first_bucket(case, diff):
    """3.8 (#17424): histogram_fraction() of a classic or custom-bucket histogram whose lower bound
    lies in the first bucket interpolates; 3.5 gives NaN or leaves that part out. Shown by working
    belfry's value out from the buckets."""
    name, operands = case.function()
    if name != "histogram_fraction" or diff.kind != "value":
        return False
    low, high = (case.number(o, diff.t) for o in operands[:2])
    rows = case.buckets(operands[2], diff)
    if None in (low, high, rows) or not 0 < low < rows[0][0] and not 0 < high < rows[0][0] \
            and low > 0:
        return False
    total = rows[-1][1]
    return total > 0 and abs(diff.a - (below(rows, high) - below(rows, low)) / total) < 1e-9


def below(rows, value):
    """Observations below a value, [(upper bound, cumulative count)], linear within a bucket."""
    low, rank = 0.0, 0.0
    for bound, count in rows:
        if value < bound:
            share = 0 if math.isinf(bound) or value < low else (value - low) / (bound - low)
            return rank + (count - rank) * share
        low, rank = bound, count
    return rank


def deviation_of_nan(case, diff):
    """3.14 (#19040): mad_over_time() of a window that holds NaN is NaN. Shown by the window."""
    name, operands = case.function()
    if name != "mad_over_time" or diff.kind != "value" or not math.isnan(diff.a):
        return False
    mine = [w for labels, w in case.windows(operands[0], diff.t)
            if {k: v for k, v in labels if k != "__name__"} == dict(diff.labels)]
    return len(mine) == 1 and any(not isinstance(v, dict) and math.isnan(v) for _, v in mine[0])


def info_joins(case, diff):
    """info(): series without identifying labels stay (3.10, #17898), a filter on a label that both
    have works (3.10, #17817), series that change (3.7, #17135), matchers of __name__ (3.12,
    #17932)."""
    return case.function()[0] == "info" and diff.kind in ("labels", "points", "status")


def name_of_subquery(case, diff):
    """3.12 (#18409): last_over_time() of a subquery whose inside drops the name drops it too. Shown
    by dropping it: the series are the same."""
    if case.function()[0] != "last_over_time":
        return False
    if diff.kind == "status":  # two series that differ by their names only
        series = case.answers()[1] or {}
        return "same labelset" in case.left.get("error", "") and len(series) > len(
            {tuple(kv for kv in k if kv[0] != "__name__") for k in series})
    if diff.kind != "labels":
        return False
    nameless = {tuple(kv for kv in k if kv[0] != "__name__"): v for k, v in diff.b.items()}
    return nameless.keys() == diff.a.keys() and len(nameless) == len(diff.b) \
        and all(nameless[k].keys() == v.keys() for k, v in diff.a.items())


def filter_many(case, diff):
    """3.9 (#17668): a filter that would match several series to one is refused also when it lets
    at most one of them through. Shown by bool, with which Prometheus refuses it too."""
    if diff.kind != "status" or "multiple matches" not in diff or case.root() is None:
        return False
    shape, operands, gaps = case.root()
    text = with_bool(case, operands[0]) if shape == "subquery" else with_bool(case, case.expr)
    if text is None:
        return False
    said = case.ask(case.theirs, gaps[0] + text + gaps[1] if shape == "subquery" else text)
    return "multiple matches" in said.get("error", "")


def with_bool(case, expr):
    """A comparison as one that returns 0 or 1 instead of filtering, or None."""
    shape, operands, gaps = case.parted(expr) or ("", [], [])
    sign = re.match(r"[\s)]*([=!<>]+)", gaps[1]) if shape == "binaryExpr" and len(operands) == 2 else None
    if sign is None or sign.group(1) not in COMPARES:
        return None
    between = gaps[1].replace(sign.group(1), sign.group(1) + " bool", 1)
    return gaps[0] + operands[0] + between + operands[1] + gaps[2]


def no_parameter(case, diff):
    """topk(), bottomk() and limitk() refuse a parameter that is NaN or too large even where there is
    nothing to choose from; 3.5 only when there is. Shown by the parameter and by Prometheus's empty
    answer at that time."""
    name, operands = case.function()
    if diff.kind != "status" or name not in ("topk", "bottomk", "limitk"):
        return False
    count = case.tables(operands[0])
    at = {t for series in (count or ({}, {}))[1].values() for t, (v, _) in series.items()
          if not abs(float(v)) < 2 ** 63}
    has = {t for series in (case.answers()[1] or {}).values() for t in series}
    return case.right["status"] == "success" and bool(at) and not at & has


def series_in_turns(case, diff):
    """3.9 (#17678): series that have the same labels once their names are gone, but never a point
    at the same time, are one series in a range query; 3.5 refuses them. Shown by asking Prometheus
    for each time alone."""
    if diff.kind != "status" or "metrics with the same labelset" not in diff \
            or case.left["status"] != "success":
        return False
    found = by_labels(case.left["data"]["result"], case.expr)
    expr, times = moments(case)
    for t in times:
        alone = case.instant(case.theirs, expr, t)
        mine = {k: {t: v[t]} for k, v in found.items() if t in v}
        if alone["status"] != "success" or by_labels(alone["data"]["result"], case.expr) is None:
            return False
        table = by_labels(alone["data"]["result"], case.expr)
        if mine.keys() != table.keys() or not all(
                same_point(p, q) for k in mine for p, q in zip(mine[k].values(), table[k].values())):
            return False
    return bool(times)


def moments(case):
    """What is evaluated when, of a range query or of a subquery alone."""
    if case.path == "query_range":
        start, step = case.params["start"], case.params["step"]
        return case.expr, [start + i * step for i in range(int((case.params["end"] - start) / step) + 1)]
    root, edges = case.root(), case.edges(case.expr, case.params["time"])
    if root is None or root[0] != "subquery" or edges is None:
        return case.expr, []
    step = (case.parsed(case.expr).get("step") or 60000) // 1000
    first = int(edges[0] // step) + 1
    return root[1][0], [i * step for i in range(first, int(edges[1] // step) + 1)]


def same_point(p, q):
    if p[1] is None or q[1] is None:
        return p[1] is q[1] and same_number(p[0], q[0])
    left, right = histogram_parts(p[1]), histogram_parts(q[1])
    return left.keys() == right.keys() and all(same_number(left[k], right[k]) for k in left)


def order_of_matchers(case, diff):
    """absent() takes labels from matchers in turn: x{job!="a", job="b"} has job, x{job="b", job!="a"}
    has not. Prometheus, 3.14 too, puts the matchers that find series first when it has looked some
    up, and so gives the other answer. Shown by belfry's answer to that order."""
    name, operands = case.function()
    if name not in ("absent", "absent_over_time") or diff.kind != "labels":
        return False
    m = re.search(r"\{(.*?)\}", operands[0])
    parts = re.findall(r'[^\s,{}"]+"(?:\\.|[^"\\])*"|"[^"]*"(?:[^,"]*"[^"]*")?', m.group(1)) if m else []
    parts.sort(key=lambda p: "!" in re.sub(r'"[^"]*"', "", p))
    if not parts:
        return False
    said = case.ask(case.ours, case.expr.replace(m.group(), "{" + ", ".join(parts) + "}", 1))
    return said["status"] == "success" and not compare(said, case.right, case.expr)


def forgotten_offset(case, diff):
    """timestamp(x @ t offset d): Prometheus, 3.14 too, reads what lies around t - d and then looks at
    t, so what it finds hangs on the lookback. Shown by the time that is meant in place of both."""
    name, operands = case.function()
    if name != "timestamp" or diff.kind not in ("labels", "points", "value"):
        return False
    node = case.parsed(case.fixed(operands[0]))
    if node.get("timestamp") is None or not node.get("offset"):
        return False
    plain = re.sub(r"@\s*\S+|offset\s*\S+", "", case.fixed(operands[0]))
    at = (node["timestamp"] - node["offset"]) / 1000
    return not case.differ(f"timestamp({plain} @ {at:.3f})")


def unsteady(case, diff):
    """Asked the same again, Prometheus contradicts itself and belfry does not: 3.5 changes, rarely,
    histograms in memory that another query reads, and walks Go maps. One of its answers must be
    belfry's, or differ by what another class explains."""
    if "unsteady" not in case.cache:
        case.cache["unsteady"] = changes(case)
    return case.cache["unsteady"] or contradicts_instant(case, diff) or contradicts_operand(case, diff)


def contradicts_operand(case, diff):
    """Prometheus chooses, by topk() and the like, points that its answer to the operand has not: 3.5
    reads histograms otherwise (histogram_stats) where another function stands around."""
    name, operands = case.function()
    if name not in ("topk", "bottomk", "limitk", "limit_ratio") or diff.kind not in ("points", "labels"):
        return False
    if diff.kind == "points":
        chosen = [(diff.labels, t) for t in [diff.t] if t in case.theirs_at(diff.labels)]
    else:
        chosen = [] if diff.a else [(k, t) for k, series in diff.b.items() for t in series]
    inner = case.tables(operands[1]) if chosen else None
    return inner is not None and all(
        t not in series for labels, t in chosen for k, series in inner[1].items()
        if {n: v for n, v in k if n != "__name__"} == {n: v for n, v in labels if n != "__name__"})


def contradicts_instant(case, diff):
    """Prometheus's answer to a range query is not what it says of that time alone; belfry's is."""
    if case.path != "query_range" or diff.kind not in ("value", "histogram"):
        return False
    alone = compare_table(case, case.expr, diff) or {}
    mine = case.answers()[0].get(diff.labels, {}).get(diff.t)
    point = next(iter(alone.get(diff.labels, {}).values()), None)
    return mine is not None and point is not None and same_point(mine, point)


def points_between(case, diff):
    """Prometheus, 3.14 too, evaluates a subquery of a subquery over all of its time, also behind the
    last point of the outer one, and fails when a point fails that no window holds. Shown by asking for
    the time of that last point: no difference."""
    root = case.root()
    if diff.kind != "status" or case.left["status"] != "success" or case.path != "query" \
            or root is None or root[0] != "subquery":
        return False
    step = (case.parsed(case.expr).get("step") or 60000) / 1000
    params = {**case.params, "time": case.params["time"] // step * step}
    left, right = (case.ask(c, case.expr, "query", params) for c in (case.ours, case.theirs))
    return right["status"] == "success" and not compare(left, right, case.expr)


def changes(case):
    met = False
    for _ in range(12):
        left, right = (case.again(c) for c in (case.ours, case.theirs))
        if compare(case.left, left, case.expr):
            return False
        if not met and compare(case.right, right, case.expr):
            diffs = compare(left, right, case.expr)
            later = Case(case.ours, case.theirs, case.path, case.params, diffs, (left, right)) if diffs else None
            met = later is None or classify(later, steady=True) is not None
    return met


ROUNDING = "equal where a subtraction cancels"
CLASSES = {
    "native histograms": (native_bounds, native_extrapolation, reset_of_bounds, native_stats_of_gauge,
                          native_stats_of_custom, mean_of_infinity,
                          rounded_means, quantile_of_nan),
    "fractions and deviations": (first_bucket, deviation_of_nan),
    "info": (info_joins,),
    "names, matching and parameters": (name_of_subquery, filter_many, no_parameter,
                                            series_in_turns),
    "not determined": (arbitrary_choice, labels_without_order, rounded_remainder, last_digits, last_ulps, forgotten_offset,
                       order_of_matchers, points_between, unsteady),
}


def classify(case, steady=False):
    """What explains all differences of the case: ROUNDING, "class: rule" of the first that needs
    one, or None; steady: without asking whether Prometheus contradicts itself."""
    found = ROUNDING
    for diff in case.diffs:
        if cancelled(case, diff):
            continue
        rule = explain(case, diff, steady)
        if rule is None:
            return None
        found = rule if found == ROUNDING else found
    return found


def classify_again(case):
    """For a whole expression of which no part explains it: whether Prometheus contradicts itself."""
    return "not determined: unsteady" if unsteady(case, case.what) else None


def explain(case, diff, steady=False):
    for name, rules in CLASSES.items():
        for rule in rules:
            if not (steady and rule is unsteady) and rule(case, diff):
                return f"{name}: {rule.__name__}"
    return None
