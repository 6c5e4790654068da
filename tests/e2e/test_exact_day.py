#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A day of incidents, its time going in steps: every alert at its evaluation, every message at its
millisecond, as planned (tests/conformance/month.py does a month of it)."""

import datetime
import pathlib
import random
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from conformance import month
from lib import runner
from lib.incident_plan import DAY, HOUR, MINUTE, Plan

# the night in which Berlin's clocks go back lies in it
NOON = datetime.datetime(2026, 10, 24, 12, tzinfo=datetime.timezone.utc)


class ExactDay(unittest.TestCase):
    def test_a_day_of_incidents_is_told_exactly_as_planned(self):
        plan = Plan(random.Random(7), NOON, 1, count=3, clusters_count=2, lengths=(0.25, 1, 5),
                    first=(0.1, 10), gap=(2, 6), tail=HOUR)
        plan.silence("search", 2 * HOUR + 10 * MINUTE, 9 * HOUR)
        plan.silence("pay", 10 * HOUR, 20 * HOUR + 30 * MINUTE)
        out = month.live(plan)
        self.assertEqual(out.wrong, [])
        self.assertEqual(out.missed, 0)
        # 4 rules, once a minute; the first evaluation comes within the first one
        self.assertEqual(out.counts["evaluations"], 4 * DAY // MINUTE)
        for kind in ("free", "held back", "overlapping"):
            self.assertGreater(out.counts[kind], 5, out.counts)


if __name__ == "__main__":
    sys.exit(runner.main())
