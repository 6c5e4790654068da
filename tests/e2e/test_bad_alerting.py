#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What hostile or broken alerts, receivers and configurations did once, and must not do again."""

import json
import pathlib
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.fault_server import HttpFault, hang
from lib.inbox import Inbox

ALWAYS = """
groups:
- name: always
  interval: 1s
  rules:
  - alert: Always
    expr: vector(1)
"""
FAST = {"evaluation_interval": "1s", "smtp_from": "belfry@x.test", "smtp_require_tls": False}
JSON = {"Content-Type": "application/json"}


def route(receiver="ops", **more):
    return {"receiver": receiver, "group_by": ["alertname"], "group_wait": "0s",
            "group_interval": "1s", "repeat_interval": "100h", **more}


class ManyReceivers(unittest.TestCase):
    def test_the_last_of_a_hundred_is_told_at_once_while_the_others_hang(self):
        with Inbox() as inbox, HttpFault(lambda n, t: hang()) as silent:
            receivers = [{"name": f"bad{i}", "webhook_configs": [
                {"url": silent.url(f"/{i}")}]} for i in range(99)]
            receivers.append({"name": "ops", "webhook_configs": [{"url": inbox.webhook_url()}]})
            config = {"global": FAST, "receivers": receivers, "route": route(
                routes=[{"receiver": r["name"], "continue": True} for r in receivers])}
            with Belfry(config, rules={"r.yml": ALWAYS}):
                inbox.wait_for(lambda m: m.channel == "webhook", 5)

    def test_more_integrations_than_can_be_told_are_refused_at_the_reload(self):
        def config(n):
            return {"global": FAST, "route": route(), "receivers": [
                {"name": "ops", "webhook_configs": [{"url": "http://127.0.0.1:1/"}] * n}]}

        with Belfry(config(1)) as belfry:
            belfry.write_config(config(65))
            answer = belfry.reload()
            self.assertEqual(answer.status, 500)
            self.assertRegex(answer.text, r"belfry\.yml:\d+:\d+: .*65 integrations; at most 64")
            belfry.write_config(config(64))
            self.assertEqual(belfry.reload().status, 200)


class PlainAlerts(unittest.TestCase):
    def test_an_alert_that_says_nothing_but_its_name_is_told_by_it(self):
        with Inbox() as inbox:
            config = {"global": {**FAST, "smtp_smarthost": inbox.smarthost}, "route": route(),
                      "web": {"external_url": "http://belfry.test/"},
                      "receivers": [{"name": "ops",
                                     "slack_configs": [{"api_url": inbox.slack_url()}],
                                     "mattermost_configs": [{"webhook_url": inbox.webhook_url()}],
                                     "email_configs": [{"to": "ops@x.test"}]}]}
            with Belfry(config) as belfry:
                answer = belfry.post("/api/v2/alerts", json.dumps(
                    [{"labels": {"alertname": "Plain"}, "annotations": {"summary": "\r\n"}}]),
                    headers=JSON)
                self.assertEqual(answer.status, 200)
                slack = inbox.wait_for(lambda m: m.channel == "slack")
                chat = inbox.wait_for(lambda m: m.channel == "webhook")
                mail = inbox.wait_for(lambda m: m.channel == "mail")
            self.assertTrue(slack.payload["text"].endswith("Plain: Plain"), slack.payload["text"])
            self.assertIn("**Plain**", chat.raw.decode())
            for message in (slack, mail):
                self.assertNotIn("g0.expr=&", message.raw.decode())


if __name__ == "__main__":
    sys.exit(runner.main())
