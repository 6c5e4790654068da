#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo's story lived through with the services pack, then replayed, from its files and asked
over HTTP: the same alerts and messages?

usage: backtest.py [SECONDS]   (210; prints what differs, ends with 1 when anything does)
"""

import json
import pathlib
import shutil
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from demo import run as demo
from lib.belfry import Belfry, binary
from lib.inbox import Inbox
from lib.net import free_port

INTERVAL = 2  # seconds: of the demo's rule groups


def replay(daemon, end, *args):
    done = subprocess.run([binary(), "backtest", "--config", str(daemon.config_path), "--json",
                           "--to", str(end), *args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)["runs"][0]


def live(seconds, inbox):
    """-> (daemon, when it was over, recorded alerts, the replay asked of it while it runs)"""
    shop_port, web_port, statsd_port = free_port(), free_port(), free_port()
    config = demo.configuration(inbox, shop_port, web_port)
    config["receivers"][0]["webhook_configs"] = [{"url": inbox.webhook_url()}]
    config["packs"] = [{"use": "services", "set": {"time_scale": 0.1}}]
    daemon = Belfry(config, rules={"shop.rules.yml": (TESTS / "demo" / "rules.yml").read_text()},
                    web_port=web_port, statsd_port=statsd_port, keep=True)
    began = time.time()
    with daemon:
        shop = subprocess.Popen(
            [sys.executable, str(TESTS / "demo" / "service.py"), "--port", str(shop_port),
             "--statsd", f"127.0.0.1:{statsd_port}"], stdout=subprocess.DEVNULL)
        try:
            time.sleep(seconds)
            end = time.time()
            series = daemon.query(f'ALERTS{{alertstate="firing"}}[{seconds + 5}s]', at=end)
            asked = replay(daemon, end, "--url", daemon.url(), "--from", str(began))
        finally:
            shop.terminate()
            shop.wait(10)
    return daemon, end, series, asked


def spans_of(series):
    """(alertname, labels) -> [(first, last) firing sample]"""
    found = {}
    for s in series:
        labels = {k: v for k, v in s["metric"].items() if k not in ("__name__", "alertstate")}
        times = [float(t) for t, _ in s["values"]]
        spans = [[times[0], times[0]]]
        for t in times[1:]:
            if t - spans[-1][1] > 1.5 * INTERVAL:
                spans.append([t, t])
            spans[-1][1] = t
        found[tuple(sorted(labels.items()))] = spans
    return found


def labels_of(text):
    """{a="b", c="d"} -> pairs; values of the demo hold no quotes"""
    return tuple(sorted(tuple(p.split('="')) for p in text.strip("{}").rstrip('"').split('", '))
                 ) if len(text) > 2 else ()


def replayed(run, end):
    found = {}
    for rule in run["rules"]:
        for alert in rule.get("alerts", []):
            key = labels_of(alert["labels"])
            stop = seconds_of(alert["end"]) - INTERVAL if alert["end"] else end
            found.setdefault(key, []).append([seconds_of(alert["start"]), stop])
    return found


def seconds_of(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def compare(was, again, end):
    """Lines that say what differs."""
    lines = []
    for key in sorted(set(was) | set(again)):
        a, b = was.get(key, []), again.get(key, [])
        name = dict(key).get("alertname")
        if len(a) != len(b):
            lines.append(f"{name}: live {len(a)} times, replayed {len(b)} times: {a} {b} {key}")
            continue
        for x, y in zip(a, b):
            for i, what in ((0, "begins"), (1, "ends")):
                if abs(x[i] - y[i]) > INTERVAL + 0.01 and min(x[i], y[i]) < end - INTERVAL:
                    lines.append(f"{name} {what} {y[i] - x[i]:+.1f} s later in the replay")
    return lines


def told_by(msg):
    """Webhooks name their alert; of Slack and mail the number counts."""
    if msg.channel == "webhook":
        return msg.channel, msg.state, msg.payload["groupLabels"]["alertname"]
    return (msg.channel.replace("mail", "email"),)


def story(seconds):
    """(one line that sums up, lines that say what differs, how many fired)"""
    with Inbox() as inbox:
        daemon, end, series, asked = live(seconds, inbox)
        told = sorted(told_by(m) for m in inbox.messages if m.time <= end)
    run = replay(daemon, end)
    shutil.rmtree(daemon.dir, ignore_errors=True)
    was, again = spans_of(series), replayed(run, end)
    lines = compare(was, again, end)
    foretold = sorted((m["integration"], *m["title"].split()[:2])
                      if m["integration"] == "webhook" else (m["integration"],)
                      for m in run["messages"])
    for one in sorted(set(told) | set(foretold)):
        a, b = told.count(one), foretold.count(one)
        if a != b:
            lines.append(f"message {one}: live {a}, replayed {b}")
    for one, what in ((run, "data directory"), (asked, "running daemon")):
        for r in one["rules"]:
            if r["failures"]:
                lines.append(f"{what}: {r['name']}: {r['lastError']}")
    if asked["messages"] != run["messages"]:
        lines.append(f"asked over HTTP: {len(asked['messages'])} messages, others than from the files")
    if replayed(asked, end) != again:
        lines.append("asked over HTTP: others fired, or at other times, than from the files")
    return (f"{sum(map(len, was.values()))} firings of {len({dict(k)['alertname'] for k in was})}"
            f" alerts, {len(told)} messages; replayed in {run['seconds']:.2f} s: "
            f"{run['firings']} firings, {len(foretold)} messages"), lines, run["firings"]


def main():
    summary, lines, _ = story(int(sys.argv[1]) if len(sys.argv) > 1 else 210)
    print(summary)
    print(*lines, sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
