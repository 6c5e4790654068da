#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `belfry backtest --url` does when it is not served well: it leaves nothing behind, asks again
only for what less time may help; and how long the server lets it, and others, hold a worker."""

import http.server
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import snappy

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import remote_write, runner
from lib.belfry import Belfry, binary
from lib.net import GUARD_S

RULES = "groups:\n- name: g\n  rules:\n  - {record: r, expr: sum(x)}\n"


class Stub:
    """A server on loopback that answers every remote read alike; status None: never."""

    def __init__(self, status):
        stub = self
        self.reads = []
        self.read = threading.Event()
        self.over = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                self.answer(404)

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                stub.reads.append(self.path)
                stub.read.set()
                if status is None:
                    stub.over.wait()
                    self.close_connection = True
                else:
                    self.answer(status)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Fetch(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.tmp = self.dir / "tmp"
        self.tmp.mkdir()
        self.rules = self.dir / "r.yml"
        self.rules.write_text(RULES)

    @staticmethod
    def usual_signals():
        """As a shell starts it: what runs the tests may have nohup's, which a child takes over."""
        for signo in (signal.SIGINT, signal.SIGHUP):
            signal.signal(signo, signal.SIG_DFL)

    def start(self, url):
        return subprocess.Popen(
            [binary(), "backtest", "--rules", str(self.rules), "--from", "now-1h", "--url", url],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=self.usual_signals,
            env={"PATH": "/usr/bin:/bin", "TMPDIR": str(self.tmp)})

    def places(self):
        return list(self.tmp.glob("belfry-backtest.*"))

    def test_a_signal_ends_it_and_what_was_fetched_is_removed(self):
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signo), Stub(None) as stub:
                run = self.start(stub.url)
                self.assertTrue(stub.read.wait(GUARD_S))
                self.assertEqual(len(self.places()), 1)
                run.send_signal(signo)
                _, said = run.communicate(timeout=GUARD_S)
                self.assertEqual(run.returncode, 128 + signo, said)
                self.assertIn("stopped by a signal", said)
                self.assertEqual(self.places(), [])

    def test_only_what_may_be_too_much_is_asked_for_again_in_parts(self):
        for status, again in ((301, False), (403, False), (429, False), (502, False),
                              (400, True), (413, True), (422, True), (500, True), (503, True),
                              (504, True)):
            with self.subTest(status), Stub(status) as stub:
                run = self.start(stub.url)
                _, said = run.communicate(timeout=GUARD_S)
                self.assertEqual(run.returncode, 1, said)
                self.assertIn(f"HTTP {status}", said)
                self.assertEqual(len(stub.reads) > 1, again, stub.reads)
                self.assertEqual(set(stub.reads), {"/api/v1/read"})
                self.assertEqual(self.places(), [])


class Deadline(unittest.TestCase):
    def test_looking_for_series_ends_at_query_timeout(self):
        """Expressions that match nothing: not a series comes by at which one could look."""
        now = int(time.time() * 1000)
        values = [f"value-{i:06}-{'x' * 40}" for i in range(20000)]
        pattern = ".*(x+[0-9]x*){1,5}y"

        def field(number, data):
            return remote_write.field(number, data)

        matcher = field(3, b"\x08\x02" + field(2, b"v") + field(3, pattern.encode()))
        query = field(1, b"\x08\x01\x10" + remote_write.varint(now) + matcher * 64)
        selector = f'{{v=~"{pattern}"}}'
        with Belfry({"query": {"timeout": "1ms"}}) as belfry:
            belfry.write([([("__name__", "x"), ("v", v)], [(now, 1.0)]) for v in values])
            answers = [belfry.post("/api/v1/read", snappy.compress(query * 16),
                                   headers={"Content-Type": "application/x-protobuf"})]
            form = "&".join(["match[]=" + selector.replace("+", "%2B")] * 50).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answers += [belfry.post(f"/api/v1/{path}", form, headers=headers)
                        for path in ("series", "labels")]
            for answer in answers:
                self.assertEqual(answer.status, 503, answer.text[:300])
                self.assertEqual(json.loads(answer.body)["errorType"], "timeout")


if __name__ == "__main__":
    sys.exit(runner.main())
