#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments, seen from those who are told: nothing lost, nothing twice for nothing.

All the time: alerts that toggle (Slack and mail), one that always fires, alerts that are inhibited
and must never page. Before each kill, less than a second earlier: a silence for an alert that then
begins to fire, and an acknowledgement of one that is repeated every few seconds.
KILLS says how often (3; the full experiment is 500, about 25 minutes).
"""

import collections
import json
import os
import pathlib
import random
import sys
import threading
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.inbox import Inbox
from lib.load import WriteLoad
from lib.net import wait_until

KILLS = int(os.environ.get("KILLS", "3"))
TOGGLES = 3
HOLD_S = 7.0  # a toggle stays up, and down, so long: several evaluations whatever dies
REPEAT_S = 3

RULES = """
groups:
  - name: kills
    interval: 1s
    rules:
      - alert: Toggled
        expr: toggle == 1
      - alert: Steady
        expr: steady == 1
      - alert: Down
        expr: down == 1
      - alert: Symptom
        expr: symptom == 1
      - alert: Held
        expr: held == 1
      - alert: Taken
        expr: taken == 1
"""


class World:
    """The series, as functions of time; thread-safe: written by a thread, changed by the test."""

    def __init__(self):
        self.start = time.time()
        self.lock = threading.Lock()
        self.ups = collections.Counter()
        self.downs = collections.Counter()
        self.state = {}
        self.ending = False
        self.held = []    # n of alerts that fire although silenced
        self.taken = []   # n of alerts that fire and are acknowledged
        self.symptoms = [0]

    def toggle(self, n, now):
        phase = (now - self.start - 1 - n * HOLD_S / TOGGLES) / HOLD_S
        up = phase > 0 and int(phase) % 2 == 0 and not self.ending
        if up and not self.state.get(n):
            self.ups[n] += 1
        if not up and self.state.get(n):
            self.downs[n] += 1
        self.state[n] = up
        return 1.0 if up else 0.0

    def series(self, t_ms):
        def one(name, value=1.0, **labels):
            return ({"__name__": name, **labels}, [(t_ms, value)])

        with self.lock:
            return ([one("toggle", self.toggle(n, time.time()), n=str(n)) for n in range(TOGGLES)]
                    + [one("steady"), one("down", site="a")]
                    + [one("symptom", site="a", n=str(n)) for n in self.symptoms]
                    + [one("held", n=str(n)) for n in self.held]
                    + [one("taken", n=str(n)) for n in self.taken])


class DeliveryKill9(unittest.TestCase):
    def test_everybody_is_told_once_and_nobody_who_must_not_be(self):
        rng = random.Random()
        seed = rng.randrange(1 << 30)
        print(f"seed {seed}, {KILLS} kills")
        rng.seed(seed)
        inbox = self.enterContext(Inbox())
        belfry = self.enterContext(Belfry(self.config(inbox), rules={"r.yml": RULES}))
        world = World()
        kills, acked = [], {}
        with WriteLoad(belfry.url("/api/v1/write"), world.series) as writes:
            inbox.wait_for(lambda m: m.channel == "slack" and "Steady" in m.text, 20)
            for k in range(KILLS):
                self.one_kill(belfry, inbox, world, rng, k, kills, acked)
            time.sleep(2 * HOLD_S)
            world.ending = True
            time.sleep(3)
        wait_until(lambda: belfry.metric("belfry_notify_outbox_rows") == 0, 60, "an empty outbox")
        time.sleep(3)
        self.assertEqual(writes.refused, [])
        self.check_toggles(inbox, world)
        self.check_quiet(inbox, acked)
        self.check_ids(inbox, kills, belfry.log_text())
        print(f"{len(inbox.messages)} messages, {len(kills)} kills")

    def one_kill(self, belfry, inbox, world, rng, k, kills, acked):
        with world.lock:
            world.taken.append(k)
            world.symptoms.append(k + 1)
        first = inbox.wait_for(lambda m: m.channel == "webhook" and self.is_taken(m, k), 30)
        time.sleep(rng.uniform(0, 0.5))
        began = time.time()
        self.silence(belfry, k)
        answer = belfry.post("/api/belfry/v1/acks", json.dumps({
            "group": first.payload["groupKey"], "who": "test", "note": f"kill {k}"}).encode(),
            headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer.text)
        acked[k] = time.time()
        self.moment(inbox, rng, began + 0.9)
        belfry.kill9()
        kills.append(time.time())
        with world.lock:
            world.held.append(k)
        belfry.start(wait=False)
        belfry.wait_ready(20)

    @staticmethod
    def moment(inbox, rng, latest):
        """When to kill: at once, somewhen, or right when a message came in."""
        how, seen = rng.random(), len(inbox.attempts)
        until = latest if how > 0.6 else rng.uniform(time.time(), max(latest, time.time()))
        while how > 0.2 and time.time() < until:
            if how > 0.6 and len(inbox.attempts) > seen:
                return
            time.sleep(0.001)

    @staticmethod
    def is_taken(msg, k):
        return any(a["labels"].get("alertname") == "Taken" and a["labels"].get("n") == str(k)
                   for a in msg.payload.get("alerts", []))

    def silence(self, belfry, k):
        body = {"matchers": [{"name": "alertname", "value": "Held", "isRegex": False},
                             {"name": "n", "value": str(k), "isRegex": False}],
                "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400)),
                "createdBy": "test", "comment": f"kill {k}"}
        answer = belfry.post("/api/v2/silences", json.dumps(body).encode(),
                             headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer.text)

    @staticmethod
    def config(inbox):
        def route(name, receiver, **more):
            return {"matchers": [f'alertname="{name}"'], "receiver": receiver, **more}

        return {
            "global": {"evaluation_interval": "1s", "smtp_smarthost": inbox.smarthost,
                       "smtp_from": "belfry@x.test", "smtp_require_tls": False},
            "route": {"receiver": "ops", "group_by": ["alertname", "n"], "group_wait": "0s",
                      "group_interval": "1s", "repeat_interval": "100h",
                      "routes": [route("Taken", "hook", repeat_interval=f"{REPEAT_S}s"),
                                 route("Held", "hook"), route("Down", "hook"),
                                 route("Symptom", "hook", group_wait="2s")]},
            "inhibit_rules": [{"source_matchers": ['alertname="Down"'],
                               "target_matchers": ['alertname="Symptom"'], "equal": ["site"]}],
            "receivers": [
                {"name": "ops", "slack_configs": [{"api_url": inbox.slack_url("ops")}],
                 "email_configs": [{"to": "ops@x.test"}]},
                {"name": "hook", "webhook_configs": [{"url": inbox.webhook_url("hook")}]}],
        }

    def check_ids(self, inbox, kills, log):
        """A message that came again came after a crash, once for each, as it was."""
        by_id, repeats, wrong = collections.defaultdict(list), 0, []
        for msg in inbox.messages:
            key = msg.headers.get("X-Belfry-Id")
            self.assertIsNotNone(key)
            by_id[msg.channel, key].append(msg)
        for key, same in by_id.items():
            repeats += len(same) - 1
            if key[0] == "mail":
                self.assertEqual(len({m.payload["Message-ID"] for m in same}), 1, key)
            # the first may have been read a moment after its sender was dead
            for one, other in zip(same, same[1:]):
                if not any(one.time - 1.0 <= t <= other.time for t in kills):
                    wrong.append((key, [m.time for m in same], [t for t in kills if abs(
                        t - one.time) < 10], [ln for ln in log.splitlines() if key[1] in ln]))
        print(f"{len(by_id)} ids, {repeats} came again after a crash")
        self.assertEqual(wrong, [], "came twice without a crash in between")

    def check_toggles(self, inbox, world):
        for channel in ("slack", "mail"):
            told = collections.Counter()
            for msg in {m.headers["X-Belfry-Id"]: m for m in inbox.messages
                        if m.channel == channel}.values():
                name = msg.alert(["Toggled", "Steady"])
                told[name, msg.state] += 1
            print(channel, dict(told))
            self.assertEqual(told["Toggled", "FIRING"], sum(world.ups.values()), channel)
            self.assertEqual(told["Toggled", "RESOLVED"], sum(world.downs.values()), channel)
            self.assertEqual(told["Steady", "FIRING"], 1, channel)
            self.assertEqual(told["Steady", "RESOLVED"], 0, "a false resolve")

    def check_quiet(self, inbox, acked):
        late = collections.Counter()
        for msg in inbox.webhooks:
            for alert in msg.payload["alerts"]:
                name, n = alert["labels"]["alertname"], alert["labels"].get("n")
                self.assertNotEqual(name, "Symptom", f"an inhibited alert paged: {msg.text}")
                self.assertNotEqual(name, "Held", f"a silenced alert paged: {msg.text}")
                self.assertEqual(alert["status"], "firing", f"a false resolve: {msg.text}")
                if name == "Taken" and msg.time > acked[int(n)] + 2.5:
                    late[n] += 1
        self.assertEqual(dict(late), {}, "repeated although acknowledged")


if __name__ == "__main__":
    sys.exit(runner.main())
