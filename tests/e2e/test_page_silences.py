#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Silences on the page, in a real browser: made from an alert, listed, extended, ended.

Screenshots are left in build/screenshots for people to look at.
"""

import json
import pathlib
import sys
import unittest
import urllib.parse

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.browser import Browser, chromium
from lib.inbox import Inbox
from lib.net import http

SHOTS = TESTS.parent / "build" / "screenshots"
HOSTILE = '<img src=x onerror="document.title=1">'
RULES = """
groups:
  - name: page
    interval: 1s
    rules:
      - alert: PoolExhausted
        expr: vector(0.98) > 0.9
        labels: {severity: critical, service: shop, pool: orders}
        annotations: {summary: "shop: pool orders is nearly full"}
      - alert: QueueStalled
        expr: vector(42) > 40
        labels: {severity: warning, service: shop, queue: mail}
        annotations: {summary: "shop: nothing was mailed for 42 s"}
      - alert: Slow
        expr: vector(3) > 2
        labels: {severity: info, service: shop}
        annotations: {summary: "shop: requests take 3 s"}
"""


@unittest.skipUnless(chromium(), "chromium is not installed")
class Silences(unittest.TestCase):
    def setUp(self):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.inbox = self.enterContext(Inbox())
        self.belfry = self.enterContext(Belfry({
            "global": {"evaluation_interval": "1s"},
            "route": {"receiver": "ops", "group_wait": "0s"},
            "receivers": [{"name": "ops", "webhook_configs": [{"url": self.inbox.webhook_url()}]}],
            "inhibit_rules": [{"source_matchers": ['severity="critical"'],
                               "target_matchers": ['severity="info"'], "equal": ["service"]}],
        }, rules={"page.yml": RULES}))
        self.belfry.wait_query('ALERTS{alertstate="firing"}', lambda r: len(r) == 3)
        self.page = self.enterContext(Browser())

    def post(self, path, body):
        answer = http(self.belfry.url(path), json.dumps(body).encode(), method="POST",
                      headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer.text)
        return answer

    def silences(self):
        return json.loads(self.belfry.get("/api/v2/silences?expired=false").body)

    def test_a_silence_is_made_from_an_alert_extended_and_ended(self):
        self.page.open(self.belfry.url())
        # the inhibited one is shown as such, and not counted
        self.page.wait("document.querySelector('.card.suppressed .quiet')?.innerText"
                       " === 'inhibited by PoolExhausted'")
        self.page.wait("document.title === '(2) belfry'")
        self.assertIn("1 suppressed", self.page.text("#state-detail"))

        self.page.click("#firing .card:nth-child(2) .links button")
        self.page.wait("document.querySelector('dialog.silence[open]')")
        self.assertIn("Silences 1 of the 3 alerts", self.page.text("dialog .note[role=status]"))
        # without the queue and the alert's name it would be all of them
        self.page.eval("""[...document.querySelectorAll('.matchers li')].forEach((li) => {
            if (li.querySelector('.name').value !== 'service') li.querySelector('input').click();
        })""")
        self.page.wait("document.querySelector('dialog .note[role=status]').innerText"
                       ".includes('Silences 3 of the 3')")
        self.page.eval("""[...document.querySelectorAll('.matchers li')].forEach((li) => {
            if (li.querySelector('.name').value === 'alertname') li.querySelector('input').click();
        })""")
        self.page.eval("""(() => {
            const [author, comment] = document.querySelectorAll('label.field input');
            author.value = 'anna'; comment.value = %s;
            document.querySelector('dialog [data-seconds="14400"]').click();
        })()""" % json.dumps("mail server moves " + HOSTILE))
        self.page.screenshot(SHOTS / "silence-form.png")
        self.page.click("dialog .primary")
        self.page.wait("!document.querySelector('dialog.silence[open]')")
        made = self.silences()
        self.assertEqual(len(made), 1)
        self.assertEqual((made[0]["createdBy"], made[0]["comment"]),
                         ("anna", "mail server moves " + HOSTILE))
        self.assertEqual({(m["name"], m["value"]) for m in made[0]["matchers"]},
                         {("service", "shop"), ("alertname", "QueueStalled")})

        plain = self.belfry.get("/plain").text
        self.assertEqual(plain.count('<p class="quiet">silenced</p>'), 1)
        self.assertEqual(plain.count('<p class="quiet">inhibited by another alert</p>'), 1)
        self.page.wait("document.title === '(1) belfry'")
        self.page.wait("document.querySelectorAll('.card.suppressed').length === 2")
        self.page.wait("document.querySelector('#silences td')")
        listed = self.page.text("#silences")
        for part in ("active", 'service="shop"', 'alertname="QueueStalled"', "anna", HOSTILE,
                     ):
            self.assertIn(part, listed)
        self.assertRegex(listed, r"\b3h 5\dm left")
        self.assertIn("silenced by anna until", self.page.text("#firing"))
        self.assertEqual(self.page.eval("document.images.length"), 0)
        self.page.screenshot(SHOTS / "silences.png")
        self.page.resize(360, 780)
        self.assertLessEqual(self.page.eval("document.documentElement.scrollWidth"), 360)
        self.page.screenshot(SHOTS / "silences-360.png")
        self.page.resize(1280, 900)

        self.page.click("#silences .links button:nth-child(1)")
        self.page.wait("document.querySelector('#silences').innerText.match(/4h 5\\dm left/)")
        self.assertEqual(len(self.silences()), 1, "extended in place")
        self.page.click("#silences .links button:nth-child(2)")
        self.page.wait("document.querySelector('#silences-block').hidden")
        self.assertEqual(self.silences(), [])
        self.page.wait("document.title === '(2) belfry'")
        self.assertEqual(self.page.problems, [])

    def test_alerts_of_other_servers_are_shown_with_their_source(self):
        self.post("/api/v2/alerts", [
            {"labels": {"alertname": "Elsewhere", "severity": "warning", "from": HOSTILE},
             "annotations": {"summary": "told by another"},
             "generatorURL": "http://prometheus.example/graph?g0.expr=up"},
            {"labels": {"alertname": "Script"}, "generatorURL": "javascript:alert(1)"}])
        self.page.open(self.belfry.url())
        self.page.wait("document.title === '(4) belfry'")
        text = self.page.text("#firing")
        self.assertIn("told by another", text)
        self.assertIn(HOSTILE, text)
        links = self.page.eval("[...document.querySelectorAll('#firing .links a')]"
                               ".map((a) => a.href)")
        self.assertIn("http://prometheus.example/graph?g0.expr=up", links)
        self.assertFalse([x for x in links if x.startswith("javascript")])
        self.assertEqual(self.page.problems, [])

    def test_a_link_as_alertmanager_has_it_opens_the_form(self):
        matchers = urllib.parse.quote('{alertname="Slow", "a b"=~"x\\"|y",c!=d}')
        self.page.open(self.belfry.url("/#/silences/new?filter=" + matchers))
        self.page.wait("document.querySelector('dialog.silence[open]')")
        rows = self.page.eval("""[...document.querySelectorAll('.matchers li')].map((li) =>
            [li.querySelector('.name').value, li.querySelector('select').value,
             li.querySelector('.what').value])""")
        self.assertEqual(rows, [["alertname", "=", "Slow"], ["a b", "=~", 'x"|y'],
                                ["c", "!=", "d"]])
        self.assertEqual(self.page.eval("location.hash"), "#alerts")
        self.assertEqual(self.page.problems, [])

    def test_a_refused_silence_says_why_and_keeps_the_form(self):
        self.page.open(self.belfry.url())
        self.page.wait("document.querySelector('#firing .links button')")
        self.page.click("#firing .links button")
        self.page.eval("""(() => {
            document.querySelectorAll('.matchers li').forEach((li, i) => {
                if (i > 0) li.querySelector('input').click();
            });
            document.querySelector('.matchers select').value = '=~';
            document.querySelector('.matchers .what').value = '(';
            const [author, comment] = document.querySelectorAll('label.field input');
            author.value = 'a'; comment.value = 'c';
        })()""")
        self.page.click("dialog .primary")
        self.page.wait("!document.querySelector('dialog .query-error').hidden")
        self.assertIn("regular expression", self.page.text("dialog .query-error"))
        self.assertEqual(self.silences(), [])


if __name__ == "__main__":
    sys.exit(runner.main())
