# SPDX-License-Identifier: Apache-2.0
"""A /metrics page with as many series as wanted, whose values change at every scrape."""

import http.server
import random
import threading

from . import exposition
from .peers import raw_samples

PER_NAME = 500  # series of one metric name


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


def compare_samples(test, belfry, peer, series, end, seconds):
    """Every raw sample of a Source's series that the peer holds is in belfry bit for bit, and none
    more. Returns how many were compared; failures go to the given test case."""
    compared = 0
    for at in range((series + PER_NAME - 1) // PER_NAME):
        want = raw_samples(peer.url(), f"load_{at}", end, seconds)
        have = raw_samples(belfry.url(), f"load_{at}", end, seconds)
        test.assertEqual(set(have), set(want))
        for labels, points in want.items():
            test.assertEqual(bits(have[labels]), bits(points), labels)
            compared += len(points)
    return compared


def bits(points):
    return [(t, exposition.bits(float(v))) for t, v in points]
