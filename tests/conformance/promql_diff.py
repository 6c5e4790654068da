#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random PromQL asked of belfry and of Prometheus 3.5: are the answers the same?

usage: promql_diff.py [--count 20000] [--seed 1] [--data plain|histograms] [--jobs 2] [--peers DIR]
                      [--only N] [--report FILE] [--uses]

One data set (promql_diff_data.py) goes into both by remote write; each expression (made from the
seed and its number by promql_diff_gen.py) is asked three times as an instant query and once as a
range query. Equal means: both refuse with the same kind of error, or both answer with the same
labels, the same points, NaN where NaN is, and values within a relative 1e-9; histograms bucket by
bucket. A value within 1e-6 is equal too where the operands, asked for, show that a subtraction
cancelled (promql_diff_rounding.py). Any other difference counts in one of the classes of
promql_diff_classes.py (3.14, which belfry follows, against 3.5), when what that class says can be
shown by evaluating, or as unexplained. Annotations are there for both or for neither, or a class of
promql_diff_notes.py accounts for it. DIR (or
BELFRY_PEERS) holds usr/bin/prometheus, else the one on PATH is taken; without a 3.x nothing is
run. Exit status 1 when anything is unexplained.
"""

import argparse
import collections
import http.client
import json
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
from promql_diff_case import Case  # noqa: E402
from promql_diff_compare import compare  # noqa: E402
import promql_diff_data as data  # noqa: E402
import promql_diff_gen as gen  # noqa: E402
import promql_diff_histograms as histograms  # noqa: E402
import promql_diff_notes as notes  # noqa: E402

UNEXPLAINED = "unexplained"
FEATURES = ("promql-experimental-functions,promql-delayed-name-removal,promql-duration-expr,"
            "native-histograms")
CONFIG = {"global": {"evaluation_interval": "1m"}, "storage": {"retention": 0, "out_of_order_window": "unlimited"},
          "query": {"experimental": True}}

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
    instants, (start, end, step), lookback = gen.times(number)
    more = {"lookback_delta": lookback} if lookback else {}
    for t in instants:
        yield "query", {"query": expr, "time": t, **more}
    yield "query_range", {"query": expr, "start": start, "end": end, "step": step, **more}


# --- running ------------------------------------------------------------------------------------

def work(job):
    """One worker: expressions number first, first + stride ... below count."""
    addresses, seed, first, stride, count, budget, world = job
    ours, theirs = (Client(a) for a in addresses)
    tally = collections.Counter()
    found = []
    until = time.monotonic() + budget
    for number in range(first, count, stride):
        if time.monotonic() > until:
            break
        made = gen.Gen(f"{seed}:{number}", world)
        expr = made.expression()
        tally["expressions"] += 1
        tally.update("uses " + word for word in gen.words_of(expr))
        outcomes = []
        for path, params in requests_of(expr, f"{seed}:{number}"):
            case = ask(ours, theirs, path, params, tally)
            if case:
                inner = smallest(case, made.parts)
                outcomes.append(classes.classify(inner) or classes.classify_again(case) or UNEXPLAINED)
                found.append((outcomes[-1], number, path, params, str(case.what), inner.path, inner.params,
                              str(inner.what)))
        tally["class " + worst(outcomes)] += 1
    return tally, found


def worst(outcomes):
    """What an expression counts as: of its questions' outcomes the least welcome."""
    return max(outcomes, default="equal",
               key=lambda o: (o == UNEXPLAINED, o != classes.ROUNDING, o))


def ask(ours, theirs, path, params, tally=None):
    """One question to both; the case when the answers differ, else None."""
    ours.send(path, params)
    theirs.send(path, params)
    left, right = ours.receive(), theirs.receive()
    if tally is not None:
        tally["requests"] += 1
        tally["refused"] += right["status"] != "success"
        tally["empty"] += right["status"] == "success" and not right["data"]["result"]
        for why, kind, texts in notes.differing(left, right, params["query"]):
            tally[f"annotations: {why or UNEXPLAINED}"] += 1
            if why is None:
                print(f"{kind} {texts}\n  {params}")
    diffs = compare(left, right, params["query"])
    return Case(ours, theirs, path, params, diffs, (left, right)) if diffs else None


def smallest(case, parts):
    """The case of the shortest inner expression on which the two differ. A part of a subquery is
    evaluated at other times than the whole: it is asked over all of the data too."""
    whole, params = case.expr, case.params
    more = {k: v for k, v in params.items() if k == "lookback_delta"}
    for part in sorted(({p for p in parts if p in whole} | case.inner()) - {whole}, key=len):
        over_all = {"query": part, "start": data.START // 1000, "end": data.END // 1000 + 300,
                    "step": 10, **more}
        for path, one in ((case.path, {**params, "query": part}), ("query_range", over_all)):
            if path == "query_range" and part.endswith("]"):
                continue
            inner = ask(case.ours, case.theirs, path, one)
            if inner and not (one is over_all and inner.what.kind == "status"
                              and "same labelset" not in inner.what):
                return inner
    return case


def load(belfry, peer, world):
    made = histograms.Histograms(7) if world == "histograms" else data.Data(7)
    for body in made.batches():
        for url in (belfry.url("/api/v1/write"), peer.url("/api/v1/write")):
            answer = ask_once(url, data=body, headers=HEADERS, timeout=60)
            if answer.status // 100 != 2:
                raise RuntimeError(f"{url}: {answer}")


def run(args, addresses):
    if args.only is not None:
        jobs = [(addresses, args.seed, args.only, 1, args.only + 1, args.budget, args.data)]
    else:
        jobs = [(addresses, args.seed, n, args.jobs, args.count, args.budget, args.data)
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
    p.add_argument("--data", choices=sorted(gen.WORLDS), default="plain")
    p.add_argument("--uses", action="store_true", help="also tell how often each word was used")
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
        load(belfry, peer, args.data)
        tally, found = run(args, (f"127.0.0.1:{belfry.web_port}", peer.address))
    if args.report:
        with open(args.report, "w", encoding="utf-8") as out:
            for row in found:
                out.write(json.dumps(dict(zip(("class", "number", "path", "params", "what", "inner_path",
                                               "inner_params", "inner_what"), row))) + "\n")
    for outcome, number, _, params, what, _, inner, inner_what in found:
        if outcome == "unexplained":
            print(f"#{number} {params}\n    {what[:300]}\n  in {inner}\n    {inner_what[:300]}")
    for name in sorted(n for n in tally if args.uses or not n.startswith("uses ")):
        print(f"{tally[name]:8} {name}")
    print(f"belfry against {said}: {time.monotonic() - began:.0f} s")
    return 1 if tally["class unexplained"] or tally["annotations: unexplained"] else 0


if __name__ == "__main__":
    sys.exit(main())
