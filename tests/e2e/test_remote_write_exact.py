#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus remote-writes into belfry: every raw sample that it holds itself is there, bit
for bit.

EXACT_SECONDS says how long (15; the full experiment is 300), EXACT_SERIES how many series (10000).
"""

import http.server
import os
import pathlib
import random
import sys
import threading
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import exposition, runner
from lib.belfry import Belfry
from lib.net import http as http_get
from lib.net import wait_until
from lib.peers import Prometheus, raw_samples

SECONDS = int(os.environ.get("EXACT_SECONDS", "15"))
SERIES = int(os.environ.get("EXACT_SERIES", "10000"))
PER_NAME = 500


class Source:
    """/metrics with many series: counters, integers, decimals, noise, and a few oddities."""

    def __init__(self, series):
        self.rng = random.Random(4)
        self.values = [self.rng.random() * 1000 for _ in range(series)]
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = source.text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def step(self, i):
        kind, value = i % 5, self.values[i]
        if kind == 0:
            value = float(int(value) + self.rng.randrange(10))
        elif kind == 1:
            value = round(value + self.rng.uniform(-1, 1), 2)
        elif kind == 2:
            value = self.rng.gauss(0, 1e6)
        elif kind == 3 and self.rng.random() < 0.01:
            # not -0.0: Prometheus leaves zeros out of what it sends, and with them their sign
            value = self.rng.choice((float("inf"), float("-inf"), float("nan"), 5e-324, 1.7e308))
        self.values[i] = value
        return value

    def text(self):
        lines = []
        for i in range(len(self.values)):
            value = repr(self.step(i)).replace("inf", "Inf").replace("nan", "NaN")
            lines.append(f'load_{i // PER_NAME}{{series="{i}",path="/api/v1/{i % 7}"}} {value}')
        return "\n".join(lines) + "\n"


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
        end = time.time()
        wait_until(lambda: self.sent_until(peer) > end, 60, "everything being sent")
        seconds = int(end - began) + 30
        compared = 0
        for at in range((SERIES + PER_NAME - 1) // PER_NAME):
            want = raw_samples(peer.url(), f"load_{at}", end, seconds)
            have = raw_samples(belfry.url(), f"load_{at}", end, seconds)
            self.assertEqual(set(have), set(want))
            for labels, points in want.items():
                self.assertEqual(bits(have[labels]), bits(points), labels)
                compared += len(points)
        self.assertGreater(compared, SERIES * (SECONDS - 10))
        print(f"{compared} samples of {SERIES} series are exact")

    @staticmethod
    def sent_until(peer):
        text = exposition.parse(http_get(peer.url("/metrics")).body)
        name = "prometheus_remote_storage_queue_highest_sent_timestamp_seconds"
        return max((s.value for s in exposition.select(text, name)), default=0)


def bits(points):
    return [(t, exposition.bits(float(v))) for t, v in points]


if __name__ == "__main__":
    sys.exit(runner.main())
