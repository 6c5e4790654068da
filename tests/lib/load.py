# SPDX-License-Identifier: Apache-2.0
"""Senders that run beside a test and know what they sent: StatsD at a pace, remote write with
retries until each request is acknowledged."""

import threading
import time

from . import remote_write
from .net import http
from .statsd import StatsdSender


class StatsdLoad:
    """Counters load.c0 … at about lines_per_s; sent[i] is what went out for counter i."""

    PER_PACKET = 50

    def __init__(self, port, counters=100, lines_per_s=50000):
        self.sent = [0] * counters
        self.rate = lines_per_s
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        groups = [range(at, min(at + self.PER_PACKET, counters))
                  for at in range(0, counters, self.PER_PACKET)]
        self._packets = [(g, "\n".join(f"load.c{i}:1|c" for i in g).encode()) for g in groups]

    @property
    def total(self):
        return sum(self.sent)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        start, lines = time.monotonic(), 0
        with StatsdSender(self._port) as sender:
            while not self._stop.is_set():
                for group, data in self._packets:
                    # A refused datagram counts as sent: it went out while nobody listened.
                    sender.packet(data)
                    lines += len(group)
                    for i in group:
                        self.sent[i] += 1
                ahead = start + lines / self.rate - time.monotonic()
                if ahead > 0.002:
                    time.sleep(ahead)
                elif ahead < -1:
                    start, lines = time.monotonic(), 0  # don't make up for a stall with a burst


class WriteLoad:
    """Remote-writes make(t_ms) every period until stop(); retries one request until it is
    acknowledged, as Prometheus does. acked holds (t_ms, series) of what was; refused the answers
    that said no."""

    def __init__(self, url, make, period_s=0.2):
        self.acked = []
        self.refused = []
        self.repeated = 0
        self._url = url
        self._make = make
        self._period = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            t_ms = time.time_ns() // 1_000_000
            series = self._make(t_ms)
            body = remote_write.encode(series)
            if not self._push(body):
                return
            self.acked.append((t_ms, series))
            self._stop.wait(self._period)

    def _push(self, body):
        while True:
            try:
                answer = http(self._url, body, headers=remote_write.HEADERS, timeout=5)
                if answer.status // 100 == 2:
                    return True
                if answer.status // 100 == 4 and answer.status != 429:
                    self.refused.append(answer)
                    return True
            except OSError:
                pass
            self.repeated += 1
            if self._stop.wait(0.05):
                return False
