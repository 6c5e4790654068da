#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk without space: nothing resolves, nobody is forgotten, and it recovers by itself.

storage.min_free larger than what is free stands for the shortage that is seen in time; a tmpfs of a
few megabytes (root only) for the disk that is really full.
"""

import ctypes
import os
import pathlib
import sys
import tempfile
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.inbox import Inbox
from lib.net import wait_until
from lib.page import Page

RULES = """
groups:
- name: disk
  interval: 1s
  rules:
  - record: page:doubled
    expr: page_value * 2
  - alert: PageHigh
    expr: page_value > 5
  - alert: Steady
    expr: steady == 1
"""
NO_SPACE = 1 << 60
libc = ctypes.CDLL(None, use_errno=True)


def now_ms():
    return int(time.time() * 1000)


def config(inbox, page, storage=None):
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s",
                   "smtp_smarthost": inbox.smarthost, "smtp_from": "belfry@x.test",
                   "smtp_require_tls": False},
        "storage": storage or {},
        "statsd": {"flush_interval": "1s"},
        "scrape_configs": [{"job_name": "j", "static_configs": [
            {"targets": [f"127.0.0.1:{page.port}"]}]}],
        "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s",
                  "group_interval": "1s", "repeat_interval": "1h"},
        "receivers": [{"name": "ops", "slack_configs": [{"api_url": inbox.slack_url()}],
                       "email_configs": [{"to": "ops@x.test"}]}],
    }


class Base(unittest.TestCase):
    def setUp(self):
        self.inbox = self.enterContext(Inbox())
        self.page = self.enterContext(Page())
        self.page.text = "page_value 1\nsteady 1\n"

    def told(self, name, state):
        for channel in ("slack", "mail"):
            self.inbox.wait_for(
                lambda m, c=channel: m.channel == c and m.state == state and name in m.text, 20)

    def count(self, name, state):
        return len([m for m in self.inbox.slack_messages if m.state == state and name in m.text])

    def write(self, name):
        return self.belfry.write([({"__name__": name}, [(now_ms(), 1.0)])])

    def work_in_shortage(self, belfry):
        """What must go on without space."""
        answer = wait_until(lambda: (a := self.write("early")).status == 503 and a, 15, "503")
        self.assertEqual(self.write("refused").status, 503)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertEqual(belfry.metric("belfry_storage_disk_full"), 1)
        belfry.statsd("during:3|c")
        self.page.text = "page_value 9\nsteady 1\n"
        belfry.wait_value("during_total", 3)
        belfry.wait_value("page_value", 9)
        belfry.wait_value("page:doubled", 18)
        self.told("PageHigh", "FIRING")
        self.page.text = "page_value 2\nsteady 1\n"
        self.told("PageHigh", "RESOLVED")
        self.assertEqual(belfry.get("/-/healthy").status, 200)
        self.assertEqual(belfry.get("/api/belfry/v1/notify/status").status, 200)
        self.assertEqual(belfry.query("refused"), [], "a refused write stores nothing")

    def recovered(self, belfry):
        wait_until(lambda: self.write("after").status == 204, 30, "recovery")
        self.assertEqual(belfry.metric("belfry_storage_disk_full"), 0)
        self.assertEqual(belfry.value("during_total"), 3)
        self.assertEqual(self.count("Steady", "FIRING"), 1)
        self.assertEqual(self.count("Steady", "RESOLVED"), 0)


class TooLittleFree(Base):
    def test_shortage_by_configuration_and_its_end(self):
        belfry = self.belfry = self.enterContext(
            Belfry(config(self.inbox, self.page), rules={"r.yml": RULES}))
        self.assertEqual(self.write("before").status, 204)
        self.told("Steady", "FIRING")
        belfry.write_config(config(self.inbox, self.page, {"min_free": NO_SPACE}))
        self.assertEqual(belfry.reload().status, 200)
        self.work_in_shortage(belfry)
        belfry.write_config(config(self.inbox, self.page))
        self.assertEqual(belfry.reload().status, 200)
        self.recovered(belfry)
        # what lived in memory only was kept by the recovery
        belfry.kill9()
        belfry.restart()
        self.assertEqual(belfry.value("during_total"), 3)
        self.assertEqual(self.write("after_kill").status, 204)
        self.assertEqual(self.count("Steady", "FIRING"), 1)

    def test_a_crash_in_the_shortage_counts_the_gap(self):
        belfry = self.belfry = self.enterContext(
            Belfry(config(self.inbox, self.page, {"min_free": NO_SPACE}), rules={"r.yml": RULES}))
        belfry.wait_value("page_value", 1)
        self.told("Steady", "FIRING")
        self.assertEqual(belfry.metric("belfry_storage_gaps_total"), 0)
        belfry.kill9()
        belfry.write_config(config(self.inbox, self.page))
        belfry.restart()
        self.assertEqual(belfry.metric("belfry_storage_gaps_total"), 1)
        self.assertIn("lived in memory only", belfry.log_text())
        belfry.wait_value("page_value", 1)
        time.sleep(2)
        self.assertEqual(self.count("Steady", "FIRING"), 1)
        self.assertEqual(self.count("Steady", "RESOLVED"), 0)
        belfry.kill9()
        belfry.restart()
        self.assertEqual(belfry.metric("belfry_storage_gaps_total"), 0)


class ReallyFull(Base):
    """The data directory on a tmpfs that something else fills."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("mounting a small tmpfs needs root")
        self.mount = tempfile.mkdtemp(prefix="belfry-disk.")
        self.addCleanup(os.rmdir, self.mount)
        if libc.mount(b"none", self.mount.encode(), b"tmpfs", 0, b"size=48m") != 0:
            self.skipTest(f"no tmpfs can be mounted: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(libc.umount2, self.mount.encode(), 2)

    def fill(self):
        with open(self.mount + "/filler", "ab", buffering=0) as filler:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        filler.write(b"\0" * size)
                except OSError:
                    pass

    @staticmethod
    def post_alert(belfry):
        return belfry.post("/api/v2/alerts", b'[{"labels": {"alertname": "Posted"}}]',
                           headers={"Content-Type": "application/json"})

    def test_a_disk_without_a_single_byte(self):
        storage = {"path": self.mount + "/data", "min_free": "1MB"}
        belfry = self.belfry = self.enterContext(
            Belfry(config(self.inbox, self.page, storage), rules={"r.yml": RULES}))
        self.assertEqual(self.write("before").status, 204)
        self.told("Steady", "FIRING")
        self.fill()
        self.work_in_shortage(belfry)
        self.fill()  # now what state.db's reserve gave back is gone, too
        self.page.text = "page_value 9\nsteady 1\n"
        belfry.wait_value("page_value", 9)
        time.sleep(2)
        self.assertEqual(belfry.reload().status, 200)
        self.assertEqual(belfry.get("/api/belfry/v1/notify/status").status, 200)
        self.assertEqual(belfry.value("vector(1)"), 1)
        os.unlink(self.mount + "/filler")
        self.recovered(belfry)
        wait_until(lambda: self.count("PageHigh", "FIRING") == 2, 15, "the late page")

    def test_stopping_without_space_ends(self):
        storage = {"path": self.mount + "/data", "min_free": "1MB"}
        belfry = self.belfry = self.enterContext(
            Belfry(config(self.inbox, self.page, storage), rules={"r.yml": RULES}))
        self.told("Steady", "FIRING")
        self.fill()
        self.page.text = "page_value 9\nsteady 1\n"
        belfry.wait_value("page_value", 9)
        self.told("PageHigh", "FIRING")
        self.fill()
        self.page.text = "page_value 1\nsteady 1\n"
        belfry.wait_value("page_value", 1)
        time.sleep(1.5)
        self.assertEqual(belfry.stop(), 0)
        os.unlink(self.mount + "/filler")
        belfry.restart()
        self.told("PageHigh", "RESOLVED")
        self.assertEqual(self.count("Steady", "RESOLVED"), 0)


if __name__ == "__main__":
    sys.exit(runner.main())
