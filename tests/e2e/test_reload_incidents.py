#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Incidents under way while the configuration changes: what PagerDuty and Opsgenie hold open is
closed or goes on under its key, a bot's root message is not left behind, what was acknowledged
pages nobody again, and nobody else is told twice."""

import json
import pathlib
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.inbox import Inbox
from lib.load import WriteLoad
from lib.net import wait_until
from lib.paging_api import PagingApi
from lib.slack_api import SlackApi

RULES = """
groups:
  - name: g
    interval: 1s
    rules:
      - alert: Broken
        expr: broken == 1
        labels: {severity: critical}
"""


class Reload(unittest.TestCase):
    def setUp(self):
        self.paging = self.enterContext(PagingApi())
        self.boss_paging = self.enterContext(PagingApi())
        self.slack = self.enterContext(SlackApi())
        self.inbox = self.enterContext(Inbox())
        self.broken = {"a": 1.0, "b": 1.0}

    def config(self, group_by=("alertname",), matcher='alertname="Broken"', pager=True, **more):
        paging = self.paging
        ops = {"name": "ops", **more,
               "slack_configs": [{"app_token": self.slack.token, "app_url": self.slack.url,
                                  "channel": "#ops"}],
               "webhook_configs": [{"url": self.inbox.webhook_url("ops")}]}
        if pager:
            ops["pagerduty_configs"] = [{"url": paging.pagerduty, "routing_key": "key"}]
            ops["opsgenie_configs"] = [{"api_url": paging.opsgenie, "api_key": "key"}]
        boss = {"name": "boss", "pagerduty_configs": [
            {"url": self.boss_paging.pagerduty, "routing_key": "key"}]}
        return {"global": {"evaluation_interval": "1s"},
                "route": {"receiver": "rest", "group_wait": "0s", "group_interval": "1s",
                          "repeat_interval": "1h", "routes": [
                              {"matchers": [matcher], "receiver": "ops",
                               "group_by": list(group_by)}]},
                "receivers": [ops, boss, {"name": "rest"}]}

    def start(self, **more):
        belfry = self.enterContext(Belfry(self.config(**more), rules={"r.yml": RULES}))
        self.enterContext(WriteLoad(belfry.url("/api/v1/write"), lambda t: [
            ({"__name__": "broken", "service": s}, [(t, v)]) for s, v in self.broken.items()]))
        return belfry

    def told(self, belfry):
        """What was decided has arrived."""
        wait_until(lambda: belfry.metric("belfry_notify_outbox_rows") == 0, 20, "an empty outbox")

    def reload(self, belfry, **more):
        """Whatever the new configuration makes of what is under way is decided in its own commit."""
        belfry.write_config(self.config(**more))
        answer = belfry.reload()
        self.assertEqual(answer.status, 200, answer.text)
        self.told(belfry)

    def fire(self, belfry, open_keys=1):
        self.paging.wait(lambda p: len(p.open["pagerduty"]) == len(p.open["opsgenie"]) == open_keys)
        self.slack.wait_root(lambda r: "FIRING" in r["text"])
        wait_until(lambda: len(self.firing(belfry)) == len(self.broken), 10, "all alerts")
        wait_until(lambda: {a["labels"]["service"] for m in self.inbox.webhooks
                            for a in m.payload["alerts"]} == set(self.broken), 10, "all told")
        self.told(belfry)

    @staticmethod
    def firing(belfry):
        return [a for a in belfry.alerts(alertname="Broken") if a["state"] == "firing"]

    def end(self, belfry):
        for service in self.broken:
            self.broken[service] = 0.0
        wait_until(lambda: not self.firing(belfry), 20, "the end")
        self.slack.wait_root(lambda r: "RESOLVED" in r["text"])
        self.told(belfry)
        self.assertEqual(self.paging.open, {"pagerduty": set(), "opsgenie": set()})

    def ack(self, belfry):
        for alert in json.loads(belfry.get("/api/v2/alerts").body):
            answer = belfry.post("/api/belfry/v1/acks", json.dumps(
                {"fingerprint": alert["fingerprint"], "who": "ann"}).encode(),
                headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status, 200, answer.text)

    def acks(self, belfry):
        return json.loads(belfry.get("/api/belfry/v1/acks").body)["data"]

    # -- one group becomes one group -------------------------------------------------------

    def goes_on(self, **change):
        self.broken = {"a": 1.0}
        belfry = self.start()
        self.fire(belfry)
        before, hooks = list(self.paging.events), len(self.inbox.webhooks)
        self.ack(belfry)
        self.reload(belfry, **change)
        self.assertEqual(self.paging.events, before)
        self.assertEqual(len(self.inbox.webhooks), hooks)
        held = self.acks(belfry)
        self.assertEqual([a["who"] for a in held], ["ann"])
        belfry.kill9()
        belfry.start()
        self.assertEqual(self.acks(belfry), held)
        self.end(belfry)
        self.assertEqual([(s, a) for s, a, _ in self.paging.events if s == "pagerduty"],
                         [("pagerduty", "trigger"), ("pagerduty", "resolve")])
        self.assertEqual(len(set(self.paging.of("pagerduty"))), 1)
        self.assertEqual(len(set(self.paging.of("opsgenie"))), 1)
        self.assertEqual(len(self.slack.roots), 1)
        self.assertEqual(self.slack.wrong, [])

    def test_a_renamed_route_goes_on_with_the_incident(self):
        self.goes_on(matcher='alertname=~"Broken|Bent"')

    def test_another_group_by_of_one_group_goes_on_with_the_incident(self):
        self.goes_on(group_by=("alertname", "service"))

    def test_what_waits_keeps_its_place_before_the_end(self):
        self.broken = {"a": 1.0}
        real, self.paging = self.paging, self.enterContext(PagingApi())
        self.paging.__exit__()  # its port refuses: the beginning waits
        belfry = self.start()
        self.slack.wait_root(lambda r: "FIRING" in r["text"])
        self.paging = real
        belfry.write_config(self.config(group_by=("alertname", "service")))
        self.assertEqual(belfry.reload().status, 200)
        self.fire(belfry)
        self.end(belfry)
        self.assertEqual([a for s, a, _ in real.events if s == "pagerduty"],
                         ["trigger", "resolve"])
        self.assertEqual(len(set(real.of("pagerduty"))), 1)

    # -- split and joined ------------------------------------------------------------------

    def open_keys(self):
        return {service: set(keys) for service, keys in self.paging.open.items()}

    def wait_other(self, old, count):
        """Until what was open is closed and `count` others are open; in which order is not said."""
        self.paging.wait(lambda p: all(
            not keys & old[service] and len(keys) == count for service, keys in p.open.items()))

    def test_a_group_that_is_split_is_closed_and_its_parts_are_opened(self):
        belfry = self.start()
        self.fire(belfry)
        old, hooks = self.open_keys(), len(self.inbox.webhooks)
        self.reload(belfry, group_by=("alertname", "service"))
        self.wait_other(old, 2)
        self.assertEqual(set(self.paging.of("pagerduty", "resolve")), old["pagerduty"])
        self.assertEqual(len(self.paging.of("opsgenie", "close")), 1)
        self.assertEqual(len(self.inbox.webhooks), hooks, "a webhook was told again")
        root = self.slack.wait_root(lambda r: r["replies"] and "told in other groups" in
                                    r["replies"][-1]["text"])
        self.assertNotIn("RESOLVED", root["text"])
        self.assertFalse(root["replies"][-1]["broadcast"])
        self.assertEqual(len(self.slack.roots), 1, "the channel was told again")
        self.end(belfry)

    def test_what_was_acknowledged_is_not_opened_again_by_a_split(self):
        belfry = self.start(escalate=[{"to": "boss", "not_acknowledged": "1h"}])
        self.fire(belfry)
        self.ack(belfry)
        self.reload(belfry, group_by=("alertname", "service"),
                    escalate=[{"to": "boss", "not_acknowledged": "1s"}])
        self.assertEqual(len(self.acks(belfry)), 2)
        self.paging.wait(lambda p: not p.open["pagerduty"] and not p.open["opsgenie"])
        self.end(belfry)
        self.assertEqual(len(set(self.paging.of("pagerduty", "trigger"))), 1)
        self.assertEqual(self.boss_paging.events, [], "escalated although acknowledged")

    def test_a_start_with_another_file_does_the_same(self):
        belfry = self.start()
        self.fire(belfry)
        old, hooks = self.open_keys(), len(self.inbox.webhooks)
        belfry.kill9()
        belfry.write_config(self.config(group_by=("alertname", "service")))
        belfry.start()
        self.wait_other(old, 2)
        self.told(belfry)
        self.assertEqual(len(self.inbox.webhooks), hooks, "a webhook was told again")
        self.end(belfry)

    def test_groups_that_are_joined_leave_nothing_open(self):
        belfry = self.start(group_by=("alertname", "service"))
        self.fire(belfry, 2)
        self.reload(belfry)
        self.paging.wait(lambda p: len(p.open["pagerduty"]) == len(p.open["opsgenie"]) == 1)
        self.end(belfry)

    def test_whom_an_escalation_told_is_closed_and_opened_too(self):
        belfry = self.start(escalate=[{"to": "boss", "not_acknowledged": "1s"}])
        self.fire(belfry)
        self.boss_paging.wait(lambda p: len(p.open["pagerduty"]) == 1)
        self.told(belfry)
        old = self.boss_paging.of("pagerduty")[0]
        self.reload(belfry, group_by=("alertname", "service"),
                    escalate=[{"to": "boss", "not_acknowledged": "1s"}])
        self.boss_paging.wait(lambda p: len(p.open["pagerduty"] - {old}) == 2)
        self.boss_paging.wait(lambda p: old not in p.open["pagerduty"])
        self.end(belfry)
        self.assertEqual(self.boss_paging.open["pagerduty"], set())

    # -- receivers -------------------------------------------------------------------------

    def test_a_receiver_that_is_removed_is_told_to_the_log(self):
        belfry = self.start()
        self.fire(belfry)
        self.reload(belfry, pager=False)
        self.assertIn("close it there", belfry.log_text())
        self.assertEqual(belfry.metric("belfry_notify_dropped_total", reason="receiver_gone"), 4)
        for service in self.broken:
            self.broken[service] = 0.0
        self.slack.wait_root(lambda r: "RESOLVED" in r["text"])

    def test_another_receiver_of_the_same_kind_has_a_thread_of_its_own(self):
        other = self.enterContext(SlackApi())
        self.broken = {"a": 1.0}
        belfry = self.start(pager=False)
        self.slack.wait_root(lambda r: "FIRING" in r["text"])
        self.told(belfry)
        config = self.config(pager=False)
        config["route"]["routes"][0]["receiver"] = "team"
        config["receivers"].append({"name": "team", "slack_configs": [
            {"app_token": other.token, "app_url": other.url, "channel": "#ops"}]})
        belfry.write_config(config)
        self.assertEqual(belfry.reload().status, 200)
        other.wait_root(lambda r: "FIRING" in r["text"])
        self.broken["a"] = 0.0
        for slack in (self.slack, other):
            slack.wait_root(lambda r: "RESOLVED" in r["text"])
            self.assertEqual(len(slack.roots), 1)


if __name__ == "__main__":
    sys.exit(runner.main())
