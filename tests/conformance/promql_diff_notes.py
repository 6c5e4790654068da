# SPDX-License-Identifier: Apache-2.0
"""Warnings and infos of two answers (promql_diff.py): there for both or for neither?

Texts are not compared, belfry's are its own; at most ten of each are given. Where only one answer
has some, a class must account for it, with the version that brought it (#: pull request of
prometheus/prometheus).
"""

import re

MOST = 10
NESTED = re.compile(r"\[[^\]]*:[^\]]*\].*\[[^\]]*:[^\]]*\]")
OURS = (
    # sort() of a range query (3.10)
    ("warnings", re.compile("sort is ineffective"), "sort of a range"),
    # hints that contradict each other (3.6, #17051)
    ("warnings", re.compile("conflicting counter resets"), "counter resets"),
    # what was multiplied by less than zero is a gauge (3.6, #17004)
    ("warnings", re.compile("histogram metric is not a counter"), "negative factor"),
    # custom buckets of other bounds are added (3.8, #17278), so that later operations see them, too
    ("infos", re.compile("custom buckets were reconciled"), "custom buckets"),
)
THEIRS = (
    ("warnings", re.compile("incompatible custom buckets"), "custom buckets"),
    ("warnings", re.compile("histogram metric is not a gauge"), "negative factor"),
)


def differing(ours, theirs, expr):
    """[(class or None, kind, texts)] of the kinds of annotation that only one answer has."""
    if ours["status"] != "success" or theirs["status"] != "success":
        return []
    out = []
    for kind in ("warnings", "infos"):
        left, right = ours.get(kind, []), theirs.get(kind, [])
        if len(left) > MOST:
            out.append((None, kind, left))
        elif bool(left) != bool(right):
            out.append((account(kind, left, right, expr) or last_of_step(left, ours, theirs), kind, left or right))
    return out


def last_of_step(left, ours, theirs):
    """Of what an operation says of the pairs of a step Prometheus, 3.14 too, keeps the last, be it a
    warning or an info; belfry keeps all."""
    if left and any(theirs.get(k) and ours.get(k) for k in ("warnings", "infos")) \
            and any(re.search("cannot join|does not go with", text) for text in left):
        return "the last of a step"
    return None


def account(kind, left, right, expr):
    for of_kind, pattern, name in OURS if left else THEIRS:
        if of_kind == kind and any(pattern.search(text) for text in left or right):
            return name
    if any("NaN observations" in text for text in left or right):  # the rank is that of all observations
        return "last digits"
    if right and NESTED.search(expr):  # 3.5 and 3.14 evaluate inner points that nothing looks at
        return "points of subqueries that no window holds"
    return None
