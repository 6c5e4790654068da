#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The web page in a real browser, on the real daemon.

Screenshots are left in build/screenshots for people to look at.
"""

import json
import pathlib
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.browser import Browser, chromium
from lib.inbox import Inbox

SHOTS = TESTS.parent / "build" / "screenshots"
HOSTILE = '<img src=x onerror="document.title=1">&"\'|<!channel>'
RULES = """
groups:
  - name: page
    interval: 1s
    rules:
      - record: page:one
        expr: vector(1)
      - alert: QueueStalled
        expr: vector(42.5) > 40
        labels: {severity: warning, queue: orders}
        annotations:
          summary: "orders: nothing was processed for {{ $value }} s"
          description: Look at the worker first.
          runbook_url: https://runbooks.example.com/queue
      - alert: PoolExhausted
        expr: vector(1) == 1
        labels:
          severity: critical
          hostile: '%s'
        annotations:
          summary: '%s'
          runbook_url: javascript:alert(1)
      - alert: NotYet
        expr: vector(3) > 2
        for: 1h
        labels: {severity: info}
        annotations: {summary: it will fire in an hour}
""" % (HOSTILE.replace("'", "''"), HOSTILE.replace("'", "''"))


@unittest.skipUnless(chromium(), "chromium is not installed")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        SHOTS.mkdir(parents=True, exist_ok=True)
        cls.inbox = cls.enterClassContext(Inbox())
        cls.belfry = cls.enterClassContext(Belfry({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s",
                       "evaluation_interval": "1s"},
            "statsd": {"flush_interval": "1s"},
            "self": {"enabled": True},
            "scrape_configs": [{"job_name": "nobody",
                                "static_configs": [{"targets": ["127.0.0.1:1"]}]}],
            "route": {"receiver": "ops", "group_wait": "0s", "group_interval": "5s"},
            "receivers": [{"name": "ops",
                           "slack_configs": [{"api_url": cls.inbox.slack_url("ops")}]}],
        }, rules={"page.yml": RULES}))
        cls.belfry.wait_query('ALERTS{alertstate="firing"}', lambda r: len(r) == 2)
        cls.page = cls.enterClassContext(Browser())

    def setUp(self):
        if not self.belfry.running():
            self.belfry.restart()
        self.page.problems.clear()
        self.page.resize(1280, 900)

    def open(self, path="/"):
        self.page.open(self.belfry.url(path))
        self.page.wait("document.title === '(2) belfry'")

    def shot(self, name):
        self.page.screenshot(SHOTS / f"{name}.png")

    def test_firing_alerts_stand_first_by_severity_with_all_that_one_needs_at_night(self):
        self.open()
        self.assertEqual(self.page.text("#state-line"), "2 alerts firing")
        names = self.page.eval("[...document.querySelectorAll('#firing h3')].map(n => n.innerText)")
        self.assertEqual(names, ["PoolExhausted", "QueueStalled"])
        card = self.page.text("#firing .card:nth-child(2)")
        for part in ("warning", "42.5", "orders: nothing was processed for 42.5 s",
                     "Look at the worker first.", "orders", "since"):
            self.assertIn(part, card)
        href = self.page.eval("document.querySelector('#firing .card:nth-child(2) .links a').href")
        self.assertEqual(href, "https://runbooks.example.com/queue")
        self.assertIn("NotYet", self.page.text("#pending"))
        self.assertEqual(self.page.problems, [])
        self.shot("alerts-1280")

    def test_labels_and_annotations_are_text_and_only_http_is_a_link(self):
        self.open()
        card = self.page.text("#firing .card:nth-child(1)")
        self.assertEqual(card.count(HOSTILE), 2)
        self.assertEqual(self.page.eval("document.images.length"), 0)
        scripts = self.page.eval("document.querySelectorAll('a[href^=javascript]').length")
        self.assertEqual(scripts, 0)

    def test_targets_show_their_last_error(self):
        self.open()
        self.page.wait("document.querySelector('#targets-body .health.bad')")
        row = self.page.text("#targets-body tbody")
        self.assertIn("nobody", row)
        self.assertIn("http://127.0.0.1:1/metrics", row)
        self.assertGreater(len(self.page.text("#targets-body .error")), 5)

    def test_a_query_draws_a_graph_and_fills_a_table(self):
        self.open()
        self.page.type_into("#expr", 'ALERTS{alertname="PoolExhausted"}')
        self.page.wait("document.querySelector('#graph canvas')")
        self.assertIn("PoolExhausted", self.page.text("#legend"))
        self.assertIn("g0.expr=ALERTS", self.page.eval("location.search"))
        self.shot("query-graph")
        self.page.click("[data-view=table]")
        self.page.wait("document.querySelector('#query-table td')")
        self.assertIn("PoolExhausted", self.page.text("#query-table"))
        self.assertEqual(self.page.problems, [])

    def test_an_address_from_a_message_opens_its_query(self):
        self.open("/graph?g0.expr=page%3Aone&g0.tab=0&g0.range_input=5m")
        self.page.wait("document.querySelector('#graph canvas')")
        self.assertEqual(self.page.eval("document.querySelector('#expr').value"), "page:one")

    def test_a_wrong_query_is_answered_with_the_place_of_the_mistake(self):
        self.open()
        self.page.type_into("#expr", "sum(rate(x[5m])")
        self.page.wait("!document.querySelector('#query-error').hidden")
        self.assertIn("1:", self.page.text("#query-error"))
        self.assertIn("^", self.page.text("#query-error pre"))

    def test_it_teaches_the_first_statsd_line_until_one_came(self):
        if self.belfry.metric("belfry_statsd_lines_total") == 0:
            self.open()
            # the usual port stands there until the running configuration has been read
            line = f"nc -u -w0 127.0.0.1 {self.belfry.statsd_port}"
            self.page.wait("document.querySelector('#statsd-hint')?.textContent"
                           f".includes('{line}')")
        self.belfry.statsd("test:1|c")
        self.belfry.wait_value("test_total", 1)
        self.open()
        self.page.wait("!document.querySelector('#statsd-hint')")

    def test_notifications_and_rules_have_their_rows(self):
        self.inbox.wait_for(lambda m: m.state == "FIRING", count=1)
        self.open()
        self.page.wait("document.querySelector('#notifications-body td')")
        self.assertIn("ops", self.page.text("#notifications-body"))
        self.assertIn("page:one", self.page.text("#rules-body"))

    def call(self, module, code):
        """A function of one of the page's modules, called in the page."""
        return self.page.eval(f"import('/js/{module}.js').then((m) => m.{code})")

    def test_numbers_and_times_are_said_shortly(self):
        self.open()
        for code, want in (
            ("num(0)", "0"), ("num(42.5)", "42.5"), ("num(1234567)", "1.23M"), ("num(9999)", "9999"),
            ("num(12000)", "12k"), ("num(0.000012)", "1.20e-5"), ("num(-Infinity)", "−Inf"),
            ("num(NaN)", "NaN"), ("num(100)", "100"), ("num(1e12)", "1T"),
            ("bytes(1536)", "1.5 KiB"), ("bytes(12)", "12 B"),
            ("span(0.85)", "850ms"), ("span(59.9)", "59s"), ("span(185)", "3m 05s"),
            ("span(7800)", "2h 10m"), ("span(356400)", "4d 3h"),
        ):
            self.assertEqual(self.call("dom", code), want, code)

    def test_metrics_text_and_matrices_are_read_exactly(self):
        self.open()
        text = json.dumps('a_total{x="q\\"}{\\n",y="2"} 3 1700000000\n# HELP\na_total{x="r"} 4\n')
        self.assertEqual(self.call("api", f"sum(m.parseMetrics({text}), 'a_total')"), 7)
        self.assertEqual(self.call("api", f"sum(m.parseMetrics({text}), 'a_total', {{x: 'r'}})"), 4)
        matrix = '[{"metric": {}, "values": [[10, "1"], [30, "NaN"], [40, "4"]]}]'
        self.assertEqual(self.call("chart", f"columns({matrix}, 10, 40, 10)"),
                         [[10, 20, 30, 40], [1, None, None, 4]])

    def test_a_narrow_screen_needs_no_sideways_scrolling(self):
        self.page.resize(360, 780)
        self.open()
        self.page.type_into("#expr", "page:one")
        self.page.wait("document.querySelector('#graph canvas')")
        self.assertLessEqual(self.page.eval("document.documentElement.scrollWidth"), 360)
        self.shot("phone-360")

    def test_the_dark_scheme_is_dark(self):
        self.page.resize(1280, 900, dark=True)
        self.open()
        red = self.page.eval("parseInt(getComputedStyle(document.body).backgroundColor.slice(4))")
        self.assertLess(red, 60)
        self.shot("dark-1280")

    def test_a_dead_server_is_never_shown_as_a_quiet_one(self):
        self.open()
        self.belfry.kill9()
        self.page.wait("document.querySelector('#banners').innerText.includes('does not answer')")
        self.assertEqual(self.page.eval("document.title"), "(?) belfry")
        self.assertIn("2 alerts firing", self.page.text("#state-line"))
        self.shot("server-gone")
        self.belfry.restart()
        self.page.wait("document.querySelector('#banners').innerText === ''", 20)
        self.page.wait("document.title === '(2) belfry'", 20)

    def test_a_refused_reload_is_said_on_the_page(self):
        good = self.belfry.config_path.read_text()
        self.addCleanup(self.belfry.reload)
        self.addCleanup(self.belfry.config_path.write_text, good)
        self.belfry.config_path.write_text(good + "\nno_such_key: 1\n")
        self.assertNotEqual(self.belfry.reload().status, 200)
        self.open()
        self.page.wait("document.querySelector('#banners').innerText.includes('reload')")
        self.assertIn("no_such_key", self.page.text("#banners pre"))
        self.shot("reload-refused")

    def test_firing_alerts_can_be_read_without_javascript(self):
        with Browser() as plain:
            plain.script_off()
            self.assertIn('<noscript><meta http-equiv="refresh" content="0; url=/plain">',
                          self.belfry.get("/").text)
            html = plain.html(self.belfry.url("/plain"))
            plain.screenshot(SHOTS / "plain.png")
        self.assertIn("2 alerts firing", html)
        self.assertLess(html.index("PoolExhausted"), html.index("QueueStalled"))
        self.assertIn("orders: nothing was processed for 42.5 s", html)
        self.assertEqual(html.count("&lt;img src=x"), 2)
        self.assertNotIn("<img", html)
        self.assertNotIn("javascript:", html)


if __name__ == "__main__":
    sys.exit(runner.main())
