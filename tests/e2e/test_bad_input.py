#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input from every side: refused by its reason, told where it is looked for, and nothing else
is lost by it."""

import json
import pathlib
import re
import socket
import struct
import sys
import time
import unittest

import snappy

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import remote_write, runner
from lib.belfry import Belfry, binary
from lib.inbox import Inbox
from lib.net import GUARD_S, http, wait_until
from lib.page import Page
from lib.statsd import StatsdSender

RULES = """
groups:
- name: evil
  interval: 1s
  rules:
  - alert: Evil
    expr: evil == 1
    labels: {severity: warning}
    annotations: {summary: "pool {{ $labels.pool }} is full"}
"""
BAD_RULES = """groups:
- name: evil
  rules:
  - alert: Evil
    expr: sum(rate(a[5m])
"""
# What one bad request may cost for good; a sanitizer's shadow and quarantine are not counted.
PLAIN = not any(v in binary() for v in ("/asan/", "/tsan/"))
GROWTH = 48 << 20 if PLAIN else 2 << 30
FAST = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
EVIL = "<!channel> <https://evil.test|x> &amp; *b*\r\nBcc: evil@x.test\r\n\r\n<script>alert(1)</script>"


def now_ms():
    return int(time.time() * 1000)


def route(receiver="ops", **more):
    return {"receiver": receiver, "group_by": ["alertname"], "group_wait": "0s",
            "group_interval": "1s", "repeat_interval": "1h", **more}


def mail_globals(inbox):
    return {**FAST, "smtp_smarthost": inbox.smarthost, "smtp_from": "belfry@x.test",
            "smtp_require_tls": False}


class StatsdLines(unittest.TestCase):
    def test_bad_lines_are_counted_by_reason_and_the_rest_of_the_packet_is_taken(self):
        bad = {"no_value": b"lonely", "no_type": b"x:1", "bad_type": b"x:1|zz",
               "bad_value": b"x:1e|c", "bad_sample_rate": b"rate:1|c|@nope",
               "negative_counter": b"x:-1|c", "invalid_utf8": b"x:1|c|#k:\xff\xfe",
               "bad_name": b":1|c"}
        with Belfry({"statsd": {"flush_interval": "1s"}}) as belfry:
            with StatsdSender(belfry.statsd_port) as sender:
                sender.packet(b"\n".join([b"good.a:1|c", *bad.values(), b"good.b:2|c"]))
                sender.packet(b"")
                sender.packet(b"\x00" * 1400)
                sender.packet(b"good.c:" + b"9" * 8000 + b"|c\ngood.d:4|c")
                sender.packet(b"good.e:5|c" + b"\n" * 300)
            belfry.wait_value("good_e_total", 5)
            self.assertEqual(belfry.value("good_a_total"), 1)
            self.assertEqual(belfry.value("good_b_total"), 2)
            self.assertEqual(belfry.value("good_d_total"), 4)
            for reason in bad:
                self.assertGreaterEqual(
                    belfry.metric("belfry_statsd_dropped_total", reason=reason), 1, reason)
            # a rate that is none counts as 1, as with statsd_exporter
            self.assertEqual(belfry.value("rate_total"), 1)
            self.assertEqual(belfry.query('{__name__=~"x_total|x|lonely.*"}'), [])


class Scrapes(unittest.TestCase):
    def test_one_bad_line_fails_the_scrape_and_stores_nothing_of_it(self):
        with Page() as page:
            page.text = "good_metric 1\nother_metric 2\n"
            with Belfry({"global": FAST, "scrape_configs": [
                    {"job_name": "j", "static_configs": [
                        {"targets": [f"127.0.0.1:{page.port}"]}]}]}) as belfry:
                belfry.wait_value('up{job="j"}', 1)
                page.text = "good_metric 7\nother_metric{ 2\nlast_metric 3\n"
                belfry.wait_value('up{job="j"}', 0)
                target = belfry.api("targets")["activeTargets"][0]
                self.assertEqual(target["health"], "down")
                self.assertTrue(target["lastError"])
                self.assertEqual(belfry.query("last_metric"), [])
                self.assertEqual(belfry.query("good_metric"), [], "stale at once")
                values = {v for s in belfry.query("good_metric[1m]") for _, v in s["values"]}
                self.assertEqual(values, {"1"})
                page.text = "good_metric 8\n"
                belfry.wait_value("good_metric", 8)
                target = belfry.api("targets")["activeTargets"][0]
                self.assertEqual((target["health"], target["lastError"]), ("up", ""))


class RuleFiles(unittest.TestCase):
    def test_a_start_with_a_bad_rule_file_is_refused_at_its_place(self):
        belfry = Belfry({}, rules={"r.yml": BAD_RULES}, wait=False)
        self.addCleanup(belfry.__exit__, None, None, None)
        belfry.start(wait=False)
        self.assertEqual(belfry.process.wait(GUARD_S), 78)
        belfry.process = None
        self.assertRegex(belfry.log_text(), r"r\.yml:5:\d+: ")

    def test_a_bad_reload_keeps_rules_and_timers_and_says_so_everywhere(self):
        rules = RULES.replace("expr: evil == 1", "expr: vector(1)\n    for: 4s")
        with Belfry({"global": FAST}, rules={"r.yml": rules}) as belfry:
            wait_until(lambda: belfry.alerts(), 10, "a pending alert")
            before = belfry.alerts()[0]
            belfry.write_rules("r.yml", BAD_RULES)
            answer = belfry.reload()
            self.assertEqual(answer.status, 500)
            self.assertRegex(answer.text, r"r\.yml:5:\d+: ")
            self.assertIn("running configuration was kept", answer.text)
            self.assertIn("reload failed", belfry.log_text())
            self.assertEqual(belfry.metric("belfry_config_last_reload_successful"), 0)
            self.assertIs(belfry.api("status/runtimeinfo")["reloadConfigSuccess"], False)
            wait_until(lambda: belfry.alerts()[0]["state"] == "firing", 10, "firing")
            after = belfry.alerts()[0]
            self.assertEqual(after["activeAt"], before["activeAt"])
            belfry.write_rules("r.yml", rules)
            self.assertEqual(belfry.reload().status, 200)
            self.assertEqual(belfry.metric("belfry_config_last_reload_successful"), 1)
            self.assertIs(belfry.api("status/runtimeinfo")["reloadConfigSuccess"], True)
            time.sleep(1.2)
            self.assertEqual(belfry.alerts()[0]["activeAt"], before["activeAt"])
            self.assertEqual(belfry.alerts()[0]["state"], "firing")


class Receivers(unittest.TestCase):
    def test_a_slack_url_that_is_not_there_is_shown_and_harms_nobody(self):
        with Inbox() as inbox:
            inbox.answer("slack", 404)
            config = {"global": mail_globals(inbox), "route": route(), "receivers": [
                {"name": "ops", "slack_configs": [{"api_url": inbox.slack_url()}],
                 "email_configs": [{"to": "ops@x.test"}]}]}
            with Belfry(config, rules={"r.yml": RULES}) as belfry:
                belfry.write([({"__name__": "evil", "pool": "p"}, [(now_ms(), 1.0)])])
                inbox.wait_for(lambda m: m.channel == "mail" and m.state == "FIRING")
                inbox.wait_attempts("slack", 1)

                def shown():
                    status = json.loads(belfry.get("/api/belfry/v1/notify/status").body)["data"]
                    slack = [r for r in status["receivers"] if r["integration"] == "slack"][0]
                    return slack["failed"] == 1 and slack["queued"] == 0 and slack

                slack = wait_until(shown, 5, "the refusal in the status")
                self.assertIn("404", slack["lastError"])
                self.assertEqual(
                    belfry.metric("belfry_notify_failed_total", integration="ops/slack/0"), 1)
                self.assertEqual(belfry.metric("belfry_notify_dropped_total", reason="refused"), 1)
                self.assertIn("given up", belfry.log_text())
                time.sleep(2)
                self.assertEqual(
                    len([a for a in inbox.attempts if a.channel == "slack"]), 1)
                belfry.write([({"__name__": "evil", "pool": "p"}, [(now_ms(), 0.0)])])
                inbox.wait_for(lambda m: m.channel == "mail" and m.state == "RESOLVED")

    def test_labels_speak_neither_slack_nor_mail_nor_html(self):
        with Inbox() as inbox:
            config = {"global": mail_globals(inbox), "route": route(group_by=["pool"]),
                      "receivers": [
                          {"name": "ops", "slack_configs": [{"api_url": inbox.slack_url()}],
                           "email_configs": [{"to": "ops@x.test"}],
                           "webhook_configs": [{"url": inbox.webhook_url()}]}]}
            with Belfry(config, rules={"r.yml": RULES}) as belfry:
                answer = belfry.write([({"__name__": "evil", "pool": EVIL}, [(now_ms(), 1.0)])])
                self.assertEqual(answer.status, 204, answer)
                slack = inbox.wait_for(lambda m: m.channel == "slack")
                mail = inbox.wait_for(lambda m: m.channel == "mail")
                hook = inbox.wait_for(lambda m: m.channel == "webhook")
                for path in ("/plain", "/api/v1/alerts"):
                    shown = belfry.get(path)
                    self.assertEqual(shown.status, 200)
                    if path == "/plain":
                        self.assertNotIn("<script>alert(1)", shown.text)
        self.assertNotIn("<!channel>", slack.raw.decode())
        self.assertNotIn("<https://evil.test", slack.raw.decode())
        self.assertEqual(mail.rcpt_tos, ["ops@x.test"])
        self.assertIsNone(mail.payload["Bcc"])
        html = mail.payload.get_body(("html",)).get_content()
        self.assertNotIn("<script>", html)
        self.assertIn("&lt;script&gt;", html)
        self.assertEqual(hook.payload["alerts"][0]["labels"]["pool"], EVIL)


class RemoteWrites(unittest.TestCase):
    """One daemon gets all of it; a good series written all along must be complete at the end."""

    def setUp(self):
        self.belfry = self.enterContext(Belfry({}))
        self.url = self.belfry.url("/api/v1/write")
        self.good = {}
        self.write_good()

    def write_good(self):
        t = now_ms() + len(self.good)
        self.good[t] = float(len(self.good))
        answer = self.belfry.write([({"__name__": "good"}, [(t, self.good[t])])])
        self.assertEqual(answer.status, 204, answer)

    def send(self, body, **headers):
        return http(self.url, data=body, headers={**remote_write.HEADERS, **headers}, timeout=30)

    def check_good(self):
        self.write_good()
        found = self.belfry.query("good[5m]", at=time.time() + 1)
        have = {round(float(t) * 1000): float(v) for t, v in found[0]["values"]}
        self.assertEqual(have, self.good)

    def series(self, labels, value=1.0):
        return snappy.compress(remote_write.timeseries(labels, [(now_ms(), value)]))

    def test_undecodable_bodies_are_400_and_take_no_memory(self):
        whole = remote_write.encode([({"__name__": "a", "k": "v" * 500}, [(now_ms(), 1.0)])])
        before = self.belfry.rss_bytes()
        for name, body in {
                "truncated": whole[: len(whole) // 2],
                "empty": b"",
                "not snappy": b"\xff" * 64,
                "snappy of junk": snappy.compress(bytes(range(256)) * 40),
                "a field longer than the rest": snappy.compress(b"\x0a\xff\xff\xff\xff\x0f"),
                "a group": snappy.compress(b"\x0b" * 100),
                "deep nesting": snappy.compress(b"\x0a\x02" * 500),
                "a varint without end": snappy.compress(b"\x08" + b"\xff" * 64)}.items():
            with self.subTest(name):
                answer = self.send(body)
                self.assertIn(answer.status, (400,) if name != "empty" else (204, 400), answer)
        for declared in (1 << 32, (1 << 32) - 1, 1 << 31, 64 << 20):
            with self.subTest(declared=declared):
                answer = self.send(remote_write.varint(declared) + whole[2:])
                self.assertIn(answer.status, (400, 413), answer)
        self.assertLess(self.belfry.rss_bytes() - before, GROWTH)
        self.assertGreater(
            self.belfry.metric("belfry_remote_write_dropped_total", reason="unreadable"), 0)
        self.assertGreater(
            self.belfry.metric("belfry_remote_write_dropped_total", reason="undecodable"), 0)
        self.check_good()

    def test_a_body_over_the_limit_is_413_and_takes_no_memory(self):
        before = self.belfry.rss_bytes()
        try:
            self.assertEqual(self.send(b"\x00" * (33 << 20)).status, 413)
        except OSError:
            pass  # closed while we still sent: seen by the raw request below
        with socket.create_connection(("127.0.0.1", self.belfry.web_port), 10) as sock:
            head = "".join(f"{k}: {v}\r\n" for k, v in remote_write.HEADERS.items())
            sock.sendall((f"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\n{head}"
                          f"Content-Length: {33 << 20}\r\n\r\n").encode())
            sock.settimeout(10)
            self.assertIn(b" 413 ", sock.recv(4096).split(b"\r\n")[0])
        self.assertLess(self.belfry.rss_bytes() - before, GROWTH)
        self.check_good()

    def test_bad_series_are_refused_by_name_and_the_good_of_the_request_are_kept(self):
        cases = {
            "duplicate names": [("__name__", "dup"), ("k", "a"), ("k", "b")],
            "no name": [("k", "v")],
            "empty name": [("__name__", ""), ("k", "v")],
            "empty label name": [("", "v"), ("__name__", "e")],
            "invalid UTF-8": [("__name__", "u"), ("k", b"\xff\xfe")],
            "invalid UTF-8 in a name": [("__name__", "u"), (b"\xc3\x28", "v")],
        }
        for n, (name, labels) in enumerate(cases.items()):
            with self.subTest(name):
                t = now_ms()
                answer = self.belfry.write([(labels, [(t, 1.0)]),
                                            ({"__name__": "beside", "n": str(n)}, [(t, 1.0)])])
                self.assertEqual(answer.status, 400, answer)
                self.assertEqual(self.belfry.value(f'beside{{n="{n}"}}'), 1)
        answer = self.belfry.write([({"__name__": "nul", "k": "a\0b"}, [(now_ms(), 1.0)])])
        self.assertIn(answer.status, (204, 400))
        if answer.status == 204:
            self.assertEqual(self.belfry.query("nul")[0]["metric"]["k"], "a\0b")
        huge = [("__name__", "huge")] + [(f"l{i:05}", "v") for i in range(5000)]
        self.assertEqual(self.belfry.write([(huge, [(now_ms(), 1.0)])]).status, 400)
        long = {"__name__": "long", "k": "v" * (1 << 20)}
        self.assertEqual(self.belfry.write([(long, [(now_ms(), 1.0)])]).status, 400)
        self.assertEqual(self.belfry.query('{__name__=~"dup|u|e|huge|long"}'), [])
        self.check_good()


class Sockets(unittest.TestCase):
    def test_clients_that_hold_or_babble_do_not_stop_the_others(self):
        with Belfry({}) as belfry:
            before = belfry.rss_bytes()
            held = []
            for i in range(200):
                sock = socket.create_connection(("127.0.0.1", belfry.web_port), 5)
                sock.sendall((b"GET / HT", b"POST /api/v1/write HTTP/1.1\r\nContent-Length: "
                              b"1000000\r\n\r\nab", b"\x16\x03\x01\x02\x00", b"\0" * 100)[i % 4])
                held.append(sock)
            for raw in (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                        b"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                        b"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                        b"99999999999999999999\r\n\r\n",
                        b"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                        b"chunked\r\n\r\nffffffffffffffff\r\n"):
                with socket.create_connection(("127.0.0.1", belfry.web_port), 5) as sock:
                    # reset at once, so that nothing waits for us to read
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    try:
                        sock.sendall(raw)
                    except OSError:
                        pass
            self.assertEqual(belfry.get("/-/healthy").status, 200)
            self.assertEqual(belfry.value("vector(1)"), 1)
            for sock in held:
                sock.close()
            self.assertLess(belfry.rss_bytes() - before, GROWTH)


class Expressions(unittest.TestCase):
    def test_hostile_queries_end_with_an_error_not_with_the_daemon(self):
        with Belfry({}) as belfry:
            t = now_ms()
            belfry.write([({"__name__": "m", "i": str(i)}, [(t, float(i))]) for i in range(500)])
            for expr in ("(" * 100000, "m" * 100000, "-" * 50000 + "1", "sum(" * 3000,
                         'm{i=~"' + "(a*)*" * 2000 + '"}', 'm{i=~"a{1000}{1000}"}',
                         "m[100y:1ms]", "max_over_time(m[10y:1s])",
                         "m * on() group_left() m", "\0", "\xff", 'm{i="\\xff"}',
                         "topk(1e300, m)", "quantile(-Inf, m)", 'label_replace(m,"\\xff","","","")',
                         "m @ 1e308", "m offset 1e9y", "count_values('a\\xff', m)"):
                with self.subTest(expr[:30]):
                    answer = http(belfry.url("/api/v1/query"), data="query=" + "".join(
                        f"%{b:02x}" for b in expr.encode("utf-8", "replace")), headers={
                            "Content-Type": "application/x-www-form-urlencoded"}, timeout=60)
                    self.assertIn(answer.status, (200, 400, 413, 422, 503), answer)
            self.assertEqual(belfry.value("count(m)"), 500)
            self.assertLess(belfry.rss_bytes(), 700 << 20 if PLAIN else 4 << 30)


if __name__ == "__main__":
    sys.exit(runner.main())
