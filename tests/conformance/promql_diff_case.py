# SPDX-License-Identifier: Apache-2.0
"""One differing expression, and what may be asked about it to show why it differs.

A class of differences (promql_diff_classes.py) is believed only when evaluating shows it: a Case
asks both servers for operands, for raw samples, and for variants of the expression.
"""

import math
import re

import promql_diff_compare as compare

AT_START = re.compile(r"@\s*(start|end)\(\)")


class Case:
    """An expression on which belfry (ours) and Prometheus (theirs) gave different answers."""

    def __init__(self, ours, theirs, path, params, diffs, answers):
        self.ours, self.theirs = ours, theirs
        self.path, self.params = path, params
        self.diffs = diffs
        self.left, self.right = answers
        self.expr = params["query"]
        self.what = diffs[0]
        self.cache = {}

    # -- asking --------------------------------------------------------------------------

    def ask(self, client, expr, path=None, params=None):
        """An answer of one of the two to another expression for the same times."""
        path, params = path or self.path, {**(params or self.params), "query": expr}
        key = (id(client), path, tuple(sorted(params.items())))
        if key not in self.cache:
            client.send(path, params)
            self.cache[key] = client.receive()
        return self.cache[key]

    def tables(self, expr):
        """Both tables {labels: {t: point}} of an expression for the same times, or None."""
        both = [compare.table(self.ask(c, expr), expr) for c in (self.ours, self.theirs)]
        return None if None in both else both

    def instant(self, client, expr, t):
        """The answer at t alone; start() and end() stay those of the whole question."""
        params = {k: v for k, v in self.params.items() if k not in ("start", "end", "step")}
        return self.ask(client, self.fixed(expr), "query", {**params, "time": t})

    def fixed(self, expr):
        """@ start() and @ end() as numbers."""
        def number(m):
            return "@ " + str(self.params.get(m.group(1), self.params.get("time")))
        return AT_START.sub(number, expr)

    def windows(self, matrix, t):
        """[(labels, [(t, value or histogram)])] of a range vector at t, as Prometheus has it."""
        answer = self.instant(self.theirs, matrix, t)
        if answer["status"] != "success" or answer["data"]["resultType"] != "matrix":
            return []
        out = []
        for series in answer["data"]["result"]:
            both = sorted(compare.points(series).items())
            out.append((compare.identity(series["metric"], ""),
                        [(at, h if v is None else float(v)) for at, (v, h) in both]))
        return out

    def again(self, client):
        """The question once more."""
        client.send(self.path, self.params)
        return client.receive()

    def contradicts_itself(self, expr):
        """Prometheus gives several answers to the same question."""
        first = self.ask(self.theirs, expr)
        for _ in range(12):
            self.theirs.send(self.path, {**self.params, "query": expr})
            if compare.compare(first, self.theirs.receive(), expr):
                return True
        return False

    def differ(self, expr):
        """The differences of another expression."""
        left, right = (self.ask(c, expr) for c in (self.ours, self.theirs))
        return compare.compare(left, right, expr)

    def answers(self):
        """Both answers as tables."""
        return [compare.table(a, self.expr) for a in (self.left, self.right)]

    def theirs_at(self, labels):
        """Prometheus's points of a series."""
        return (compare.table(self.right, self.expr) or {}).get(labels, {})

    def number(self, scalar, t):
        """A scalar operand at t, when both give the same."""
        both = [self.instant(c, scalar, t) for c in (self.ours, self.theirs)]
        if any(a["status"] != "success" or a["data"]["resultType"] != "scalar" for a in both):
            return None
        left, right = (a["data"]["result"][1] for a in both)
        return float(left) if compare.same_number(left, right) else None

    def buckets(self, vector, diff):
        """[(upper bound, cumulative count)] of the classic or custom-bucket histogram behind a
        value, or None."""
        answer = self.instant(self.theirs, vector, diff.t)
        rows = {}
        if answer["status"] != "success":
            return None
        for labels, series in (compare.table(answer) or {}).items():
            have = {k: v for k, v in labels if k != "__name__"}
            bound = have.pop("le", None)
            (value, histogram), = series.values()
            if have != {k: v for k, v in diff.labels if k != "__name__"}:
                continue
            if histogram is not None:
                total = 0.0
                for _, low, high, count in histogram.get("buckets", []):
                    if math.isfinite(float(low)):
                        rows.setdefault(float(low), total)
                    total += float(count)
                    rows[float(high)] = total
                rows.setdefault(math.inf, total)
            elif bound is not None:
                rows[float(bound)] = float(value)
        return sorted(rows.items()) if math.inf in rows else None

    def native_buckets(self, vector, diff):
        """[(lower, upper bound, cumulative count)] of the native histogram behind a value, or
        None."""
        answer = self.instant(self.theirs, vector, diff.t)
        if "same labelset" in answer.get("error", ""):  # two metrics, alone, would be one
            answer = self.instant(self.theirs, vector.replace('|up"', '"'), diff.t)
        found = [h for labels, series in (compare.table(answer) or {}).items()
                 for _, h in series.values() if h is not None
                 and {k: v for k, v in labels if k != "__name__"} == dict(diff.labels)]
        if len(found) != 1:
            return None
        rows, total = [], 0.0
        for _, low, high, count in found[0].get("buckets", []):
            total += float(count)
            rows.append((float(low), float(high), total))
        return rows

    def parsed(self, expr):
        """The syntax tree of an expression, as JSON has it."""
        node = self.ask(self.ours, expr, "parse_query", {}).get("data") or {}
        while node.get("type") == "parenExpr":
            node = node["expr"]
        return node

    def edges(self, matrix, t):
        """Start and end (s) of a range vector's window at t, or None when they are not plain."""
        node = self.parsed(self.fixed(matrix))
        if not node.get("range") or node.get("startOrEnd"):
            return None
        end = float(t) if node.get("timestamp") is None else node["timestamp"] / 1000
        end -= node.get("offset", 0) / 1000
        return end - node["range"] / 1000, end

    # -- the shape -----------------------------------------------------------------------

    def root(self):
        """(type, operands' texts, texts before, between and after them) as belfry's explain tells,
        or None."""
        if "root" not in self.cache:
            self.cache["root"] = self.parted(self.expr)
        return self.cache["root"]

    def parted(self, expr):
        """The same of another expression."""
        nodes = self.nodes(expr)
        if nodes is None:
            return called(expr)
        root = next(n for n in nodes if n["parent"] is None)
        below = sorted((n for n in nodes if n["parent"] == root["id"]), key=lambda n: n["start"])
        text = expr.encode()
        cuts = [root["start"]] + [c for n in below for c in (n["start"], n["end"])] + [root["end"]]
        pieces = [text[a:b].decode() for a, b in zip(cuts, cuts[1:])]
        return root["type"], pieces[1::2], pieces[::2]

    def nodes(self, expr):
        """What belfry's explain tells of an expression's nodes, asked where there are no samples: an
        expression that fails has its shape, too."""
        bare = re.sub(r"@ ([0-9.]+)", lambda m: "@ " + re.sub(r"\d", "1", m.group(1)), expr)
        answer = self.ask(self.ours, bare, "query", {"time": 1111111111, "explain": "true"})
        return answer["data"]["explain"]["nodes"] if answer["status"] == "success" else None

    def inner(self):
        """All inner expressions that are vectors or scalars, and the range vectors."""
        text = self.expr.encode()
        return {text[n["start"]:n["end"]].decode() for n in self.nodes(self.expr) or ()
                if n["parent"] is not None and n["type"] not in ("numberLiteral", "stringLiteral")}

    def operator(self):
        """The binary operator at the root, or ""."""
        node = self.root()
        if node is None or node[0] != "binaryExpr" or len(node[1]) != 2:
            return ""
        return re.match(r"[\s)]*(\w+|[^\w\s(]+)", node[2][1]).group(1).lower()

    def function(self):
        """The name of the function or aggregation at the root, its operands; else ("", [])."""
        node = self.root()
        if node is None or node[0] not in ("call", "aggregation"):
            return "", []
        return re.match(r"\w*", node[2][0]).group().lower(), node[1]

    # -- magnitudes ----------------------------------------------------------------------

    def magnitude(self, operand, labels, t, which=None):
        """The largest finite |value| of the operand's points at t that can have gone into the
        series `labels`, of both servers; which: a part of histograms. 0 when there is none."""
        largest = 0.0
        for client in (self.ours, self.theirs):
            answer = self.instant(client, operand, t)
            if answer["status"] != "success":
                continue
            for has, series in (compare.table(answer) or {}).items():
                if agree(dict(has), dict(labels)):
                    largest = max([largest] + [size(p, which) for p in series.values()])
        return largest


def called(expr):
    """The root of a call or aggregation that fails even without samples, by its parentheses alone:
    only where no comma or parenthesis stands in a string."""
    m = re.match(r"\w+(?:\s+(?:by|without)\s*\([^()]*\))?\s*\(", expr)
    if m is None:
        return None
    cuts, depth = [m.end()], 0
    for at in range(m.end(), len(expr)):
        depth += (expr[at] in "([{") - (expr[at] in ")]}")
        if depth < 0:
            cuts.append(at)
            break
        if expr[at] == "," and not depth:
            cuts += [at, at + 1]
    operands = [expr[a:b].strip() for a, b in zip(cuts[::2], cuts[1::2])]
    return "call", operands, [expr[:m.end()]] + [", "] * (len(operands) - 1) + [expr[cuts[-1]:]]


def agree(has, wants):
    """Labels that both have are the same."""
    return all(has.get(k, v) == v for k, v in wants.items() if k != "__name__")


def size(point, which):
    """|value| of a point; of a histogram its largest count (or its |sum|)."""
    value, histogram = point
    if histogram is None:
        return finite(value)
    if which == "sum":
        return finite(histogram["sum"])
    return max([finite(histogram["count"])] + [finite(b[3]) for b in histogram.get("buckets", [])])


def finite(text):
    value = abs(float(text))
    return value if math.isfinite(value) else 0.0
