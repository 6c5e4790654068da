#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Slack by bot token, the real daemon against the Web API's manners: one message an incident, kept up
to date, its changes in its thread, its graph beside it; nothing lost to what Slack answers."""

import pathlib
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import wait_until
from lib.slack_api import SlackApi

RULES = """
groups:
  - name: pools
    interval: 1s
    rules:
      - alert: PoolFull
        expr: pool_use_ratio > 0.9
        labels: {severity: critical}
        annotations:
          summary: "Pool {{ $labels.pool }} at {{ $value | humanizePercentage }}"
          runbook_url: https://runbooks.example.com/pool
"""


def config(slack, **more):
    return {
        "web": {"external_url": "https://belfry.example.com/"},
        "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s",
                  "group_interval": "1s", "repeat_interval": "1h"},
        "receivers": [{"name": "ops", "slack_configs": [
            {"app_token": slack.token, "app_url": slack.url, "channel": "#ops",
             "mention": "@here", **more}]}],
    }


class SlackBot(unittest.TestCase):
    def setUp(self):
        self.slack = self.enterContext(SlackApi())

    def start(self, **more):
        return self.enterContext(Belfry(config(self.slack, **more), rules={"r.yml": RULES}))

    @staticmethod
    def push(belfry, value, pool="orders"):
        belfry.write([({"__name__": "pool_use_ratio", "pool": pool, "service": "shop"},
                       [(int(time.time() * 1000), value)])])

    def test_one_message_lives_as_long_as_its_incident(self):
        belfry = self.start()
        self.push(belfry, 0.97)
        root = self.slack.wait_root(lambda r: "FIRING" in r["text"])
        self.assertTrue(root["text"].startswith("<!here> "))
        self.assertEqual(root["attachments"][0]["color"], "#D32F2F")
        self.assertEqual(root["metadata"]["event_type"], "belfry_message")
        self.push(belfry, 0.95, "stock")
        self.slack.wait_root(lambda r: r["edits"] == 1 and len(r["replies"]) == 1)
        self.assertIn("2 firing now", root["replies"][0]["text"])
        self.assertTrue(root["replies"][0]["broadcast"])
        self.assertNotIn("<!here>", root["text"])
        self.push(belfry, 0.2)
        self.push(belfry, 0.2, "stock")
        self.slack.wait_root(lambda r: "RESOLVED" in r["text"] and "resolved" in
                             r["replies"][-1]["text"])
        self.assertEqual(root["attachments"][0]["color"], "#2E7D32")
        self.assertEqual(len(self.slack.roots), 1)
        self.assertEqual(self.slack.wrong, [])
        self.assertNotIn(self.slack.token, belfry.log_text())

    def course(self, belfry):
        """Ten minutes of a pool that fills up."""
        now = int(time.time() * 1000)
        belfry.write([({"__name__": "pool_use_ratio", "pool": "orders", "service": "shop"},
                       [(now - s * 1000, 0.3 + (600 - s) / 1000) for s in range(600, 10, -15)])])

    def test_the_graph_comes_into_the_thread_and_the_course_into_the_text(self):
        belfry = self.start()
        self.course(belfry)
        self.push(belfry, 0.97)
        root = self.slack.wait_root(lambda r: r["files"], 20)
        title, picture = root["files"][0]
        self.assertEqual(title, "PoolFull · shop")
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        self.assertRegex(str(root["attachments"]), "[▁▂▃▄▅▆▇█]{6,}")
        self.assertEqual(self.slack.wrong, [])

    def test_an_upload_that_is_not_allowed_costs_the_picture_only(self):
        belfry = self.start()
        self.slack.fail("files.getUploadURLExternal", "missing_scope")
        self.course(belfry)
        self.push(belfry, 0.97)
        self.slack.wait_root(lambda r: "FIRING" in r["text"])
        self.push(belfry, 0.2)
        root = self.slack.wait_root(lambda r: "RESOLVED" in r["text"] and r["replies"], 20)
        self.assertEqual(root["files"], [])
        self.assertNotIn("given up", belfry.log_text())

    def test_a_root_that_was_deleted_is_posted_anew(self):
        belfry = self.start()
        self.push(belfry, 0.97)
        self.slack.wait_root(lambda r: "FIRING" in r["text"])
        self.slack.delete_roots()
        self.push(belfry, 0.2)
        root = self.slack.wait_root(lambda r: "RESOLVED" in r["text"])
        self.assertEqual((root["edits"], root["replies"]), (0, []))

    def test_limits_and_outages_lose_nothing(self):
        belfry = self.start()
        self.slack.fail("chat.postMessage", 429, times=1, retry_after=1)
        self.push(belfry, 0.97)
        self.slack.wait_root(lambda r: "FIRING" in r["text"])
        self.slack.fail("chat.update", "internal_error", times=1)
        self.slack.fail("chat.postMessage", 503, times=1)
        self.push(belfry, 0.2)
        root = self.slack.wait_root(lambda r: "RESOLVED" in r["text"] and r["replies"], 20)
        self.assertEqual(root["edits"], 1)
        self.assertEqual(len(root["replies"]), 1)
        self.assertEqual(len(self.slack.roots), 1)

    def test_a_message_slack_refuses_goes_in_a_plainer_form(self):
        belfry = self.start()
        self.slack.fail("chat.postMessage", "msg_blocks_too_long", times=2)
        self.push(belfry, 0.97)
        root = self.slack.wait_root(lambda r: "FIRING" in r["text"], 20)
        self.assertNotIn("attachments", root)
        self.assertIn("Runbook", root["text"])

    def test_a_restart_goes_on_in_the_same_thread(self):
        belfry = self.start()
        self.push(belfry, 0.97)
        root = self.slack.wait_root(lambda r: "FIRING" in r["text"])
        wait_until(lambda: "msg=\"delivered\"" in belfry.log_text()
                   or "msg=delivered" in belfry.log_text(), 10, "the delivery's record")
        belfry.stop()
        belfry.restart()
        self.push(belfry, 0.2)
        self.slack.wait_root(lambda r: "RESOLVED" in r["text"] and r["replies"], 20)
        self.assertEqual(self.slack.roots, [root])

    def test_a_token_that_was_revoked_is_told_at_once(self):
        belfry = self.start()
        self.slack.fail("chat.postMessage", "token_revoked")
        self.push(belfry, 0.97)
        wait_until(lambda: "given up" in belfry.log_text(), 15, "the end of it")
        self.assertEqual(self.slack.methods(), ["chat.postMessage"])
        self.assertIn("token_revoked", belfry.log_text())


if __name__ == "__main__":
    sys.exit(runner.main())
