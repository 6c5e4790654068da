#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What PromQL is read as: format_query and parse_query of belfry beside those of Prometheus 3.5.

usage: promql_forms.py [--count 4000] [--seed 1] [--peers DIR] [--budget SECONDS] [EXPR...]

Asked are random expressions of promql_diff_gen.py as they are, in other spelling (blanks, comments,
capitals, quotes, commas) and spoiled (a token gone, twice, or another: mostly refused), then every
expression of the public cases, rule files, dashboards and packs that are there. Equal means: both refuse, or
both accept with the same text and the same tree. What only one of 3.14 and 3.5 takes (NEWER, OLDER)
or reads otherwise (LATER, QUOTED) is told apart by its words. Without a Prometheus 3.x (BELFRY_PEERS or PATH) nothing is run. Exit status 1 when
anything differs.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(HERE)]
# pylint: disable=wrong-import-position
from lib.belfry import Belfry  # noqa: E402
import promql_diff  # noqa: E402
import promql_diff_gen as gen  # noqa: E402

CASES = pathlib.Path(os.environ.get("BELFRY_CONFORMANCE", ROOT.parent / "shared" / "conformance"))
TOKEN = re.compile(r"""\s+|#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`"""
                   r"""|[=!]~|[=!<>]=|[A-Za-z_:][\w:]*|[\d.][\w.]*(?:(?<=[eE])[-+]\d+)?|.""", re.S)
WORDS = ("by without on ignoring group_left group_right offset bool and or unless atan2 sum rate Inf NaN "
         "start end min max topk inf 5m 0x1f 1e3 1_0 .5 5. 1h30m 1m1h 30 -1 \"\" 'a' `b` ( ) { } [ ] , : "
         "= == != =~ !~ < > <= >= + - * / % ^ @ __name__ job \"job\" é \\ $ # ! ~ = step").split()
NEWER = re.compile(r"</|>/|\b(fill(_left|_right)?|anchored|smoothed|start_timestamp|histogram_quantiles"
                   r"|first_over_time|ts_of_first_over_time|max_of|min_of|range|step|start|end)\b", re.I)
# What 3.5 takes and 3.14 refuses: @ before a range, a word after a duration
OLDER = re.compile(r"@\s*(start|end)\s*\(\s*\)\s*\[|\[\s*[\d.]\w*\s+[a-z]", re.I)
FORGOTTEN = re.compile(r"\(\s*(\w+\s*,\s*)*without\s*[,)]", re.I)  # as a label, in 3.5 and 3.14
# 3.14 keeps parentheses of a duration and computes them later; labels of a match that are no names get quotes
LATER = re.compile(r"(\[|:|offset)[-+\s]*\(\s*[-+\s\d]|offset\s*[-+]\s*[-+]", re.I)
QUOTED = re.compile(r"\b(on|ignoring|group_left|group_right|by|without)\s*\([^)]*[\"'`:]", re.I)
MEMBERS = ("anchored", "smoothed", "offsetExpr", "rangeExpr", "stepExpr", "fillValues")  # of 3.14's trees
COMMENTS = ("# rate(x", "#", "# \"")


def tokens(text):
    return TOKEN.findall(text)


def respelled(r, expr):
    """The same expression, written by someone else; within brackets 3.5 and 3.14 take no comments."""
    out, brackets = [], 0
    for token in tokens(expr):
        brackets += (token == "[") - (token == "]")
        if token.lower() in gen.words_of(token + "(") | gen.words_of(token) and r.random() < 0.2:
            token = r.choice((token.upper(), token.capitalize()))
        elif token[0] == '"' and "\\" not in token and "'" not in token and r.random() < 0.4:
            token = r.choice(("'%s'", "`%s`")) % token[1:-1]
        elif token == ")" and r.random() < 0.03:
            token = ",)"
        elif token == "}" and r.random() < 0.1:
            token = ",}"
        if r.random() < 0.15:
            out.append(r.choice((" ", "\n", "\t ", "\r\n" if brackets else " %s\n" % r.choice(COMMENTS))))
        out.append(token)
    return "".join(out)


def spoiled(r, expr):
    """The expression with something wrong in it, or only something else."""
    parts = [t for t in tokens(expr) if not t.isspace()]
    for _ in range(r.choice((1, 1, 1, 2))):
        i = r.randrange(len(parts))
        how = r.random()
        if how < 0.3:
            del parts[i]
        elif how < 0.45:
            parts.insert(i, parts[i])
        elif how < 0.6:
            parts.insert(i, parts.pop(r.randrange(len(parts))))
        elif how < 0.8:
            parts[i] = r.choice(WORDS)
        else:
            parts.insert(i, r.choice(WORDS))
        if not parts:
            break
    return r.choice((" ", " ", "")).join(parts)


def random_expressions(seed, count):
    for number in range(count):
        r = random.Random(f"forms {seed}:{number}")
        expr = gen.Gen(f"{seed}:{number}", r.choice(("plain", "histograms"))).expression()
        yield expr
        yield respelled(r, expr)
        yield spoiled(r, expr)


def keywords():
    """Words of the language at places where names may stand."""
    for word in ("without by on ignoring group_left group_right offset bool and or unless atan2 sum topk limitk "
                 "limit_ratio count_values quantile start end inf nan Inf NaN rate time le job").split():
        for text in ("%s", "sum by (%s) (x)", "sum by (a, %s,) (x)", "x + on(%s) y", "x * on(a) group_left(%s) y",
                     '%s{a="b"}', 'x{%s="a"}', '{"%s"}', "rate(%s[5m])", "sum(%s)", "%s(x)", "%s by (a) (x)", "x %s",
                     "%s + 1", "1 + %s", "-%s", "%s offset 5m", "x @ %s", "%s @ 5", "%s:x", "%s and x"):
            yield text % word
            yield text % word.upper()


def of_files():
    """Expressions of the public cases and of whatever rules and dashboards are there."""
    for path in sorted((CASES / "public").glob("*.test")):
        text = path.read_text()
        for line in re.findall(r"^\s*eval(?:_\w+)?\s+(.*)$", text, re.M):
            line = re.sub(r"^(instant at \S+|range from \S+ to \S+ step \S+)\s+", "", line)
            yield line
    table = CASES / "promql_parse" / "parse.json"
    if table.exists():
        yield from (case["query"] for case in json.loads(table.read_text()))
    for folder, kind in ((CASES / "rules", "y*ml"), (ROOT / "packaging", "y*ml"), (ROOT / "tests/data", "y*ml"),
                         (CASES / "dashboards", "json"), (ROOT / "dashboards", "json")):
        for path in sorted(folder.rglob("*." + kind)):
            yield from of_text(path.read_text("utf-8", "replace"), kind)


def of_text(text, kind):
    if kind == "json":
        for found in re.findall(r'"expr":\s*("(?:\\.|[^"\\])*")', text):
            yield re.sub(r"\$__\w+|\$\{?\w+\}?", "5m", json.loads(found))
        return
    for indent, found in re.findall(r"^([ -]*)expr:[ ]*(.*(?:\n[ ]*\S.*)*)", text, re.M):
        first, *more = found.split("\n")
        deeper = [m for m in more if len(m) - len(m.lstrip()) > len(indent)]
        if first.strip() in ("|", "|-", ">", ">-"):
            yield "\n".join(deeper)
        elif first:
            yield first.strip().strip("'\"")


def outcome(client, path, expr):
    client.send(path, {"query": expr})
    return client.receive()


def plain(tree):
    """The tree without the members that 3.5 does not know; a text without its indentation, which 3.5
    and 3.14 forget before a subquery."""
    if isinstance(tree, str):
        return re.sub(r"^ +", "", tree, flags=re.M)
    if isinstance(tree, list):
        return [plain(t) for t in tree]
    if not isinstance(tree, dict):
        return tree
    return {k: plain(v) for k, v in tree.items()
            if k not in MEMBERS}


def first_difference(a, b, where=""):
    """The first place at which two trees part."""
    if isinstance(a, dict) and isinstance(b, dict):
        for k in sorted(a.keys() | b.keys()):
            if k not in a or k not in b:
                return f"{where}.{k} is only {'there' if k in b else 'here'}"
            if a[k] != b[k]:
                return first_difference(a[k], b[k], f"{where}.{k}")
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        i = next(i for i, (x, y) in enumerate(zip(a, b)) if x != y)
        return first_difference(a[i], b[i], f"{where}[{i}]")
    return f"{where}\n    {json.dumps(a)}\n    {json.dumps(b)}"


def differs(ours, theirs, expr):
    """What is not the same, or None; "newer" for what only 3.14 takes."""
    for path in ("format_query", "parse_query"):
        left, right = (outcome(c, path, expr) for c in (ours, theirs))
        if left["status"] != right["status"]:
            if LATER.search(expr) or FORGOTTEN.search(expr) or (NEWER if right["status"] == "error" else OLDER).search(expr):
                return "newer"
            said = next(a["error"] for a in (left, right) if a["status"] == "error")
            return f"{path}: {left['status']} here, {right['status']} there: {said}"
        if left["status"] == "error":
            if (left["code"], left["errorType"]) != (right["code"], right["errorType"]):
                return f"{path}: {left['code']} {left['errorType']}, {right['code']} {right['errorType']}"
            return "refused"
        if (tree := plain(left["data"])) != (other := plain(right["data"])):
            if LATER.search(expr) or path == "format_query" and QUOTED.search(expr):
                return "newer"
            return f"{path}: {first_difference(tree, other)}"
    return None


def compare(ours, theirs, expressions, until):
    tally, seen = collections.Counter(), set()
    for expr in expressions:
        if expr in seen:
            continue
        if time.monotonic() > until:
            break
        seen.add(expr)
        what = differs(ours, theirs, expr)
        tally[what if what in ("newer", "refused") else "different" if what else "equal"] += 1
        if what and what not in ("newer", "refused"):
            print(f"{expr}\n  {what}\n")
    return tally


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=4000)
    p.add_argument("--seed", default="1")
    p.add_argument("--budget", type=float, default=3600, help="seconds")
    p.add_argument("--peers", default=os.environ.get("BELFRY_PEERS"))
    p.add_argument("expr", nargs="*")
    args = p.parse_args()
    path, said = promql_diff.find_prometheus(args.peers)
    if path is None:
        print(f"skipped: {said}")
        return 0
    promql_diff.Prometheus.binary = path
    began, different = time.monotonic(), 0
    with Belfry(promql_diff.CONFIG, statsd=False) as belfry, promql_diff.Prometheus() as peer:
        ours, theirs = promql_diff.Client(f"127.0.0.1:{belfry.web_port}"), promql_diff.Client(peer.address)
        for name, some in (("given", args.expr), ("keywords", () if args.expr else keywords()),
                           ("files", () if args.expr else of_files()),
                           ("random", () if args.expr else random_expressions(args.seed, args.count))):
            tally = compare(ours, theirs, some, began + args.budget)
            different += tally["different"]
            if tally:
                print(f"{name}: " + ", ".join(f"{n} {k}" for k, n in sorted(tally.items())))
    print(f"belfry against {said}: {time.monotonic() - began:.0f} s")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
