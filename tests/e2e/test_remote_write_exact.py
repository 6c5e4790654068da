#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus remote-writes into belfry: every raw sample that it holds itself is there, bit
for bit.

EXACT_SECONDS says how long (15; the full experiment is 300), EXACT_SERIES how many series (10000).
"""

import os
import pathlib
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import wait_until
from lib.peers import Prometheus
from lib.source import Source, compare_samples

SECONDS = int(os.environ.get("EXACT_SECONDS", "15"))
SERIES = int(os.environ.get("EXACT_SERIES", "10000"))
LEAST = SECONDS // 2  # scrapes


@unittest.skipUnless(Prometheus.path(), "prometheus is not installed")
class RemoteWriteExact(unittest.TestCase):
    def test_belfry_holds_what_prometheus_holds_bit_for_bit(self):
        source = Source(SERIES)
        self.addCleanup(source.close)
        belfry = self.enterContext(Belfry({}))
        began = time.time()
        peer = self.enterContext(Prometheus({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "load",
                                "static_configs": [{"targets": [source.address]}]}],
            "remote_write": [{"url": belfry.url("/api/v1/write")}],
        }))
        time.sleep(SECONDS)
        # a busy machine may miss a scrape
        wait_until(lambda: float(peer.query("sum_over_time(up[1h])")[0]["value"][1]) > LEAST,
                   what=f"{LEAST} scrapes")
        end = time.time()
        wait_until(lambda: peer.sent_until() > end, what="everything being sent")
        seconds = int(end - began) + 30
        compared = compare_samples(self, belfry, peer, SERIES, end, seconds)
        self.assertGreaterEqual(compared, SERIES * LEAST)
        print(f"{compared} samples of {SERIES} series are exact")


if __name__ == "__main__":
    sys.exit(runner.main())
