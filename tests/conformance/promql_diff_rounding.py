# SPDX-License-Identifier: Apache-2.0
"""Where a difference of two values is what rounding leaves of a subtraction.

Both servers compute in doubles: an operand of magnitude M carries an error of some 1e-16 M, and when
operands cancel, the error stays while the result shrinks. So a difference beyond a relative 1e-9 is
rounding only when the root of the expression subtracts, the difference is below 1e-12 of what the
operands (asked of both servers) or the samples in the window amount to, and it is below 1e-6 of the
result. What is below 1e-12 of the operands but above 1e-6 of the result is the rest where nothing
should be left: zero for one server, 1e-17 for the other.
"""

import math

from promql_diff_case import agree, size
from promql_diff_compare import histogram_parts, same_number, table

CANCELLED = 1e-6
ROUNDING = 1e-12
DIFFERENCES = ("increase", "delta", "idelta")
SLOPES = ("rate", "irate", "deriv")
SUMS = ("sum", "avg", "sum_over_time", "avg_over_time", "quantile", "quantile_over_time",
        "mad_over_time", "double_exponential_smoothing")
DEVIATIONS = ("stddev", "stddev_over_time")
VARIANCES = ("stdvar", "stdvar_over_time")


def cancelled(case, diff):
    """The difference is rounding of operands that cancelled."""
    if diff.kind == "value":
        return within(case, diff, None, diff.a, diff.b)
    return diff.kind == "histogram" and all(within(case, diff, *part) for part in diff.parts)


def within(case, diff, which, a, b):
    name, operands = case.function()
    operator = case.operator()
    if abs(a) == float("inf") or abs(b) == float("inf") or a != a or b != b:
        return False
    if not name and operator not in ("-", "+", "%"):
        return False
    if name and name not in DIFFERENCES + SLOPES + SUMS + DEVIATIONS + VARIANCES + ("predict_linear",):
        return False
    largest, count, seconds = amounts(case, operands or case.root()[1], diff, which)
    rest = max(abs(a), abs(b)) <= ROUNDING * largest * count
    if not same_number(a, b, CANCELLED) and not rest:
        return False
    if name in DEVIATIONS:
        return abs(a * a - b * b) <= ROUNDING * largest * largest * count
    if name in VARIANCES:
        return abs(a - b) <= ROUNDING * largest * largest * count
    if name in SLOPES and seconds:
        largest /= seconds
    return abs(a - b) <= ROUNDING * largest * count


def amounts(case, operands, diff, which):
    """The largest |value| that went in, how many values did, and the seconds between them."""
    largest, count, seconds = 0.0, 1, 0.0
    for operand in operands:
        for labels, window in case.windows(operand, diff.t):
            if agree(dict(labels), dict(diff.labels)):
                both = [(v, None) if not isinstance(v, dict) else (None, v) for _, v in window]
                largest = max([largest] + [size(p, which) for p in both])
                count = max(count, len(window))
                seconds = window[-1][0] - window[0][0]
        largest = max(largest, case.magnitude(operand, diff.labels, diff.t, which))
    return largest, max(count, 1), seconds


def rounded_remainder(case, diff):
    """The remainder of a value many times the divisor is decided by its last digits, which differ
    between Go's mathematics and the C library's: the remainders are as far apart as the rounding
    of the dividend (asked of both) allows."""
    if case.operator() != "%" or diff.kind != "value":
        return False
    dividend, divisor = (case.magnitude(o, diff.labels, diff.t) for o in case.root()[1])
    apart = abs(diff.a - diff.b)
    return dividend > 1e3 * divisor > 0 and (
        apart <= ROUNDING * dividend or abs(divisor - apart) <= ROUNDING * dividend)


COMPARES = ("==", "!=", "<", ">", "<=", ">=")
STEPS = ("floor", "ceil", "round", "sgn", "sin", "cos", "tan")


def last_digits(case, diff):
    """A step or a period that turns on the last digits of its operand, which differ between Go's
    mathematics and the C library's (both were asked for it, and their answers differ by no more
    than rounding), a comparison of values that differ by no more than that, or a quantile on the
    edge of two buckets, of which either bound is right."""
    if case.operator() in ("==", "!=") and equal_histograms(case, diff):
        return True
    if case.operator() in COMPARES and diff.kind in ("labels", "points"):
        return nearly_equal(case, diff)
    name, operands = case.function()
    if name == "histogram_quantile" and diff.kind == "value":
        return on_the_edge(case, operands, diff) or around_zero(case, operands, diff)
    if name not in STEPS or diff.kind != "value":
        return False
    both = case.tables(operands[0])
    points = [series[diff.t] for table in both or () for labels, series in table.items()
              if agree(dict(labels), dict(diff.labels)) and diff.t in series]
    if len(points) != 2 or any(h is not None for _, h in points):
        return False
    (a, _), (b, _) = points
    return a != b and same_number(a, b, ROUNDING)


def last_ulps(case, diff):
    """A difference of operands that were nearly equal: what the two answers are apart is no more than
    the last two bits of an operand, which come from Go's mathematics there and the C library's here."""
    name, operands = case.function()
    if diff.kind != "value" or name not in DIFFERENCES or not math.isfinite(diff.a - diff.b):
        return False
    largest, _, _ = amounts(case, operands, diff, None)
    return abs(diff.a - diff.b) <= 4 * math.ulp(largest)


def nearly_equal(case, diff):
    """Wherever only one of the two has a point, the compared values are equal but for rounding."""
    both = [case.tables(o) for o in case.root()[1]]
    if None in both:
        return False
    if diff.kind == "points":
        missing = [(diff.labels, diff.t)]
    else:
        missing = [(k, t) for side in (diff.a, diff.b) for k, series in side.items() for t in series]
    for labels, t in missing:
        left, right = ([float(p[t][0]) for k, p in tables[1].items()
                        if t in p and p[t][0] is not None and agree(dict(k), dict(labels))]
                       for tables in both)
        if not any(same_number(a, b, ROUNDING) for a in left for b in right):
            return False
    return bool(missing)


def equal_histograms(case, diff):
    """Of native histograms that are alike but for empty buckets, which Prometheus's comparison sees
    and its chunks add: all that the API shows of the two is the same."""
    if diff.kind not in ("value", "points"):
        return False
    both = [case.instant(case.theirs, o, diff.t) for o in case.root()[1]]
    found = [[histogram_parts(h) for labels, p in (table(a) or {}).items()
              if agree(dict(labels), dict(diff.labels)) for _, h in p.values() if h is not None]
             for a in both]
    return len(found[0]) == 1 == len(found[1]) and found[0][0] == found[1][0]


def around_zero(case, operands, diff):
    """Both values lie in a bucket around zero, where its lower bound and the way from there cancel:
    they are apart by no more than rounding of its width."""
    rows = case.native_buckets(operands[1], diff) or ()
    return any(low < 0 < high and max(abs(diff.a), abs(diff.b), abs(diff.a - diff.b)) <= ROUNDING * (high - low)
               for low, high, _ in rows)


def on_the_edge(case, operands, diff):
    """The rank is reached exactly where a bucket ends: both values lie between its end and the
    beginning of the next one that holds something."""
    rows = case.native_buckets(operands[1], diff)
    quantile = case.number(operands[0], diff.t)
    if rows is None or quantile is None:
        return False
    for (_, high, total), (low, _, _) in zip(rows, rows[1:]):
        if same_number(total, quantile * rows[-1][2], ROUNDING):
            if any(b[2] < a[2] for a, b in zip(rows, rows[1:])) or rows[0][2] < 0:
                return True  # a difference of histograms: beyond the edge it goes on to the next higher count
            return all(same_number(v, high) or same_number(v, low) or high <= v <= low
                       for v in (diff.a, diff.b))
    return False
