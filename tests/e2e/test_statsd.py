#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""StatsD against the real daemon: every type, bad lines, restarts and kills, kernel drops counted to
the packet, and a real client (npm's hot-shots)."""

import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import wait_until
from lib.statsd import StatsdSender

CONFIG = {"statsd": {"flush_interval": "1s"}}


def kernel_drops(port):
    """Packets the kernel threw away at the UDP sockets of this port."""
    drops = 0
    for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rsplit(":", 1)[1], 16) == port:
            drops += int(fields[12])
    return drops


def config():
    """With the listen address, which Belfry fills in only when statsd says nothing."""
    from lib.net import free_port
    port = free_port()
    return {"statsd": {**CONFIG["statsd"], "listen": [f"udp://127.0.0.1:{port}"]}}, port


class Statsd(unittest.TestCase):
    def test_every_type_arrives_and_bad_lines_are_counted(self):
        conf, port = config()
        with Belfry(conf, statsd_port=port) as b:
            b.statsd("a.b:1|c|#x:y", "a.b:2|c|#x:y", "nonsense", "a.b:z|c", "g:-3|g", "g:+5|g",
                     "t:250|ms", "t:750|ms", "s:one|s", "s:two|s", "old:1|c|@0.1")
            b.wait_value('a_b_total{x="y"}', 3)
            b.wait_value("g", 2)
            b.wait_value("old_total", 10)
            b.wait_value("histogram_count(t)", 2)
            self.assertEqual(b.value("histogram_sum(t)"), 1)
            self.assertEqual(b.value("increase(a_b_total[1m]) > bool 0"), 1)
            self.assertEqual(b.value("max_over_time(s[30s])"), 2)
            self.assertEqual(b.metric("belfry_statsd_dropped_total", reason="no_value"), 1)
            self.assertEqual(b.metric("belfry_statsd_dropped_total", reason="bad_value"), 1)
            self.assertEqual(b.metric("belfry_statsd_lines_total"), 11)

    def test_a_clean_stop_keeps_the_last_interval_and_totals_go_on(self):
        conf, port = config()
        conf["statsd"]["flush_interval"] = "2s"
        with Belfry(conf, statsd_port=port) as b:
            for total in (5, 10, 15):
                b.statsd(*["kept:1|c"] * 5)
                wait_until(lambda: b.metric("belfry_statsd_lines_total") == 5, 10, "the lines")
                b.stop()
                b.restart()
                b.wait_value("kept_total", total)
            self.assertEqual(b.value("resets(kept_total[5m])"), 0)
            self.assertEqual(b.value("min_over_time(kept_total[5m])"), 0)
            zeros = [v for _, v in b.query("kept_total[5m]")[0]["values"] if v == "0"]
            self.assertEqual(len(zeros), 1)

    def test_a_kill_lowers_no_counter(self):
        conf, port = config()
        with Belfry(conf, statsd_port=port) as b:
            sent = 0
            for _ in range(4):
                b.statsd(*["n:1|c"] * 50, "lat:20|ms")
                sent += 50
                seen = float(b.wait_query("n_total")[0]["value"][1])
                b.kill9()
                b.restart()
                again = float(b.wait_query("n_total")[0]["value"][1])
                self.assertGreaterEqual(again, seen)
                self.assertLessEqual(again, sent)
            self.assertEqual(b.value("resets(n_total[5m])"), 0)
            self.assertEqual(b.value("resets(lat[5m])"), 0)

    def test_what_the_kernel_drops_is_counted_to_the_packet(self):
        conf, port = config()
        with Belfry(conf, statsd_port=port) as b, StatsdSender(port) as sender:
            b.signal(signal.SIGSTOP)
            packet = b"\n".join(b"flood:1|c" for _ in range(100))
            deadline = time.monotonic() + 20
            while kernel_drops(port) < 1000 and time.monotonic() < deadline:
                for _ in range(500):
                    sender.packet(packet)
            dropped = kernel_drops(port)
            b.signal(signal.SIGCONT)
            self.assertGreaterEqual(dropped, 1000)
            wait_until(lambda: b.metric("belfry_statsd_dropped_total", reason="kernel") == dropped,
                       15, "the drops' count")
            b.wait_value("flood_total", (sender.packets - dropped) * 100)

    def test_a_real_client_is_understood(self):
        if shutil.which("npm") is None:
            self.skipTest("npm is not installed")
        where = ROOT / "build" / "gen" / "hotshots"
        where.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", "send.js"):
            shutil.copy(TESTS / "data" / "hotshots" / name, where)
        if not (where / "node_modules" / "hot-shots").is_dir():
            subprocess.run(["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit",
                            "--no-fund", "--loglevel=error"], cwd=where, check=True)
        conf, port = config()
        with Belfry(conf, statsd_port=port) as b:
            subprocess.run(["node", "send.js", str(port)], cwd=where, check=True, timeout=60)
            # the last lines of the client
            wait_until(lambda: b.metric("belfry_statsd_dropped_total", reason="service_check") == 1,
                       what="the last line")
            b.wait_value("hs_level", 40)
            b.wait_value('hs_orders_total{env="test",shop="a-b",tag_with_dots="x"}', 500)
            b.wait_value('histogram_count(hs_latency{env="test"})', 500)
            self.assertAlmostEqual(b.value("histogram_sum(hs_latency)"), 5 * 4.950, places=6)
            self.assertAlmostEqual(b.value("histogram_quantile(0.5, hs_latency)"), 0.05, delta=0.005)
            self.assertEqual(b.value("histogram_sum(hs_size)"), 125)
            self.assertEqual(b.value("histogram_count(hs_depth)"), 500)
            self.assertEqual(b.value("max_over_time(hs_users[1m])"), 40)
            self.assertTrue(300 < b.value("hs_sampled_total") < 700)
            self.assertEqual(b.metric("belfry_statsd_dropped_total", reason="event"), 1)
            self.assertEqual(b.metric("belfry_statsd_dropped_total", reason="service_check"), 1)
            self.assertEqual(b.metric("belfry_statsd_dropped_total", reason="negative_counter"), 1)


if __name__ == "__main__":
    sys.exit(runner.main())
