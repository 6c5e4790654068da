#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backtest over what a running belfry recorded tells what that belfry told: the same alerts, at
the same slots, and the same messages; and it disturbs nothing."""

import json
import pathlib
import sqlite3
import subprocess
import sys
import time
import unittest

import snappy

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import remote_write, runner
from lib.belfry import Belfry, binary
from lib.inbox import Inbox
from lib.net import http, wait_until
from lib.page import Page
from lib.peers import Program, Prometheus, api_query

RULES = """
groups:
- name: rooms
  interval: 1s
  rules:
  - record: room:temp:max
    expr: max by (room) (max_over_time(temp[2s]))
  - alert: Hot
    expr: room:temp:max > 80
    for: 2s
    keep_firing_for: 2s
    labels: {severity: warning}
    annotations: {summary: '{{ $labels.room }} is at {{ $value }}'}
  - alert: Held
    expr: temp > 80
    labels: {severity: warning}
    annotations: {belfry_clear_if: temp < 40}
- name: others
  interval: 1s
  rules:
  - alert: House
    expr: count(ALERTS{alertname="Hot", alertstate="firing"}) >= 2
    labels: {severity: critical}
"""
# seconds, room a, room b
STORY = ((2, 20, 20), (5, 95, 20), (5, 95, 90), (3, 60, 90), (4, 20, 60), (5, 20, 20))


class VictoriaMetrics(Program):
    names = ("victoria-metrics",)
    ready_path = "/health"

    def arguments(self):
        return [f"-httpListenAddr={self.address}", f"-storageDataPath={self.dir}/data"]


class Backtest(unittest.TestCase):
    def setUp(self):
        self.inbox = self.enterContext(Inbox())
        self.page = self.enterContext(Page())

    def config(self):
        hook = {"url": self.inbox.webhook_url("ops"), "send_resolved": True}
        return {"scrape_configs": [
                    {"job_name": "house", "scrape_interval": "1s", "scrape_timeout": "1s",
                     "static_configs": [{"targets": [f"127.0.0.1:{self.page.port}"]}]}],
                # Half seconds, so that no group is told in the very moment of an evaluation: what
                # comes first then is chance in the running belfry.
                "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "1500ms",
                          "group_interval": "2500ms", "repeat_interval": "4h"},
                "inhibit_rules": [{"source_matchers": ['severity="critical"'],
                                   "target_matchers": ['alertname="Held"']}],
                "receivers": [{"name": "ops", "webhook_configs": [hook]}]}

    def live_through(self, belfry):
        for seconds, a, b in STORY:
            self.page.text = f'temp{{room="a"}} {a}\ntemp{{room="b"}} {b}\n'
            time.sleep(seconds)
        wait_until(lambda: not belfry.alerts(), timeout=15)

    def backtest(self, belfry, *args):
        done = subprocess.run(
            [binary(), "backtest", "--config", str(belfry.config_path), "--json", *args],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["runs"][0]

    def ask(self, belfry, method, path, body=None):
        answer = http(belfry.url(path), method=method,
                      data=None if body is None else json.dumps(body).encode(),
                      headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer.text)
        return json.loads(answer.body) if answer.body else None

    @staticmethod
    def recorded(belfry, seconds):
        """(alertname, room) -> [(first, last) firing sample]"""
        found = {}
        for s in belfry.query(f'ALERTS{{alertstate="firing"}}[{seconds}s]'):
            key = s["metric"]["alertname"], s["metric"].get("room", "")
            times = [float(t) for t, _ in s["values"]]
            runs = [[times[0], times[0]]]
            for t in times[1:]:
                if t - runs[-1][1] > 1.5:
                    runs.append([t, t])
                runs[-1][1] = t
            found[key] = runs
        return found

    @staticmethod
    def replayed(run):
        found = {}
        for rule in run["rules"]:
            for alert in rule.get("alerts", []):
                labels = alert["labels"]
                room = labels.split('room="')[1][0] if "room=" in labels else ""
                found.setdefault((rule["name"], room), []).append(
                    [seconds_of(alert["start"]), seconds_of(alert["end"]) - 1])
        return found

    @staticmethod
    def disturbed(belfry):
        """Whether the machine was too busy for belfry to scrape and to evaluate at every slot: then
        what happened is not what is on record, and says nothing about a backtest."""
        return (belfry.metric("belfry_rule_group_iterations_missed_total") > 0
                or belfry.metric("belfry_scrape_skipped_total") > 0
                or belfry.value("min_over_time(up[10m])") == 0)

    def test_it_tells_what_the_running_belfry_told(self):
        for attempt in range(3):
            if attempt:
                self.doCleanups()
                self.setUp()
            if self.compared():
                return
        self.skipTest("the machine was too busy three times")

    def compared(self):
        began = time.time()
        with Belfry(self.config(), rules={"r.yml": RULES}) as belfry:
            self.live_through(belfry)
            time.sleep(4)
            if self.disturbed(belfry):
                return False
            # the same slots for both, whatever is recorded meanwhile
            times = "--from", str(began), "--to", str(time.time() - 1)
            live = self.recorded(belfry, int(time.time() - began) + 1)
            files = sorted(p.name for p in (belfry.data_dir / "metrics").iterdir())
            run = self.backtest(belfry, *times)
            self.assertEqual(sorted(p.name for p in (belfry.data_dir / "metrics").iterdir()), files)
            again = self.replayed(run)
            self.assertEqual(sorted(again), sorted(live))
            self.assertEqual(sorted(live), [("Held", "a"), ("Held", "b"), ("Hot", "a"),
                                            ("Hot", "b"), ("House", "")])
            for key, runs in live.items():
                self.assertEqual(len(again[key]), len(runs), key)
                for (a, b), (c, d) in zip(runs, again[key]):
                    self.assertLessEqual(abs(a - c), 1.01, key)
                    self.assertLessEqual(abs(b - d), 1.01, key)
            asked = self.backtest(belfry, "--url", belfry.url(), *times)
            self.assertEqual(asked["messages"], run["messages"])
            self.assertEqual(spans(asked), spans(run))
            told = sorted((w.state, w.payload["groupLabels"]["alertname"]) for w in self.inbox.webhooks)
            foretold = sorted(tuple(m["title"].split()[:2]) for m in run["messages"])
            self.assertEqual(foretold, told)
            self.assertEqual(run["receivers"][0]["messages"], len(told))
            self.assertEqual(run["firings"], sum(len(r) for r in live.values()))
            self.assertEqual(belfry.get("/-/healthy").status, 200)
        return True

    def test_what_people_did_meanwhile_is_replayed(self):
        config = self.config()
        config["inhibit_rules"] = []
        config["route"]["routes"] = [{"matchers": ['room="a"'], "repeat_interval": "2s"}]
        rules = "groups:\n- name: g\n  interval: 1s\n  rules:\n" + "".join(
            f"  - alert: Hot{r}\n    expr: temp{{room='{r}'}} > 80\n" for r in "abc")

        def told(room):
            return [w.state for w in self.inbox.webhooks
                    if w.payload["groupLabels"]["alertname"] == "Hot" + room]

        with Belfry(config, rules={"r.yml": rules}) as belfry:
            silence = self.ask(belfry, "POST", "/api/v2/silences", {
                "matchers": [{"name": "room", "value": "b|c", "isRegex": True, "isEqual": True}],
                "startsAt": stamp(time.time() - 60), "endsAt": stamp(time.time() + 300),
                "createdBy": "test", "comment": "works on it"})["silenceID"]
            self.page.text = 'temp{room="a"} 95\ntemp{room="b"} 95\ntemp{room="c"} 95\n'
            wait_until(lambda: len(told("a")) >= 3)
            for alert in self.ask(belfry, "GET", "/api/v2/alerts?filter=room=a"):
                self.ask(belfry, "POST", "/api/belfry/v1/acks",
                         {"fingerprint": alert["fingerprint"], "who": "ann"})
            before = len(told("a"))
            self.page.text = 'temp{room="a"} 95\ntemp{room="b"} 95\ntemp{room="c"} 20\n'
            wait_until(lambda: len(belfry.alerts()) == 2)
            time.sleep(5)  # repeats that do not come
            self.assertEqual((len(told("a")), told("b")), (before, []))
            self.ask(belfry, "DELETE", f"/api/v2/silence/{silence}")
            wait_until(lambda: told("b"))
            self.page.text = 'temp{room="a"} 20\ntemp{room="b"} 20\n'
            wait_until(lambda: "RESOLVED" in told("a") and "RESOLVED" in told("b"))
            live = sorted((w.state, w.payload["groupLabels"]["alertname"])
                          for w in self.inbox.webhooks)

            def foretold(*args):
                run = self.backtest(belfry, *args)
                return sorted(tuple(m["title"].split()[:2]) for m in run["messages"])

            self.assertEqual(foretold(), live)
            self.assertEqual(foretold("--url", belfry.url(), "--from", "now-1h"), live)
            self.assertNotIn(("FIRING", "Hotc"), live)
            self.assertIn(("FIRING", "Hotc"), foretold("--no-silences"))
            self.assertGreater(foretold("--no-acks").count(("FIRING", "Hota")),
                               live.count(("FIRING", "Hota")))
            # a silence that its table forgot is put together from what it did
            with sqlite3.connect(belfry.data_dir / "state.db") as db:
                db.execute("DELETE FROM silence")
            self.assertEqual(foretold(), live)

    def test_two_rule_files_are_compared(self):
        with Belfry(self.config(), rules={"r.yml": RULES}) as belfry:
            self.page.text = 'temp{room="a"} 85\n'
            belfry.wait_query("ALERTS{alertname=\"Hot\",alertstate=\"firing\"}")
            time.sleep(2)
            other = belfry.dir / "calm.yml"
            other.write_text(RULES.replace("> 80", "> 90"))
            done = subprocess.run(
                [binary(), "backtest", "--rules", str(belfry.rules["r.yml"]), "--compare",
                 str(other), "--config", str(belfry.config_path), "--from", "now-1h", "--to", "now",
                 "--timezone", "UTC"],
                capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            last = done.stdout.strip().splitlines()[-1]
            self.assertRegex(last, r"^2 firings → 2 messages, \d at night; with .*calm.yml "
                                   r"0 firings → 0 messages, 0 at night$")
            self.assertRegex(done.stdout, r"Hot +1 → 0")

    def against(self, peer, exact):
        """A replay asked of another server is one over the data directory."""
        step, t0 = 5000, (int(time.time()) // 60 * 60 - 1800) * 1000
        rules = """
groups:
- name: g
  interval: 5s
  rules:
  - {record: r, expr: 'sum by (job) (rate(c_total[1m]))'}
  - {alert: Low, expr: r < 5, for: 10s}
  - {alert: Up, expr: 'up{job="a"} == 1'}
"""
        up = [(t0 + i * step, 1.0) for i in range(300)]
        up[100:120] = [(t0 + 100 * step, remote_write.STALE)]
        series = [([("__name__", "c_total"), ("job", "a")],
                   [(t0 + i * step, float(i * i % 977 if i % 50 else 0)) for i in range(300)]),
                  ([("__name__", "up"), ("job", "a")], up)]
        with Belfry({}, rules={"r.yml": rules}) as belfry, peer:
            belfry.write(series)
            self.assertEqual(remote_write.push(peer.url("/api/v1/write"), series).status, 204)
            wait_until(lambda: api_query(peer.url(), 'count_over_time(up{job="a"}[10m])',
                                         (t0 + 299 * step) / 1000))

            def replayed(*args):
                done = subprocess.run(
                    [binary(), "backtest", "--rules", str(belfry.rules["r.yml"]), "--json", "--from",
                     str(t0 / 1000), "--to", str(t0 / 1000 + 1490), *args],
                    capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                return spans(json.loads(done.stdout)["runs"][0]), done.stderr

            local, said = replayed("--storage.path", str(belfry.data_dir))
            self.assertEqual([len(alerts or []) for _, alerts, _ in local], [0, 1, 2])
            got, said = replayed("--url", peer.url())
            self.assertEqual("no remote read" not in said, exact, said)
            self.assertEqual(got, local)

    @unittest.skipUnless(Prometheus.path(), "no prometheus here")
    def test_a_prometheus_is_asked_by_remote_read(self):
        self.against(Prometheus({"global": {"scrape_interval": "15s",
                                            "external_labels": {"cluster": "x"}}},
                                ("--web.enable-remote-write-receiver",)), exact=True)

    @unittest.skipUnless(VictoriaMetrics.path(), "no victoria-metrics here")
    def test_a_server_without_remote_read_is_asked_by_queries(self):
        self.against(VictoriaMetrics(), exact=False)

    def test_remote_read_refuses_what_it_cannot_answer(self):
        def part(number, data):
            return remote_write.field(number, data)

        def query(*matchers, start=1, end=1000):
            return part(1, b"\x08" + remote_write.varint(start) + b"\x10" + remote_write.varint(end) +
                        b"".join(part(3, b"\x08" + remote_write.varint(kind) + part(2, name) +
                                      part(3, value)) for kind, name, value in matchers))

        up = (0, b"__name__", b"up")
        with Belfry({}) as belfry:
            belfry.write([([("__name__", "up")], [(500, 1.0), (1500, 2.0)])])

            def ask(body, packed=True):
                return belfry.post("/api/v1/read", snappy.compress(body) if packed else body,
                                   headers={"Content-Type": "application/x-protobuf"})

            good = ask(query(up))
            self.assertEqual((good.status, good.headers["Content-Encoding"]), (200, "snappy"))
            self.assertIn(b"__name__", snappy.decompress(good.body))
            self.assertEqual(snappy.decompress(good.body).count(b"\x09"), 1)  # one of two samples
            self.assertEqual(snappy.decompress(ask(b"").body), b"")
            for what, body in (("no snappy", None), ("cut off", query(up)[:-3]),
                               ("no matcher", query()), ("the end before the start",
                                                         query(up, start=5, end=4)),
                               ("an unknown type", query((7, b"a", b"b"))),
                               ("no name", query((0, b"", b"b"))),
                               ("no expression", query((2, b"a", b"("))),
                               ("too many matchers", query(*[up] * 65)),
                               ("too many queries", query(up) * 17)):
                answer = ask(body) if body is not None else ask(b"hello", packed=False)
                self.assertEqual(answer.status, 400, what)
                self.assertEqual(json.loads(answer.body)["errorType"], "bad_data", what)
            bomb = ask(b"\xff\xff\xff\xff\x0f\x00", packed=False)
            self.assertEqual(bomb.status, 400)
        with Belfry({"query": {"max_samples": 10}}) as belfry:
            belfry.write([([("__name__", "up")], [(i, 1.0) for i in range(1, 12)])])
            answer = belfry.post("/api/v1/read", snappy.compress(query(up)))
            self.assertEqual(answer.status, 422)
            self.assertIn("query.max_samples", answer.text)

    def test_a_server_s_limits_are_respected(self):
        """What does not fit one answer is asked for in shorter stretches."""
        rules = "groups:\n- name: g\n  interval: 15s\n  rules:\n  - {record: r, expr: sum(x)}\n"
        now = int(time.time()) * 1000
        with Belfry({"query": {"max_samples": 500}}, rules={"r.yml": rules}) as belfry:
            belfry.write([([("__name__", "x"), ("i", str(i))],
                           [(now - k * 15000, float(i + k)) for k in range(400, 0, -1)])
                          for i in range(5)])
            args = ["--from", str(now / 1000 - 5400), "--to", str(now / 1000 - 600)]
            asked = self.backtest(belfry, "--url", belfry.url(), *args)
            self.assertEqual(spans(asked), spans(self.backtest(belfry, *args)))
            self.assertIn(asked["rules"][0]["samples"], (320, 321))  # by the group's slot

    def test_mistakes_are_told(self):
        def run(*args):
            return subprocess.run([binary(), "backtest", *args], capture_output=True, text=True,
                                  timeout=60, check=False)
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("--rules").returncode, 2)
        self.assertEqual(run("--rules", "/nonexistent.yml").returncode, 1)
        bad = run("--rules", str(TESTS / "data/rules/bad/notes.yml"))
        self.assertEqual(bad.returncode, 1)
        self.assertIn("unclosed left parenthesis", bad.stderr)
        good = TESTS.parent / "rules/packs/belfry.yml"
        with Belfry({}) as belfry:
            self.assertEqual(belfry.get("/-/ready").status, 200)
            for args in (("--from", "yesterday"), ("--frm", "now"), ("--night", "22"),
                         ("--step", "0s"), ("--timezone", "Mars/Base"),
                         ("--url", belfry.url())):
                belfry.write([([("__name__", "x")], [(int(time.time() * 1000), 1)])])
                done = run("--rules", str(good), "--storage.path", str(belfry.data_dir), *args)
                self.assertEqual(done.returncode, 2, args)
        none = run("--rules", str(good), "--storage.path", "/nonexistent")
        self.assertEqual(none.returncode, 1)
        self.assertIn("/nonexistent", none.stderr)
        nobody = run("--rules", str(good), "--from", "now-1h", "--url", "http://127.0.0.1:1")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("cannot ask http://127.0.0.1:1", nobody.stderr)
        with Page() as page:
            page.text = "<html>no such thing</html>"
            other = run("--rules", str(good), "--from", "now-1h", "--url",
                        f"http://127.0.0.1:{page.port}")
            self.assertEqual(other.returncode, 1, other.stderr)


def spans(run):
    return [(r["name"], r.get("alerts"), r.get("samples")) for r in run["rules"]]


def stamp(unix):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))


def seconds_of(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    sys.exit(runner.main())
