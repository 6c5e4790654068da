#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts handed to Alertmanagers: a real one beside one that hangs and one that is not there."""

import datetime
import json
import pathlib
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.inbox import Inbox
from lib.net import free_port, wait_until
from lib.peers import Alertmanager

RULES = """
groups:
- name: peers
  interval: 1s
  rules:
  - alert: High
    expr: vector(7) > 1
    labels: {severity: critical, team: db}
    annotations: {summary: "it is {{ $value }}"}
  - alert: Dropped
    expr: vector(1)
    labels: {severity: none}
  - alert: Elsewhere
    expr: vector(1)
    labels: {severity: warning, where: elsewhere}
"""
ENDED = RULES.replace("vector(7) > 1", "vector(7) > 100")


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@unittest.skipUnless(Alertmanager.path(), "Alertmanager is not installed")
class Peers(unittest.TestCase):
    def setUp(self):
        self.am = self.enterContext(Alertmanager())
        self.other = self.enterContext(Alertmanager(prefix="/behind/it"))

    def config(self, *more):
        return {
            "global": {"evaluation_interval": "1s", "external_labels": {"cluster": "c1"}},
            "web": {"external_url": "http://belfry.example/"},
            "alerting": {
                "alert_relabel_configs": [
                    {"source_labels": ["severity"], "regex": "none", "action": "drop"}],
                "alertmanagers": [
                    *more,
                    {"static_configs": [{"targets": [self.am.address, "127.0.0.1:9"]}],
                     "relabel_configs": [{"source_labels": ["__address__"], "regex": ".*:9",
                                          "action": "drop"}],
                     "alert_relabel_configs": [
                         {"source_labels": ["where"], "regex": "elsewhere", "action": "drop"}]},
                    {"path_prefix": "behind/it/", "static_configs": [
                        {"targets": [self.other.address]}]}]}}

    def test_a_real_alertmanager_holds_what_fires_and_learns_what_ended(self):
        began = time.time()
        with Belfry(self.config(), rules={"r.yml": RULES}) as belfry:
            alert = wait_until(lambda: self.am.alerts(alertname="High"), 15, "the alert")[0]
            self.assertEqual(alert["labels"], {"alertname": "High", "severity": "critical",
                                               "team": "db", "cluster": "c1"})
            self.assertEqual(alert["annotations"], {"summary": "it is 7"})
            self.assertEqual(alert["generatorURL"],
                             "http://belfry.example/graph?g0.expr=vector%287%29%20%3E%201&g0.tab=1")
            now = time.time()
            self.assertTrue(began - 2 <= when(alert["startsAt"]) <= now + 1, alert)
            self.assertTrue(began + 238 <= when(alert["endsAt"]) <= now + 241, "four resend delays")
            # the other one has what relabelling keeps from the first
            wait_until(lambda: self.other.alerts(alertname="Elsewhere"), 10, "the other's alert")
            self.assertEqual(self.am.alerts(alertname="Elsewhere"), [])
            self.assertEqual(self.am.alerts(alertname="Dropped"), [])
            self.assertEqual(self.other.alerts(alertname="Dropped"), [])
            self.assertGreater(belfry.metric("belfry_peer_dropped_total", reason="relabelled"), 0)

            shown = json.loads(belfry.get("/api/v1/alertmanagers").body)["data"]
            self.assertEqual(shown, {
                "activeAlertmanagers": [
                    {"url": f"http://{self.am.address}/api/v2/alerts"},
                    {"url": f"http://{self.other.address}/behind/it/api/v2/alerts"}],
                "droppedAlertmanagers": [{"url": "http://127.0.0.1:9/api/v2/alerts"}]})

            belfry.write_rules("r.yml", ENDED)
            self.assertEqual(belfry.reload().status, 200)
            wait_until(lambda: not self.am.alerts(alertname="High"), 15, "its end")
            wait_until(lambda: not self.other.alerts(alertname="High"), 15, "its end there too")
            self.assertTrue(self.other.alerts(alertname="Elsewhere"))

    def test_one_that_is_configured_later_is_told_what_fires_and_its_end(self):
        config = self.config()
        alerting = config.pop("alerting")
        with Belfry(config, rules={"r.yml": RULES}) as belfry:
            wait_until(lambda: [a["state"] for a in belfry.alerts()] == ["firing"] * 3, 10,
                       "three firing alerts")
            time.sleep(2.5)  # told to the notifier, and by a later evaluation not again
            belfry.write_config({**config, "alerting": alerting})
            self.assertEqual(belfry.reload().status, 200)
            wait_until(lambda: self.am.alerts(alertname="High"), 10, "the alert")
            belfry.write_rules("r.yml", ENDED)
            self.assertEqual(belfry.reload().status, 200)
            wait_until(lambda: not self.am.alerts(alertname="High"), 10, "its end")
            self.assertTrue(self.other.alerts(alertname="Elsewhere"))

    def test_one_that_hangs_and_one_that_is_gone_delay_nobody(self):
        inbox = self.enterContext(Inbox())
        inbox.hang("webhook")
        hanging = inbox.webhook_url().split("/")[2]
        gone = f"127.0.0.1:{free_port()}"
        bad = {"timeout": "10m", "path_prefix": "/webhook/am",
               "static_configs": [{"targets": [hanging, gone]}]}
        with Belfry(self.config(bad), rules={"r.yml": RULES}) as belfry:
            wait_until(lambda: self.am.alerts(alertname="High"), what="the alert")
            belfry.write_rules("r.yml", ENDED)
            self.assertEqual(belfry.reload().status, 200)
            wait_until(lambda: not self.am.alerts(alertname="High"), what="its end")
            waiting = f"http://{hanging}/webhook/am/api/v2/alerts"
            self.assertEqual(belfry.metric("belfry_peer_errors_total", alertmanager=waiting), 0,
                             "the one that hangs was waited for all the time")
            url = f"http://{gone}/webhook/am/api/v2/alerts"
            wait_until(lambda: belfry.metric("belfry_peer_errors_total", alertmanager=url), 10,
                       "the failure counted")
            self.assertGreater(belfry.metric("belfry_peer_queue_alerts", alertmanager=url), 0)
            own = f"http://{self.am.address}/api/v2/alerts"
            self.assertEqual(belfry.metric("belfry_peer_queue_alerts", alertmanager=own), 0)


if __name__ == "__main__":
    sys.exit(runner.main())
