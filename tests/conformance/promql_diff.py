#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random PromQL asked of belfry and of Prometheus 3.5: are the answers the same?

usage: promql_diff.py [--count 20000] [--seed 1] [--jobs 2] [--peers DIR] [--only N] [--report FILE]

One data set (promql_diff_data.py) goes into both by remote write; each expression (made from the
seed and its number by promql_diff_gen.py) is asked three times as an instant query and once as a
range query. Equal means: both refuse with the same kind of error, or both answer with the same
labels, the same points, NaN where NaN is, and values within a relative 1e-9 (1e-6 where the
expression subtracts); histograms bucket by bucket. A difference counts in one of the classes of
promql_diff_classes.py (3.14, which belfry follows, against 3.5) or as unexplained. DIR (or
BELFRY_PEERS) holds usr/bin/prometheus, else the one on PATH is taken; without a 3.x nothing is
run. Exit status 1 when a difference is unexplained.
"""

import argparse
import collections
import http.client
import json
import math
import multiprocessing
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
# pylint: disable=wrong-import-position
from lib.belfry import Belfry  # noqa: E402
from lib.peers import Program  # noqa: E402
from lib.remote_write import HEADERS  # noqa: E402
from lib.net import http as ask_once  # noqa: E402
import promql_diff_classes as classes  # noqa: E402
import promql_diff_data as data  # noqa: E402
import promql_diff_gen as gen  # noqa: E402

CHOOSES = re.compile(r"^[-+( ]*(topk|bottomk)\b")
LIMITS = re.compile(r"^[-+( ]*limitk\b")
EXACT, CANCELLED = 1e-9, 1e-6
FEATURES = ("promql-experimental-functions,promql-delayed-name-removal,promql-duration-expr,"
            "native-histograms")
CONFIG = {"global": {"evaluation_interval": "1m"}, "storage": {"retention": 0, "out_of_order_window": "unlimited"},
          "query": {"experimental": True}}
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
SUBTRACTS = re.compile(r"-|%|delta|deriv|predict|std|smoothing|histogram_|avg|sum|resets|rate|incr")


class Prometheus(Program):
    """A Prometheus 3.x with the experimental parts of its PromQL on."""

    binary = None

    @classmethod
    def path(cls):
        return cls.binary

    def arguments(self):
        (self.dir / "p.yml").write_text("global: {}\n")
        return ["--config.file=p.yml", "--storage.tsdb.path=data", "--log.level=error",
                f"--web.listen-address={self.address}", "--web.enable-remote-write-receiver",
                "--storage.tsdb.retention.time=100y", f"--enable-feature={FEATURES}"]

    ready_path = "/-/ready"


def find_prometheus(peers):
    """Path of a Prometheus 3.x and its version, or None and why not."""
    given = pathlib.Path(peers) / "usr/bin/prometheus" if peers else None
    path = str(given) if given and given.exists() else shutil.which("prometheus")
    if not path:
        return None, "no Prometheus found; BELFRY_PEERS=DIR names one in DIR/usr/bin"
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\d+)\.(\d+)\S*", said.stdout + said.stderr)
    if not version or int(version.group(1)) < 3:
        return None, f"{path} is {version.group(0) if version else 'not Prometheus'}, not 3.x"
    return path, version.group(0)


# --- asking -------------------------------------------------------------------------------------

class Client:
    """A kept connection to one server; send() and then receive()."""

    def __init__(self, address):
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=60)

    def send(self, path, params):
        body = urllib.parse.urlencode(params)
        self.connection.request("POST", "/api/v1/" + path, body,
                                {"Content-Type": "application/x-www-form-urlencoded"})

    def receive(self):
        response = self.connection.getresponse()
        body = response.read()
        try:
            answer = json.loads(body)
        except ValueError:
            answer = {"status": "error", "error": body.decode("utf-8", "replace")[:200]}
        answer["code"] = response.status
        return answer


def requests_of(expr, number):
    instants, (start, end, step) = gen.times(number)
    for t in instants:
        yield "query", {"query": expr, "time": t}
    yield "query_range", {"query": expr, "start": start, "end": end, "step": step}


# --- comparing ----------------------------------------------------------------------------------

def same_number(a, b, tolerance):
    if a == b:
        return True
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    if math.isinf(x) or math.isinf(y):
        return x == y
    return abs(x - y) <= tolerance * max(abs(x), abs(y))


def compare_histograms(a, b, tolerance):
    """None when alike, else the first thing that differs."""
    for key in ("count", "sum"):
        if not same_number(a[key], b[key], tolerance):
            return f"{key} {a[key]} against {b[key]}"
    left, right = ([b for b in h.get("buckets", []) if abs(float(b[3])) > near_zero(h, tolerance)]
                   for h in (a, b))
    for p, q in zip(left, right):
        if p[0] != q[0] or not all(same_number(x, y, tolerance) for x, y in zip(p[1:], q[1:])):
            return f"bucket {p} against {q}"
    return None if len(left) == len(right) else f"{len(left)} against {len(right)} buckets"


def near_zero(histogram, tolerance):
    """A bucket so much smaller than the largest is what a subtraction left over (or did not)."""
    if tolerance == EXACT:
        return 0.0
    return EXACT * max((abs(float(b[3])) for b in histogram["buckets"]), default=0.0)


def points(series):
    """{time: (float text or None, histogram or None)} of one series of an answer."""
    out = {}
    for t, v in series.get("values", [series["value"]] if "value" in series else []):
        out[t] = (v, None)
    for t, h in series.get("histograms", [series["histogram"]] if "histogram" in series else []):
        out[t] = (None, h)
    return out


def by_labels(result, expr):
    """{labels: points}; None when two series have the same."""
    if len({tuple(sorted(s["metric"].items())) for s in result}) != len(result):
        return None
    out = {}
    for series in result:
        out.setdefault(identity(series["metric"], expr), {}).update(points(series))
    return out


def identity(metric, expr):
    """The labels as a key; the values that count_values prints lose the digits that may differ."""
    if "count_values" in expr:
        metric = {k: near(v) if k in ("value", "job") else v for k, v in metric.items()}
    return tuple(sorted(metric.items()))


def near(text):
    """Numbers to 12 digits, those in the text of a histogram too."""
    return NUMBER.sub(lambda m: f"{float(m.group()):.12g}", text)


def compare_points(a, b, tolerance):
    if a.keys() != b.keys():
        return f"points at {sorted(a.keys() ^ b.keys())[:4]} in one only"
    for t, (value, histogram) in a.items():
        other, other_histogram = b[t]
        if (histogram is None) != (other_histogram is None):
            return f"a float against a histogram at {t}"
        if histogram is None and not same_number(value, other, tolerance):
            return f"value {value} against {other} at {t}"
        what = histogram and compare_histograms(histogram, other_histogram, tolerance)
        if what:
            return f"histogram {what} at {t}"
    return None


def compare(belfry, peer, expr):
    """None when the answers are alike, else what differs (belfry's first)."""
    if belfry["code"] != peer["code"]:
        return f"status {belfry['code']} {belfry.get('error', '')} against " \
               f"{peer['code']} {peer.get('error', '')}"
    if peer["status"] != "success":
        same = belfry.get("errorType") == peer.get("errorType")
        return None if same else f"{belfry.get('errorType')} against {peer.get('errorType')}"
    ours, theirs = belfry["data"], peer["data"]
    if ours["resultType"] != theirs["resultType"]:
        return f"type {ours['resultType']} against {theirs['resultType']}"
    tolerance = CANCELLED if SUBTRACTS.search(expr) else EXACT
    if ours["resultType"] in ("scalar", "string"):
        left, right = ours["result"][1], theirs["result"][1]
        return None if same_number(left, right, tolerance) else f"value {left} against {right}"
    left, right = (by_labels(d["result"], expr) for d in (ours, theirs))
    if left is None or right is None:
        return "two series with the same labels"
    if left.keys() != right.keys():
        return f"labels: only belfry {list(left.keys() - right.keys())[:2]}, " \
               f"only the other {list(right.keys() - left.keys())[:2]}"
    for labels, series in left.items():
        what = compare_points(series, right[labels], tolerance)
        if what:
            return f"{dict(labels)}: {what}"
    if expr.startswith("sort") and ours["resultType"] == "vector":
        return compare_order(expr, ours["result"], theirs["result"])
    return None


def compare_order(expr, ours, theirs):
    """The order of the outermost sort; equal values may stand either way."""
    by_label = expr.startswith("sort_by_label")
    for a, b in zip(ours, theirs):
        if by_label and a["metric"] != b["metric"]:
            return f"order: {a['metric']} against {b['metric']}"
        if "value" in a and "value" in b and not same_number(a["value"][1], b["value"][1], CANCELLED):
            return f"order: {a['value'][1]} against {b['value'][1]}"
    return None


# --- running ------------------------------------------------------------------------------------

def work(job):
    """One worker: expressions number first, first + stride ... below count."""
    addresses, seed, first, stride, count, budget = job
    ours, theirs = (Client(a) for a in addresses)
    tally = collections.Counter()
    found = []
    until = time.monotonic() + budget
    for number in range(first, count, stride):
        if time.monotonic() > until:
            break
        made = gen.Gen(f"{seed}:{number}")
        expr = made.expression()
        tally["expressions"] += 1
        outcome = "equal"
        for path, params in requests_of(expr, f"{seed}:{number}"):
            difference = ask(ours, theirs, path, params, tally)
            if difference:
                inner = smallest(ours, theirs, made.parts + [expr], path, params) \
                    or (path, params, difference)
                outcome = classes.classify(inner[1]["query"], inner[2]) or "unexplained"
                if outcome == "unexplained" and not ask(ours, theirs, path, params):
                    outcome = classes.classify(expr, difference + classes.AGAIN)
                found.append((outcome, number, path, params, difference, inner[1], inner[2]))
                break
        tally["class " + outcome] += 1
    return tally, found


def ask(ours, theirs, path, params, tally=None):
    """One question to both; what differs, or None."""
    ours.send(path, params)
    theirs.send(path, params)
    left, right = ours.receive(), theirs.receive()
    if tally is not None:
        tally["requests"] += 1
        tally["refused"] += right["status"] != "success"
        tally["empty"] += right["status"] == "success" and not right["data"]["result"]
        noted = [bool(a.get("warnings") or a.get("infos")) for a in (left, right)]
        tally["annotated differently"] += noted[0] != noted[1]
    what = compare(left, right, params["query"])
    of = params["query"]
    if what and (CHOOSES.match(of) and same_choice(left, right, True)
                 or LIMITS.match(of) and same_choice(left, right, False)):
        return what + classes.CHOICE
    return what


def same_choice(ours, theirs, values):
    """The series apart, the two answers have as many points (of the same values) at each time."""
    if ours["status"] != "success" or theirs["status"] != "success":
        return False
    times = []
    for answer in (ours, theirs):
        times.append(sorted((t, f"{float(v[0]):.9g}" if values and v[0] else "")
                            for s in answer["data"]["result"] for t, v in points(s).items()))
    return times[0] == times[1]


def smallest(ours, theirs, parts, path, params):
    """The shortest inner expression on which the two differ: (path, params, what). A part of a
    subquery is evaluated at other times than the whole: it is asked over all of the data too."""
    whole = params["query"]
    for part in sorted({p for p in parts if p in whole}, key=len):
        over_all = {"query": part, "start": data.START // 1000, "end": data.END // 1000 + 300,
                    "step": 10}
        for one_path, one in ((path, {**params, "query": part}), ("query_range", over_all)):
            if one_path == "query_range" and part.endswith("]"):
                continue
            difference = ask(ours, theirs, one_path, one)
            if difference and not (one is over_all and difference.startswith("status")):
                return one_path, one, difference
    return None


def load(belfry, peer):
    for body in data.Data(7).batches():
        for url in (belfry.url("/api/v1/write"), peer.url("/api/v1/write")):
            answer = ask_once(url, data=body, headers=HEADERS, timeout=60)
            if answer.status // 100 != 2:
                raise RuntimeError(f"{url}: {answer}")


def run(args, addresses):
    if args.only is not None:
        jobs = [(addresses, args.seed, args.only, 1, args.only + 1, args.budget)]
    else:
        jobs = [(addresses, args.seed, n, args.jobs, args.count, args.budget)
                for n in range(args.jobs)]
    tally, found = collections.Counter(), []
    with multiprocessing.Pool(args.jobs) as pool:
        for part, some in pool.imap_unordered(work, jobs):
            tally += part
            found += some
    return tally, sorted(found, key=lambda f: (f[0], f[1]))


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=20000)
    p.add_argument("--seed", default="1")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--budget", type=float, default=3600, help="seconds")
    p.add_argument("--only", type=int, help="the expression with this number, with its answers")
    p.add_argument("--peers", default=os.environ.get("BELFRY_PEERS"))
    p.add_argument("--report", help="every difference as a line of JSON")
    return p.parse_args()


def main():
    args = arguments()
    path, said = find_prometheus(args.peers)
    if path is None:
        print(f"skipped: {said}")
        return 0
    Prometheus.binary = path
    began = time.monotonic()
    with Belfry(CONFIG, statsd=False) as belfry, Prometheus() as peer:
        load(belfry, peer)
        tally, found = run(args, (f"127.0.0.1:{belfry.web_port}", peer.address))
    if args.report:
        with open(args.report, "w", encoding="utf-8") as out:
            for row in found:
                out.write(json.dumps(dict(zip(("class", "number", "path", "params", "what", "inner",
                                               "inner_what"), row))) + "\n")
    for outcome, number, _, params, what, inner, inner_what in found:
        if outcome == "unexplained":
            print(f"#{number} {params}\n    {what[:300]}\n  in {inner}\n    {inner_what[:300]}")
    for name in sorted(tally):
        print(f"{tally[name]:8} {name}")
    print(f"belfry against {said}: {time.monotonic() - began:.0f} s")
    return 1 if tally["class unexplained"] else 0


if __name__ == "__main__":
    sys.exit(main())
