#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The beginning of the demo's story with the services pack, lived and then replayed: the same
alerts, at the same times, and the same messages. tests/demo/backtest.py plays the whole story."""

import pathlib
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from demo import backtest
from lib import runner

SECONDS = 75  # until the first incidents fire


class DemoBacktest(unittest.TestCase):
    def test_a_replay_of_the_demo_tells_what_the_demo_told(self):
        summary, differences, firings = backtest.story(SECONDS)
        self.assertEqual(differences, [], summary)
        self.assertGreater(firings, 0, summary)


if __name__ == "__main__":
    sys.exit(runner.main())
