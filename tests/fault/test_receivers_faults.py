#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receivers and their networks misbehave: experiments 9 to 15 of the reliability reference.

Long waits are run by an injected clock, SPEED times as fast (default 20); SPEED=1 is real time
(about 15 minutes). The time of one attempt is libcurl's own and always real.
"""

import http.client
import json
import os
import pathlib
import re
import socket
import sys
import threading
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.fault_server import (Certificates, HttpFault, SilentPort, SmtpFault, drip, garbage, hang,
                              reply, reset_in_reply)
from lib.net import wait_until

SPEED = float(os.environ.get("SPEED", "20"))

RULES = """
groups:
- name: fault
  interval: 1s
  rules:
  - alert: Faulty
    expr: vector(1)
"""


def clock(speed):
    return {} if speed == 1 else {
        "BELFRY_TEST": "1", "BELFRY_CLOCK": f"{int(time.time() * 1000)},{speed}"}


def config(receivers, routes=None, **glob):
    """The first receiver is the root's; each of the others is a route that continues."""
    names = [r["name"] for r in receivers]
    return {
        "global": {"evaluation_interval": "1s", "smtp_from": "belfry@x.test",
                   "smtp_require_tls": False, **glob},
        "route": {"receiver": names[0], "group_by": ["alertname"], "group_wait": "0s",
                  "group_interval": "1s", "repeat_interval": "100h",
                  "routes": [{"receiver": n, "continue": True} for n in (routes or names)]},
        "receivers": receivers}


def hook(name, server, **more):
    return {"name": name, "webhook_configs": [{"url": server.url()}], **more}


def slack(name, server, **more):
    return {"name": name,
            "slack_configs": [{"api_url": server.url("/services/T1/B1/secret")}], **more}


def mail(name, server, to="ops@x.test", **more):
    return {"name": name, "email_configs": [
        {"to": to, "smarthost": server.smarthost, "from": "belfry@x.test", **more}]}


class FaultTest(unittest.TestCase):
    def server(self, plan, **kw):
        return self.enterContext(HttpFault(plan, **kw))

    def smtp(self, *args, **kw):
        return self.enterContext(SmtpFault(*args, **kw))

    def belfry(self, conf, speed=1):
        return self.enterContext(Belfry(conf, rules={"r.yml": RULES}, env=clock(speed)))

    @staticmethod
    def status(belfry):
        return json.loads(belfry.get("/api/belfry/v1/notify/status").body)["data"]


class Slack(FaultTest):
    def test_9_a_429_is_waited_out_and_others_go_on(self):
        """429 with Retry-After 30: waits 30 s within 10 %, delivered once, others unaffected."""
        chat = self.server(lambda n, t: reply(429, "rate_limited", Retry_After=30) if n == 0
                           else reply(200))
        other = self.server(lambda n, t: reply(200))
        self.belfry(config([slack("chat", chat), hook("other", other)]), SPEED)
        wait_until(lambda: chat.accepted, 60 / SPEED + 10, "delivery after the pause")
        waited = (chat.attempts[1]["t"] - chat.attempts[0]["t"]) * SPEED
        print(f"waited {waited:.1f} s")
        slack_s = 0.15 * SPEED  # a scheduler's delay, seen through the clock
        self.assertGreaterEqual(waited, 30 - 0.5 - 0.05 * SPEED)
        self.assertLessEqual(waited, 33 + slack_s)
        self.assertLess(abs(other.began(0) - chat.began(0)), 0.5)
        time.sleep(min(3, 60 / SPEED))
        self.assertEqual(len(chat.accepted), 1)
        self.assertEqual(len({a["id"] for a in chat.attempts}), 1)

    def test_9_one_webhook_gets_a_message_a_second(self):
        chat = self.server(lambda n, t: reply(200))
        conf = config([slack(f"chat{i}", chat) for i in range(6)])
        self.belfry(conf)
        wait_until(lambda: len(chat.accepted) == 6, 15, "six messages")
        gaps = [b["t"] - a["t"] for a, b in zip(chat.attempts, chat.attempts[1:])]
        print("gaps", [round(g, 2) for g in gaps])
        self.assertGreaterEqual(min(gaps), 0.95)

    def test_10_an_outage_of_ten_minutes(self):
        """500, 502, 503 for ten minutes: at most 25 attempts, none planned more than a minute ahead,
        delivered after the recovery. What is planned is judged: when it happens is the machine's."""
        outage = 600 / SPEED
        chat = self.server(lambda n, t: reply((500, 502, 503)[n % 3], "no") if t < outage
                           else reply(200))
        chat.start_time = time.monotonic()
        belfry = self.belfry(config([slack("chat", chat)]), SPEED)
        wait_until(lambda: chat.accepted, outage + 90 / SPEED + 5, "delivery after the outage")
        failed = [a for a in chat.attempts if a["status"] != 200]
        gaps = [(b["t"] - a["t"]) * SPEED for a, b in zip(chat.attempts, chat.attempts[1:])]
        late = (chat.accepted[0]["t"] - outage) * SPEED
        print(f"{len(failed)} attempts failed, gaps {[round(g, 1) for g in gaps]}, "
              f"delivered {late:.1f} s after the recovery")
        self.assertLessEqual(len(failed), 25)
        waits = [(int(n), int(ms)) for n, ms in re.findall(
            r"will be repeated.* attempt=(\d+) in_ms=(\d+)", belfry.log_text())]
        self.assertEqual([n for n, _ in waits], list(range(1, len(failed) + 1)))
        for n, ms in waits:
            self.assertLessEqual(ms, min(500 * 2 ** (n - 1), 58000), "not exponential")
        self.assertGreater(max(ms for _, ms in waits), 30000, "not exponential")
        self.assertGreater(len({ms for n, ms in waits if n > 8}), 1, "no jitter")
        self.assertEqual(len({a["id"] for a in chat.attempts}), 1)

    def test_11_refused_for_good(self):
        """400, 403, 404, 410: parked at once, shown, told to the fallback, the URL nowhere."""
        for status, text in ((400, "invalid_payload"), (403, "invalid_token"),
                             (404, "no_service"), (410, "channel_is_archived")):
            with self.subTest(status=status), \
                    HttpFault(lambda n, t: reply(status, text)) as chat, \
                    HttpFault(lambda n, t: reply(200)) as other, \
                    Belfry(config([slack("chat", chat, fallback="other"), hook("other", other)],
                                  ["chat"]), rules={"r.yml": RULES}) as belfry:
                wait_until(lambda: other.accepted, 10, "the fallback")
                took = other.began(0) - chat.began(0)
                print(f"{status}: {len(chat.attempts)} attempts, fallback after {took:.2f} s")
                self.assertLess(took, 5)
                note = json.loads(other.accepted[0]["body"])["note"]
                self.assertIn("first tried: chat/slack, refused", note)
                self.assertIn(text, note)
                self.assertEqual(belfry.metric(
                    "belfry_notify_failed_total", integration="chat/slack/0", reason="refused"), 1)
                parked = [r for r in self.status(belfry)["outbox"] if r["state"] == "failed"]
                self.assertEqual(len(parked), 1)
                self.assertIn(text, parked[0]["error"])
                self.assertIn(text, belfry.log_text())
                self.assertNotIn("T1/B1", belfry.log_text())
                self.assertNotIn("T1/B1", belfry.get("/api/belfry/v1/notify/status").text)
                time.sleep(1)
                self.assertEqual(len(other.accepted), 1)


class Slow(FaultTest):
    def one(self, bad_plan, server=None):
        """Attempts end at their total time, others are not delayed, it is repeated."""
        bad = server or self.server(bad_plan)
        good = self.server(lambda n, t: reply(200))
        self.belfry(config([hook("bad", bad), hook("good", good)]))
        wait_until(lambda: good.accepted, 10, "the good one's message")
        return bad, good

    def test_12_hang(self):
        bad, good = self.one(lambda n, t: hang() if n == 0 else reply(200))
        self.assertLess(abs(good.began(0) - bad.began(0)), 0.1)
        wait_until(lambda: bad.accepted, 15, "the repetition")
        took = bad.attempts[0]["end"] - bad.attempts[0]["t"]
        print(f"given up after {took:.2f} s")
        self.assertTrue(9 <= took <= 11, took)

    def test_12_a_byte_a_second(self):
        bad, _ = self.one(lambda n, t: drip() if n == 0 else reply(200))
        wait_until(lambda: bad.accepted, 15, "the repetition")
        took = bad.attempts[1]["t"] - bad.attempts[0]["t"]
        self.assertTrue(9 <= took <= 12, took)

    def test_12_reset_and_garbage(self):
        bad, _ = self.one(lambda n, t: (reset_in_reply(), garbage(), reply(200))[min(n, 2)])
        wait_until(lambda: bad.accepted, 10, "the repetition")
        self.assertEqual(len({a["id"] for a in bad.attempts}), 1)

    def test_12_an_answer_of_megabytes_is_an_answer(self):
        bad = self.server(lambda n, t: reply(200, "x" * (3 << 20)))
        belfry = self.belfry(config([hook("bad", bad)]))
        wait_until(lambda: bad.accepted and belfry.metric("belfry_notify_outbox_rows") == 0, 15,
                   "the delivery")
        self.assertEqual(len(bad.attempts), 1)
        self.assertEqual(belfry.metric("belfry_notify_retries_total"), 0)

    def test_12_nobody_reads(self):
        silent = self.enterContext(SilentPort())
        good = self.server(lambda n, t: reply(200))
        conf = config([hook("good", good), {"name": "bad", "webhook_configs": [
            {"url": f"http://127.0.0.1:{silent.port}/"}]}])
        belfry = self.belfry(conf)
        began = time.monotonic()
        wait_until(lambda: belfry.metric("belfry_notify_retries_total",
                                         integration="bad/webhook/0") >= 1, 15, "the timeout")
        self.assertTrue(8.5 <= time.monotonic() - began <= 11.5)
        self.assertIn("timed out after", belfry.log_text())

    def test_12_one_of_fifty_hangs(self):
        """Fifty destinations: what one does delays the others by less than 100 ms."""
        spread = {}
        for bad in (False, True):
            servers = [self.server(lambda n, t: reply(200)) for _ in range(49)]
            servers.insert(20, self.server(
                (lambda n, t: hang()) if bad else (lambda n, t: reply(200))))
            with Belfry(config([hook(f"r{i}", s) for i, s in enumerate(servers)]),
                        rules={"r.yml": RULES}) as belfry:
                good = servers[:20] + servers[21:]
                wait_until(lambda: all(s.accepted for s in good), 20, "all but one")
                times = [s.began(0) for s in good]
                spread[bad] = max(times) - min(times)
                belfry.kill9()
        print(f"49 messages within {spread[False] * 1000:.0f} ms; with one hanging "
              f"{spread[True] * 1000:.0f} ms")
        self.assertLess(spread[True], spread[False] + 0.1)


class Tls(FaultTest):
    def test_13_bad_certificates_are_refused_until_mended(self):
        certs = self.enterContext(Certificates())
        good = certs.make("good")
        cases = {
            "expired": certs.context(certs.make("old", start="20200101000000Z",
                                                end="20200102000000Z")),
            "wrong host": certs.context(certs.make("other", host="elsewhere.test")),
            "self-signed": certs.context(certs.make("stranger")),
            "TLS 1.0": certs.context(good, tls10=True),
        }
        ca = certs.dir / "ca.pem"
        ca.write_text("".join((certs.dir / f"{n}.pem").read_text() for n in ("good", "old", "other")))
        for name, context in cases.items():
            with self.subTest(name):
                self.one_tls(name, context, certs.context(good), ca)

    def one_tls(self, name, bad, good, ca):
        with HttpFault(lambda n, t: reply(200), context=bad) as srv:
            conf = config([{"name": "tls", "webhook_configs": [
                {"url": srv.url(host="localhost"), "http_config": {
                    "tls_config": {"ca_file": str(ca)}}}]}])
            with Belfry(conf, rules={"r.yml": RULES}) as belfry:
                wait_until(lambda: belfry.metric("belfry_notify_retries_total") >= 2, 15,
                           "refused attempts")
                error = self.status(belfry)["receivers"][0]["lastError"]
                print(f"{name}: {error}")
                self.assertEqual(srv.attempts, [], "the message was sent")
                self.assertNotEqual(error, "")
                self.assertIn(error.split("'")[0][:30], belfry.log_text())
                srv.context = good  # mended: no restart, no reload
                wait_until(lambda: srv.accepted, 75, "delivery with a good certificate")

    def test_13_a_handshake_that_stalls(self):
        silent = self.enterContext(SilentPort())
        other = self.server(lambda n, t: reply(200))
        belfry = self.belfry(config([hook("other", other), {"name": "tls", "webhook_configs": [
            {"url": f"https://localhost:{silent.port}/"}]}]))
        began = time.monotonic()
        wait_until(lambda: belfry.metric("belfry_notify_retries_total") >= 1, 15, "the timeout")
        self.assertTrue(8.5 <= time.monotonic() - began <= 11.5)
        self.assertEqual(len(other.accepted), 1)


class Smtp(FaultTest):
    STAGES = ("CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "DOT")

    def setUp(self):
        self.certs = self.enterContext(Certificates())
        self.pair = self.certs.make("mail")

    def run_one(self, srv, **more):
        conf = config([mail("mail", srv, require_tls=True, auth_username="u",
                            auth_password="mailsecret", tls_config={"ca_file": self.pair[0]}, **more)])
        return Belfry(conf, rules={"r.yml": RULES})

    def stub(self, say):
        return SmtpFault(say, starttls=self.certs.context(self.pair), auth=True)

    def test_14_4xx_at_every_stage_is_repeated(self):
        for code in (421, 450):
            for stage in self.STAGES:
                with self.subTest(stage=stage, code=code), \
                        self.stub({stage: f"{code} later"}) as srv, self.run_one(srv) as belfry:
                    wait_until(lambda: belfry.metric("belfry_notify_retries_total") >= 2, 15,
                               "two failed attempts")
                    self.assertEqual(belfry.metric("belfry_notify_failed_total"), 0)
                    self.assertEqual(srv.mails, [])
                    srv.say.clear()
                    wait_until(lambda: srv.mails, 15, "delivery")
                    self.assertEqual(len({m["id"] for m in srv.read}), 1)
                    self.assertTrue(srv.mails[0]["tls"])

    def test_14_5xx_at_every_stage_is_final(self):
        for stage in self.STAGES:
            with self.subTest(stage=stage), self.stub({stage: "550 never"}) as srv, \
                    self.run_one(srv) as belfry:
                wait_until(lambda: belfry.metric("belfry_notify_failed_total",
                                                 reason="refused") == 1, 15, "a parked message")
                self.assertEqual(len(srv.attempts), 1)
                self.assertIn("550 never", self.status(belfry)["outbox"][0]["error"])
                if stage == "STARTTLS":  # and no mail in clear
                    self.assertNotIn("MAIL", srv.attempts[0]["stages"])
                story = belfry.get("/api/belfry/v1/explain?alert=Faulty").text
                self.assertIn("mail/email/0 refused by the receiver: 550 never", story)

    def test_14_a_refused_recipient_does_not_stop_the_others(self):
        with self.stub({"RCPT": lambda a: "550 no such user" if "gone" in a else None}) as srv, \
                self.run_one(srv, to="gone@x.test, here@x.test") as belfry:
            wait_until(lambda: srv.mails, 15, "the other's mail")
            self.assertEqual(len(srv.mails[0]["rcpt"]), 1)
            wait_until(lambda: "some recipients were refused" in belfry.log_text(), 5, "the log")
            self.assertEqual(belfry.metric(
                "belfry_notify_dropped_total", reason="recipient_refused"), 1)

    def test_14_a_lost_250_repeats_the_same_message_id(self):
        with self.stub({"DOT": "DROP"}) as srv, self.run_one(srv) as belfry:
            wait_until(lambda: len(srv.read) >= 2, 15, "a repetition")
            srv.say.clear()
            wait_until(lambda: srv.mails, 15, "delivery")
            self.assertEqual(len({m["id"] for m in srv.read}), 1)
            self.assertEqual(belfry.metric("belfry_notify_failed_total"), 0)

    def test_14_without_starttls_nothing_is_sent(self):
        with SmtpFault(auth=True) as srv, self.run_one(srv) as belfry:
            wait_until(lambda: belfry.metric("belfry_notify_retries_total") >= 2, 15, "refusals")
            self.assertEqual(srv.read, [])
            for attempt in srv.attempts:
                self.assertFalse({"MAIL", "AUTH"} & set(attempt["stages"]), attempt)
            print(self.status(belfry)["receivers"][0]["lastError"])


# -- DNS: in a network of its own ------------------------------------------------------------

class Dns:
    """A name server on 127.0.0.1:53; mode: nxdomain, servfail, silent, wrong or right."""

    def __init__(self):
        self.mode = "silent"
        self.asked = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            data, peer = self.sock.recvfrom(1500)
            self.asked += 1
            if self.mode == "silent":
                continue
            end = 12
            while data[end]:
                end += data[end] + 1
            question = data[12:end + 5]
            code = {"nxdomain": 3, "servfail": 2}.get(self.mode, 0)
            qtype = int.from_bytes(question[-4:-2], "big")
            answer = b""
            if code == 0 and qtype == 1:
                ip = b"\x7f\x00\x00\x02" if self.mode == "wrong" else b"\x7f\x00\x00\x01"
                answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + ip
            head = data[:2] + bytes([0x81, 0x80 | code]) + b"\x00\x01" + (
                b"\x00\x01" if answer else b"\x00\x00") + b"\x00\x00\x00\x00"
            self.sock.sendto(head + question + answer, peer)


def in_own_network():
    """Runs this file again in name spaces of its own; None when that is not possible here."""
    import subprocess
    script = (f"ip link set lo up && mount --bind {{conf}} /etc/resolv.conf && "
              f"mount --bind {{nss}} /etc/nsswitch.conf && exec {sys.executable} {__file__} Dns")
    import tempfile
    with tempfile.TemporaryDirectory() as tmp:
        conf, nss = pathlib.Path(tmp, "resolv.conf"), pathlib.Path(tmp, "nsswitch.conf")
        conf.write_text("nameserver 127.0.0.1\n")
        nss.write_text("hosts: files dns\n")
        return subprocess.run(["unshare", "-mn", "sh", "-c", script.format(conf=conf, nss=nss)],
                              env={**os.environ, "FAULT_OWN_NET": "1"}, capture_output=True,
                              text=True)


class DnsFaults(FaultTest):
    def test_15_dead_name_servers_stop_nobody(self):
        if os.environ.get("FAULT_OWN_NET") != "1":
            if os.geteuid() != 0:
                self.skipTest("needs root for a network of its own")
            done = in_own_network()
            print(done.stdout)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return
        dns = Dns()
        servers = [self.server(lambda n, t: reply(200)) for _ in range(40)]
        other = self.server(lambda n, t: reply(200))
        named = [{"name": f"n{i}", "webhook_configs": [{"url": s.url(host=f"h{i}.faults.test")}]}
                 for i, s in enumerate(servers)]
        belfry = self.belfry(config([hook("other", other)] + named))
        wait_until(lambda: other.accepted, 30, "the one with an address")
        print("an address:", other.accepted[0]["t"] - other.attempts[0]["t"], other.accepted[0]["t"])
        for mode, seconds in (("silent", 35), ("servfail", 5), ("nxdomain", 5), ("wrong", 5)):
            dns.mode = mode
            self.watch(belfry, mode, seconds)
        self.assertFalse(any(s.attempts for s in servers))
        dns.mode = "right"
        began = time.monotonic()
        wait_until(lambda: all(s.accepted for s in servers), 75, "all messages")
        took = time.monotonic() - began
        print(f"all 40 delivered {took:.1f} s after the name server came back")
        self.assertLessEqual(took, 60)
        self.assertTrue(all(len(s.accepted) == 1 for s in servers))

    def watch(self, belfry, mode, seconds):
        """The API answers, rules are evaluated, threads are bounded."""
        slowest, threads, until = 0.0, 0, time.monotonic() + seconds
        missed = belfry.metric("belfry_rule_group_iterations_missed_total")
        while time.monotonic() < until:
            began = time.monotonic()
            conn = http.client.HTTPConnection("127.0.0.1", belfry.web_port, timeout=5)
            conn.request("GET", "/-/healthy")
            self.assertEqual(conn.getresponse().status, 200)
            conn.close()
            slowest = max(slowest, time.monotonic() - began)
            threads = max(threads, len(os.listdir(f"/proc/{belfry.pid}/task")))
            time.sleep(0.05)
        print(f"{mode}: slowest answer {slowest * 1000:.0f} ms, at most {threads} threads")
        # a look-up that nobody answers takes 5 s and more: no slow machine looks like that
        self.assertLess(slowest, 2.0)
        self.assertLess(threads, 20 + 32)
        self.assertEqual(belfry.metric("belfry_rule_group_iterations_missed_total"), missed)


if __name__ == "__main__":
    if "Dns" in sys.argv[1:]:
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(DnsFaults)
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        sys.exit(not result.wasSuccessful())
    sys.exit(runner.main())
