#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shared test library itself: what stands for Slack, mail and a scraper must be right, or the
tests that lean on it prove nothing."""

import gzip
import json
import math
import pathlib
import shutil
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import exposition, remote_write, runner, slack_text
from lib.inbox import Inbox
from lib.net import GUARD_S, free_port, http, wait_until
from lib.recording_proxy import RecordingProxy
from lib.statsd import StatsdSender, counter, timer
from lib.yamlout import to_yaml

SLACK = {
    "text": "FIRING shop · PoolExhausted",
    "attachments": [{"color": "#D32F2F", "blocks": [
        {"type": "section", 
         "text": {"type": "mrkdwn", "text": "a &lt;b&gt; <https://x.y/z|Runbook>"},
         "fields": [{"type": "mrkdwn", "text": "*Value*\n97 %"}]}]}],
}


def mail(subject, text):
    message = EmailMessage()
    message["Subject"], message["To"], message["From"] = subject, "ops@x.test", "b@x.test"
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    return message.as_bytes()


class InboxSlack(unittest.TestCase):
    def setUp(self):
        self.inbox = self.enterContext(Inbox())

    def post(self, payload):
        body = payload if isinstance(payload, str) else json.dumps(payload)
        return http(self.inbox.slack_url("ops"), body)

    def test_a_message_is_answered_ok_and_kept_as_its_reader_sees_it(self):
        answer = self.post(SLACK)
        self.assertEqual((answer.status, answer.text), (200, "ok"))
        got = self.inbox.slack_messages[0]
        self.assertEqual((got.state, got.receiver), ("FIRING", "ops"))
        self.assertEqual(got.alert(["PoolExhausted"]), "PoolExhausted")
        self.assertIn("a <b> Runbook (https://x.y/z)", got.text)
        self.assertIn("*Value*: 97 %", got.text)

    def test_what_slack_refuses_is_refused(self):
        self.assertEqual(self.post("{").text, "invalid_payload")
        self.assertEqual(self.post({}).text, "no_text")
        long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
        self.assertEqual(self.post({"text": "t", "blocks": [long]}).text, "invalid_blocks")
        many = [{"type": "divider"}] * 51
        self.assertEqual(self.post({"text": "t", "blocks": many}).status, 400)
        self.assertEqual(self.inbox.messages, [])

    def test_planned_answers_come_as_often_as_planned(self):
        self.inbox.answer("slack", 429, times=2, retry_after=3)
        first = self.post(SLACK)
        self.assertEqual((first.status, first.headers["Retry-After"]), (429, "3"))
        self.assertEqual([self.post(SLACK).status for _ in range(2)], [429, 200])
        self.assertEqual(len(self.inbox.attempts), 3)
        self.assertEqual(len(self.inbox.messages), 1)

    def test_a_hanging_receiver_takes_the_message_and_never_answers(self):
        self.inbox.hang("slack")
        with self.assertRaises(OSError):
            http(self.inbox.slack_url(), json.dumps(SLACK), timeout=2)
        self.assertEqual(len(self.inbox.wait_attempts("slack", 1)), 1)

    def test_mentions_are_visible_to_a_test_that_looks_for_them(self):
        self.assertEqual(slack_text.mrkdwn("<!channel> &lt;!channel&gt;"), "@channel <!channel>")


class InboxMail(unittest.TestCase):
    def test_a_mail_is_kept_with_its_text_part(self):
        with Inbox() as inbox, smtplib.SMTP("127.0.0.1", inbox.smtp_port) as smtp:
            smtp.sendmail("b@x.test", ["ops@x.test"], mail("[belfry] Pool", "FIRING since 12:00 ü"))
            got = inbox.mails[0]
            self.assertEqual((got.state, got.receiver, got.title),
                             ("FIRING", "ops@x.test", "[belfry] Pool"))
            self.assertEqual(got.text, "FIRING since 12:00 ü")

    def test_a_refused_mail_is_an_attempt_and_no_message(self):
        with Inbox() as inbox, smtplib.SMTP("127.0.0.1", inbox.smtp_port) as smtp:
            inbox.answer("mail", 451, times=1)
            with self.assertRaises(smtplib.SMTPDataError):
                smtp.sendmail("b@x.test", ["ops@x.test"], mail("s", "t"))
            inbox.answer("mail", 550, times=1, stage="rcpt")
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                smtp.sendmail("b@x.test", ["ops@x.test"], mail("s", "t"))
            self.assertEqual((len(inbox.mails), len(inbox.attempts)), (0, 1))

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_starttls_can_be_demanded_and_its_certificate_verifies(self):
        with Inbox(require_starttls=True) as inbox:
            with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as plain:
                with self.assertRaises(smtplib.SMTPException):
                    plain.sendmail("b@x.test", ["ops@x.test"], mail("s", "t"))
            context = ssl.create_default_context(cafile=inbox.ca_file)
            with smtplib.SMTP("localhost", inbox.smtp_port) as smtp:
                smtp.starttls(context=context)
                smtp.sendmail("b@x.test", ["ops@x.test"], mail("s", "FIRING"))
            self.assertTrue(inbox.mails[0].tls)


class Wire(unittest.TestCase):
    def test_exposition_values_labels_and_timestamps_are_read_exactly(self):
        text = '# TYPE a counter\na{b="c\\"\\\\\\n",d="}"} 1e3 12\nx NaN\ny -Inf # {t="1"} 2\n'
        a, x, y = exposition.parse(text)
        self.assertEqual(a.labels, {"b": 'c"\\\n', "d": "}"})
        self.assertEqual((a.value, a.timestamp), (1000.0, "12"))
        self.assertTrue(math.isnan(x.value))
        self.assertEqual(y.value, -math.inf)
        self.assertEqual(exposition.parse_types(text), {"a": "counter"})
        with self.assertRaises(ValueError):
            exposition.parse("bad line here is\n")

    def test_a_stale_marker_keeps_its_bits_on_the_wire(self):
        raw = remote_write.write_request([({"__name__": "x"}, [(1500, remote_write.STALE)])])
        self.assertIn(struct.pack("<Q", remote_write.STALE_BITS), raw)
        self.assertEqual(raw[:2], b"\x0a" + bytes([len(raw) - 2]))

    @unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
    def test_a_real_receiver_takes_what_the_encoder_makes(self):
        port = free_port()
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "p.yml").write_text("global: {}\n")
            server = subprocess.Popen(
                ["prometheus", f"--config.file={directory}/p.yml",
                 "--web.enable-remote-write-receiver",
                 f"--storage.tsdb.path={directory}/d", f"--web.listen-address=127.0.0.1:{port}"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(server.wait)
            self.addCleanup(server.kill)
            base = f"http://127.0.0.1:{port}"
            def ready():
                try:
                    return http(base + "/-/ready").status == 200
                except OSError:
                    return False

            wait_until(ready, 30, "prometheus")
            now = int(time.time() * 1000)
            answer = remote_write.push(base + "/api/v1/write", [
                ({"__name__": "pushed", "a": "ü"}, [(now - 1000, 1.5), (now, -2.25)])])
            self.assertEqual(answer.status, 204, answer)
            got = json.loads(http(base + "/api/v1/query?query=pushed%5B1m%5D").body)
            series = got["data"]["result"][0]
            self.assertEqual(series["metric"], {"__name__": "pushed", "a": "ü"})
            self.assertEqual([v for _, v in series["values"]], ["1.5", "-2.25"])

    def test_statsd_lines_are_packed_below_the_limit(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(GUARD_S)
            with StatsdSender(sock.getsockname()[1], max_bytes=64) as sender:
                lines = [counter("a", i, tag="x") for i in range(10)]
                sender.send(*lines, timer("t", 1.5, rate=0.1))
                got = [sock.recv(2048) for _ in range(sender.packets)]
        self.assertTrue(all(len(g) <= 64 for g in got))
        lines = b"\n".join(got).decode().split("\n")
        self.assertEqual((lines[0], lines[-1], len(lines)), ("a:0|c|#tag:x", "t:1.5|ms|@0.1", 11))
        self.assertEqual(sender.lines, 11)


class Proxy(unittest.TestCase):
    def test_it_keeps_the_body_that_the_scraper_got(self):
        body = b"up 1\n"

        class Target(BaseHTTPRequestHandler):
            def do_GET(self):
                raw = gzip.compress(body)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *args):
                pass

        target = ThreadingHTTPServer(("127.0.0.1", 0), Target)
        threading.Thread(target=target.serve_forever, daemon=True).start()
        self.addCleanup(target.server_close)
        self.addCleanup(target.shutdown)
        with RecordingProxy(f"http://127.0.0.1:{target.server_address[1]}") as proxy:
            answer = http(f"http://{proxy.address}/metrics?x=1",
                          headers={"Accept-Encoding": "gzip"})
            self.assertEqual(gzip.decompress(answer.body), body)
            record = proxy.snapshot()[0]
            self.assertEqual((record.path, record.status, record.body), ("/metrics?x=1", 200, body))
            proxy.fail_with(503)
            self.assertEqual(http(f"http://{proxy.address}/metrics").status, 503)


class Yaml(unittest.TestCase):
    def test_it_quotes_what_yaml_would_read_as_something_else(self):
        text = to_yaml({"a": "yes", "b": "1.5", "c": True, "d": ["x: y", {"e": "2s", "f": []}],
                        "g": ""})
        self.assertEqual(text, 'a: "yes"\nb: "1.5"\nc: true\nd:\n  - "x: y"\n  - e: 2s\n    f: []\n'
                               'g: ""\n')


if __name__ == "__main__":
    sys.exit(runner.main())
