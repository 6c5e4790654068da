#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Death at each named point of the alert path: after the restart everybody was told everything,
and a message came twice at most once for each crash, with the same id.

Each point at its first pass, and at later ones while alerts end, messages go to a fallback and
incidents are escalated. PASSES says how many passes of each point are tried there (4).
"""

import collections
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
from lib.fault_server import HttpFault, reply
from lib.inbox import Inbox
from lib.net import happens_within, wait_until

POINTS = ("journal.committed", "eval.done", "eval.committed", "state.committed", "outbox.claimed",
          "send.accepted", "outbox.confirmed")
PASSES = int(os.environ.get("PASSES", "4"))
RULES = """
groups:
- name: crash
  interval: 1s
  rules:
  - alert: Crashing
    expr: vector(1)
"""
ENDED = RULES.replace("vector(1)", "vector(1) > 2")


def died(belfry, what):
    wait_until(lambda: belfry.process.poll() is not None, what=f"death at {what}")
    belfry.process = None
    belfry.env = {}


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

    def firing(self, point):
        with Inbox() as inbox:
            belfry = Belfry(self.config(inbox), rules={"r.yml": RULES},
                            env={"BELFRY_TEST": "1", "BELFRY_CRASH_AT": point}, wait=False)
            with belfry:
                died(belfry, point)
                belfry.restart()
                self.check(inbox, "FIRING")
                self.assertEqual([m for m in inbox.messages if m.state == "RESOLVED"], [])
                belfry.write_rules("r.yml", ENDED)
                self.assertEqual(belfry.reload().status, 200)
                self.check(inbox, "RESOLVED")

    def resolving(self, point):
        """The same while the alert's end is told: it was told that it fires."""
        with Inbox() as inbox, Belfry(self.config(inbox), rules={"r.yml": RULES}) as belfry:
            self.check(inbox, "FIRING")
            belfry.kill9()
            belfry.write_rules("r.yml", ENDED)
            belfry.env = {"BELFRY_TEST": "1", "BELFRY_CRASH_AT": point}
            belfry.start(wait=False)
            died(belfry, point)
            belfry.restart()
            self.check(inbox, "RESOLVED")
            self.assertEqual(len([m for m in inbox.slack_messages if m.state == "FIRING"]), 1)


class Failing(unittest.TestCase):
    """A receiver that refuses, its fallback, an escalation: every pass of the points."""

    @staticmethod
    def config(bad, good, boss):
        def hook(name, srv, **more):
            return {"name": name, "webhook_configs": [{"url": srv.url()}], **more}

        return {"global": {"evaluation_interval": "1s"},
                "route": {"receiver": "bad", "group_by": ["alertname"], "group_wait": "0s",
                          "group_interval": "1s", "repeat_interval": "1h"},
                "receivers": [
                    hook("bad", bad, fallback="good",
                         escalate=[{"to": "boss", "not_acknowledged": "3s"}]),
                    hook("good", good), hook("boss", boss)]}

    def told(self, srv, crashes):
        """The statuses told, each by one id, repeated only by the crash."""
        ids = collections.Counter()
        state = {}
        for a in srv.attempts:
            ids[a["id"]] += 1
            state[a["id"]] = json.loads(a["body"])["status"]
        self.assertLessEqual(max(ids.values(), default=1), 1 + crashes, ids)
        return sorted(state.values())

    def one(self, point):
        with HttpFault(lambda n, t: reply(404, "no_service")) as bad, \
                HttpFault(lambda n, t: reply(200)) as good, \
                HttpFault(lambda n, t: reply(200)) as boss:
            belfry = Belfry(self.config(bad, good, boss), rules={"r.yml": RULES},
                            env={"BELFRY_TEST": "1", "BELFRY_CRASH_AT": point}, wait=False)
            with belfry:
                if not happens_within(lambda: belfry.process.poll() is not None, 8):
                    belfry.kill9()  # so often it is not passed: a death like any other
                belfry.process, belfry.env = None, {}
                belfry.restart()
                wait_until(lambda: good.attempts and boss.attempts, 15, "fallback and escalation")
                belfry.write_rules("r.yml", ENDED)
                self.assertEqual(belfry.reload().status, 200)
                wait_until(lambda: len(self.told(good, 1)) >= 2 and len(self.told(boss, 1)) >= 2,
                           15, "the end")
                time.sleep(1.5)
                for srv in (bad, good, boss):
                    self.assertEqual(self.told(srv, 1), ["firing", "resolved"], point)
                self.assertIn("escalated from bad: not acknowledged for",
                              json.loads(boss.attempts[0]["body"])["note"])
                self.assertIn("first tried: bad/webhook",
                              json.loads(good.attempts[0]["body"])["note"])


def _make(method, *args):
    return lambda self: getattr(self, method)(*args)


for _point in POINTS:
    _name = _point.replace(".", "_")
    setattr(CrashPoints, f"test_firing_{_name}", _make("firing", _point))
    if _point != "journal.committed":  # that one is passed by ALERTS samples, later than the end
        setattr(CrashPoints, f"test_resolving_{_name}", _make("resolving", _point))
    if _point in ("state.committed", "send.accepted", "outbox.confirmed", "outbox.claimed"):
        for _n in range(1, PASSES + 1):
            setattr(Failing, f"test_{_name}_{_n}", _make("one", f"{_point}:{_n}"))


if __name__ == "__main__":
    sys.exit(runner.main())
