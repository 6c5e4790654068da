#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo's story without the daemon: the model in virtual time, and the rules by promtool.

Two and a half minutes of the shop take well below a second here, because the event loop's clock
jumps to the next timer instead of waiting for it.
"""

import asyncio
import pathlib
import random
import selectors
import shutil
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from demo import service
from demo.instruments import BOUNDS, Meter
from lib import exposition, runner

REPAIRED_S = service.CALM_S + service.RAMP_S + service.SLOW_S


class _Jump(selectors.SelectSelector):
    """Instead of waiting, moves the clock."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        self.now += timeout or 0.0
        return []


class Window:
    """Counts over one second of the story."""

    def __init__(self, at, meter, shop, trips):
        self.at = at
        self.requests = sum(meter.requests.series.values())
        self.errors = sum(v for k, v in meter.requests.series.items() if k[2].startswith("5"))
        self.slow = sum(sum(e[1][BOUNDS.index(1) + 1:]) for e in meter.duration.series.values())
        self.active = shop.pool.active
        self.trips = trips
        self.text = meter.text()


def play(seed, seconds=150):
    """The story with that seed: a Window a second."""
    selector = _Jump()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now
    rng, meter, windows, trips = random.Random(seed), Meter(None), [], []
    shop = service.build(0.0, meter, rng)
    shop.breaker.on_change = lambda before, after: trips.append(after) if after == "open" else None
    load = service.Load(shop, meter, rng)

    async def run():
        task = loop.create_task(load.run())
        for at in range(1, seconds):
            await asyncio.sleep(at - loop.time())
            meter.gauges(shop, load.in_flight)
            windows.append(Window(at, meter, shop, len(trips)))
        task.cancel()
        await asyncio.sleep(5)

    loop.run_until_complete(run())
    loop.close()
    return windows


class DemoStory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stories = {seed: play(seed) for seed in (1, 2, 3)}

    def between(self, seed, start, end):
        inside = [w for w in self.stories[seed] if start <= w.at <= end]
        first, last = inside[0], inside[-1]
        requests = last.requests - first.requests
        return {
            "errors": (last.errors - first.errors) / requests,
            "slow": (last.slow - first.slow) / requests,
            "pool": max(w.active for w in inside) / 10,
            "trips": last.trips - first.trips,
        }

    def test_a_healthy_shop_shows_none_of_the_conditions(self):
        for seed in self.stories:
            calm = self.between(seed, 1, service.CALM_S)
            self.assertEqual(calm["errors"], 0)
            self.assertEqual(calm["trips"], 0)
            self.assertLess(calm["slow"], 0.01)
            # 10 connections and 1 in use on average: 10 at once would be a freak
            self.assertLess(calm["pool"], 1.0)

    def test_a_slow_database_brings_all_four_conditions_for_long_enough(self):
        for seed in self.stories:
            slow = self.between(seed, service.CALM_S + 12, REPAIRED_S)
            self.assertGreater(slow["errors"], 0.10)
            self.assertGreater(slow["slow"], 0.02)
            self.assertEqual(slow["pool"], 1.0)
            self.assertGreaterEqual(slow["trips"], 2)

    def test_the_pool_is_full_before_the_first_error_and_errors_come_before_the_trip(self):
        for seed, story in self.stories.items():
            full = next(w.at for w in story if w.active == 10)
            error = next(w.at for w in story if w.errors)
            trip = next(w.at for w in story if w.trips)
            self.assertLessEqual(full, error, f"seed {seed}")
            self.assertLessEqual(error, trip, f"seed {seed}")

    def test_it_recovers_by_itself_within_fifteen_seconds_of_the_repair(self):
        for seed in self.stories:
            after = self.between(seed, REPAIRED_S + 15, 149)
            self.assertEqual(after["errors"], 0)
            self.assertEqual(after["trips"], 0)
            self.assertLess(after["slow"], 0.01)
            self.assertLess(after["pool"], 1.0)

    def test_its_exposition_is_well_formed_and_its_counters_never_fall(self):
        before = {}
        for window in self.stories[1][::10]:
            types = exposition.parse_types(window.text)
            now = {s.key: s for s in exposition.parse(window.text)}
            for key, sample in now.items():
                counts = types.get(sample.name) == "counter" or sample.name.endswith("_bucket")
                if counts and key in before:
                    self.assertGreaterEqual(sample.value, before[key].value, key)
            before = now
        names = {s.name for s in before.values()}
        for name in ("http_request_duration_seconds_bucket", "hikaricp_connections_active",
                     "resilience4j_circuitbreaker_state", "cache_gets_total"):
            self.assertIn(name, names)


class DemoRules(unittest.TestCase):
    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_accepts_the_rules(self):
        done = subprocess.run(["promtool", "check", "rules", str(TESTS / "demo" / "rules.yml")],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    sys.exit(runner.main())
