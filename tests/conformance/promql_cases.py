#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks another PromQL what the cases of tests/data/promql expect, by promtool's rule tests.

    tests/conformance/promql_cases.py [PROMTOOL]

Each query is put at its time, a range query at each of its steps. What promtool does not know or
cannot ask (strings, range vectors, refusals, start timestamps, what depends on the range of a
query) is counted, what it answers otherwise is printed. Exit code 1: something is different that is
not listed here with its reason.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

CASES = pathlib.Path(__file__).resolve().parents[1] / "data" / "promql"
FEATURES = "--enable-feature=promql-experimental-functions,promql-delayed-name-removal"
UNIT = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000}
# Where 3.5 and 3.14 are not the same, or promtool's steps and a range query: beginnings of queries
NEWER = {
    "increase(r[3m])": "3.14 does not extrapolate a native histogram below zero",
    "histogram_count(rate(r[3m]))": "the same",
    "sum(k)": "3.14 reconciles custom buckets",
    "(r > 3) or (r < 2) * 10": "one series in a range query, two in single steps",
}


def ms(text):
    return sum(int(n) * UNIT[u] for n, u in re.findall(r"(\d+)(ms|s|m|h|d)", text))


def blocks(path):
    """(step, series lines, has start timestamps, queries); a query: text, times, wants, skip."""
    out, text, line = [], path.read_text().replace("\\\n", " "), None
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "data":
            out.append({"step": rest, "series": [], "start": False, "queries": []})
        elif word == "|":
            out[-1]["series"].append(rest)
        elif word == "/":
            out[-1]["start"] = True
        elif word == "query":
            out[-1]["queries"].append({"expr": rest, "times": [], "want": [], "skip": ""})
        elif word == "at":
            out[-1]["queries"][-1]["times"] = [ms(rest)]
        elif word == "from":
            start, end, step = re.fullmatch(r"(\S+) to (\S+) every (\S+)", rest).groups()
            out[-1]["queries"][-1]["times"] = list(range(ms(start), ms(end) + 1, ms(step)))
        elif word == "=":
            out[-1]["queries"][-1]["want"].append(rest)
        elif word == "fails":
            out[-1]["queries"][-1]["skip"] = "refused"
    return out


def values(text):
    """The points of a series: '1 _ 2+1x3 {{...}}' as a list, None where there is none."""
    out = []
    for item in re.findall(r"\{\{.*?\}\}(?:x\d+)?|\S+", text):
        m = re.fullmatch(r"(.*?)(?:([+-][^x]*))?x(\d+)", item) if "0x" not in item else None
        if m and item.startswith("{{"):
            m = re.fullmatch(r"(\{\{.*?\}\})()x(\d+)", item)
        if not m:
            out.append(None if item == "_" else item)
        elif m.group(1) == "_":
            out += [None] * int(m.group(3))
        elif m.group(2):
            out += [repr(float(m.group(1)) + i * float(m.group(2)))
                    for i in range(int(m.group(3)) + 1)]
        else:
            out += [m.group(1)] * (int(m.group(3)) + 1)
    return out


def split(want):
    """Labels and values of '= ...'; labels are {} for a scalar."""
    if want.startswith("{") and not want.startswith("{{") or re.match(r"[a-zA-Z_:][\w:]*\{", want):
        depth = quoted = 0
        for i, c in enumerate(want):
            if c == '"' and want[i - 1] != "\\":
                quoted = not quoted
            depth += 0 if quoted else (c == "{") - (c == "}")
            if c == "}" and depth == 0 and not quoted:
                return want[:i + 1], values(want[i + 1:])
    m = re.match(r"([a-zA-Z_:][\w:]*) (.+)", want)
    if m and m.group(1).lower() not in ("nan", "inf"):
        return m.group(1), values(m.group(2))
    return "{}", values(want)


def sample(labels, value):
    if value.startswith("{{"):
        return {"labels": labels, "histogram": value}
    number = {"nan": ".nan", "inf": ".inf", "+inf": ".inf", "-inf": "-.inf"}.get(value.lower())
    return {"labels": labels, "value": f"@{number}@" if number else float(value)}


def asked(block, q):
    """promql_expr_test entries; None: promtool cannot ask this."""
    if q["skip"] or any(w.startswith('"') for w in q["want"]):
        return None
    if len(q["times"]) > 1 and re.search(r"\b(start|end|step|range)\(\)", q["expr"]):
        return None
    if block["start"] or (len(q["times"]) == 1 and any(len(split(w)[1]) > 1 for w in q["want"])):
        return None
    out = []
    for i, t in enumerate(q["times"]):
        want = [(labels, v[i]) for labels, v in map(split, q["want"])
                if i < len(v) and v[i] is not None]
        out.append({"expr": q["expr"], "eval_time": f"{t}ms",
                    "exp_samples": [sample(labels, v) for labels, v in want]})
    return out


def ask(promtool, block, tests):
    """What promtool says; empty when all is as expected."""
    file = {"rule_files": [], "evaluation_interval": "1m", "fuzzy_compare": True, "tests": [{
        "interval": block["step"], "promql_expr_test": tests, "input_series": [
            {"series": s[:len(s) - len(v)].strip(), "values": v.strip()}
            for s in block["series"] for v in [series_values(s)]]}]}
    # promtool knows only what lies before the last time asked for
    tests.append({"expr": "vector(1)", "eval_time": "4h", "exp_samples": [sample("{}", "1")]})
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        f.write(re.sub(r'"@(.*?)@"', r"\1", json.dumps(file)))
        f.flush()
        done = subprocess.run([promtool, "test", "rules", FEATURES, f.name], text=True,
                              capture_output=True, timeout=60)
    if done.returncode == 0:
        return ""
    # it takes NaN for unlike itself, and compares hints that the cases leave out
    said = (done.stdout + done.stderr).replace("counter_reset_hint:gauge ", "").strip()
    pairs = re.findall(r"exp: (.*)\n\s*got: (.*)", said)
    return "" if pairs and all(a == b for a, b in pairs) else said


def series_values(line):
    m = re.match(r"[a-zA-Z_:]*[\w:]*(\{[^}]*\})?", line)
    return line[m.end():]


def main():
    promtool = sys.argv[1] if len(sys.argv) > 1 else "promtool"
    counts = {"equal": 0, "not asked": 0, "not known": 0, "newer": 0, "different": 0}
    for path in sorted(CASES.glob("*.txt")):
        for block in blocks(path):
            for q in block["queries"]:
                tests = asked(block, q)
                answer = ask(promtool, block, tests) if tests is not None else None
                if answer is None:
                    kind = "not asked"
                elif not answer:
                    kind = "equal"
                elif re.search(r"unknown function|parse error|not enabled|yaml:", answer):
                    kind = "not known"
                elif any(q["expr"].startswith(e) for e in NEWER):
                    kind = "newer"
                else:
                    kind = "different"
                if kind == "different":
                    print(f"{path.name}: {q['expr']}\n{answer}\n")
                counts[kind] += 1
    print(", ".join(f"{v} {k}" for k, v in counts.items()))
    return counts["different"] > 0


if __name__ == "__main__":
    sys.exit(main())
