# SPDX-License-Identifier: Apache-2.0
"""Recordings as data directories of belfry, made once and backtested many times.

StatsD goes through a real belfry whose clock is injected and runs 30 times as fast; scrapes are written with their
times. No rules run meanwhile. A data directory is kept under a name that says what is in it.
"""
import argparse
import importlib.util
import pathlib
import shutil
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib.belfry import Belfry  # noqa: E402

SPEED = 30
LEAD_MS = 90_000    # of the recording's time, for the start
AFTER_MS = 20_000   # how long the rules go on after the last scrape
BATCH = 20_000


def load_push(folder):
    """(path, module) of the push.py beside or above a recording."""
    for place in (folder, *folder.parents):
        path = place / "push.py"
        if path.exists():
            spec = importlib.util.spec_from_file_location("push", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return path, module
    raise SystemExit(f"{folder}: no push.py")


class Maker:
    def __init__(self, cache, flush="1s", own="2s"):
        self.cache, self.flush, self.own = pathlib.Path(cache), flush, own
        self.cache.mkdir(parents=True, exist_ok=True)

    def store(self, folder, name, variant):
        """The data directory of a recording in a variant; made if it is not there."""
        final = self.cache / f"{folder.name}-{name}-{self.flush}-{self.own}"
        if final.exists():
            return final
        _, push = load_push(folder)
        scrapes = sorted(push.read(str(folder / "scrapes.txt.xz")), key=lambda s: s[0])
        base = self.statsd(folder, name if type(variant).datagram is not BASE_DATAGRAM else "recorded", variant, push,
                           scrapes[0][0], scrapes[-1][0]) if variant.statsd else None
        work = final.with_suffix(".part")
        shutil.rmtree(work, ignore_errors=True)
        if base:
            shutil.copytree(base, work)
        if variant.scraped:
            self.scrapes(work, variant, push, scrapes)
        work.rename(final)
        return final

    def config(self, data, statsd):
        return {"storage": {"path": str(data), "out_of_order_window": "unlimited", "retention": 0},
                "global": {"scrape_interval": self.own}, "statsd": {"flush_interval": self.flush},
                "self": {"enabled": statsd}}

    def statsd(self, folder, name, variant, push, first, last):
        final = self.cache / f"{folder.name}-{name}-{self.flush}-{self.own}.statsd"
        if final.exists():
            return final
        work = final.with_suffix(".making")
        shutil.rmtree(work, ignore_errors=True)
        b = Belfry(self.config(work, True), env={"BELFRY_TEST": "1", "BELFRY_CLOCK": f"{first - LEAD_MS},{SPEED}"})
        with b:
            at = b.value("time()") * 1000  # the clock began somewhere in the start
            begin = time.time() - at / 1000 / SPEED
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for ms, data in push.datagrams(str(folder / "statsd.xz")):
                left = begin + ms / 1000 / SPEED - time.time()
                if left > 0:
                    time.sleep(left)
                for part in variant.datagram(ms, data):
                    out.sendto(part, ("127.0.0.1", b.statsd_port))
            time.sleep(max(0, begin + (last + AFTER_MS) / 1000 / SPEED - time.time()))
            dropped = b.metric("belfry_statsd_dropped_total")
            if dropped:
                raise SystemExit(f"{folder}: StatsD dropped {dropped:.0f}")
        work.rename(final)
        return final

    def scrapes(self, data, variant, push, scrapes):
        changed = []
        for ms, job, inst, body, _ in scrapes:
            rows = None if body is None else list(push.parse(body))
            one = variant.scrape(ms, job, inst, rows)
            if one is not None:
                changed.append(one)
        push.parse = iter  # Replay then takes rows as they are
        replay, batch = push.Replay(0), []
        env = {"BELFRY_TEST": "1", "BELFRY_CLOCK": f"{scrapes[-1][0] + AFTER_MS},1"}
        with Belfry(self.config(data, False), statsd=False, env=env) as b:
            opts = argparse.Namespace(url=b.url("/api/v1/write"), header=[])
            for one in sorted(changed, key=lambda s: s[0]):
                batch += replay.scrape(*one)
                if len(batch) > BATCH:
                    push.post(opts, batch)
                    batch = []
            push.post(opts, batch)


from variants import Variant  # noqa: E402
BASE_DATAGRAM = Variant.datagram
