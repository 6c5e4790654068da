#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packs in a running belfry: thresholds from belfry.yml, reload, alerts that go on, inhibitions that come along."""
import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib import runner  # noqa: E402
from lib.belfry import Belfry  # noqa: E402
from lib.net import wait_until  # noqa: E402

POOL = {"job": "shop", "instance": "a:1", "pool": "orders"}


def config(**settings):
    return {"global": {"evaluation_interval": "1s"},
            "packs": [{"use": "services", "set": {"time_scale": 0.01, **settings}}]}


def rule(b, name):
    return next(r for g in b.api("rules")["groups"] for r in g["rules"] if r["name"] == name)


class PackUse(unittest.TestCase):
    def feed(self, b, up=1):
        now = round(time.time() * 1000)
        series = [({"__name__": "hikaricp_connections_active", **POOL}, 85), ({"__name__": "hikaricp_connections_max", **POOL}, 100),
                  ({"__name__": "up", "job": "shop", "instance": "a:1"}, up)]
        self.assertEqual(b.write([(labels, [(now, v)]) for labels, v in series]).status // 100, 2)

    def wait(self, b, name, up=1):
        def fires():
            self.feed(b, up)
            return [a for a in b.alerts(alertname=name) if a["state"] == "firing"]
        wait_until(fires, 30, name, every=0.3)

    def test_a_reload_moves_a_threshold_and_keeps_the_other_alerts(self):
        with Belfry(config()) as b:
            self.assertIn("> 0.9", rule(b, "ConnectionPoolSaturated")["query"])
            self.wait(b, "AllTargetsDown", up=0)
            since = b.alerts(alertname="AllTargetsDown")[0]["activeAt"]
            self.assertEqual(b.alerts(alertname="ConnectionPoolSaturated"), [])
            b.write_config(config(pool_saturation=0.8))
            self.assertEqual(b.reload().status, 200)
            self.assertIn("> 0.8", rule(b, "ConnectionPoolSaturated")["query"])
            self.wait(b, "ConnectionPoolSaturated", up=0)
            self.assertEqual(b.alerts(alertname="AllTargetsDown")[0]["activeAt"], since)

    def test_a_wrong_setting_is_refused_and_changes_nothing(self):
        with Belfry(config()) as b:
            b.write_config(config(pool_saturaton=0.8))
            res = b.reload()
            self.assertNotEqual(res.status, 200)
            self.assertIn('did you mean "pool_saturation"', res.text)
            self.assertIn("> 0.9", rule(b, "ConnectionPoolSaturated")["query"])

    def test_what_follows_from_another_alert_is_inhibited(self):
        with Belfry(config(pool_saturation=0.8)) as b:
            self.wait(b, "AllTargetsDown", up=0)
            self.wait(b, "ConnectionPoolSaturated", up=0)

            def inhibited():
                self.feed(b, 0)
                found = json.loads(b.get("/api/v2/alerts?filter=alertname%3DConnectionPoolSaturated").body)
                return found and found[0]["status"]["state"] == "suppressed" and found[0]["status"]["inhibitedBy"]
            wait_until(inhibited, 15, "the inhibition")

    def test_a_pack_that_comes_along_may_be_set_apart(self):
        both = {"packs": [{"use": "services", "set": {"time_scale": 0.5}},
                          {"use": "targets", "set": {"time_scale": 0.1}, "disable": ["ScrapeSlow"]}]}
        with Belfry(both) as b:
            self.assertEqual(rule(b, "TargetDown")["duration"], 24)
            self.assertEqual(rule(b, "ErrorRateHigh")["duration"], 150)
            names = [r["name"] for g in b.api("rules")["groups"] for r in g["rules"]]
            self.assertEqual((names.count("TargetDown"), names.count("ScrapeSlow")), (1, 0))


if __name__ == "__main__":
    sys.exit(runner.main())
