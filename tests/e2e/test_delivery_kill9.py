#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments, seen from those who are told: nothing lost, nothing twice for nothing.

All the time: alerts that toggle (Slack and mail), one that always fires, alerts that are inhibited
and must never page. Before each kill, less than a second earlier: a silence for an alert that then
begins to fire, and an acknowledgement of one that is repeated every few seconds.
KILLS says how often (3; the full experiment is 500, about 25 minutes).

No clock decides. Each start of the daemon is a life of its own: its number stands in the URLs and
in the name said to the mail server, so a message says which life sent it, whenever the inbox reads
it. After each death the dead state.db says which messages were not confirmed, and the ids told by
then. A message may come again only in a later life, and only while each life before, which sent it,
died without having confirmed it.
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import sys
import tempfile
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
from lib.toggles import Toggles

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
        annotations: {summary: "%s"}
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
""" % Toggles.SUMMARY


class World:
    """The series, as functions of time; thread-safe: written by a thread, changed by the test."""

    def __init__(self, inbox):
        self.lock = threading.Lock()
        self.toggles = Toggles(inbox, TOGGLES, HOLD_S)
        self.held = []    # n of alerts that fire although silenced
        self.taken = []   # n of alerts that fire and are acknowledged
        self.symptoms = [0]

    def series(self, t_ms):
        def one(name, value=1.0, **labels):
            return ({"__name__": name, **labels}, [(t_ms, value)])

        with self.lock:
            return ([one("toggle", self.toggles.value(n), n=str(n)) for n in range(TOGGLES)]
                    + [one("steady"), one("down", site="a")]
                    + [one("symptom", site="a", n=str(n)) for n in self.symptoms]
                    + [one("held", n=str(n)) for n in self.held]
                    + [one("taken", n=str(n)) for n in self.taken])


class Dead:
    """What the state.db of a life that was killed says: read from a copy, so that what the next
    life finds is what the kill left."""

    def __init__(self, belfry):
        with tempfile.TemporaryDirectory(prefix="belfry-dead.") as folder:
            for path in belfry.data_dir.glob("state.db*"):
                if not path.name.endswith("-shm"):
                    shutil.copy(path, folder)
            with contextlib.closing(sqlite3.connect(f"{folder}/state.db")) as db:
                rows = db.execute("SELECT message_id FROM outbox WHERE parked=0").fetchall()
        self.unconfirmed = {row[0] for row in rows}


def newest_id(belfry):
    """The number of the newest message that was committed; opened so that nothing is written."""
    uri = f"file:{belfry.data_dir}/state.db?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10)) as db:
        return int(db.execute("SELECT value FROM notify_meta WHERE key='seq'").fetchone()[0])


def number_of(msg):
    return int(msg.headers["X-Belfry-Id"].rsplit("-", 1)[-1])


class DeliveryKill9(unittest.TestCase):
    def test_everybody_is_told_once_and_nobody_who_must_not_be(self):
        rng = random.Random()
        seed = rng.randrange(1 << 30)
        print(f"seed {seed}, {KILLS} kills")
        rng.seed(seed)
        inbox = self.enterContext(Inbox())
        belfry = self.enterContext(Belfry(self.config(inbox, 0), rules={"r.yml": RULES}))
        world = World(inbox)
        deaths, acked = [], {}
        with WriteLoad(belfry.url("/api/v1/write"), world.series) as writes:
            inbox.wait_for(lambda m: m.channel == "slack" and "Steady" in m.text, 20)
            for k in range(KILLS):
                self.one_kill(belfry, inbox, world, rng, k, deaths, acked)
            wait_until(lambda: len(world.toggles.ups) == TOGGLES, what="all toggles")
            world.toggles.ending = True
            wait_until(world.toggles.ended, what="the ends")
        wait_until(lambda: belfry.metric("belfry_notify_outbox_rows") == 0, 60, "an empty outbox")
        time.sleep(3)  # whatever would come for nothing comes now
        self.assertEqual(writes.refused, [])
        self.check_toggles(inbox, world)
        self.check_quiet(inbox, acked)
        self.check_ids(inbox, belfry, deaths)
        print(f"{len(inbox.messages)} messages, {len(deaths)} kills")

    def one_kill(self, belfry, inbox, world, rng, k, deaths, acked):
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
        acked[k] = newest_id(belfry)
        self.moment(inbox, rng, began + 0.9)
        belfry.kill9()
        deaths.append(Dead(belfry))
        with world.lock:
            world.held.append(k)
        belfry.write_config(self.config(inbox, k + 1))
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
    def config(inbox, life):
        def route(name, receiver, **more):
            return {"matchers": [f'alertname="{name}"'], "receiver": receiver, **more}

        return {
            "global": {"evaluation_interval": "1s", "smtp_smarthost": inbox.smarthost,
                       "smtp_hello": f"life={life}", "smtp_from": "belfry@x.test", "smtp_require_tls": False},
            "route": {"receiver": "ops", "group_by": ["alertname", "n"], "group_wait": "0s",
                      "group_interval": "1s", "repeat_interval": "100h",
                      "routes": [route("Taken", "hook", repeat_interval=f"{REPEAT_S}s"),
                                 route("Held", "hook"), route("Down", "hook"),
                                 route("Symptom", "hook", group_wait="2s")]},
            "inhibit_rules": [{"source_matchers": ['alertname="Down"'],
                               "target_matchers": ['alertname="Symptom"'], "equal": ["site"]}],
            "receivers": [
                {"name": "ops", "slack_configs": [{"api_url": inbox.slack_url("ops") + f"?life={life}"}],
                 "email_configs": [{"to": "ops@x.test"}]},
                {"name": "hook", "webhook_configs": [
                    {"url": inbox.webhook_url("hook") + f"?life={life}"}]}],
        }

    def check_ids(self, inbox, belfry, deaths):
        """A message came again only because a life that sent it died before that was committed."""
        by_id, counts, wrong = collections.defaultdict(list), collections.Counter(), []
        for msg in inbox.messages:
            by_id[msg.channel, msg.headers["X-Belfry-Id"]].append(msg)
        for (channel, key), same in by_id.items():
            lives = [int(m.origin.removeprefix("life=")) for m in same]
            if channel == "mail":
                self.assertEqual(len({m.payload["Message-ID"] for m in same}), 1, key)
            fine = lives == sorted(set(lives)) and all(
                key in deaths[life].unconfirmed for life in lives[:-1])
            if not fine:
                wrong.append((channel, key, lives, [(m.time, m.replied) for m in same],
                              [ln for ln in belfry.log_text().splitlines() if key in ln]))
            for msg in same[:-1]:
                counts["answered" if msg.replied else "sender gone before the answer"] += 1
        self.assertEqual(wrong, [], "came twice without a crash before its confirmation")
        self.check_none_lost({key for _, key in by_id}, belfry, deaths)
        self.assertLessEqual(max(map(len, by_id.values())), 1 + len(deaths))
        print(f"{len(by_id)} ids; {sum(counts.values())} came again after a crash: {dict(counts)}; "
              f"{sum(len(d.unconfirmed) for d in deaths)} unconfirmed at a kill, "
              f"{sum(1 for d in deaths if d.unconfirmed)} kills with such")

    def check_none_lost(self, came, belfry, deaths):
        """Whatever waited at a kill came, or a newer message was told in its place."""
        belfry.stop()
        with contextlib.closing(sqlite3.connect(belfry.data_dir / "state.db")) as db:
            replaced = {row[0] for row in db.execute(
                "SELECT message_id FROM notify_history WHERE outcome='replaced'")}
        waited = set().union(*(d.unconfirmed for d in deaths))
        self.assertEqual(waited - came - replaced, set(), "waited at a kill, and never came")

    def check_toggles(self, inbox, world):
        for channel in ("slack", "mail"):
            told = collections.Counter()
            for msg in {m.headers["X-Belfry-Id"]: m for m in inbox.messages
                        if m.channel == channel}.values():
                name = msg.alert(["Toggled", "Steady"])
                told[name, msg.state] += 1
            print(channel, dict(told))
            self.assertEqual(told["Toggled", "FIRING"], sum(world.toggles.ups.values()), channel)
            self.assertEqual(told["Toggled", "RESOLVED"], sum(world.toggles.downs.values()), channel)
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
                if name == "Taken" and number_of(msg) > acked.get(int(n), number_of(msg)):
                    late[n] += 1
        self.assertEqual(dict(late), {}, "repeated although acknowledged")


if __name__ == "__main__":
    sys.exit(runner.main())
