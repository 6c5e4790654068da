#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""belfry outbox: what waits, what was refused and what expired is shown, and sent again when asked."""

import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry, binary
from lib.inbox import Inbox
from lib.net import wait_until

RULES = """
groups:
- name: g
  interval: 1s
  rules:
  - alert: Broken
    expr: vector(1)
"""
OVER = RULES.replace("vector(1)", "vector(1) > 2")


class Outbox(unittest.TestCase):
    def setUp(self):
        self.inbox = self.enterContext(Inbox())

    def start(self, status, *, fallback=None, **more):
        self.inbox.answer("webhook", status)
        ops = {"name": "ops", "webhook_configs": [{"url": self.inbox.webhook_url("ops")}]}
        receivers = [ops]
        if fallback:
            ops["fallback"] = "mail"
            receivers.append({"name": "mail", "email_configs": [{"to": "a@x.test"}]})
        self.belfry = self.enterContext(Belfry({
            "global": {"evaluation_interval": "1s", "smtp_smarthost": self.inbox.smarthost,
                       "smtp_from": "b@x.test", "smtp_require_tls": False},
            "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s",
                      "group_interval": "1s", "repeat_interval": "200h"},
            "receivers": receivers, **more}, rules={"r.yml": RULES}))
        return self.belfry

    def cli(self, *args, status=0):
        done = subprocess.run([binary(), "outbox", *args], capture_output=True, text=True, timeout=30,
                              env={**os.environ, "BELFRY_URL": self.belfry.url(), "USER": "ann"})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def messages(self, **params):
        query = "&".join(f"{k}={v}" for k, v in params.items())
        return json.loads(self.belfry.get(f"/api/belfry/v1/outbox?{query}").body)["data"]

    def wait_state(self, state, count=1):
        wait_until(lambda: self.messages()["counts"][state] >= count, 20, state)
        return self.messages(state=state)["messages"][0]

    def story(self):
        return self.belfry.get("/api/belfry/v1/explain?alert=Broken").text

    def test_a_refused_message_is_listed_and_sent_again_with_its_id(self):
        self.start(404)
        row = self.wait_state("parked")
        self.assertEqual((row["receiver"], row["integration"], row["attempts"]), ("ops", "webhook", 1))
        text = self.cli()
        for word in (row["id"], "parked", "ops/webhook", "FIRING Broken", "answered 404",
                     "0 waiting, 1 parked, 0 expired"):
            self.assertIn(word, text)
        self.assertIn("0 waiting, 1 parked", self.cli("--state", "waiting"))
        self.assertNotIn(row["id"], self.cli("--receiver", "other"))
        self.inbox.accept("webhook")
        self.assertIn("sent again: 1", self.cli("resend", row["id"]))
        msg = self.inbox.wait_for(lambda m: m.channel == "webhook")
        self.assertEqual(msg.headers["X-Belfry-Id"], row["id"])
        wait_until(lambda: not self.messages()["messages"], 10, "an empty outbox")
        self.assertIn("sent again by ann", self.story())
        self.assertIn("no such message", self.cli("resend", row["id"], status=1))

    def test_it_survives_a_crash_and_is_parked_again_when_it_is_refused_again(self):
        self.start(404, fallback=True)
        row = self.wait_state("parked")
        self.inbox.wait_for(lambda m: m.channel == "mail")
        self.inbox.answer("webhook", 503)
        self.cli("resend", "--receiver", "ops")
        waits = self.wait_state("waiting")
        self.assertEqual(waits["id"], row["id"])
        self.belfry.kill9()
        self.belfry.start()
        self.cli("resend", row["id"])  # one that waits: now; it is put off again
        self.assertIn("tried at once by ann", self.story())
        self.inbox.answer("webhook", 404)
        self.cli("resend", row["id"])  # or its own next attempt, whichever comes first
        wait_until(lambda: self.messages()["counts"]["parked"] == 1, 20, "parked again")
        self.assertEqual(len(self.inbox.mails), 1, "the fallback was told twice")

    def test_an_alarm_for_what_is_over_is_sent_only_when_said(self):
        self.start(404)
        self.wait_state("parked")
        self.belfry.write_rules("r.yml", OVER)
        self.assertEqual(self.belfry.reload().status, 200)
        self.wait_state("parked", 2)
        self.inbox.accept("webhook")
        text = self.cli("resend", "--all")
        self.assertIn("sent again: 1", text)
        self.assertIn("left: 1 that tell of what is over", text)
        self.assertEqual(self.inbox.wait_for(lambda m: m.channel == "webhook").state, "RESOLVED")
        self.assertIn("sent again: 1", self.cli("resend", "--all", "--stale"))
        self.inbox.wait_for(lambda m: m.state == "FIRING")
        wait_until(lambda: not self.messages()["messages"], 10, "an empty outbox")

    def test_what_expired_says_so(self):
        self.start(503)
        self.wait_state("waiting")
        self.belfry.stop()
        day_later = int(time.time() * 1000) + 25 * 3600 * 1000
        self.belfry.env = {"BELFRY_TEST": "1", "BELFRY_CLOCK": str(day_later)}
        self.belfry.start()
        row = self.wait_state("expired")
        self.assertIn("expired", self.cli("--state", "expired"))
        self.inbox.accept("webhook")
        self.cli("resend", row["id"])
        self.inbox.wait_for(lambda m: m.channel == "webhook")

    def test_what_is_not_configured_any_more_stays(self):
        self.start(404)
        self.wait_state("parked")
        config = self.belfry.config_path.read_text()
        self.belfry.write_config(config.replace("webhook/ops", "webhook/ops").replace("ops", "team"))
        self.assertEqual(self.belfry.reload().status, 200)
        text = self.cli("resend", "--receiver", "ops")
        self.assertIn("left: 1 whose receiver is not configured", text)

    def test_all_means_all_behind_a_thousand_that_stay(self):
        self.start(404)
        self.wait_state("parked")
        self.belfry.stop()
        path = next(self.belfry.data_dir.rglob("state.db"))
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            names = [c[1] for c in db.execute("PRAGMA table_info(outbox)")
                     if c[1] not in ("id", "message_id", "receiver")]
            rest = ",".join(names)
            db.execute("UPDATE outbox SET id=5000")
            db.execute("WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n<2100) "
                       f"INSERT INTO outbox(id,message_id,receiver,{rest}) "
                       f"SELECT n,'m'||n,'nobody',{rest} FROM i,outbox WHERE outbox.id=5000")
        self.inbox.accept("webhook")
        self.belfry.start()
        text = self.cli("resend", "--all")
        self.assertIn("sent again: 1\n", text)
        self.assertIn("left: 2100 whose receiver is not configured", text)
        self.assertNotIn("ask again", text)
        self.inbox.wait_for(lambda m: m.channel == "webhook")

    def test_who_asked_may_call_himself_anything(self):
        self.start(404)
        row = self.wait_state("parked")
        self.belfry.post("/api/belfry/v1/outbox/resend",
                         json.dumps({"id": row["id"], "who": "eve\n\x1b[31m\u202ered"}).encode(),
                         headers={"Content-Type": "application/json"})
        answer = self.belfry.get("/api/belfry/v1/explain?alert=Broken").body.decode()
        self.assertIn("sent again by eve [31mred", answer)

    def test_a_new_incident_does_not_hear_of_an_old_ones_refusal(self):
        self.start(404)
        row = self.wait_state("parked")
        refused = f"{row['id']} ops/webhook/0 refused by the receiver"
        self.assertEqual(self.story().count(refused), 1, self.story())
        self.inbox.accept("webhook")
        for rules in (OVER, RULES):
            self.belfry.write_rules("r.yml", rules)
            self.assertEqual(self.belfry.reload().status, 200)
            state = "RESOLVED" if rules == OVER else "FIRING"
            self.inbox.wait_for(lambda m, state=state: m.state == state)
        self.inbox.answer("webhook", 404)
        self.assertIn("sent again: 1", self.cli("resend", row["id"], "--stale"))
        wait_until(lambda: self.messages()["counts"]["parked"] == 1, 20, "parked again")
        self.assertEqual(self.story().count(refused), 1, self.story())

    def test_bad_questions_are_refused(self):
        self.start(404)
        self.assertIn("which messages?", self.cli("resend", status=2))
        self.assertIn("which messages?", self.cli("resend", "x", "--all", status=2))
        self.assertIn("state: expected", self.cli("--state", "lost", status=1))
        self.assertIn("unexpected argument", self.cli("list", status=2))
        for body in (b"{}", b'{"all":true}', b'{"all":true,"id":"x","who":"a"}', b"[", b'{"x":1}',
                     b'{"all":true,"who":"a","after":-1}', b'{"all":true,"who":"a","after":[]}'):
            answer = self.belfry.post("/api/belfry/v1/outbox/resend", body,
                                      headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status, 400, answer.text)
        answer = self.belfry.post("/api/belfry/v1/outbox/resend", b'{"all":true,"who":"a"}',
                                  headers={"Content-Type": "text/plain"})
        self.assertEqual(answer.status // 100, 4)


if __name__ == "__main__":
    sys.exit(runner.main())
