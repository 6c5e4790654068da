# SPDX-License-Identifier: Apache-2.0
"""The classes of differences between belfry (which follows Prometheus 3.14) and Prometheus 3.5.

Each class is a list of rules, each with why and how it is recognised: by the smallest inner
expression on which the two differ, and by what differs in it. Numbers after # are pull requests of
prometheus/prometheus as its changelog names them, after the version that brought them.
"""

import re

AGAIN = " (but not when asked again)"
CHOICE = " (the same values of other series)"
NATIVE = re.compile(r"nh_|nhcb_|mixed")
EXTRAPOLATED = re.compile(r"^[-+( ]*(histogram_\w+\()?(rate|increase)\(")
NHCB_SUMS = re.compile(r"\b(sum|avg|rate|increase|delta|irate|idelta|sum_over_time|avg_over_time)\b|[-+]")
STATS = re.compile(r"^[-+( ]*histogram_(count|sum|avg)\(.*(irate|rate|increase)\(")
COMPARES = re.compile(r"==|!=|<|>")


def begins(expr, name):
    return re.match(r"[-+( ]*" + name + r"\b", expr) is not None


def native_bounds(expr, what):
    """3.8 (#17278): custom-bucket histograms whose bounds differ are added and subtracted over the
    bounds they share; 3.5 drops the result with a warning."""
    return "nhcb_seconds" in expr and NHCB_SUMS.search(expr) \
        and re.search(r"only belfry .*only the other \[\]|points at", what)


def native_extrapolation(expr, what):
    """3.6 (#16828): rate() and increase() of native histograms do not extrapolate to before the
    count was zero; 3.5 does."""
    return NATIVE.search(expr) and EXTRAPOLATED.search(expr) \
        and re.search(r"histogram (count|sum|bucket)|: value", what)


def native_stats_of_gauge(expr, what):
    """Below histogram_count(), _sum() and _avg() Prometheus (both versions) reads counts and sums
    only; rate() and the like of a gauge histogram (no use, it warns) then no longer see a bucket
    that fell. belfry gives what the same expression gives without histogram_count()."""
    return STATS.search(expr) and "nh_gauge" in expr and ": value" in what


def first_bucket(expr, what):
    """3.8 (#17424): histogram_fraction() of a classic or custom-bucket histogram whose lower bound
    lies in the first bucket interpolates; 3.5 gives NaN or leaves that part out."""
    return begins(expr, "histogram_fraction") and ": value" in what \
        and ("lat_seconds" in expr or "nhcb_seconds" in expr)


def deviation_of_nan(expr, what):
    """3.14 (#19040): mad_over_time() of a window that holds NaN is NaN."""
    return "mad_over_time(" in expr and "value NaN against" in what


def info_joins(expr, what):
    """info(): series without identifying labels stay (3.10, #17898), a filter on a label that both
    have works (3.10, #17817), series that change (3.7, #17135), matchers of __name__ (3.12,
    #17932)."""
    return begins(expr, "info")


def name_of_subquery(expr, what):
    """3.12 (#18409): last_over_time() of a subquery whose inside drops the name drops it too."""
    return begins(expr, "last_over_time") and "labels:" in what and "'__name__'" in what


def filter_many(expr, what):
    """3.9 (#17668): a filter that would match several series to one is refused also when it lets
    at most one of them through."""
    return COMPARES.search(expr) and "bool" not in expr and "multiple matches" in what \
        and what.startswith("status 422")


def series_in_turns(expr, what):
    """3.9 (#17678): series that have the same labels once their names are gone, but never a point
    at the same time, are one series in a range query; 3.5 refuses them."""
    return what.startswith("status 200") and "metrics with the same labelset" in what


def arbitrary_choice(expr, what):
    """topk, bottomk and limitk take the first of equal series; Prometheus hands them the output of
    most functions and operators in the order of a Go map, another one each time."""
    return CHOICE in what


def remainder_of_rounded(expr, what):
    """The remainder of a power or exponential many times the divisor is decided by its last digit,
    which differs between Go's mathematics and the C library's."""
    return " % " in expr and re.search(r"\^|exp\(|sinh\(|cosh\(", expr) and ": value" in what


def unsteady(expr, what):
    """Asked the same again, Prometheus gives the answer of belfry: 3.5 changes, rarely, histograms
    in memory that another query reads."""
    return AGAIN in what


CLASSES = {
    "native histograms": (native_bounds, native_extrapolation, native_stats_of_gauge),
    "fractions and deviations": (first_bucket, deviation_of_nan),
    "info": (info_joins,),
    "names and matching": (name_of_subquery, filter_many, series_in_turns),
    "not determined": (arbitrary_choice, remainder_of_rounded, unsteady),
}


def classify(expr, what):
    """"class: rule" of the first rule that explains the difference, or None."""
    for name, rules in CLASSES.items():
        for rule in rules:
            if rule(expr, what):
                return f"{name}: {rule.__name__}"
    return None
