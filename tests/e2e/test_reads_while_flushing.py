#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A query sees every sample that was acknowledged before it, while others write and flush."""

import pathlib
import sys
import threading
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry

BATCHES = 100
SERIES = 5  # of a writer, in every batch; one more series is made by each
STEP_MS = 1800_000


class ReadsWhileFlushing(unittest.TestCase):
    def setUp(self):
        self.belfry = self.enterContext(Belfry(
            {"storage": {"out_of_order_window": "unlimited"}}, statsd=False,
            env={"BELFRY_TEST": "1"}))
        self.begin = int(time.time()) * 1000 - 3 * 86400_000  # over days: several partitions
        self.acked = [0, 0]
        self.wrong = []
        self.reads = self.flushes = 0
        self.ended = threading.Event()

    def write(self, w):
        for k in range(BATCHES):
            at = self.begin + k * STEP_MS
            rows = [(at, k), (at - 100 * STEP_MS + 1, k)] if w else [(at, k)]
            series = [({"__name__": "steady", "w": str(w), "i": str(i)}, sorted(rows))
                      for i in range(SERIES)]
            series.append(({"__name__": "once", "w": str(w), "i": str(k)}, [(at, k)]))
            answer = self.belfry.write(series)
            if answer.status // 100 != 2:
                self.wrong.append(f"write: {answer.status} {answer.text}")
                return
            self.acked[w] = k + 1

    def flush(self):
        while not self.ended.is_set():
            self.belfry.flush_to_disk()
            self.flushes += 1

    def look(self, w):
        end = (self.begin + BATCHES * STEP_MS) / 1000
        for expr, each in ((f'min(count_over_time(steady{{w="{w}"}}[30d]))', 1 + w),
                           (f'count(once{{w="{w}"}})', 1),
                           (f'count(last_over_time(once{{w="{w}",i=~".+"}}[30d]))', 1),
                           (f'min(max_over_time(steady{{w="{w}"}}[30d])) + 1', 1)):
            want = self.acked[w] * each
            got = self.belfry.api("query", query=expr, time=str(end),
                                  lookback_delta="30d")["result"]
            value = float(got[0]["value"][1]) if got else 0
            self.reads += 1
            if value < want:
                self.wrong.append(f"{expr}: {value}, {want} were acknowledged")

    def read(self):
        while not self.ended.is_set() and not self.wrong:
            self.look(0)
            self.look(1)

    def guarded(self, what, *args):
        def run():
            try:
                what(*args)
            except Exception as e:  # pylint: disable=broad-except
                self.wrong.append(f"{what.__name__}: {e!r}")
        return threading.Thread(target=run)

    def test_no_acknowledged_sample_is_missing(self):
        writers = [self.guarded(self.write, w) for w in (0, 1)]
        others = [self.guarded(self.flush), self.guarded(self.read), self.guarded(self.read)]
        for thread in writers + others:
            thread.start()
        for thread in writers:
            thread.join()
        self.ended.set()
        for thread in others:
            thread.join()
        self.assertEqual(self.wrong, [])
        self.assertEqual(self.acked, [BATCHES, BATCHES])
        self.assertGreater(self.reads, 0)
        self.assertGreater(self.flushes, 0)
        self.belfry.kill9()
        self.belfry.start()
        self.look(0)
        self.look(1)
        self.assertEqual(self.wrong, [])


if __name__ == "__main__":
    sys.exit(runner.main())
