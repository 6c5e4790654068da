# SPDX-License-Identifier: Apache-2.0
"""topk, bottomk and limitk among equals: are both choices right?

Of equal values Prometheus takes those that come first, and hands these aggregations the output of
most functions and operators in the order of a Go map, another one each time. So a choice is right
when it cannot be told from another by its values; the values are asked for.
"""

import math
import re

from promql_diff_compare import same_number


CHOICE = re.compile(r"(topk|bottomk|limitk)\b")


def arbitrary_choice(case, diff):
    """topk, bottomk and limitk of series that tie: shown by the values they choose from. The two
    must agree on the operand; each group holds as many series as it may, every series that beats
    the weakest chosen is chosen by both, and those that only one has tie with the weakest. Or the
    operand is such a choice itself, and Prometheus, asked for it again, chooses otherwise."""
    name, operands = case.function()
    if name not in ("topk", "bottomk", "limitk") or diff.kind not in ("labels", "points"):
        return False
    if "choice" not in case.cache:
        case.cache["choice"] = rightly_chosen(case, name, operands) or \
            CHOICE.match(operands[1]) is not None and case.contradicts_itself(operands[1])
    return case.cache["choice"]


def rightly_chosen(case, name, operands):
    answers, inner, counts = case.answers(), case.tables(operands[1]), case.tables(operands[0])
    if None in answers or inner is None or counts is None or inner[0].keys() != inner[1].keys():
        return False
    grouped = grouping(case)
    for t in {t for table in inner + answers for series in table.values() for t in series}:
        k = next(iter(counts[1].values())).get(t)
        if k is None or not one_time(name, float(k[0]), grouped, t, inner, answers):
            return False
    return True


def grouping(case):
    """Labels of a series to its group, by the words after by or without."""
    text = " ".join(case.root()[2])
    names = {}
    for word in ("by", "without"):
        at = text.find(word + "(") if word + "(" in text else text.find(word + " (")
        if at >= 0:
            inside = text[text.index("(", at) + 1:text.index(")", at)]
            names[word] = {n.strip().strip('"') for n in inside.split(",") if n.strip()}
    if "without" in names:
        return lambda ls: tuple(kv for kv in ls if kv[0] not in names["without"] | {"__name__"})
    return lambda ls: tuple(kv for kv in ls if kv[0] in names.get("by", ()))


def one_time(name, k, grouped, t, inner, answers):
    """All groups at one time."""
    groups = {}
    for labels, series in inner[1].items():
        if t in series:
            groups.setdefault(grouped(labels), {})[labels] = series[t]
    chosen = [{} for _ in answers]
    for choice, table in zip(chosen, answers):
        for labels, series in table.items():
            if t in series:
                choice.setdefault(grouped(labels), set()).add(labels)
    if any(choice.keys() - groups.keys() for choice in chosen):
        return False
    return all(one_group(name, k, group, [c.get(g, set()) for c in chosen])
               for g, group in groups.items())


def one_group(name, k, group, chosen):
    if name != "limitk":  # histograms are left out
        group = {labels: float(p[0]) for labels, p in group.items() if p[1] is None}
    size = min(max(int(k), 0), len(group))
    if any(len(c) != size or c - group.keys() for c in chosen):
        return False
    if name == "limitk" or chosen[0] == chosen[1]:
        return True
    rank = (lambda v: (-1, 0) if math.isnan(v) else (0, v if name == "topk" else -v))
    weakest = min((group[c] for c in chosen[1]), key=rank)
    for labels, value in group.items():
        tie = same_number(value, weakest)
        if not tie and any((labels in c) != (rank(value) > rank(weakest)) for c in chosen):
            return False
    return True


SORTED_BY = re.compile(r'sort_by_label(?:_desc)?\(.*?((?:,\s*"\w+")+)\s*\)$', re.S)


def labels_without_order(case, diff):
    """sort_by_label among values of which Prometheus's comparison says that each comes first, or
    neither: a label that some lack, and numbers that differ in leading zeros only. Then its order is
    that of the algorithm. Shown by the values of the label."""
    m = SORTED_BY.match(case.expr)
    if diff.kind != "order" or m is None:
        return False
    table = case.answers()[0] or {}
    for name in re.findall(r'"(\w+)"', m.group(1)):
        values = {dict(labels).get(name, "") for labels in table}
        plain = {re.sub(r"0*([0-9]+)", r"\1", v) for v in values}
        if len(plain) < len(values) or ("" in values and len(values) > 1):
            return True
    return False
