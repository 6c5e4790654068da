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
            out.append((account(kind, left, right, expr), kind, left or right))
    return out


def account(kind, left, right, expr):
    for of_kind, pattern, name in OURS if left else THEIRS:
        if of_kind == kind and any(pattern.search(text) for text in left or right):
            return name
    if right and NESTED.search(expr):  # 3.5 and 3.14 evaluate inner points that nothing looks at
        return "points of subqueries that no window holds"
    return None
