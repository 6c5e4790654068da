#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Scores the services pack over recorded incidents at many time scales and in many variants, by backtests: seconds.

    sweep.py [--scale 0.02,0.05,...] [--variant recorded,lost,...|all] [--cache DIR] [--timeline] RECORDING...

A line of the table: how many of the planned incidents were found, how many of the expected categories fired, false
alerts strictly (at any time when their category is not part of what happened) and outside all incidents (the other way
of counting in the recordings' README), seconds to detect (mean, longest), how many of the phases of stolen CPU were
noticed, and how many messages that something fires a person gets per incident (median, most). variants.py says what a variant changes.
The data directories are made once (half a minute a recording with StatsD) and kept in --cache. run.py is the live
measure that this agrees with.
"""
import argparse
import copy
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.belfry import binary  # noqa: E402
from lib.yamlout import to_yaml  # noqa: E402
from stores import Maker  # noqa: E402
from variants import VARIANTS  # noqa: E402
import score as scoring  # noqa: E402

LABEL = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')
END_MS = 5_000  # rules go on after the last incident; StatsD ends with the recording
SCALES = "0.02,0.03,0.05,0.07,0.1,0.125,0.2"


def stamp(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def config(data, scale, opts):
    extra = dict(s.split("=", 1) for s in opts.set)
    return {
        "storage": {"path": str(data)}, "global": {"scrape_interval": opts.own, "evaluation_interval": opts.evaluation},
        "statsd": {"listen": [], "flush_interval": opts.flush}, "host": {"enabled": False}, "self": {"enabled": False},
        "packs": [{"use": p, "set": {"time_scale": scale, **(extra if p == "services" else {})}} for p in opts.packs.split(",")],
        "route": {"receiver": "people", "group_by": opts.group_by.split(",")},
        "receivers": [{"name": "people", "webhook_configs": [{"url": "http://127.0.0.1:1/"}]}],
    }


def asked(labels, variant):
    """The labels without what the variant cannot show."""
    labels = copy.deepcopy(labels)
    gone = set(variant.no_categories) | (set() if variant.statsd else {"statsd-silence"})
    for item in labels:
        item["expect"] = [c for c in item["expect"] if c not in gone]
        item["incident"] = item["incident"] and bool(item["expect"])
    return labels


def backtest(data, labels, scale, opts):
    """(firings, messages) of the rules over a data directory."""
    first, last = labels[0]["start_ms"], max(i["end_ms"] for i in labels)
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        f.write(to_yaml(config(data, scale, opts)))
        f.flush()
        done = subprocess.run(
            [binary(), "backtest", "--config", f.name, "--storage.path", str(data), "--json", "--warm-up", "0s",
             "--from", str(first / 1000), "--to", str((last + END_MS) / 1000)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    run = json.loads(done.stdout)["runs"][0]
    firings = []
    for rule in run["rules"]:
        if rule["failures"]:
            print("RULE FAILS", rule["name"], rule["failures"], rule.get("lastError"))
        by = {}
        for span in rule.get("alerts", []):
            end = stamp(span["end"]) if span["end"] else last + END_MS
            by.setdefault(span["labels"], []).append((stamp(span["start"]), end))
        for text, spans in by.items():
            of = {k: json.loads(v) for k, v in LABEL.findall(text)}
            firings.append(scoring.Firing(rule["name"], of.get("category", ""), of.get("severity", ""),
                                          {k: v for k, v in of.items() if k not in scoring.NOT_LABELS}, spans))
    return firings, [(stamp(m["time"]), m["title"]) for m in run["messages"]]


def outside(labels, firings):
    """Paging stretches outside all incident windows: the README's lenient false positives."""
    warm = [(i["start_ms"], i["end_ms"]) for i in labels if i["kind"] == "warm-up"]
    holes = warm + [(i["start_ms"], i["end_ms"] + scoring.VISIBLE_MS) for i in labels if i["incident"]]
    return sum(len(scoring.subtract(s, holes)) for f in firings if f.severity in scoring.PAGING for s in f.spans)


def pages(labels, messages):
    """How often each planned incident called somebody, from its start to a little after its end."""
    planned = [i for i in labels if i["incident"] and i.get("planned", True)]
    return [sum(m.startswith("FIRING") and i["start_ms"] <= at <= i["end_ms"] + END_MS for at, m in messages) for i in planned]


def line(name, scale, results):
    scores = [s for _, s, _, _ in results]
    incidents = [i for s in scores for i in s.incidents]
    wanted = sum(len(i["expect"]) for i in incidents)
    fired = sum(len(i["by_category"]) for i in incidents)
    seconds = [i["seconds"] for i in incidents if i["detected"]]
    slow = max(seconds, default=0)
    mean = sum(seconds) / len(seconds) if seconds else 0
    unplanned = [i for s in scores for i in s.unplanned]
    called = [n for *_, p in results for n in p]
    median = sorted(called)[len(called) // 2]
    return (f"{name:12} {scale:>6} {sum(i['detected'] for i in incidents):>4} of {len(incidents):<3}"
            f"{fired:>5} of {wanted:<4}{sum(len(s.false) for s in scores):>5}{sum(o for _, _, o, _ in results):>8}"
            f"{mean:>8.0f}{slow:>5.0f}{sum(i['detected'] for i in unplanned):>6} of {len(unplanned):<3}{median:>6}{max(called):>4}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("recordings", nargs="+", type=pathlib.Path)
    ap.add_argument("--scale", default=SCALES)
    ap.add_argument("--variant", default="recorded")
    ap.add_argument("--evaluation", default="1s")
    ap.add_argument("--flush", default="1s", help="StatsD's flush interval")
    ap.add_argument("--own", default="2s", help="interval of belfry's own metrics")
    ap.add_argument("--group-by", default="job")
    ap.add_argument("--packs", default="services")
    ap.add_argument("--set", action="append", default=[], metavar="PARAMETER=VALUE")
    ap.add_argument("--cache", default="/tmp/belfry-incidents")
    ap.add_argument("--timeline", action="store_true", help="every stretch of every alert")
    ap.add_argument("--detail", action="store_true", help="the score of each recording, and the messages")
    opts = ap.parse_args()
    names = list(VARIANTS) if opts.variant == "all" else opts.variant.split(",")
    maker, ok = Maker(opts.cache, opts.flush, opts.own), True
    print(f"{'variant':12} {'scale':>6}  {'found':<10}{'categories':<11}{'false':>6}{'outside':>8}{'mean':>6}{'max':>6} s"
          f"{'steal':>6}{'pages':>9}{'max':>4}")
    for name in names:
        for scale in opts.scale.split(","):
            results = []
            for folder in opts.recordings:
                variant = VARIANTS[name]()
                data = maker.store(folder.resolve(), name, variant)
                labels = asked(json.loads((folder / "labels.json").read_text()), variant)
                firings, messages = backtest(data, labels, scale, opts)
                results.append((folder, scoring.score(labels, firings), outside(labels, firings),
                                pages(labels, messages)))
                tell(folder, labels, results[-1][1], firings, messages, opts)
            print(line(name, scale, results), flush=True)
            ok = ok and all(s.recall == 1 and not s.false for _, s, _, _ in results)
            for folder, s, _, _ in results:
                for i in s.incidents:
                    if not i["detected"]:
                        print(f"    missed {i['kind']} ({', '.join(i['expect'])})")
                    elif len(i["by_category"]) < len(i["expect"]):
                        print(f"    {i['kind']}: not {', '.join(c for c in i['expect'] if c not in i['by_category'])}")
                first = json.loads((folder / "labels.json").read_text())[0]["start_ms"]
                for f, a, b, decoy in s.false:
                    print(f"    false {f.name} {folder.name} {(a - first) / 1000:.0f}-{(b - first) / 1000:.0f} {decoy or ''} {f.labels}")
    return 0 if ok else 1


def tell(folder, labels, s, firings, messages, opts):
    first = labels[0]["start_ms"]
    if opts.timeline:
        for f in sorted(firings, key=lambda f: f.spans[0]):
            spans = " ".join(f"{(a - first) / 1000:.0f}-{(b - first) / 1000:.0f}" for a, b in f.spans)
            print(f"  {f.name:26} {f.severity:8} {f.category:15} {spans}  {f.labels}")
    if opts.detail:
        print(scoring.report(folder.name, s, first))
        for at, title in messages:
            print(f"  {(at - first) / 1000:5.0f} s  {title}")


if __name__ == "__main__":
    sys.exit(main())
