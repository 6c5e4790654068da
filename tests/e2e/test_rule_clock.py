#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules and what the store and the clock do to their samples; time goes in steps."""

import pathlib
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.stepped import Stepped, env

START, SECOND, MINUTE = 1791590400000, 1000, 60000
RULES = """
groups:
- name: record
  interval: 15s
  rules:
  - record: rec
    expr: x
- name: page
  interval: 15s
  rules:
  - alert: High
    expr: rec > 100
"""


class RuleClock(unittest.TestCase):
    def life(self, belfry):
        self.now, self.phase = START, 7
        return self.enterContext(Stepped(self.enterContext(belfry)))

    def go(self, clock, count, value, series=1):
        """`count` times 15 s; at each x has this value, a few ms later."""
        for _ in range(count):
            self.now += 15 * SECOND
            clock.to(self.now)
            clock.write([({"__name__": "x", "i": str(i)}, [(self.now + self.phase, value)])
                         for i in range(series)])

    def test_after_the_clock_was_set_back_recorded_series_are_new_and_alerts_on_them_right(self):
        for window in ("1h", "0s"):
            for minutes in (4, 30, 24 * 60):
                with self.subTest(window=window, minutes=minutes):
                    belfry = Belfry({"storage": {"out_of_order_window": window}}, statsd=False,
                                    rules={"r.yml": RULES}, env=env(START))
                    with belfry, Stepped(belfry) as clock:
                        self.now, self.phase = START, 7
                        self.go(clock, 4 * 40, 1.0)
                        self.now -= minutes * MINUTE
                        self.phase = 11  # the sender's clock was always right
                        clock.set(self.now)
                        self.go(clock, 4, 200.0)
                        self.assertEqual(belfry.value("rec", self.now / 1000), 200)
                        self.assertEqual([a["state"] for a in belfry.alerts()], ["firing"])
                        self.go(clock, 4 * 6, 3.0)
                        self.assertEqual(belfry.value("rec", self.now / 1000), 3)
                        self.assertEqual(belfry.alerts(), [])

    def test_samples_that_are_refused_are_told_once_and_once_when_it_is_over(self):
        config = {"storage": {"max_series": 10}}
        belfry = Belfry(config, statsd=False, rules={"r.yml": RULES}, env=env(START))
        clock = self.life(belfry)
        self.go(clock, 20, 1.0, series=8)
        told = [line for line in belfry.log_text().splitlines() if "are refused" in line]
        self.assertEqual(len(told), 1, told)
        self.assertIn('group="record" samples=6', told[0])
        self.assertEqual(
            belfry.metric("belfry_rule_dropped_total", reason="sample_refused"), 6 * 19)
        belfry.write_config({"storage": {"max_series": 100}})
        self.assertEqual(belfry.reload().status, 200)
        self.go(clock, 4, 1.0, series=8)
        text = belfry.log_text()
        self.assertEqual(text.count("are taken again"), 1, text)
        self.assertEqual(text.count("are refused"), 1, text)


if __name__ == "__main__":
    sys.exit(runner.main())
