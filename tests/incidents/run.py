#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Replays recorded incidents into a fresh belfry with the services pack and scores what fires.

    run.py [--speed N] [--scale 0.05] [--json FILE] RECORDING...

A RECORDING is a folder with scrapes.txt.xz, statsd.xz and labels.json, and push.py there or above it.
--speed 1 (the default) is live: push.py --live --statsd, 17 minutes in real time; this is the measure. A higher
speed is for developing: belfry's clock is injected and runs that many times as fast, with the original times.
Several recordings run at the same time, in a belfry each. sweep.py does it by backtests, in seconds, for many time scales
and variants of a recording.
"""
import argparse
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.belfry import Belfry  # noqa: E402
from stores import AFTER_MS, load_push  # noqa: E402
import score as scoring  # noqa: E402



def config(scale, extra, intervals):
    own, evaluation, flush = intervals.split(",")
    return {
        "global": {"scrape_interval": own, "evaluation_interval": evaluation},
        "storage": {"out_of_order_window": "unlimited"},
        "statsd": {"flush_interval": flush},
        "self": {"enabled": True},
        "packs": [{"use": "services", "set": {"time_scale": scale, **extra}}],
    }


class Fast:
    """Sends a recording at `speed` times its own pace, with its own times."""

    def __init__(self, push, folder, belfry, speed):
        self.push, self.folder, self.belfry, self.speed = push, folder, belfry, speed
        self.scrapes = sorted(push.read(str(folder / "scrapes.txt.xz")), key=lambda s: s[0])
        self.first = self.scrapes[0][0]

    def wait(self, ms):
        left = self.start + (ms - self.first) / 1000 / self.speed - time.time()
        if left > 0:
            time.sleep(left)

    def statsd(self):
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for ms, data in self.push.datagrams(str(self.folder / "statsd.xz")):
            self.wait(ms)
            out.sendto(data, ("127.0.0.1", self.belfry.statsd_port))

    def run(self):
        opts = argparse.Namespace(url=self.belfry.url("/api/v1/write"), header=[])
        replay = self.push.Replay(0)
        threading.Thread(target=self.statsd, daemon=True).start()
        for ms, job, inst, body, _ in self.scrapes:
            samples = replay.scrape(ms, job, inst, body)
            self.wait(ms)
            self.push.post(opts, samples)
        self.wait(self.scrapes[-1][0] + AFTER_MS)


def live(push_path, folder, belfry):
    """push.py as it is; the shift in ms."""
    done = subprocess.run(
        [sys.executable, push_path, folder / "scrapes.txt.xz", "--url", belfry.url("/api/v1/write"), "--live",
         "--statsd", f"{folder / 'statsd.xz'}@127.0.0.1:{belfry.statsd_port}"],
        check=True, capture_output=True, text=True)
    time.sleep(AFTER_MS / 1000)
    return json.loads(done.stdout)["shift_ms"]


def read_firings(belfry, lo_ms, hi_ms, shift):
    out = []
    for series in belfry.query_range('ALERTS{alertstate="firing"}', (lo_ms + shift) / 1000, (hi_ms + shift) / 1000, 1):
        labels = series["metric"]
        spans = []
        for t, _ in series["values"]:
            ms = round(float(t) * 1000) - shift
            if spans and ms - spans[-1][1] <= 1500:
                spans[-1][1] = ms
            else:
                spans.append([ms, ms])
        out.append(scoring.Firing(labels["alertname"], labels.get("category", ""), labels.get("severity", ""),
                                  {k: v for k, v in labels.items() if k not in scoring.NOT_LABELS}, [tuple(s) for s in spans]))
    return out


def run_one(folder, opts, result):
    push_path, push = load_push(folder)
    labels = json.loads((folder / "labels.json").read_text())
    first = labels[0]["start_ms"]
    last = max(i["end_ms"] for i in labels)
    with result["belfry"] as b:
        if opts.speed == 1:
            shift = live(push_path, folder, b)
        else:
            shift = 0
            result["fast"].run()
        firings = read_firings(b, first - 60_000, last + AFTER_MS, shift)
        failed = [r["name"] + ": " + r.get("lastError", "") for g in b.api("rules")["groups"] for r in g["rules"]
                  if r["health"] == "err"]
        result["failed_rules"] = failed + [
            f"evaluation failures: {n:.0f}" for n in [b.metric("belfry_rule_evaluation_failures_total")] if n]
        result["missed"] = b.metric("belfry_rule_group_iterations_missed_total")
        result["cpu_seconds"] = b.cpu_seconds()
        result["rules"] = sum(len(g["rules"]) for g in b.api("rules")["groups"])
    result["firings"] = firings
    result["score"] = scoring.score(labels, firings)
    result["first"] = first


def prepare(folder, opts):
    extra = dict(s.split("=", 1) for s in opts.set)
    env = {}
    result = {"name": folder.name}
    if opts.speed != 1:
        env = {"BELFRY_TEST": "1"}
    b = Belfry(config(opts.scale, extra, opts.intervals), env=env, keep=opts.keep)
    result["belfry"] = b
    if opts.speed != 1:
        _, push = load_push(folder)
        fast = Fast(push, folder, b, opts.speed)
        lead = 2000  # real ms that the start may take
        result["fast"] = fast
        fast.start = time.time() + lead / 1000
        b.env["BELFRY_CLOCK"] = f"{fast.first - round(lead * opts.speed)},{opts.speed}"
    return result


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("recordings", nargs="+", type=pathlib.Path)
    ap.add_argument("--speed", type=float, default=1)
    ap.add_argument("--scale", type=float, default=0.05)
    ap.add_argument("--intervals", default="2s,1s,1s", help="of belfry's own metrics, of evaluation, of StatsD flushes")
    ap.add_argument("--set", action="append", default=[], metavar="PARAMETER=VALUE")
    ap.add_argument("--json", metavar="FILE")
    ap.add_argument("--timeline", action="store_true", help="also print every stretch of every alert")
    ap.add_argument("--keep", action="store_true", help="leave belfry's folder")
    opts = ap.parse_args()
    results, threads = [], []
    for folder in opts.recordings:
        r = prepare(folder.resolve(), opts)
        results.append(r)
        if opts.speed != 1:  # one clock: start now, not when all are prepared
            r["fast"].start = time.time() + 2
            r["belfry"].env["BELFRY_CLOCK"] = f"{r['fast'].first - round(2000 * opts.speed)},{opts.speed}"
        t = threading.Thread(target=guarded, args=(folder.resolve(), opts, r))
        t.start()
        threads.append(t)
    for t in threads:
        t.join()
    ok = True
    for r in results:
        ok = tell(r, opts) and ok
    if opts.json:
        pathlib.Path(opts.json).write_text(json.dumps([
            {"name": r["name"], "recall": r["score"].recall, "precision": r["score"].precision,
             "incidents": r["score"].incidents, "unplanned": r["score"].unplanned, "categories": r["score"].categories,
             "false": [[f.name, f.category, a, b, d] for f, a, b, d in r["score"].false],
             "firings": [[f.name, f.category, f.severity, f.labels, f.spans] for f in r["firings"]]}
            for r in results if "score" in r], indent=1))
    return 0 if ok else 1


def guarded(folder, opts, result):
    try:
        run_one(folder, opts, result)
    except BaseException as err:  # told by tell()
        result["error"] = repr(err)


def tell(r, opts):
    if "score" not in r:
        print(f"{r['name']}: {r.get('error')}")
        return False
    s = r["score"]
    if opts.timeline:
        for f in sorted(r["firings"], key=lambda f: f.spans[0]):
            spans = " ".join(f"{(a - r['first']) / 1000:.0f}-{(b - r['first']) / 1000:.0f}" for a, b in f.spans)
            print(f"  {f.name:26} {f.severity:8} {f.category:15} {spans}  {f.labels}")
    print(scoring.report(r["name"], s, r["first"]))
    print(f"  {r['rules']} rules, {r['cpu_seconds']:.1f} s of CPU, missed iterations {r['missed']:.0f}")
    if opts.keep:
        print(f"  kept: {r['belfry'].dir}")
    for f in r["failed_rules"]:
        print("  RULE FAILS", f)
    return s.recall == 1 and not s.false and not r["failed_rules"]


if __name__ == "__main__":
    sys.exit(main())
