#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""belfry promql, explain=true, and the bounds of queries with their errors and counters."""

import json
import os
import pathlib
import re
import select
import socket
import subprocess
import sys
import time
import unittest
import urllib.parse

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry, binary
from lib.net import GUARD_S, http, wait_until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def now_ms():
    return int(time.time() * 1000)


def run(*args, text=None):
    return subprocess.run([binary(), *args], input=text, capture_output=True, timeout=60)


def ask(belfry, path, **params):
    """The status and the JSON of a form that is posted."""
    body = urllib.parse.urlencode(params, encoding="latin-1", errors="replace").encode()
    answer = http(belfry.url(f"/api/v1/{path}"), data=body, headers=FORM, timeout=60)
    return answer.status, json.loads(answer.body)


class Commands(unittest.TestCase):
    def test_an_expression_is_laid_out_and_that_does_not_change_again(self):
        long = ("sum by (job)(rate(a_rather_long_metric_name_total{job=~'a|b'}[5m]))/on(job)"
                "group_left sum by (job)(rate(a_rather_long_metric_name_of_all_total[5m]))")
        first = run("promql", "format", long)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertGreater(first.stdout.count(b"\n"), 1)
        self.assertEqual(run("promql", "format", "-", text=first.stdout).stdout, first.stdout)

    def test_the_tree_is_that_of_the_api(self):
        expr = 'histogram_quantile(0.9, sum by (le) (rate(x{a!~"b.*"}[5m:30s] @ end() offset -1m)))'
        done = run("promql", "parse", expr)
        self.assertEqual(done.returncode, 0, done.stderr)
        with Belfry({}) as belfry:
            self.assertEqual(json.loads(done.stdout), belfry.api("parse_query", query=expr))

    def test_a_mistake_is_shown_where_it_is(self):
        done = run("promql", "parse", "sum(rates(x[5m]))")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(done.stderr.decode().splitlines(), [
            'belfry: 1:5: parse error: unknown function with name "rates", did you mean "rate"?',
            "  sum(rates(x[5m]))", "      ^~~~~"])
        self.assertEqual(run("promql", "format").returncode, 2)
        self.assertEqual(run("promql", "format", "-", text=b"(" * 5000000).returncode, 1)


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.belfry = Belfry({})
        cls.belfry.__enter__()
        t = now_ms()
        cls.belfry.write([({"__name__": "shop_requests_total", "instance": f"i{i}", "job": "shop"},
                           [(t - 60000, 1.0), (t - 30000, 4.0), (t, 9.0)]) for i in range(20)])

    @classmethod
    def tearDownClass(cls):
        cls.belfry.__exit__(None, None, None)

    def explained(self, expr, **params):
        status, answer = ask(self.belfry, "query_range" if params else "query", query=expr,
                             explain="true", **params)
        self.assertEqual(status, 200, answer)
        self.assertIn("result", answer["data"])
        return answer["data"]["explain"]["nodes"]

    def test_each_node_has_its_time_series_and_samples(self):
        nodes = self.explained("(sum by (job) (rate(shop_requests_total[5m]))) > 0")
        self.assertEqual([(n["depth"], n["expr"], n["series"]) for n in nodes], [
            (0, "(sum by (job) (rate(shop_requests_total[5m]))) > 0", 1),
            (1, "sum by (job) (rate(shop_requests_total[5m]))", 1),
            (2, "rate(shop_requests_total[5m])", 20),
            (3, "shop_requests_total[5m]", 20),
            (1, "0", 0)])
        self.assertEqual([n["samples"] for n in nodes], [0, 0, 0, 60, 0])
        self.assertEqual(nodes[3]["selected"], 20)
        self.assertEqual([n["parent"] for n in nodes],
                         [None, nodes[0]["id"], nodes[1]["id"], nodes[2]["id"], nodes[0]["id"]])
        for n in nodes:
            self.assertGreaterEqual(n["seconds"], n["selfSeconds"])
            self.assertGreaterEqual(n["selfSeconds"], 0)
        self.assertAlmostEqual(nodes[0]["seconds"], sum(n["selfSeconds"] for n in nodes), 6)
        now = time.time()
        nodes = self.explained("shop_requests_total", start=now - 50, end=now, step=10)
        self.assertGreaterEqual(nodes[0]["points"], 100)

    def test_it_is_asked_for(self):
        status, answer = ask(self.belfry, "query", query="shop_requests_total")
        self.assertEqual((status, "explain" in answer["data"]), (200, False))

    def test_names_that_are_not_there_are_told_with_the_nearest(self):
        for expr, hint in {
                "rate(shop_request_total[5m])":
                    'there is no metric "shop_request_total", did you mean "shop_requests_total"?',
                'shop_requests_total{instnace="i1"}':
                    'no such series has the label "instnace", did you mean "instance"?',
                'shop_requests_total{job="shops"}':
                    'no such series has the label value "shops", did you mean "shop"?',
                "sum by (jobb) (shop_requests_total)":
                    'no series has the label "jobb", did you mean "job"?',
                "zzzzzzzzzzzz": 'there is no metric "zzzzzzzzzzzz"'}.items():
            with self.subTest(expr):
                self.assertIn(hint, [n.get("hint") for n in self.explained(expr)])
        self.assertEqual([n for n in self.explained("sum by (job) (shop_requests_total)")
                          if "hint" in n], [])

    def test_the_command_prints_it_as_a_table(self):
        done = subprocess.run(
            [binary(), "query", "--explain", "sum(shop_requests_totl)"], text=True, timeout=60,
            capture_output=True, env={**os.environ, "BELFRY_URL": self.belfry.url()})
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^TIME +SELF +SERIES +POINTS +SAMPLES +EXPRESSION$")
        self.assertRegex(lines[2], r"ms +0 +0 +0 +  shop_requests_totl   <- there is no metric")


class Bounds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # no query here may end by its time: a slow machine would answer that instead
        cls.belfry = Belfry({"query": {"timeout": "10m", "max_samples": 200000, "max_memory": "16MB",
                                       "max_concurrency": 1}})
        cls.belfry.__enter__()
        t = now_ms()
        for k in range(0, 10000, 1000):
            cls.belfry.write([({"__name__": "m", "i": str(i)}, [(t, float(i))])
                              for i in range(k, k + 1000)])

    @classmethod
    def tearDownClass(cls):
        cls.belfry.__exit__(None, None, None)

    def refused(self, reason):
        return self.belfry.metric("belfry_query_refused_total", reason=reason)

    def check(self, reason, status, kind, text, path="query", **params):
        before = self.refused(reason) or 0
        got, answer = ask(self.belfry, path, **params)
        self.assertEqual((got, answer["status"], answer["errorType"]), (status, "error", kind),
                         answer)
        self.assertRegex(answer["error"], text)
        self.assertEqual(self.refused(reason), before + 1)

    def test_each_bound_has_its_error_and_its_counter(self):
        now = time.time()
        wide = {"start": now - 10000, "end": now, "step": 1}
        self.check("bytes", 400, "bad_data", "expression of 1000000 bytes, at most 16384",
                   query="(" * 1000000)
        self.check("depth", 400, "bad_data", "deeper than 200", query="(" * 15000)
        self.check("depth", 400, "bad_data", "deeper than 200", query="-" * 10000 + "1")
        self.check("regex", 400, "bad_data", "more than 1024 KiB", query='{a=~"(\\\\pL{100}x){5}"}')
        self.check("regex", 400, "bad_data", "more than 128 regular",
                   query="+".join('{a=~"b.%d"}' % i for i in range(200)))
        self.check("steps", 400, "bad_data", "11,000 points", path="query_range", query="1",
                   start=now - 20000, end=now, step=1)
        self.check("max_samples", 422, "execution", r"200000 samples \(query.max_samples\)",
                   query="+".join(["sum(m)"] * 30))
        self.check("max_memory", 422, "execution", r"16 MB of memory \(query.max_memory\)",
                   path="query_range", query='count_values("v", m)', **wide)
        self.check("timeout", 503, "timeout", "timed out", path="query_range",
                   query="+".join(["count(abs(ln(exp(sqrt(m)))))"] * 15), timeout="1ms", **wide)

    def test_a_full_queue_says_so(self):
        now = time.time()
        query = urllib.parse.urlencode({
            "query": "+".join(["quantile(0.5, m)"] * 15), "start": now - 10000, "end": now,
            "step": 1})
        socks = []
        try:
            for _ in range(100):
                sock = socket.create_connection(("127.0.0.1", self.belfry.web_port), 10)
                sock.sendall((f"GET /api/v1/query_range?{query} HTTP/1.1\r\n"
                              "Host: localhost\r\n\r\n").encode())
                socks.append(sock)
            socks[-1].settimeout(GUARD_S)
            answer = b""
            while b"}" not in answer:
                part = socks[-1].recv(65536)
                self.assertTrue(part, answer)
                answer += part
            self.assertIn(b" 503 ", answer.split(b"\r\n")[0])
            self.assertIn(b'"errorType":"unavailable"', answer)
            self.assertIn(b"too many requests are waiting", answer)
        finally:
            for sock in socks:
                sock.close()
        wait_until(lambda: self.belfry.get("/api/v1/query?query=1").status == 200, 10, "an answer")

    def test_bad_expressions_are_told_in_prometheus_shape(self):
        for expr, status, kind in (
                ("(" * 100000, 400, "bad_data"),
                ("m" * 1000000, 400, "bad_data"),
                ("\xff\xfe", 400, "bad_data"),
                ('m{i="\xff"}', 400, "bad_data"),
                ("m[99999999999999999999y]", 400, "bad_data"),
                ("m[-5m]", 400, "bad_data"),
                ("m[0s]", 400, "bad_data"),
                ("m offset 999999999y", 400, "bad_data"),
                ("m @ 1e400", 400, "bad_data"),
                ("0x", 400, "bad_data"),
                ("1e", 400, "bad_data"),
                ("1_000__000_", 400, "bad_data"),
                ('m{i=~"("}', 400, "bad_data"),
                ('m{i=~"(?=a)"}', 400, "bad_data"),
                ("\0", 400, "bad_data"),
                ("m + on() m", 422, "execution"),
                ('label_replace(m, "i", "x", "i", ".*")', 422, "execution"),
                ("count_over_time(vector(1)[100y:1ms])", 422, "execution")):
            with self.subTest(expr[:40]):
                got, answer = ask(self.belfry, "query", query=expr)
                self.assertEqual((got, answer["status"], answer["errorType"]),
                                 (status, "error", kind), answer)
                self.assertLess(len(answer["error"]), 1000)
                if len(expr) < 16384 and status == 400:
                    self.assertRegex(answer["error"], r": \d+:\d+: ")
        for expr in ('m{i=~"(a+)+$"}', '{i=~"(a|a)*b"}', "1e308 * 10", "-0x1F", "1_000", "m[1ms]"):
            with self.subTest(expr):
                self.assertEqual(ask(self.belfry, "query", query=expr)[0], 200)

    def test_at_most_ten_annotations_come(self):
        expr = "+".join(f'rate(m{{i="{i}"}}[{i + 1}m])' for i in range(14))
        expr += "+" + "+".join(f"quantile(1.{i}, m{{i='7'}})" for i in range(14))
        status, answer = ask(self.belfry, "query", query=expr)
        self.assertEqual(status, 200, answer)
        self.assertEqual(len(answer["warnings"]), 10)
        self.assertLessEqual(len(answer.get("infos", [])), 10)
        self.assertTrue(all(re.search(r"\(\d+:\d+\)$", w) for w in answer["warnings"]))


class HangUp(unittest.TestCase):
    """One worker and no small bounds: the query below runs for many seconds unless it is cancelled."""

    @classmethod
    def setUpClass(cls):
        cls.belfry = Belfry({"query": {"max_concurrency": 1}})
        cls.belfry.__enter__()
        t = now_ms()
        for k in range(0, 10000, 1000):
            cls.belfry.write([({"__name__": "m", "i": str(i)}, [(t, float(i))])
                              for i in range(k, k + 1000)])

    @classmethod
    def tearDownClass(cls):
        cls.belfry.__exit__(None, None, None)

    def canceled(self):
        return self.belfry.metric("belfry_query_refused_total", reason="canceled") or 0

    def hang_up(self, query, work_s):
        """Asks, and leaves when the worker has worked so long on it, by the processor's time; how
        long the worker was busy still."""
        before = self.canceled()
        began = self.belfry.cpu_seconds()
        with socket.create_connection(("127.0.0.1", self.belfry.web_port), GUARD_S) as sock:
            sock.sendall((f"GET /api/v1/query_range?{query} HTTP/1.1\r\n"
                          "Host: localhost\r\n\r\n").encode())
            wait_until(lambda: self.belfry.cpu_seconds() - began > work_s, what="the worker's work")
            self.assertEqual(select.select([sock], [], [], 0)[0], [], "the query ended by itself")
        ended = time.monotonic()
        self.assertEqual(self.belfry.value("vector(1)"), 1)
        busy = time.monotonic() - ended
        wait_until(lambda: self.canceled() == before + 1, what="the cancelled query")
        return busy

    def test_a_hang_up_frees_the_worker_at_once(self):
        """One worker: the next query is answered when the given-up one has ended."""
        now = time.time()
        # The samples are seen for five minutes: every step has all 10,000 series. No two terms are
        # alike, so that each is computed; a sum keeps no series, so that no bound ends it.
        query = urllib.parse.urlencode({
            "query": "+".join(f"sum(abs(ln(exp(sqrt(m + {i})))))" for i in range(10, 40)),
            "start": now, "end": now + 290, "step": 0.03, "timeout": "10m"})
        for work_s in (0.1, 0.2, 0.5):
            busy = self.hang_up(query, work_s)
            print(f"  free {busy * 1000:.0f} ms after the client had hung up")


if __name__ == "__main__":
    sys.exit(runner.main())
