#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts through what operators and clocks do: reloads under load, rules that go, clocks that
jump."""

import json
import os
import pathlib
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.inbox import Inbox
from lib.net import wait_until
from lib.page import Page

RULES = """
groups:
- name: life
  interval: 1s
  rules:
  - alert: Always
    expr: vector(1)
"""
PENDING = RULES + """  - alert: Pending
    expr: vector(1)
    for: 1d
"""


class AlertLife(unittest.TestCase):
    def setUp(self):
        self.inbox = self.enterContext(Inbox())

    def config(self, **more):
        return {"global": {"evaluation_interval": "1s"},
                "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s",
                          "group_interval": "1s", "repeat_interval": "4h"},
                "receivers": [{"name": "ops",
                               "slack_configs": [{"api_url": self.inbox.slack_url()}]}], **more}

    def states(self):
        return [m.state for m in self.inbox.slack_messages]

    def test_a_hundred_reloads_lose_and_leak_nothing(self):
        page = self.enterContext(Page())
        config = self.config(scrape_configs=[
            {"job_name": "j", "scrape_interval": "2s", "scrape_timeout": "2s",
             "static_configs": [{"targets": [f"127.0.0.1:{page.port}"]}]}])
        with Belfry(config, rules={"r.yml": PENDING}) as belfry:
            belfry.wait_value('up{job="j"}', 1)
            self.inbox.wait_for(lambda m: m.state == "FIRING")
            before = {a["labels"]["alertname"]: a["activeAt"] for a in belfry.alerts()}
            fds = f"/proc/{belfry.pid}/fd"
            belfry.reload()
            open_before, asked, reloads = len(os.listdir(fds)), len(page.requests), 0
            # scrapes go on: reloads that each began a target's interval anew would keep this waiting
            while reloads < 100 or len(page.requests) < asked + 3:
                self.assertEqual(belfry.reload().status, 200)
                self.assertLess(reloads, 10000, "no scrapes during reloads")
                time.sleep(0.02)
                reloads += 1
            wait_until(lambda: len(os.listdir(fds)) <= open_before + 4, what="descriptors being closed")
            after = {a["labels"]["alertname"]: a["activeAt"] for a in belfry.alerts()}
            self.assertEqual(after, before)
            ups = belfry.query('up{job="j"}[10m]')[0]["values"]
            self.assertEqual({v for _, v in ups}, {"1"})
            self.assertEqual(self.states(), ["FIRING"])

    def test_a_rule_that_goes_while_it_fires_tells_the_end(self):
        with Belfry(self.config(), rules={"r.yml": RULES}) as belfry:
            self.inbox.wait_for(lambda m: m.state == "FIRING")
            belfry.write_rules("r.yml", RULES.replace("Always", "Other"))
            self.assertEqual(belfry.reload().status, 200)
            self.inbox.wait_for(lambda m: m.state == "RESOLVED" and "Always" in m.text)
            self.inbox.wait_for(lambda m: m.state == "FIRING" and "Other" in m.text)

    def test_clock_jumps_neither_resolve_nor_repeat_nor_stop_the_rules(self):
        env = {"BELFRY_TEST": "1", "BELFRY_CLOCK": str(int(time.time() * 1000))}
        with Belfry(self.config(), rules={"r.yml": PENDING}, env=env) as belfry:
            self.inbox.wait_for(lambda m: m.state == "FIRING")
            for hours in (1, -1, -1, 1):
                now = self.clock(belfry)
                answer = belfry.post(
                    f"/api/belfry/v1/debug/clock?unix_ms={now + hours * 3600000}")
                self.assertEqual(answer.status, 200)
                count = belfry.metric("belfry_rule_evaluations_total")
                wait_until(lambda c=count: belfry.metric("belfry_rule_evaluations_total") >= c + 6,
                           8, f"evaluations after {hours} h")
                states = {a["labels"]["alertname"]: a["state"] for a in belfry.alerts()}
                self.assertEqual(states, {"Always": "firing", "Pending": "pending"})
            self.assertEqual(self.states(), ["FIRING"])

    @staticmethod
    def clock(belfry):
        return json.loads(belfry.get("/api/belfry/v1/debug/clock").body)["data"]["unix_ms"]


if __name__ == "__main__":
    sys.exit(runner.main())
