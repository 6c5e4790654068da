#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""On-call's commands against a running belfry: alerts, silence, notify test, query."""

import csv
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry, binary
from lib.inbox import Inbox
from lib.net import GUARD_S, free_port, wait_until

RULES = """
groups:
- name: cli
  interval: 1s
  rules:
  - alert: Slow
    expr: vector(7) > 5
    labels: {severity: warning, service: shop}
  - alert: Down
    expr: vector(1)
    labels: {severity: critical, service: "<b>\\e[31mred\\n"}
"""


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.inbox = Inbox()
        cls.inbox.__enter__()
        cls.belfry = Belfry({
            "global": {"evaluation_interval": "1s"},
            "route": {"receiver": "quiet", "group_wait": "0s"},
            "receivers": [
                {"name": "quiet"},
                {"name": "ops", "webhook_configs": [{"url": cls.inbox.webhook_url()}],
                 "slack_configs": [{"api_url": cls.inbox.slack_url(), "send_resolved": False}]},
                {"name": "dead", "webhook_configs": [
                    {"url": f"http://127.0.0.1:{free_port()}/x"}]}],
        }, rules={"r.yml": RULES})
        cls.belfry.__enter__()
        wait_until(lambda: len(json.loads(cls.belfry.get("/api/v2/alerts").body)) == 2, 10,
                   "two alerts")

    @classmethod
    def tearDownClass(cls):
        cls.belfry.__exit__(None, None, None)
        cls.inbox.__exit__(None, None, None)

    def belfry_says(self, *args, code=0, url=None):
        done = subprocess.run(
            [binary(), *args], capture_output=True, text=True, timeout=GUARD_S,
            env={**os.environ, "BELFRY_URL": url or f"http://127.0.0.1:{self.belfry.web_port}/",
                 "USER": "tester"})
        self.assertEqual(done.returncode, code, f"{args}\n{done.stdout}\n{done.stderr}")
        self.error = done.stderr
        return done.stdout

    # -- alerts

    def test_alerts_are_listed_worst_first_and_drive_no_terminal(self):
        lines = self.belfry_says("alerts").splitlines()
        self.assertRegex(lines[0], r"^SEVERITY +ALERT +SINCE +VALUE +STATE +TOLD +LABELS$")
        self.assertRegex(lines[1], r"^critical +Down +[0-9ms ]+ +1 +firing +quiet +service=")
        self.assertRegex(lines[2], r'^warning +Slow +[0-9ms ]+ +7 +firing +quiet +service="shop"$')
        self.assertNotIn("\x1b", "".join(lines))
        self.assertEqual(len(lines), 3)

    def test_alerts_are_picked_by_name_matchers_and_receiver(self):
        self.assertEqual(len(self.belfry_says("alerts", "Slow").splitlines()), 2)
        self.assertEqual(len(self.belfry_says("alerts", "service=~sho.", "severity!=critical")
                             .splitlines()), 2)
        self.assertEqual(self.belfry_says("alerts", "Nothing"), "nothing fires\n")
        self.assertEqual(self.belfry_says("alerts", "--receiver", "other"), "nothing fires\n")
        found = json.loads(self.belfry_says("alerts", "--json", "Slow"))
        self.assertEqual([(a["labels"]["alertname"], a["value"]) for a in found], [("Slow", 7)])
        self.belfry_says("alerts", "Slow", "word", code=2)
        self.assertIn("bad matcher", self.error)
        self.belfry_says("alerts", "a=~(", code=2)
        self.belfry_says("alerts", "--what", code=2)

    # -- silences

    def test_a_silence_is_added_shown_and_ended(self):
        made = self.belfry_says("silence", "add", "Slow", "service!=x", "-d", "2h",
                                "-c", "deploy | now").strip()
        self.assertRegex(made, r"^[0-9a-f-]{36}$")
        self.assertRegex(self.error, r"^silences 1 alert now, until 20\d\d-.* UTC\n$")
        shown = self.belfry_says("silence", "query", "alertname=Slow").splitlines()
        self.assertEqual(len(shown), 2)
        self.assertRegex(shown[1], made + r' +active +ends in (2h|1h 59m) +1 +tester +'
                         r'alertname="Slow", service!="x" +deploy \| now')
        listed = self.belfry_says("alerts", "Slow")
        self.assertIn("1 suppressed (--all shows them)", listed)
        self.assertIn("silenced by " + made, self.belfry_says("alerts", "--all", "Slow"))
        self.assertEqual(self.belfry_says("silence", "query", "-q").strip(), made)
        self.assertEqual(self.belfry_says("silence", "expire", made[:8]), made + " ended\n")
        self.assertEqual(self.belfry_says("silence", "query"), "no silences\n")
        self.assertIn("expired", self.belfry_says("silence", "query", "--expired"))
        self.belfry_says("silence", "expire", made, code=1)
        self.assertIn("no active or pending silence", self.error)
        self.assertEqual(len(self.belfry_says("alerts", "Slow").splitlines()), 2)

    def test_a_recurring_silence_is_said_as_people_say_it(self):
        for said, want in (
                ("sat,sun 01:00-03:00 Europe/Berlin",
                 [{"location": "Europe/Berlin", "weekdays": ["saturday", "sunday"],
                   "times": [{"start_time": "01:00", "end_time": "03:00"}]}]),
                ("mon-fri", [{"weekdays": ["monday:friday"]}]),
                ("daily 22:00-06:00",
                 [{"times": [{"start_time": "22:00", "end_time": "24:00"},
                             {"start_time": "00:00", "end_time": "06:00"}]}]),
                ('[{"months": ["1:3"]}]', [{"months": ["1:3"]}])):
            made = self.belfry_says("silence", "add", "Other", "-c", "nightly work",
                                    "--recurring", said).strip()
            shown = json.loads(self.belfry_says("silence", "query", "--json"))
            self.assertEqual([(s["id"], json.loads(s["recurring"])) for s in shown], [(made, want)])
            self.belfry_says("silence", "expire", made)
        self.belfry_says("silence", "add", "X", "-c", "c", "--recurring", "sometimes", code=2)
        self.belfry_says("silence", "add", "X", "-c", "c", "--recurring", "[{nonsense: 1}]", code=1)

    def test_what_is_missing_or_wrong_is_said(self):
        for args, words in ((["add", "X"], "say why"),
                            (["add", "-c", "c"], "what should be silent"),
                            (["add", "X", "-c", "c", "-d", "soon"], "-d"),
                            (["add", "X", "-c", "c", "-d", "1h", "--end", "+2h"], "not both"),
                            (["add", "X", "-c", "c", "--start", "later"], "--start"),
                            (["expire"], "which silence")):
            self.belfry_says("silence", *args, code=2)
            self.assertIn(words, self.error)
        self.belfry_says("silence", "add", "x=", "-c", "c", code=1)
        self.assertIn("at least one matcher must not match the empty string", self.error)
        self.belfry_says("silence", "add", "X", "-c", "c", "--end", "-1h", code=1)
        self.assertIn("start time must be before end time", self.error)
        made = self.belfry_says("silence", "add", "X", "-c", "c", "--start", "+1h", "-a", "me")
        self.assertIn("begins in", self.belfry_says("silence", "query", "X"))
        self.belfry_says("silence", "expire", made.strip())

    def test_nobody_at_home_is_said(self):
        self.belfry_says("alerts", code=1, url=f"http://127.0.0.1:{free_port()}")
        self.assertRegex(self.error,
                         r"^belfry: cannot ask http://127.0.0.1:\d+: .*is belfry running")
        self.belfry_says("alerts", "--url", f"http://127.0.0.1:{self.belfry.web_port}/nothing/",
                         code=1)

    # -- test messages

    def test_a_test_message_goes_the_real_way_and_ends(self):
        said = self.belfry_says("notify", "test", "ops")
        self.assertEqual(sorted(said.splitlines()), [
            "slack test message: delivered", "webhook test message: delivered",
            "webhook that it is over: delivered"])
        told = [m.payload for m in self.inbox.webhooks
                if m.payload["commonLabels"].get("alertname") == "BelfryTest"]
        self.assertEqual([m["status"] for m in told], ["firing", "resolved"])
        self.assertEqual(told[0]["groupKey"], told[1]["groupKey"])
        self.assertEqual(told[0]["commonLabels"]["receiver"], "ops")
        self.assertIn("this is a test", told[0]["commonAnnotations"]["summary"])
        self.assertTrue(any("this is a test" in m.text for m in self.inbox.slack_messages))
        self.assertEqual(len(json.loads(self.belfry.get("/api/v2/alerts").body)), 2,
                         "a test is no alert")

    def test_a_failed_test_message_says_why(self):
        for seconds in (1, 4, 16, 64):  # a busy machine may not have tried it by then
            said = self.belfry_says("notify", "test", "--timeout", f"{seconds}s", "dead", code=1)
            if "tried again" in said:
                break
        self.assertRegex(said, r"webhook test message: not delivered yet, tried again: .*onnect")
        self.belfry_says("notify", "test", "nobody", code=1)
        self.assertIn('there is no receiver "nobody"', self.error)
        self.belfry_says("notify", "test", "quiet", code=1)
        self.assertIn("no way to tell", self.error)
        self.belfry_says("notify", "test", code=2)

    # -- queries

    def test_a_query_answers_as_table_csv_and_json(self):
        wait_until(lambda: self.belfry.query("ALERTS"), 10, "samples")
        table = self.belfry_says("query", 'ALERTS{alertname="Slow"}').splitlines()
        self.assertRegex(table[0], r"^TIME +VALUE +METRIC$")
        self.assertRegex(table[1], r'^20\d\d-.*Z +1 +ALERTS\{alertname="Slow",.*\}$')
        rows = list(csv.reader(io.StringIO(self.belfry_says(
            "query", "--format", "csv", 'ALERTS{alertname="Down"}'))))
        self.assertEqual(rows[0], ["time", "value", "metric"])
        self.assertEqual((rows[1][2][:7], rows[1][1]), ("ALERTS{", "1"))
        self.assertEqual(json.loads(self.belfry_says("query", "--format", "json", "1+1"))["result"]
                         [1], "2")
        self.assertRegex(self.belfry_says("query", "1+1"), r"20.*Z +2 +\{\}\n$")
        ranged = self.belfry_says("query", "--start", "-2m", "--step", "30s", "vector(3)")
        self.assertEqual(len(ranged.splitlines()), 6)

    def test_a_range_is_drawn(self):
        drawn = self.belfry_says("query", "--format", "graph", "--start", "-10m", "vector(time())")
        self.assertIn("▁", drawn)
        self.assertIn("█", drawn)
        self.assertRegex(drawn, r"last [12]\.\d+e\+09")

    def test_an_empty_answer_says_what_is_not_there(self):
        wait_until(lambda: self.belfry.query("ALERTS"), 10, "samples")
        self.belfry_says("query", 'ALERT{alertname="Slow"}')
        self.assertRegex(self.error, r'hint: .*"ALERT".*"ALERTS"')
        self.belfry_says("query", 'ALERTS{alertnam="Slow"}')
        self.assertRegex(self.error, r'hint: .*"alertnam".*"alertname"')
        self.belfry_says("query", 'ALERTS{alertname="Slow"}')
        self.assertEqual(self.error, "")

    def test_mistakes_in_queries_are_said(self):
        self.belfry_says("query", "1+", code=1)
        self.assertIn("HTTP 400", self.error)
        self.belfry_says("query", "rates(up[5m])", code=1)
        self.assertRegex(self.error, r'did you mean "rate"\? \(HTTP 400\)\n  rates\(up\[5m\]\)\n  \^~~~~\n$')
        self.belfry_says("query", code=2)
        self.belfry_says("query", "--format", "xml", "1", code=2)
        self.belfry_says("query", "--format", "graph", "1", code=2)
        self.belfry_says("query", "--time", "noon", "1", code=2)
        self.belfry_says("query", "--time", "now", "--start", "-1h", "1", code=2)

    def test_an_empty_answer_with_nothing_wrong_says_that_it_is_empty(self):
        wait_until(lambda: self.belfry.query("ALERTS"), 10, "samples")
        self.belfry_says("query", "--time", "-20d", "ALERTS")
        self.assertEqual(self.error, "belfry: no points at that time\n")
        self.belfry_says("query", "--start", "-20d", "--end", "-19d", "ALERTS")
        self.assertEqual(self.error, "belfry: no points in that time\n")

    def test_steps_are_durations_or_seconds(self):
        ranges = [self.belfry_says("query", "--start", "1000", "--end", "1300", "--step", step, "1").count("\n")
                  for step in ("1m", "60", "60.0")]
        self.assertEqual(ranges, [7, 7, 7])

    def test_help_is_given_where_it_is_asked_for(self):
        self.assertIn("belfry query [--url URL]", self.belfry_says("query", "--help"))
        self.assertIn("belfry silence expire", self.belfry_says("silence", "add", "--help"))
        self.belfry_says("promql", "frmat", "1", code=2)
        self.assertIn("no such command: promql frmat", self.error)
        self.belfry_says("query", "--stop", "1", code=2)
        self.assertRegex(self.error, "^belfry: no such option.*--stop\n")

    def test_help_names_them(self):
        text = self.belfry_says("help")
        for words in ("belfry alerts", "belfry silence add", "belfry silence query",
                      "belfry silence expire", "belfry notify test", "belfry query"):
            self.assertTrue(re.search(words + r"\b", text), words)


if __name__ == "__main__":
    sys.exit(runner.main())
