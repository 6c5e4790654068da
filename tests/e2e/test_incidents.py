#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The services pack over recordings of labelled incidents, replayed by backtests (tests/incidents/sweep.py): all planned
incidents are found and nothing that pages is false (tests/incidents/run.py is the live measure, 17 minutes). The scoring
itself on made-up firings. Recordings are read from ../shared/incidents; without them that part is skipped."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "incidents")]
from lib import runner  # noqa: E402
from score import Firing, score, subtract  # noqa: E402

RECORDINGS = TESTS.parent.parent / "shared" / "incidents"


def item(kind, start, end, expect=(), visible=(), incident=True):
    return {"kind": kind, "start_ms": start * 1000, "end_ms": end * 1000, "incident": incident,
            "expect": list(expect), "also_visible": list(visible)}


def fire(category, *spans, severity="warning"):
    return Firing("A", category, severity, {}, [(a * 1000, b * 1000) for a, b in spans])


LABELS = [item("warm-up", 0, 60, incident=False), item("slow", 100, 160, ["latency"], ["pool"]),
          item("deploy-restart", 400, 406, incident=False)]


class Scoring(unittest.TestCase):
    def test_a_firing_in_the_window_detects(self):
        s = score(LABELS, [fire("latency", (130, 200))])
        self.assertEqual((s.recall, s.precision, s.incidents[0]["seconds"]), (1, 1, 30))

    def test_a_firing_after_end_and_a_minute_does_not_detect(self):
        self.assertEqual(score(LABELS, [fire("latency", (221, 230))]).recall, 0)

    def test_another_category_does_not_detect_and_is_right_only_where_visible(self):
        s = score(LABELS, [fire("pool", (130, 200)), fire("queue", (130, 140))])
        self.assertEqual((s.recall, len(s.false), s.false[0][0].category), (0, 1, "queue"))

    def test_what_lasts_too_long_is_false_from_there(self):
        s = score(LABELS, [fire("latency", (130, 260))])
        self.assertEqual([(a, b) for _, a, b, _ in s.false], [(250000, 260000)])

    def test_the_warm_up_and_info_do_not_count(self):
        self.assertEqual(score(LABELS, [fire("errors", (10, 50)), fire("errors", (300, 310), severity="info")]).false, [])

    def test_a_cold_cache_after_a_restart_is_right_and_a_decoy_is_named(self):
        s = score(LABELS, [fire("cache", (410, 440)), fire("errors", (410, 440))])
        self.assertEqual([(f.category, d) for f, _, _, d in s.false], [("errors", "deploy-restart")])

    def test_holes_are_cut_out(self):
        self.assertEqual(subtract((0, 10), [(2, 3), (5, 20)]), [(0, 2), (3, 5)])


@unittest.skipUnless(RECORDINGS.is_dir(), f"no recordings at {RECORDINGS}")
class Recordings(unittest.TestCase):
    """Scrapes only: StatsD takes half a minute to record (sweep.py --variant all has it)."""

    def sweep(self, variants, scales):
        folders = [RECORDINGS] + sorted(p for p in RECORDINGS.iterdir() if (p / "labels.json").exists())
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                [sys.executable, TESTS / "incidents" / "sweep.py", "--cache", cache, "--variant", variants, "--scale", scales,
                 *folders], capture_output=True, text=True, env=os.environ)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn(": not ", done.stdout)  # every category of every incident fired

    def test_every_planned_incident_is_found_and_nothing_is_false_at_any_fitting_scale(self):
        self.sweep("scrape-only", "0.05,0.07,0.1,0.125")

    def test_nor_does_it_depend_on_the_names_of_the_metrics(self):
        self.sweep("spring,go,otel", "0.05,0.1")


if __name__ == "__main__":
    sys.exit(runner.main())
