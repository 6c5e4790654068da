#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo service as a process: simulated load on the model, /metrics, and StatsD.

usage: service.py --port N --statsd HOST:PORT [--seed N]

The story is one thing only: after CALM seconds the database gets slow (a lock, a missing index),
and RAMP + SLOW seconds later somebody has repaired it. Everything else follows by itself. The story
begins again every PERIOD seconds.
"""

import argparse
import asyncio
import random
import signal
import sys
import time

if __package__ in (None, ""):
    import pathlib
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from demo.instruments import Meter
from demo.model import Breaker, Cache, Database, Pool, Shop

CALM_S = 22.0
RAMP_S = 10.0
SLOW_S = 45.0
PERIOD_S = 240.0
MEAN_S = 0.040
SLOW_MEAN_S = 1.1
REQUESTS_PER_S = 70.0


def story(start):
    """Mean query time as a function of the loop's time."""

    def mean_s(now):
        at = (now - start) % PERIOD_S - CALM_S
        if at < 0 or at > RAMP_S + SLOW_S:
            return MEAN_S
        return MEAN_S + (SLOW_MEAN_S - MEAN_S) * min(1.0, at / RAMP_S)

    return mean_s


def phase(at):
    """What the story does to the database at that second after the start."""
    at %= PERIOD_S
    if at < CALM_S:
        return "the shop is healthy: 70 requests/s, queries take 40 ms"
    if at < CALM_S + RAMP_S + SLOW_S:
        return "the database gets slow: queries soon take 1.1 s and hold their connections"
    return "the database is repaired"


def build(start, meter, rng):
    """The shop with its parts."""
    breaker = Breaker(on_change=meter.breaker_changed)
    database = Database(story(start), 2.0, rng)
    return Shop(database, Pool(10, 1.0), breaker, Cache(500, 60.0), meter, rng)


class Load:
    """Poisson arrivals, each request a task of its own: users don't wait for one another."""

    def __init__(self, shop, meter, rng):
        self.shop = shop
        self.meter = meter
        self.rng = rng
        self.in_flight = 0
        self._tasks = set()

    async def _one(self):
        self.in_flight += 1
        try:
            self.meter.user_seen(self.rng.randrange(400))
            await self.shop.request()
        finally:
            self.in_flight -= 1

    async def run(self):
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self.rng.expovariate(REQUESTS_PER_S)
            await asyncio.sleep(max(0.0, due - loop.time()))
            task = loop.create_task(self._one())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _flush_statsd(meter, shop):
    while True:
        await asyncio.sleep(0.25)
        meter.statsd_gauges(shop)
        meter.statsd.flush()


async def _serve_metrics(port, meter, load):
    async def handle(reader, writer):
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            meter.gauges(load.shop, load.in_flight)
            body = meter.text().encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                         b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError,
                asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", port)


async def _main(options):
    loop = asyncio.get_running_loop()
    rng = random.Random(options.seed)
    host, port = options.statsd.rsplit(":", 1)
    meter = Meter((host, int(port)))
    shop = build(loop.time(), meter, rng)
    load = Load(shop, meter, rng)
    server = await _serve_metrics(options.port, meter, load)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    work = [asyncio.create_task(load.run()), asyncio.create_task(_flush_statsd(meter, shop))]
    print(f"shop: metrics on port {options.port}, started {time.strftime('%H:%M:%S')}", flush=True)
    await stop.wait()
    for task in work:
        task.cancel()
    server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--statsd", required=True)
    parser.add_argument("--seed", type=int, default=None)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
