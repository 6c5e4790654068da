#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Death at each named point of the alert path: after the restart everybody was told everything,
and at most one message came twice, with the same id."""

import collections
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

POINTS = ("journal.committed", "state.committed", "outbox.claimed", "send.accepted",
          "outbox.confirmed", "eval.done")
RULES = """
groups:
- name: crash
  interval: 1s
  rules:
  - alert: Crashing
    expr: vector(1)
"""
ENDED = RULES.replace("vector(1)", "vector(1) > 2")


class CrashPoints(unittest.TestCase):
    def config(self, inbox):
        return {
            "global": {"evaluation_interval": "1s", "smtp_smarthost": inbox.smarthost,
                       "smtp_from": "belfry@x.test", "smtp_require_tls": False},
            "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s",
                      "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "ops", "slack_configs": [{"api_url": inbox.slack_url()}],
                           "email_configs": [{"to": "ops@x.test"}]}]}

    def check(self, inbox, state):
        for channel, header in (("slack", "X-Belfry-Id"), ("mail", "Message-ID")):
            inbox.wait_for(lambda m, c=channel: m.channel == c and m.state == state, 20)
        time.sleep(2.2)  # a repeat would come now
        repeats = 0
        for channel, header in (("slack", "X-Belfry-Id"), ("mail", "Message-ID")):
            ids = collections.Counter(m.headers[header] for m in inbox.messages
                                      if m.channel == channel and m.state == state)
            self.assertEqual(len(ids), 1, f"{channel}: one transition has one id: {ids}")
            self.assertLessEqual(max(ids.values()), 2)
            repeats += sum(ids.values()) - len(ids)
        # mail and Slack go out side by side: one crash may hit both rows
        self.assertLessEqual(repeats, 2)

    def one(self, point):
        with Inbox() as inbox:
            belfry = Belfry(self.config(inbox), rules={"r.yml": RULES},
                            env={"BELFRY_TEST": "1", "BELFRY_CRASH_AT": point}, wait=False)
            with belfry:
                wait_until(lambda: belfry.process.poll() is not None, 15, f"death at {point}")
                belfry.process = None
                belfry.env = {}
                belfry.restart()
                self.check(inbox, "FIRING")
                self.assertEqual([m for m in inbox.messages if m.state == "RESOLVED"], [])
                belfry.write_rules("r.yml", ENDED)
                self.assertEqual(belfry.reload().status, 200)
                self.check(inbox, "RESOLVED")


def _make(point):
    return lambda self: self.one(point)


for _point in POINTS:
    setattr(CrashPoints, "test_" + _point.replace(".", "_"), _make(_point))


if __name__ == "__main__":
    sys.exit(runner.main())
