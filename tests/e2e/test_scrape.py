#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scraping by the real daemon from servers as they are met: TLS under another name, passwords,
compression, slow and broken pages, and changes of the configuration."""

import base64
import pathlib
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import wait_until
from lib.page import Page


def job(page, name="j", **more):
    """A second for a page of ours: a busy machine may need it."""
    return {"job_name": name, "scrape_interval": "1s", "scrape_timeout": "1s",
            "static_configs": [{"targets": [f"127.0.0.1:{page.port}"]}], **more}


def target(b):
    return b.api("targets")["activeTargets"][0]


class Scrape(unittest.TestCase):
    def test_compression_credentials_and_parameters(self):
        with Page() as page:
            page.gzip = True
            page.text = "".join(f"m{i} {i}\n" for i in range(5000))
            conf = job(page, metrics_path="/probe", params={"module": ["x y"]},
                       basic_auth={"username": "u", "password": "p"})
            with Belfry({"scrape_configs": [conf]}, statsd=False) as b:
                b.wait_value("m4999", 4999)
                path, headers = page.requests[0]
                self.assertEqual(path, "/probe?module=x%20y")
                self.assertEqual(headers["Authorization"],
                                 "Basic " + base64.b64encode(b"u:p").decode())
                self.assertTrue(headers["User-Agent"].startswith("belfry/"))
                self.assertEqual(headers["X-Prometheus-Scrape-Timeout-Seconds"], "1")
                self.assertEqual(b.value("max_over_time(scrape_samples_scraped[1m])"), 5000)

    def test_tls_under_another_name(self):
        with tempfile.TemporaryDirectory() as d:
            cert, key = f"{d}/cert.pem", f"{d}/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                            "-subj", "/CN=metrics.example", "-addext",
                            "subjectAltName=DNS:metrics.example", "-keyout", key, "-out", cert],
                           check=True, capture_output=True)
            with Page(tls=(cert, key)) as page:
                good = job(page, scheme="https",
                           tls_config={"ca_file": cert, "server_name": "metrics.example"})
                bad = job(page, name="other", scheme="https", tls_config={"ca_file": cert})
                with Belfry({"scrape_configs": [good, bad]}, statsd=False) as b:
                    b.wait_value('a{job="j"}', 1)
                    b.wait_value('up{job="other"}', 0)
                    self.assertEqual(page.requests[0][1]["Host"], f"127.0.0.1:{page.port}")

    def test_a_slow_target_times_out_and_recovers(self):
        with Page() as page:
            with Belfry({"scrape_configs": [job(page)]}, statsd=False) as b:
                b.wait_value("up", 1)
                page.slow = True
                b.wait_value("up", 0)
                self.assertIn("timed out", target(b)["lastError"])
                self.assertEqual(b.query("a"), [])
                page.slow = False
                page.stop_event.set()
                b.wait_value("up", 1)
                b.wait_value("a", 1)

    def test_one_bad_line_fails_the_scrape_and_is_shown(self):
        with Page() as page:
            page.text = "good 1\nbad{ 1\n"
            with Belfry({"scrape_configs": [job(page)]}, statsd=False) as b:
                b.wait_value("up", 0)
                self.assertEqual(b.query("good"), [])
                self.assertIn("line 2", target(b)["lastError"])
                self.assertEqual(target(b)["health"], "down")
                page.text = "good 1\n"
                b.wait_value("good", 1)

    def test_a_reload_keeps_targets_and_ends_removed_ones(self):
        with Page() as one, Page() as two:
            conf = {"scrape_configs": [job(one, "one"), job(two, "two")]}
            with Belfry(conf, statsd=False) as b:
                b.wait_query("a", lambda r: len(r) == 2)
                b.write_config({"scrape_configs": [job(two, "two", sample_limit=10),
                                                   job(one, "three")]})
                self.assertEqual(b.reload().status, 200)
                b.wait_query("a", lambda r: {s["metric"]["job"] for s in r} == {"two", "three"})
                self.assertEqual(b.query('up{job="one"}'), [])
                wait_until(lambda: len(b.query('a{job="two"}[10m]')[0]["values"]) > 3,
                           what="samples")
                # never down and never stale in between: there is a value at every moment
                times = [float(t) for t, _ in b.query('a{job="two"}[10m]')[0]["values"]]
                self.assertEqual({v for _, v in b.query('up{job="two"}[10m]')[0]["values"]}, {"1"})
                seen = b.query_range('a{job="two"}', times[0], times[-1], 0.1)[0]["values"]
                self.assertEqual(len(seen), round((times[-1] - times[0]) * 10) + 1)
                # and a target that stays keeps its slots
                self.assertEqual(len({round(t * 1000) % 1000 for t in times}), 1)

    def test_a_restart_keeps_the_slots(self):
        with Page() as page:
            with Belfry({"scrape_configs": [job(page)]}, statsd=False) as b:
                b.wait_value("up", 1)
                b.stop()
                b.restart()
                wait_until(lambda: len(b.query("up[10m]")[0]["values"]) >= 4, what="four scrapes")
                times = [round(t * 1000) for t, _ in b.query("up[10m]")[0]["values"]]
                self.assertEqual({t % 1000 for t in times}, {times[0] % 1000})
                self.assertNotIn(0, [float(v) for _, v in b.query("up[10m]")[0]["values"]])


if __name__ == "__main__":
    sys.exit(runner.main())
