#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What hostile or broken alerts, receivers and configurations did once, and must not do again."""

import json
import pathlib
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.fault_server import HttpFault, hang, reply
from lib.inbox import Inbox
from lib.net import wait_until
from lib.page import Page

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
                inbox.wait_for(lambda m: m.channel == "webhook")
                self.assertEqual([a for a in silent.attempts if "end" in a], [], "all hang still")

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


class LongNames(unittest.TestCase):
    def test_a_ring_of_fallbacks_ends_and_links_are_whole(self):
        """Texts over 200 bytes, where what is meant for the log is cut."""
        path = "/" + "p" * 250
        names = [c * 210 for c in "abc"]
        with HttpFault(lambda n, t: reply(404)) as bad, Inbox() as inbox:
            receivers = [{"name": name, "fallback": names[(i + 1) % 3],
                          "webhook_configs": [{"url": bad.url()}]} for i, name in enumerate(names)]
            receivers.append({"name": "ops", "slack_configs": [{"api_url": inbox.slack_url()}]})
            config = {"global": FAST, "web": {"external_url": "http://belfry.test" + path},
                      "receivers": receivers, "route": route("ops", routes=[
                          {"receiver": names[0], "continue": True}, {"receiver": "ops"}])}
            with Belfry(config, rules={"r.yml": ALWAYS}) as belfry:
                slack = inbox.wait_for(lambda m: m.channel == "slack")
                wait_until(lambda: belfry.metric("belfry_notify_failed_total", reason="refused") >= 3,
                           15, "three refusals")
                wait_until(lambda: belfry.metric("belfry_notify_outbox_rows") == 0, 15, "the end")
            self.assertEqual(len(bad.attempts), 3)
            self.assertRegex(slack.raw.decode(), f'"http://belfry.test{path}/l/[0-9a-f]+[?]do=ack"')


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


SAMPLED = """
groups:
- name: sampled
  interval: 1s
  rules:
  - alert: Scraped
    expr: page_metric == 1
  - alert: Counted
    expr: rate(hits_total[10s]) >= 0
  - alert: Quiet
    expr: page_metric == 1
"""
HOUR = 3600000


class Clocks(unittest.TestCase):
    """Alerts that rest on samples, which a jump of the clock leaves behind."""

    def setUp(self):
        self.inbox = self.enterContext(Inbox())
        self.page = self.enterContext(Page())
        self.page.text = "page_metric 1\n"
        self.start = int(time.time() * 1000)
        config = {"global": {**FAST, "scrape_interval": "1s", "scrape_timeout": "1s"},
                  "statsd": {"flush_interval": "1s"}, "route": route(),
                  "scrape_configs": [{"job_name": "j", "static_configs": [
                      {"targets": [f"127.0.0.1:{self.page.port}"]}]}],
                  "receivers": [
                      {"name": "ops", "webhook_configs": [{"url": self.inbox.webhook_url()}]}]}
        self.belfry = self.enterContext(Belfry(config, rules={"r.yml": SAMPLED}, env={
            "BELFRY_TEST": "1", "BELFRY_CLOCK": str(self.start)}))
        silence = {"matchers": [{"name": "alertname", "value": "Quiet", "isRegex": False}],
                   "startsAt": self.iso(-1000), "endsAt": self.iso(48 * HOUR),
                   "createdBy": "a", "comment": "c"}
        answer = self.belfry.post("/api/v2/silences", json.dumps(silence), headers=JSON)
        self.assertEqual(answer.status, 200, answer)
        self.wait_firing("first")

    def iso(self, ms):
        at = time.gmtime((self.start + ms) // 1000)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", at)

    def wait_firing(self, why):
        def firing():
            self.belfry.statsd("hits:1|c")
            return {a["labels"]["alertname"] for a in self.belfry.alerts(
                ) if a["state"] == "firing"} == {"Scraped", "Counted", "Quiet"}
        wait_until(firing, 15, why)

    def told(self):
        return sorted((m.state, m.payload["alerts"][0]["labels"]["alertname"])
                      for m in self.inbox.webhooks)

    def go_on(self, seconds=5):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.belfry.statsd("hits:1|c")
            time.sleep(0.2)

    def jump(self, ms):
        now = json.loads(self.belfry.get("/api/belfry/v1/debug/clock").body)["data"]["unix_ms"]
        answer = self.belfry.post(f"/api/belfry/v1/debug/clock?unix_ms={now + ms}")
        self.assertEqual(answer.status, 200)
        self.go_on()

    def test_jumps_neither_end_alerts_nor_shut_samples_out_nor_lift_silences(self):
        first = [("FIRING", "Counted"), ("FIRING", "Scraped")]
        wait_until(lambda: self.told() == first, 10, "the first messages")
        for hours in (1, -1, -24, 24, 24, -24):
            self.jump(hours * HOUR)
            self.assertEqual(self.told(), first, f"after {hours} h")
            self.belfry.wait_query("timestamp(page_metric) > time() - 3", timeout=10)
            self.belfry.wait_query("rate(hits_total[10s])", timeout=10)
            silence = json.loads(self.belfry.get("/api/v2/silences").body)[0]
            self.assertEqual(silence["status"]["state"], "active", f"after {hours} h")
        self.assertEqual(self.belfry.metric("belfry_storage_dropped_total", reason="too_old"), 0)

    def test_a_clock_that_is_behind_after_a_restart_lifts_no_silence(self):
        self.belfry.kill9()
        self.belfry.env["BELFRY_CLOCK"] = str(self.start - 2 * HOUR)
        self.belfry.restart()
        self.go_on()
        self.assertNotIn(("FIRING", "Quiet"), self.told())
        self.assertNotIn("RESOLVED", {state for state, _ in self.told()})


if __name__ == "__main__":
    sys.exit(runner.main())
