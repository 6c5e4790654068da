#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""node_exporter scraped every second through a recording proxy: every sample of every body is
there with its exact value at the scrape's aligned time, and none more.

EXACT_SECONDS says how long (15; the full experiment is 300).
"""

import os
import pathlib
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import exposition, runner
from lib.belfry import Belfry
from lib.net import wait_until
from lib.peers import NodeExporter, raw_samples
from lib.recording_proxy import RecordingProxy

SECONDS = int(os.environ.get("EXACT_SECONDS", "15"))
ADDED = ("up", "scrape_duration_seconds", "scrape_samples_scraped",
         "scrape_samples_post_metric_relabeling", "scrape_series_added")


def normal(name, value):
    """Bounds of histograms and summaries as Prometheus 3 writes them on scraping: 1 is 1.0."""
    if name in ("le", "quantile") and value not in ("+Inf", "-Inf", "NaN"):
        number = float(value)
        return f"{number:.1f}" if number == int(number) and abs(number) < 1e15 else repr(number)
    return value


def expected(records, times, target):
    """{labels: [(t_ms, value)]} that the bodies say."""
    out = {}
    for record, t_ms in zip(records, times):
        for sample in exposition.parse(record.body):
            labels = {k: normal(k, v) for k, v in sample.labels.items() if v != ""}
            labels.update(__name__=sample.name, **target)
            t = int(sample.timestamp) if sample.timestamp is not None else t_ms
            out.setdefault(tuple(sorted(labels.items())), []).append((t, sample.value))
    return out


@unittest.skipUnless(NodeExporter.path(), "node_exporter is not installed")
class ScrapeExact(unittest.TestCase):
    def test_every_sample_of_every_body_is_there_and_none_more(self):
        began = time.time()
        node = self.enterContext(NodeExporter())
        proxy = self.enterContext(RecordingProxy(node.url()))
        belfry = self.enterContext(Belfry({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "node",
                                "static_configs": [{"targets": [proxy.address]}]}],
        }))
        belfry.wait_value('up{job="node"}', 1)
        time.sleep(SECONDS)
        # a busy machine may miss slots
        wait_until(lambda: len(proxy.snapshot()) > SECONDS // 2, what="scrapes")
        proxy.fail_with(503)
        belfry.wait_value('up{job="node"}', 0)
        end = time.time()

        base, window = belfry.url(), int(end - began) + 60
        (ups,) = raw_samples(base, 'up{job="node"}', end, window).values()
        # one sample of up a scrape, also for one that belfry gave up since the machine was busy
        wait_until(lambda: len([r for r in proxy.snapshot() if r.arrived_ms < end * 1000]) >= len(ups),
                   what="the proxy's records")
        records = sorted(proxy.snapshot(), key=lambda r: r.arrived_ms)[:len(ups)]
        good = [(t, r) for (t, v), r in zip(ups, records) if float(v) == 1]
        times, records = [t for t, _ in good], [r for _, r in good]
        self.assertEqual({r.status for r in records}, {200})
        self.check_alignment(times, records)

        want = expected(records, times, {"job": "node", "instance": proxy.address})
        names = {dict(labels)["__name__"] for labels in want}
        listed = belfry.api("label/__name__/values", **{"match[]": '{job="node"}'})
        self.assertEqual(set(listed) - names - set(ADDED), set())
        compared = 0
        for name in sorted(names):
            have = raw_samples(base, f'{name}{{job="node"}}', end, window)
            mine = {k: v for k, v in want.items() if dict(k)["__name__"] == name}
            self.assertEqual(set(have), set(mine), name)
            for labels, points in mine.items():
                got = [(t, exposition.bits(float(v))) for t, v in have[labels]]
                self.assertEqual(got, [(t, exposition.bits(v)) for t, v in points], labels)
                compared += len(points)
        print(f"{compared} samples of {len(want)} series in {len(records)} scrapes are exact")

    def check_alignment(self, times, records):
        """Scrape times lie on a grid of one second, and each body was asked for at its time."""
        phase = times[0] % 1000
        for t_ms, record in zip(times, records):
            self.assertEqual(t_ms % 1000, phase, "scrape times are aligned")
            self.assertGreaterEqual(record.arrived_ms - t_ms, -20, "not asked for before its time")


if __name__ == "__main__":
    sys.exit(runner.main())
