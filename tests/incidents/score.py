# SPDX-License-Identifier: Apache-2.0
"""Scores what fired against a recording's labels, by the strict rules of the recordings' README.

A firing is (alertname, category, severity, labels, [(from_ms, to_ms), ...]) in the recording's own time.
"""
from dataclasses import dataclass, field

DETECT_MS = 60_000   # an alert counts as detection until this long after the end
VISIBLE_MS = 90_000  # and as a consequence until this long
PAGING = ("critical", "warning")
NOT_LABELS = ("__name__", "alertname", "alertstate", "category", "severity")  # of a firing: told apart
RESTARTS = ("crash", "deploy-restart")  # leave a cold cache behind


@dataclass
class Firing:
    name: str
    category: str
    severity: str
    labels: dict
    spans: list  # of (from_ms, to_ms)


@dataclass
class Score:
    incidents: list = field(default_factory=list)  # planned: dicts
    unplanned: list = field(default_factory=list)
    false: list = field(default_factory=list)      # (firing, from_ms, to_ms, decoy or None)
    true_stretches: int = 0
    categories: dict = field(default_factory=dict)

    @property
    def recall(self):
        return ratio(sum(i["detected"] for i in self.incidents), len(self.incidents))

    @property
    def precision(self):
        return ratio(self.true_stretches, self.true_stretches + len(self.false))


def ratio(a, b):
    return a / b if b else 1.0


def visible(item, category):
    """Whether an alert of this category is right in the item's window."""
    if category in item["expect"] or category in item["also_visible"]:
        return True
    return category == "cache" and item["kind"] in RESTARTS


def subtract(span, holes):
    """What is left of (from, to) without the holes."""
    left = [span]
    for lo, hi in holes:
        nxt = []
        for a, b in left:
            if hi <= a or lo >= b:
                nxt.append((a, b))
                continue
            if a < lo:
                nxt.append((a, lo))
            if hi < b:
                nxt.append((hi, b))
        left = nxt
    return left


def first_firing(firings, category, lo, hi):
    """When an alert of the category first fires within [lo, hi], or None."""
    found = [max(a, lo) for f in firings if f.category == category for a, b in f.spans if a <= hi and b >= lo]
    return min(found) if found else None


def score_incident(item, firings):
    lo, hi = item["start_ms"], item["end_ms"] + DETECT_MS
    seen = {c: first_firing(firings, c, lo, hi) for c in item["expect"]}
    times = {c: (t - lo) / 1000 for c, t in seen.items() if t is not None}
    return {"kind": item["kind"], "expect": item["expect"], "detected": bool(times),
            "seconds": min(times.values()) if times else None, "by_category": times}


def decoy_of(labels, at_ms):
    for item in labels:
        if not item["incident"] and item["start_ms"] <= at_ms <= item["end_ms"] + DETECT_MS:
            return item["kind"]
    return None


def score(labels, firings):
    warm_up = [(i["start_ms"], i["end_ms"]) for i in labels if i["kind"] == "warm-up"]
    items = [i for i in labels if i["kind"] != "warm-up"]
    s = Score()
    for item in items:
        if item["incident"]:
            (s.incidents if item.get("planned", True) else s.unplanned).append(score_incident(item, firings))
    for f in firings:
        if f.severity not in PAGING:
            continue
        right = [(i["start_ms"], i["end_ms"] + VISIBLE_MS) for i in items if visible(i, f.category)]
        for span in f.spans:
            kept = subtract(span, warm_up)
            wrong = [w for k in kept for w in subtract(k, right)]
            s.false += [(f, a, b, decoy_of(labels, a)) for a, b in wrong]
            # a stretch that is right anywhere is a true one; its wrong end is counted as false besides
            s.true_stretches += sum(1 for k in kept if subtract(k, right) != [k])
    for c in sorted({c for i in s.incidents for c in i["expect"]}):
        asked = [i for i in s.incidents if c in i["expect"]]
        times = [i["by_category"][c] for i in asked if c in i["by_category"]]
        true = sum(1 for f in firings if f.category == c and f.severity in PAGING for _ in f.spans)
        wrong = sum(1 for f, *_ in s.false if f.category == c)
        s.categories[c] = {"asked": len(asked), "fired": len(times), "seconds": times,
                           "stretches": true, "false": wrong}
    return s


def report(name, s, first_ms):
    """The score as text."""
    out = [f"== {name}: recall {s.recall:.0%} ({sum(i['detected'] for i in s.incidents)} of {len(s.incidents)} planned), "
           f"precision {s.precision:.0%} ({len(s.false)} false)"]
    for i in s.incidents + s.unplanned:
        how = ", ".join(f"{c} {t:.0f} s" for c, t in sorted(i["by_category"].items(), key=lambda x: x[1])) or "nothing"
        missing = [c for c in i["expect"] if c not in i["by_category"]]
        out.append(f"  {'found ' if i['detected'] else 'MISSED'} {i['kind']:20} {how}" +
                   (f"; not: {', '.join(missing)}" if missing else ""))
    for c, v in s.categories.items():
        out.append(f"  {c:15} fired in {v['fired']} of {v['asked']}, false {v['false']}, seconds to detect " +
                   (", ".join(f"{t:.0f}" for t in v["seconds"]) or "-"))
    for f, a, b, decoy in s.false:
        out.append(f"  FALSE {f.name} ({f.severity}, {f.category}) {(a - first_ms) / 1000:.0f}-{(b - first_ms) / 1000:.0f} s"
                   f"{' in decoy ' + decoy if decoy else ''} {f.labels}")
    return "\n".join(out)
