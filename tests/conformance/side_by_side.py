#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""belfry beside Prometheus and Alertmanager on the same signal: the same alerts, the same messages?

usage: side_by_side.py [--minutes 30] [--peers DIR] [--report FILE] [--keep]

Every 5 s one remote write request with the same samples goes to a Prometheus (whose alerts go to an
Alertmanager) and to two belfries: one set to Alertmanager's ways (`compat`), one with belfry's
defaults. All have the same rules, routes, inhibitions, time intervals and, made by the same API
calls at the same moments, silences. A second Prometheus with a second Alertmanager, started a few
seconds later, is the control: what differs between those two is a matter of phase. Compared at the
end:

  alerts    every pending and firing stretch of every alert, from ALERTS; starts and ends must be
            within one interval (5 s) and the time of a request
  messages  what each receiver was told of each alert, in order (firing, resolved, firing ...), and
            when; the order must be the same, later or earlier is listed; so are repeats

DIR may hold usr/bin/{prometheus,prometheus-alertmanager}; otherwise those
on PATH are taken. Exit status 1 when alerts differ; differences in messages are for people to read.
"""

import argparse
import collections
import datetime
import json
import http.server
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
# pylint: disable=wrong-import-position
from lib.belfry import Belfry  # noqa: E402
from lib.net import free_port, http as ask, wait_until  # noqa: E402
from lib.remote_write import HEADERS, encode  # noqa: E402
from lib.yamlout import to_yaml  # noqa: E402

STEP = 5
TOLERANCE = STEP + 1.5

RULES = """
groups:
- name: services
  interval: 5s
  rules:
  - record: service:errors:worst
    expr: max by (cluster) (errors_ratio)
  - alert: LatencyHigh
    expr: latency_seconds > 0.5
    for: 15s
    labels: {severity: warning}
    annotations: {summary: "p99 of {{ $labels.service }} is {{ $value }} s"}
  - alert: ErrorsHigh
    expr: errors_ratio > 0.05
    labels: {severity: critical}
    annotations: {summary: "{{ $value | humanizePercentage }} of {{ $labels.service }} fail"}
  - alert: PoolFull
    expr: pool_used_ratio > 0.9
    for: 30s
    keep_firing_for: 20s
    labels: {severity: warning, team: db}
  - alert: QueueLong
    expr: queue_depth > 100
    for: 10s
    labels: {severity: info}
- name: clusters
  interval: 5s
  rules:
  - alert: ClusterDown
    expr: cluster_up == 0
    labels: {severity: critical}
  - alert: WorstErrors
    expr: service:errors:worst > 0.2
    for: 10s
    labels: {severity: critical, team: db}
"""

RECEIVERS = ("default", "pager", "queue", "db")


def routing(now, minutes, base):
    """Alertmanager's part of a configuration; time intervals lie inside the run."""
    def clock(share):
        return (now + datetime.timedelta(minutes=minutes * share)).strftime("%H:%M")

    def window(name, start, end):
        return {"name": name, "time_intervals": [
            {"times": [{"start_time": clock(start), "end_time": clock(end)}]}]}

    return {
        "route": {
            "receiver": "default", "group_by": ["alertname", "cluster"],
            "group_wait": "10s", "group_interval": "30s", "repeat_interval": "4m",
            "routes": [
                {"matchers": ['severity="critical"'], "receiver": "pager",
                 "group_by": ["cluster"], "continue": True},
                {"matchers": ['alertname="QueueLong"'], "receiver": "queue",
                 "group_by": ["..."], "mute_time_intervals": ["quiet"]},
                {"matchers": ['team="db"'], "receiver": "db",
                 "active_time_intervals": ["office"]},
            ]},
        "inhibit_rules": [{
            "source_matchers": ["alertname=ClusterDown"],
            "target_matchers": ['severity=~"warning|info"'], "equal": ["cluster"]}],
        "time_intervals": [window("quiet", 0.3, 0.5), window("office", 0.15, 0.8)],
        "receivers": [{"name": n, "webhook_configs": [
            {"url": f"{base}/{n}", "send_resolved": True}]} for n in RECEIVERS],
    }


# --- the signal ---------------------------------------------------------------------------------

class Signal:
    """Values of all series at a time since the start; the same for a seed."""

    def __init__(self, seconds, seed):
        draw = random.Random(seed)
        self.series = []
        for cluster in ("c1", "c2", "c3"):
            for service in ("shop", "search", "pay"):
                ids = {"cluster": cluster, "service": service}
                self.add(draw, seconds, "latency_seconds", ids, 0.1, 0.9, 3)
                self.add(draw, seconds, "errors_ratio", ids, 0.001, 0.3, 2)
                self.add(draw, seconds, "pool_used_ratio", {**ids, "pool": "main"}, 0.4, 1.0, 2)
                self.add(draw, seconds, "queue_depth", {**ids, "queue": "mail"}, 3, 400, 2)
            self.add(draw, seconds, "cluster_up", {"cluster": cluster}, 1, 0, 1)

    def add(self, draw, seconds, name, labels, calm, bad, incidents):
        windows = []
        for _ in range(incidents):
            start = draw.uniform(20, seconds * 0.85)
            windows.append((start, start + draw.uniform(90, max(100, seconds / 6))))
        self.series.append(({"__name__": name, **labels}, calm, bad, windows))

    def at(self, since):
        for labels, calm, bad, windows in self.series:
            broken = any(a <= since < b for a, b in windows)
            yield labels, bad if broken else calm


# --- receivers ----------------------------------------------------------------------------------

class Inbox:
    """Takes webhooks at /PEER/RECEIVER."""

    def __init__(self):
        self.messages = []
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                at = time.time()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.messages.append((at, *self.path.strip("/").split("/"), json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"


# --- the peers ----------------------------------------------------------------------------------

class Stack:
    """Prometheus and Alertmanager in a temporary directory."""

    def __init__(self, where, notify):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="belfry-peers."))
        self.prom, self.am = free_port(), free_port()
        (self.dir / "rules.yml").write_text(RULES)
        (self.dir / "am.yml").write_text(to_yaml(notify))
        (self.dir / "prom.yml").write_text(to_yaml({
            "global": {"evaluation_interval": "5s"}, "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [
                {"static_configs": [{"targets": [f"127.0.0.1:{self.am}"]}]}]}}))
        self.processes = [
            self.run(where, "prometheus-alertmanager", "--config.file=am.yml",
                     "--storage.path=am", f"--web.listen-address=127.0.0.1:{self.am}",
                     "--cluster.listen-address="),
            self.run(where, "prometheus", "--config.file=prom.yml", "--storage.tsdb.path=prom",
                     f"--web.listen-address=127.0.0.1:{self.prom}",
                     "--web.enable-remote-write-receiver"),
        ]
        for port in (self.prom, self.am):
            wait_until(lambda p=port: self.ready(p), 30)

    def run(self, where, name, *args):
        path = where / "usr/bin" / name if where else None
        path = str(path) if path and path.exists() else shutil.which(name)
        if path is None:
            sys.exit(f"{name} is not there")
        with open(self.dir / f"{name}.log", "wb") as log:
            return subprocess.Popen([path, *args], cwd=self.dir, stdout=log, stderr=log)

    @staticmethod
    def ready(port):
        try:
            return ask(f"http://127.0.0.1:{port}/-/ready", timeout=2).status == 200
        except OSError:
            return False

    def stop(self, keep):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        if not keep:
            shutil.rmtree(self.dir)


# --- comparing ----------------------------------------------------------------------------------

def stretches(url, seconds, end):
    """{(labels without state, state): [(first, last) ...]} of ALERTS, as seconds."""
    # ranges open on the left: ask for a little more
    answer = json.loads(ask(f"{url}/api/v1/query?query=ALERTS%5B{seconds + 60}s%5D&time={end}",
                            timeout=60).body)
    found = {}
    for one in answer["data"]["result"]:
        labels = dict(one["metric"])
        state = labels.pop("alertstate")
        labels.pop("__name__")
        key = (tuple(sorted(labels.items())), state)
        runs = []
        for t, _ in one["values"]:
            t = float(t)
            if runs and t - runs[-1][1] <= STEP * 1.5:
                runs[-1][1] = t
            else:
                runs.append([t, t])
        found[key] = runs
    return found


def compare_alerts(theirs, ours, until):
    """Lists what is not the same; also how many stretches were compared."""
    wrong, count = [], 0
    for key in sorted(set(theirs) | set(ours)):
        a, b = theirs.get(key, []), ours.get(key, [])
        # a stretch of a single evaluation may fall between the other's evaluations
        if len(a) != len(b):
            a = [r for r in a if r[1] - r[0] >= STEP]
            b = [r for r in b if r[1] - r[0] >= STEP]
        if len(a) != len(b):
            wrong.append(f"{dict(key[0])} {key[1]}: {len(a)} stretches, belfry {len(b)}")
            continue
        for x, y in zip(a, b):
            count += 1
            for what, p, q in (("start", x[0], y[0]), ("end", x[1], y[1])):
                if abs(p - q) > TOLERANCE and not (what == "end" and min(p, q) > until - 2 * STEP):
                    wrong.append(f"{dict(key[0])} {key[1]}: {what} {q - p:+.1f} s")
    return wrong, count


def told(messages, peer):
    """{(receiver, alert): [(state, time) ...]} without repeats; and repeats per receiver."""
    story, repeats = collections.defaultdict(list), collections.Counter()
    for at, who, receiver, body in messages:
        if who != peer:
            continue
        news = False
        for alert in body["alerts"]:
            key = (receiver, tuple(sorted(alert["labels"].items())))
            known = story[key]
            if not known and alert["status"] == "resolved":
                known.append(("resolved", at))
                news = True
            elif not known or known[-1][0] != alert["status"]:
                known.append((alert["status"], at))
                news = True
        repeats[receiver] += not news
    return story, repeats


def compare_told(theirs, ours, end):
    """Differences in what was told, and the delays (ours - theirs) by state."""
    wrong, delays = [], collections.defaultdict(list)
    for key in sorted(set(theirs) | set(ours)):
        a, b = theirs.get(key, []), ours.get(key, [])
        states_a, states_b = [s for s, _ in a], [s for s, _ in b]
        # the last seconds of the run may have been told to one only
        while len(states_a) > len(states_b) and a[len(states_b)][1] > end - 45:
            states_a.pop()
        while len(states_b) > len(states_a) and b[len(states_a)][1] > end - 45:
            states_b.pop()
        if states_a != states_b:
            wrong.append({"receiver": key[0], "alert": dict(key[1]),
                          "alertmanager": [(s, round(t - end)) for s, t in a],
                          "belfry": [(s, round(t - end)) for s, t in b]})
            continue
        for (state, x), (_, y) in zip(a, b):
            delays[key[0], state].append(y - x)
    return wrong, delays


def spread(values):
    values = sorted(values)
    return f"{values[0]:+.1f} / {values[len(values) // 2]:+.1f} / {values[-1]:+.1f} s"


# --- the run ------------------------------------------------------------------------------------

def silence(url, matchers, seconds, comment):
    now = datetime.datetime.now(datetime.timezone.utc)
    body = {"matchers": matchers, "startsAt": now.isoformat(),
            "endsAt": (now + datetime.timedelta(seconds=seconds)).isoformat(),
            "createdBy": "test", "comment": comment}
    answer = ask(f"{url}/api/v2/silences", data=json.dumps(body).encode(),
                 headers={"Content-Type": "application/json"})
    if answer.status != 200:
        sys.exit(f"{url} refuses a silence: {answer.status} {answer.body}")


def drive(targets, apis, minutes):
    """Sends the signal and makes the silences."""
    seconds = int(minutes * 60)
    signal = Signal(seconds, seed=3)
    silences = [
        (0.20, [{"name": "service", "value": "search", "isRegex": False}], 0.2, "exact"),
        (0.55, [{"name": "cluster", "value": "c[12]", "isRegex": True},
                {"name": "severity", "value": "info", "isRegex": False, "isEqual": False}],
         0.1, "regex and negative"),
    ]
    start = time.time()
    while time.time() - start < seconds:
        since = time.time() - start
        while silences and since >= silences[0][0] * seconds:
            _, matchers, length, comment = silences.pop(0)
            for url in apis:
                silence(url, matchers, length * seconds, comment)
        t = int(time.time() * 1000)
        body = encode([(labels, [(t, float(v))]) for labels, v in signal.at(since)])
        for url in targets:
            answer = ask(url + "/api/v1/write", data=body, headers=HEADERS)
            if answer.status not in (200, 204):
                sys.exit(f"{url} refuses samples: {answer.status} {answer.body}")
        time.sleep(max(0, start + (int(since / STEP) + 1) * STEP - time.time()))
    return start, time.time()


def report(out, name, theirs, ours, inbox, span):
    start, end = span
    wrong, count = compare_alerts(theirs, ours, end)
    odd, delays = compare_told(told(inbox.messages, "peers")[0], told(inbox.messages, name)[0], end)
    print(f"\n== {name}: {count} stretches of alerts compared, {len(wrong)} differ", file=out)
    for line in wrong:
        print("  ", line, file=out)
    print(f"   messages: {len(odd)} alerts were told another story", file=out)
    for line in odd:
        print("  ", json.dumps(line), file=out)
    print("   belfry later (+) or earlier (-), least / median / most:", file=out)
    for key in sorted(delays):
        print(f"     {key[0]:8} {key[1]:9} {len(delays[key]):4} x  {spread(delays[key])}", file=out)
    for who in ("peers", name):
        sent = [m for m in inbox.messages if m[1] == who]
        print(f"   {who}: {len(sent)} messages, repeats {dict(told(inbox.messages, who)[1])}",
              file=out)
    del start
    return len(wrong), len(odd)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--peers", type=pathlib.Path)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    inbox = Inbox()
    now = datetime.datetime.now(datetime.timezone.utc)
    ways = {"compat": {"notifications": {"group_ticks": True, "resolve_at_once": False}},
            "defaults": {}}

    def notify(peer):
        return routing(now, args.minutes, f"{inbox.url}/{peer}")

    where = args.peers.resolve() if args.peers else None
    stack = Stack(where, notify("peers"))
    time.sleep(7)
    control = Stack(where, notify("control"))
    belfries = {name: Belfry({"global": {"evaluation_interval": "5s"}, **notify(name), **extra},
                             rules={"rules.yml": RULES}, statsd=False)
                for name, extra in ways.items()}
    prom = f"http://127.0.0.1:{stack.prom}"
    with belfries["compat"] as compat, belfries["defaults"] as defaults:
        urls = [f"http://127.0.0.1:{b.web_port}" for b in (compat, defaults)]
        others = [f"http://127.0.0.1:{control.prom}", *urls]
        ams = [f"http://127.0.0.1:{s.am}" for s in (stack, control)]
        start, end = drive([prom, *others], [*ams, *urls], args.minutes)
        time.sleep(20)
        seconds = int(end - start) + 60
        theirs = stretches(prom, seconds, end)
        found = {n: stretches(u, seconds, end) for n, u in zip(("control", *belfries), others)}
    stack.stop(args.keep)
    control.stop(args.keep)
    bad = 0
    with open(args.report or os.devnull, "w", encoding="utf-8") as file:
        for name, ours in found.items():
            for out in (sys.stdout, file):
                result = report(out, name, theirs, ours, inbox, (start, end))
            bad += result[0] if name != "control" else 0
        json.dump([list(m) for m in inbox.messages], file)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
