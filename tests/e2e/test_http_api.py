#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon's HTTP API from outside: shapes, messages, limits, and clients that misbehave."""

import gzip
import json
import pathlib
import select
import socket
import sys
import threading
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import remote_write, runner
from lib.belfry import Belfry
from lib.net import GUARD_S, wait_until

RULES = """
groups:
- name: web
  interval: 1s
  rules:
  - record: job:requests:sum
    expr: sum by (job) (requests_total)
  - alert: Always
    expr: vector(7) > 5
    labels: {severity: page}
    annotations: {summary: "value {{ $value }}"}
"""

CONFIG = {"storage": {"out_of_order_window": "unlimited", "retention": 0},
          "query": {"max_samples": 10000000000, "timeout": "1h"},
          "web": {"external_url": "https://belfry.example/x"},
          "remote_write_receiver": {"enabled": True}}

# some tenths of a second of work
SLOW = "sum(sum_over_time(count_over_time(vector(1)[1h:1s])[20d:1s]))"
# ... and ten thousand times so much, asked over a range
ENDLESS = "quantile_over_time(0.5,vector(1)[20d:1s])"

BASE = 1_700_000_000_000


def raw(belfry, data, timeout=GUARD_S):
    """What the daemon says to these bytes until it closes."""
    with socket.create_connection(("127.0.0.1", belfry.web_port), timeout) as sock:
        sock.sendall(data)
        got = b""
        while True:
            part = sock.recv(65536)
            if not part:
                return got
            got += part


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.b = Belfry(CONFIG, rules={"r.yml": RULES}, statsd=False).__enter__()
        series = []
        for i in range(40):
            series.append(({"__name__": "requests_total", "job": f"j{i % 4}", "i": str(i)},
                           [(BASE + k * 1000, float(i * 10 + k)) for k in range(10)]))
        series.append(({"__name__": "with.dots", "strange label": "ä\n<b>"}, [(BASE, 1.5)]))
        series.append(({"__name__": "odd"},
                       [(BASE, float("inf")), (BASE + 1, float("-inf")), (BASE + 2, float("nan")),
                        (BASE + 3, 1e21), (BASE + 4, 1e-7), (BASE + 5, -0.0)]))
        answer = cls.b.write(series)
        assert answer.status == 204, answer

    @classmethod
    def tearDownClass(cls):
        cls.b.__exit__(None, None, None)

    def error(self, path, status, kind, has, data=None):
        res = self.b.post(path, data) if data is not None else self.b.get(path)
        self.assertEqual(res.status, status, res.text)
        answer = json.loads(res.text)
        self.assertEqual((answer["status"], answer["errorType"]), ("error", kind))
        self.assertIn(has, answer["error"])

    def test_values_are_written_as_prometheus_writes_them(self):
        got = self.b.api("query", query="odd[1m]", time=BASE / 1000 + 1)["result"][0]["values"]
        self.assertEqual([v for _, v in got], ["+Inf", "-Inf", "NaN", "1e+21", "1e-07", "-0"])
        self.assertEqual([round(t * 1000) - BASE for t, _ in got], [0, 1, 2, 3, 4, 5])
        body = self.b.get("/api/v1/query?query=vector(1)&time=1.5").text
        self.assertIn('"value":[1.500,"1"]', body)
        self.assertIn('"result":[1.5,"0.0000001"]',
                      self.b.get("/api/v1/query?query=1e-7&time=1.5").text)
        self.assertIn('"result":[1435781451.782,"x"]',
                      self.b.get("/api/v1/query?query=%22x%22&time=1435781451.7815").text)

    def test_ranges_answer_get_and_post_alike(self):
        query = f"query=sum(requests_total)&start={BASE / 1000}&end={BASE / 1000 + 3}&step=1"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        one = self.b.get("/api/v1/query_range?" + query)
        two = self.b.post("/api/v1/query_range", query.encode(), headers=form)
        self.assertEqual(one.text, two.text)
        values = json.loads(one.text)["data"]["result"][0]["values"]
        self.assertEqual([v for _, v in values], ["7800", "7840", "7880", "7920"])

    def test_errors_are_prometheuss(self):
        for path, has in (
                ("query?query=", '1:1: parse error: no expression found in input'),
                ("query?query=(", 'invalid parameter "query": 1:'),
                ("query?query=1&time=abc",
                 'invalid parameter "time": cannot parse "abc" to a valid timestamp'),
                ("query?query=1&timeout=x", 'cannot parse "x" to a valid duration'),
                ("query?query=1&limit=-1", "limit must be non-negative"),
                ("query_range?query=1&start=2&end=1&step=1",
                 "end timestamp must not be before start time"),
                ("query_range?query=1&start=1&end=2&step=0",
                 "zero or negative query resolution step widths are not accepted. Try a "
                 "positive integer"),
                ("query_range?query=1&start=0&end=100000&step=1",
                 "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing "
                 "the query resolution (?step=XX)"),
                ("query_range?query=up[5m]&start=0&end=10&step=1",
                 'invalid expression type "range vector" for range query'),
                ("series", "no match[] parameter provided"),
                ("series?match[]={}", "match[] must contain at least one non-empty matcher"),
                ("labels?match[]={", 'invalid parameter "match[]"'),
                ("label/%ff/values", "invalid label name"),
                ("rules?type=x", "not supported value"),
                ("status/tsdb?limit=10001", "limit")):
            with self.subTest(path):
                self.error("/api/v1/" + path, 400, "bad_data", has)
        self.error("/api/v1/query?query=requests_total%20%2B%20on(job)%20requests_total"
                   f"&time={BASE / 1000}", 422, "execution", "many-to-many")
        self.error("/api/v1/query?query=1&timeout=-1s", 400, "bad_data", "valid duration")
        self.error(f"/api/v1/query?query={SLOW}&timeout=1ms", 503, "timeout", "timed out")

    def test_parameters_are_read_as_prometheus_reads_them(self):
        at = BASE / 1000
        for path, status in (("query_range?query=1&start=0&end=11000&step=1", 200),  # 11,001 points
                             ("query_range?query=1&start=0&end=11001&step=1", 400),
                             ("query_range?query=1&start=0&end=9&step=0x1", 400),
                             (f"query?query=odd&time={at}&lookback_delta=0x10", 400),
                             ("query_exemplars?query=odd&start=2&end=1", 400),
                             ("metadata?limit=-1", 200), ("metadata?limit_per_metric=-5", 200), ("metadata?limit=x", 400)):
            self.assertEqual(self.b.get("/api/v1/" + path).status, status, path)
        whole = self.b.api("query_range", query="1", start=0, end=11000, step=1)["result"][0]["values"]
        self.assertEqual(len(whole), 11001)
        for none in ("0", "-1", "0s"):  # the configured one
            found = self.b.api("query", query="odd", time=at + 1, lookback_delta=none)["result"]
            self.assertEqual(len(found), 1, none)
        self.assertEqual(self.b.api("label/U___6A_ob/values"), self.b.api("label/job/values"))
        for stats, warned in (("true", False), ("all", False), ("1", True)):
            res = json.loads(self.b.get(f"/api/v1/query?query=1&stats={stats}").text)
            self.assertEqual(("warnings" in res, "stats" in res["data"]), (warned, True))

    def test_limits_truncate_with_a_warning(self):
        for path in ("query?query=requests_total&time=%d" % (BASE / 1000),
                     "series?match[]=requests_total", "labels?",
                     "label/i/values?"):
            res = json.loads(self.b.get(f"/api/v1/{path}&limit=2").text)
            self.assertEqual(res["warnings"], ["results truncated due to limit"], path)
            data = res["data"]["result"] if "query" in path else res["data"]
            self.assertEqual(len(data), 2)
        res = json.loads(self.b.get("/api/v1/series?match[]=requests_total&limit=40").text)
        self.assertNotIn("warnings", res)

    def test_series_labels_and_values(self):
        self.assertEqual(self.b.api("label/job/values", **{"match[]": 'requests_total{i=~"1|2"}'}),
                         ["j1", "j2"])
        self.assertEqual(self.b.api("label/U__strange_20_label/values"), ["ä\n<b>"])
        self.assertEqual(self.b.api("label/strange%20label/values"), ["ä\n<b>"])
        self.assertEqual(self.b.api("label/nothing/values"), [])
        self.assertEqual(self.b.api("labels", **{"match[]": ["odd", 'requests_total{i="1"}']}),
                         ["__name__", "i", "job"])
        found = self.b.api("series", **{"match[]": ['requests_total{i="3"}', 'requests_total{i=~"3|5"}']})
        self.assertEqual([s["i"] for s in found], ["3", "5"])
        self.assertEqual(self.b.api("series", start=1, end=2, **{"match[]": "requests_total"}), [])
        far = {"start": -36000000, "end": 1e12, "match[]": "odd"}
        self.assertEqual(self.b.api("series", **far), [{"__name__": "odd"}])

    def test_rules_and_alerts(self):
        wait_until(lambda: self.b.alerts(alertname="Always"), 10, "the alert")
        alert = self.b.alerts(alertname="Always")[0]
        self.assertEqual(alert["labels"]["severity"], "page")
        self.assertEqual((alert["state"], alert["value"]), ("firing", "7e+00"))
        groups = self.b.api("rules", type="alert")["groups"]
        self.assertEqual([r["name"] for g in groups for r in g["rules"]], ["Always"])
        self.assertEqual(self.b.api("rules", **{"rule_name[]": "nothing"})["groups"], [])
        self.assertEqual(self.b.api("alertmanagers")["activeAlertmanagers"], [])

    def test_status(self):
        self.assertRegex(self.b.api("status/buildinfo")["version"], r"^3\.\d+\.\d+$")
        info = self.b.api("status/runtimeinfo")
        self.assertTrue(info["reloadConfigSuccess"])
        self.assertIn("out_of_order_window", self.b.api("status/config")["yaml"])
        tsdb = self.b.api("status/tsdb")
        self.assertEqual(tsdb["seriesCountByMetricName"][0], {"name": "requests_total", "value": 40})
        self.assertTrue(all(isinstance(v, str) for v in self.b.api("status/flags").values()))
        self.assertEqual(self.b.api("query_exemplars", query="odd", start=0, end=1), [])
        self.assertEqual(self.b.api("format_query", query="sum( odd )by(job)"),
                         "sum by (job) (odd)")
        self.assertEqual(self.b.api("parse_query", query="odd")["type"], "vectorSelector")
        self.assertIn("activeTargets", self.b.api("targets"))

    def test_seams_are_closed_without_the_test_variable(self):
        for path in ("flush", "clock"):
            res = self.b.post(f"/api/belfry/v1/debug/{path}")
            self.assertEqual((res.status, res.text), (404, "404 page not found\n"))

    def test_foreign_hosts_and_pages(self):
        self.assertEqual(self.b.get("/-/ready", headers={"Host": "evil.example"}).status, 421)
        self.assertEqual(self.b.get("/-/ready", headers={"Host": "belfry.example"}).status, 200)
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            self.assertEqual(self.b.post("/-/reload", headers=headers).status, 403)
            self.assertEqual(self.b.post("/api/v1/write", headers=headers).status, 403)
        self.assertEqual(self.b.get("/-/reload").status, 405)

    def test_a_bad_reload_answers_with_a_caret_and_keeps_the_old(self):
        good = self.b.config_path.read_text()
        try:
            self.b.config_path.write_text(good + "scrape_intervall: 5s\n")
            res = self.b.post("/-/reload")
            self.assertEqual(res.status, 500)
            self.assertIn("unknown key \"scrape_intervall\"", res.text)
            self.assertIn("^~~~", res.text)
            self.assertFalse(self.b.api("status/runtimeinfo")["reloadConfigSuccess"])
        finally:
            self.b.config_path.write_text(good)
        self.assertEqual(self.b.post("/-/reload").status, 200)
        self.assertTrue(self.b.api("status/runtimeinfo")["reloadConfigSuccess"])

    def test_the_page_comes_with_its_guards(self):
        res = self.b.get("/", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(res.status, 200)
        self.assertIn("default-src 'self'", res.headers["Content-Security-Policy"])
        self.assertEqual(res.headers["X-Content-Type-Options"], "nosniff")
        text = gzip.decompress(res.body) if res.body[:2] == b"\x1f\x8b" else res.body
        self.assertIn(b"<!doctype html>", text)
        self.assertEqual(self.b.get("/", headers={"Accept-Encoding": "identity"}).body, text)
        again = self.b.get("/", headers={"If-None-Match": res.headers["ETag"]})
        self.assertEqual((again.status, again.body), (304, b""))
        for path in ("/belfry.cs", "/../etc/passwd", "/%2e%2e/x", "/index.html%00"):
            self.assertIn(self.b.get(path).status, (400, 404), path)

    def test_a_client_that_hangs_up_ends_its_query(self):
        # each is minutes of work: the next would never be answered if one went on
        data = (f"GET /api/v1/query_range?query={ENDLESS}&start=1&end=10000&step=1&timeout=1h "
                "HTTP/1.1\r\nHost: localhost\r\n\r\n").encode()
        for _ in range(40):
            with socket.create_connection(("127.0.0.1", self.b.web_port)) as sock:
                sock.sendall(data)
        self.assertEqual(self.b.query("1+1")[1], "2")
        began = self.b.cpu_seconds()
        with socket.create_connection(("127.0.0.1", self.b.web_port)) as sock:
            sock.sendall(data)
            wait_until(lambda: self.b.cpu_seconds() - began > 0.2, what="the query's beginning")
            self.assertEqual(select.select([sock], [], [], 0)[0], [], "it goes on")

    def test_slow_clients_do_not_slow_others(self):
        socks = []
        for _ in range(100):
            sock = socket.create_connection(("127.0.0.1", self.b.web_port))
            sock.sendall(b"GET /-/ready HTTP/1.1\r\nHost: loc")
            socks.append(sock)
        self.assertEqual(self.b.query("1+1")[1], "2")
        self.assertGreaterEqual(self.b.metric("belfry_http_connections"), 100)
        for sock in socks:
            sock.close()

    def test_smuggling_is_refused(self):
        head = b"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\n"
        for extra in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                      b"Content-Length: 5\r\nContent-Length: 6\r\n",
                      b"Transfer-Encoding : chunked\r\n", b"Content-Length: 0x5\r\n"):
            got = raw(self.b, head + extra + b"\r\nGET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(got.startswith(b"HTTP/1.1 400"), got)
            self.assertEqual(got.count(b"HTTP/1.1"), 1)

    def test_what_it_counts_shows(self):
        self.b.get("/nothing/here")
        self.assertGreaterEqual(self.b.metric("belfry_http_requests_total", code="404"), 1)
        self.assertGreaterEqual(self.b.metric("belfry_remote_write_samples_total"), 400)
        self.assertEqual(self.b.metric("belfry_http_connections_limit"), 512)


class ManyWriters(unittest.TestCase):
    def test_all_that_was_acknowledged_is_there(self):
        with Belfry(CONFIG, statsd=False) as b:
            acknowledged = [0] * 8

            def write(n):
                for k in range(20):
                    series = [({"__name__": "w", "n": str(n), "i": str(i)},
                               [(BASE + k * 1000, float(k))]) for i in range(50)]
                    if b.write(series).status == 204:
                        acknowledged[n] += 50
            threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            got = b.query("sum by (n) (count_over_time(w[1h]))", at=BASE / 1000 + 100)
            self.assertEqual({int(r["metric"]["n"]): int(r["value"][1]) for r in got},
                             dict(enumerate(acknowledged)))
            self.assertEqual(sum(acknowledged), 8000)


if __name__ == "__main__":
    sys.exit(runner.main())
