#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peers' harness's queries, asked of belfry, Prometheus and VictoriaMetrics in turn.

All three are up at once over the same samples, and each query goes to one after the other, so that a
busy machine slows all of them alike. Prints a table: medians of the warm runs in ms, belfry's
quotients to both peers (below 1: belfry is faster), geometric means, and peak memory over the set.

Works in a copy of the harness (BENCH_WORK, default build/bench, as peers.sh makes it) whose data the
harness's own driver has loaded:
    bench/remote_write.py --hosts 100 --steps 480 --runs 1 --keep [...]     into each of the three
Peers are looked for in BELFRY_PEERS (a directory of programs) and PATH; without one, it is left out.

BENCH_N=9   BENCH_ONLY=i10,r16   BELFRY_BIN=build/belfry
"""

import ast
import json
import math
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(os.environ.get("BENCH_WORK", ROOT / "build/bench"))
BELFRY = os.environ.get("BELFRY_BIN", str(ROOT / "build/belfry"))
N = int(os.environ.get("BENCH_N", "9"))
ONLY = tuple(filter(None, os.environ.get("BENCH_ONLY", "").split(",")))
PORT = int(os.environ.get("BENCH_PORT", "22377"))
CONFIG = "statsd: {listen: []}\nself: {enabled: false}\nhost: {enabled: false}\n"
PROGRAMS = {"prometheus": "prometheus", "victoria-metrics": "victoria-metrics"}


def harness_queries():
    """The list Q of the harness's queries.py, without running that program."""
    tree = ast.parse((WORK / "bench/queries.py").read_text())
    wanted = [
        n for n in tree.body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") in "HQ"
    ]
    scope = {}
    exec(compile(ast.Module(wanted, []), "queries.py", "exec"), scope)  # noqa: S102
    return [q for q in scope["Q"] if not ONLY or q[0].startswith(ONLY)]


def path_of(query, end, extra):
    kind, text = query[1], query[2]
    if kind == "i":
        return "/query?" + urllib.parse.urlencode({"query": text, "time": end, **extra})
    if kind == "l":
        return f"/label/{text}/values?" + urllib.parse.urlencode({"start": end - 3600, "end": end})
    asked = {"query": text, "start": end - query[3], "end": end, "step": query[4], **extra}
    return "/query_range?" + urllib.parse.urlencode(asked)


def servers(tsdb, config):
    def belfry():
        data = os.path.join(tsdb.DATA, "belfry")
        argv = [BELFRY, "run", "--config", config, "--storage.path", data]
        argv += ["--web.listen", f"127.0.0.1:{PORT}"]
        return tsdb.Peer("belfry", argv, PORT, data=data)

    found = [belfry()]
    for name, program in PROGRAMS.items():
        if shutil.which(program):
            found.append(tsdb.PEERS_TSDB[name]())
        else:
            print(f"{name}: not here (BELFRY_PEERS), left out")
    return found


def ask(tsdb, peer, query, end):
    extra = {"nocache": "1"} if peer.name.startswith("victoria") else {}
    url = peer.url + peer.query + path_of(query, end, extra)
    began = time.monotonic()
    body = tsdb.http(url)
    return (time.monotonic() - began) * 1e3, body


def measure(tsdb, peers, query, end):
    """Medians of N warm runs by name; who is first moves on with each round."""
    times = {p.name: [] for p in peers}
    sizes = {}
    for k in range(N + 1):
        for i in range(len(peers)):
            p = peers[(i + k) % len(peers)]
            ms, body = ask(tsdb, p, query, end)
            if k > 0:
                times[p.name].append(ms)
            else:
                data = json.loads(body)["data"]
                sizes[p.name] = len(data if query[1] == "l" else data["result"])
    return {name: statistics.median(v) for name, v in times.items()}, sizes


def geo(v):
    return math.exp(sum(map(math.log, v)) / len(v))


def run(tsdb, peers, queries, end):
    names = [p.name for p in peers]
    ratios = {n: [] for n in names[1:]}
    print("| query | " + " | ".join(names) + "".join(f" | / {n}" for n in names[1:]) + " | series |")
    print("| --- " * (2 * len(names) + 1) + "|")
    for q in queries:
        med, sizes = measure(tsdb, peers, q, end)
        row = [f"{med[n]:.2f}" for n in names]
        for n in names[1:]:
            ratios[n].append(med["belfry"] / med[n])
            row.append(f"{ratios[n][-1]:.2f}")
        slow = len(names) > 1 and med["belfry"] > 1.05 * min(med[n] for n in names[1:])
        counts = "/".join(str(sizes[n]) for n in names) if len(set(sizes.values())) > 1 else sizes["belfry"]
        print(f"| {q[0]} | " + " | ".join(row) + f" | {counts} |{' slower' if slow else ''}", flush=True)
    for n in names[1:]:
        print(f"geometric mean to {n}: {geo(ratios[n]):.3f}")


def main():
    if not (WORK / "bench/queries.py").exists():
        print(f"skipped: no copy of the harness in {WORK} (BENCH_WORK)")
        return
    loaded = pathlib.Path(os.environ.get("RESULTS", WORK / "results")) / "loaded.json"
    if not loaded.exists():
        print(f"skipped: no data loaded ({loaded})")
        return
    os.environ["PATH"] = os.environ.get("BELFRY_PEERS", "") + os.pathsep + os.environ["PATH"]
    sys.path.insert(0, str(WORK / "bench"))
    import tsdb_peers as tsdb

    end = json.loads(loaded.read_text())["last"] - 20  # every host has a sample in the last 5 min
    with tempfile.TemporaryDirectory() as tmp:
        config = os.path.join(tmp, "belfry.yml")
        pathlib.Path(config).write_text(CONFIG)
        peers, up = servers(tsdb, config), []
        try:
            for p in peers:
                up.append(p.start()[0])
            time.sleep(3)
            run(tsdb, peers, harness_queries(), end)
            for p, s in zip(peers, up):
                print(f"peak memory of {p.name}: {tsdb.mem_kib(s.pid, 'VmHWM') >> 10} MiB")
        finally:
            for s in up:
                s.stop(limit=300)


main()
