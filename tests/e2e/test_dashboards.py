#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every query of the Grafana dashboards runs on the real daemon, and names only what exists.

The services dashboard gets the demo's shop as its data, so that queries for what the shop emits
must return something. Names beginning with belfry_ must stand in /metrics.
"""

import json
import pathlib
import re
import subprocess
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import GUARD_S, free_port, wait_until

GRAFANA = TESTS.parent / "dashboards" / "grafana"
VALUES = {"job": ".*", "timer": "shop_http_request", "__rate_interval": "20s", "__interval": "10s",
          "__range": "10m"}
# What the shop emits: these panels of the services dashboard may not stay empty.
FED = {"Requests", "Error ratio", "p99 latency", "Fullest pool", "Cache hit ratio",
       "Latency percentiles", "Slowest routes", "Requests by job", "Requests by status", "Use",
       "Waiting", "Timeouts", "Mean wait", "Mean use", "Breaker state", "Retried calls",
       "Hit ratio", "Look-ups", "Evictions"}


def load(name):
    return json.loads((GRAFANA / name).read_text())


def substitute(expr):
    """Grafana's variables replaced, as it would before asking."""
    out = re.sub(r"\$\{?(\w+)(?::\w+)?\}?", lambda m: VALUES.get(m.group(1), m.group(0)), expr)
    assert "$" not in out, f"unknown variable in {expr}"
    return out


def panels(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(board):
    """(panel title, expression) of all panels and annotations."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield panel["title"], substitute(target["expr"])
    for note in board["annotations"]["list"]:
        if "expr" in note:
            yield note["name"], substitute(note["expr"])


class Dashboards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shop_port = free_port()
        cls.belfry = Belfry({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "statsd": {"flush_interval": "1s"},
            "self": {"enabled": True},
            "scrape_configs": [{
                "job_name": "shop",
                "static_configs": [{"targets": [f"127.0.0.1:{shop_port}"]}]}],
        })
        cls.belfry.start()
        cls.addClassCleanup(cls.belfry.stop)
        cls.shop = subprocess.Popen(
            [sys.executable, str(TESTS / "demo" / "service.py"), "--port", str(shop_port),
             "--statsd", f"127.0.0.1:{cls.belfry.statsd_port}", "--seed", "7"],
            stdout=subprocess.DEVNULL)
        cls.addClassCleanup(cls._end_shop)
        wait_until(lambda: cls.belfry.query("rate(http_requests_total[20s]) > 0"), what="samples")

    @classmethod
    def _end_shop(cls):
        cls.shop.terminate()
        cls.shop.wait(GUARD_S)

    def run_all(self, name):
        """Titles whose queries returned something; fails on the first query that fails."""
        full = set()
        for title, expr in queries(load(name)):
            with self.subTest(dashboard=name, panel=title, expr=expr):
                if self.belfry.query(expr):
                    full.add(title)
        return full

    def test_every_query_of_the_services_dashboard_succeeds_and_the_fed_ones_return_data(self):
        full = set()

        def all_fed():
            full.update(self.run_all("services.json"))
            return FED <= full

        wait_until(all_fed, what=f"data in {FED}", every=0.5)

    def test_every_query_of_belfrys_own_dashboard_succeeds(self):
        self.run_all("belfry.json")

    def test_queries_over_a_range_succeed_too(self):
        now = time.time()
        for name in ("services.json", "belfry.json"):
            for title, expr in queries(load(name)):
                with self.subTest(dashboard=name, panel=title):
                    self.belfry.query_range(expr, now - 60, now, 5)

    def test_the_variables_have_values(self):
        for board in ("services.json", "belfry.json"):
            for var in load(board)["templating"]["list"]:
                if var["type"] != "query":
                    continue
                match = re.fullmatch(r"label_values\((\w+), (\w+)\)", var["definition"])
                values = self.belfry.api(f"label/{match.group(2)}/values",
                                         **{"match[]": match.group(1)})
                self.assertTrue(values, var["definition"])


def metric_names():
    """Names of belfry's own metrics, out of the sources: many come to be with the first event."""
    names = set()
    for path in TESTS.parent.glob("*/**/*.[ch]"):
        if path.parts[len(TESTS.parent.parts)] in ("build", "tests", "dashboards"):
            continue
        text = path.read_text("utf-8", "replace")
        names |= set(re.findall(r'"((?:belfry|process)_[a-z0-9_]+)', text))
        names |= {f"belfry_{part}_dropped_total"
                  for part in re.findall(r'METRIC_DROP\(\s*"([a-z_]+)"', text)}
    return names


class DashboardFiles(unittest.TestCase):
    def test_belfrys_own_dashboard_names_only_metrics_that_it_has(self):
        have = metric_names()
        for title, expr in queries(load("belfry.json")):
            for name in re.findall(r"\bbelfry_[a-z0-9_]+|\bprocess_[a-z_]+", expr):
                self.assertIn(name, have, f"panel {title}")

    def test_the_files_are_what_the_generator_makes(self):
        done = subprocess.run([sys.executable, str(GRAFANA / "generate.py"), "--check"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_panels_have_unique_ids_and_do_not_overlap(self):
        for name in ("services.json", "belfry.json"):
            seen, cells = set(), set()
            for panel in panels(load(name)):
                self.assertNotIn(panel["id"], seen)
                seen.add(panel["id"])
                at = panel["gridPos"]
                self.assertLessEqual(at["x"] + at["w"], 24)
                mine = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                        for y in range(at["y"], at["y"] + at["h"])}
                self.assertFalse(mine & cells, f"{name}: {panel['title']} overlaps")
                cells |= mine


if __name__ == "__main__":
    sys.exit(runner.main())
