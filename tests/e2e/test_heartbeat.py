#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs that report, belfry's own beat, and runbook pages, against the real daemon."""
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib import runner  # noqa: E402
from lib.belfry import Belfry  # noqa: E402
from lib.net import http as ask, wait_until  # noqa: E402

FAST = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "packs": [{"use": "heartbeats"}]}
AT = "belfry_heartbeat_timestamp_seconds"


def firing(b, name):
    return [a for a in b.alerts(alertname=name) if a["state"] == "firing"]


class Listener:
    """A local service that takes beats; .status is what it answers."""

    def __init__(self):
        self.beats, self.status = [], 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.beats.append((dict(self.headers), body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/beat"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Heartbeats(unittest.TestCase):
    def test_a_job_reports_with_curl_and_is_missed(self):
        with Belfry(FAST) as b:
            url = b.url("/api/belfry/v1/heartbeat/nightly%20backup")
            done = subprocess.run(["curl", "-fsS", "-X", "POST", url + "?ttl=26h"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["data"],
                             {"name": "nightly backup", "ttl_seconds": 93600, "status": "ok"})
            self.assertAlmostEqual(b.value(AT + '{name="nightly backup"}'), time.time(), delta=20)
            self.assertEqual(b.value("belfry_heartbeat_ttl_seconds"), 93600)
            self.assertEqual(firing(b, "HeartbeatMissed"), [])
            self.assertEqual(b.post("/api/belfry/v1/heartbeat/nightly%20backup", b"ttl=1",
                                    headers={"Content-Type": "application/x-www-form-urlencoded"}).status, 200)
            wait_until(lambda: firing(b, "HeartbeatMissed"), 20, "HeartbeatMissed")
            self.assertIn("nightly backup", firing(b, "HeartbeatMissed")[0]["annotations"]["summary"])
            b.post("/api/belfry/v1/heartbeat/nightly%20backup?ttl=1h")
            wait_until(lambda: not firing(b, "HeartbeatMissed"), 20, "its end")

    def test_a_failure_is_told_and_ends_with_the_next_good_report(self):
        with Belfry(FAST) as b:
            b.post("/api/belfry/v1/heartbeat/job?status=fail")
            wait_until(lambda: firing(b, "HeartbeatFailed"), 20, "HeartbeatFailed")
            b.post("/api/belfry/v1/heartbeat/job")
            wait_until(lambda: not firing(b, "HeartbeatFailed"), 20, "its end")

    def test_an_answered_report_survives_kill_9(self):
        with Belfry(FAST) as b:
            self.assertEqual(b.post("/api/belfry/v1/heartbeat/job?ttl=3h").status, 200)
            b.kill9()
            b.restart()
            self.assertEqual(b.wait_query("belfry_heartbeat_ttl_seconds")[0]["value"][1], "10800")
            listed = json.loads(b.get("/api/belfry/v1/heartbeats").body)["data"]
            self.assertEqual([(x["name"], x["ttl_seconds"], x["late"]) for x in listed], [("job", 10800, False)])

    def test_a_deleted_heartbeat_is_gone_for_good(self):
        with Belfry(FAST) as b:
            b.post("/api/belfry/v1/heartbeat/job")
            self.assertEqual(ask(b.url("/api/belfry/v1/heartbeat/job"), method="DELETE").status, 200)
            # all within one millisecond, its end may stand at the next one
            self.assertEqual(b.query(AT, time.time() + 1), [])
            b.stop()
            b.restart()
            self.assertEqual(json.loads(b.get("/api/belfry/v1/heartbeats").body)["data"], [])
            self.assertEqual(ask(b.url("/api/belfry/v1/heartbeat/job"), method="DELETE").status, 404)

    def test_bad_reports_are_refused_by_word(self):
        with Belfry(FAST) as b:
            for path in ("job?ttl=soon", "job?ttl=-1", "job?status=maybe", "x" * 200, "a%00b", "a%0Ab", "job?ttl=500d"):
                self.assertEqual(b.post("/api/belfry/v1/heartbeat/" + path).status, 400, path)
            self.assertEqual(b.get("/api/belfry/v1/heartbeat/job").status, 404)  # GET changes nothing
            foreign = b.post("/api/belfry/v1/heartbeat/job", headers={"Origin": "http://evil.example"})
            self.assertEqual(foreign.status, 403)
            self.assertEqual(json.loads(b.get("/api/belfry/v1/heartbeats").body)["data"], [])

    def test_names_are_bounded(self):
        with Belfry(FAST) as b:
            for i in range(1000):
                self.assertEqual(b.post(f"/api/belfry/v1/heartbeat/j{i}").status, 200)
            self.assertEqual(b.post("/api/belfry/v1/heartbeat/one-more").status, 503)
            self.assertEqual(b.post("/api/belfry/v1/heartbeat/j7?ttl=5h").status, 200)
            self.assertEqual(b.metric("belfry_limit_hits_total", limit="heartbeats"), 1)


class Watchdog(unittest.TestCase):
    def setUp(self):
        self.listener = Listener()
        self.addCleanup(self.listener.close)

    def config(self, **watchdog):
        return {**FAST, "watchdog": {"webhook_url": self.listener.url, "interval": "5s", **watchdog}}

    def test_it_beats_and_a_reload_moves_it(self):
        with Belfry(self.config(authorization="GenieKey s3cret")) as b:
            wait_until(lambda: self.listener.beats, 30, "a beat")
            headers, body = self.listener.beats[0]
            self.assertEqual(json.loads(body)["status"], "alive")
            self.assertEqual(headers["Authorization"], "GenieKey s3cret")
            self.assertNotIn("s3cret", b.get("/api/v1/status/config").text)
            self.assertNotIn(self.listener.url, b.get("/api/v1/status/config").text)
            b.write_config(FAST)
            self.assertEqual(b.reload().status, 200)
            n = len(self.listener.beats)
            time.sleep(7)
            self.assertEqual(len(self.listener.beats), n)

    def test_it_stops_while_a_message_cannot_be_delivered(self):
        rules = {"r.yml": "groups: [{name: g, rules: [{alert: A, expr: vector(1)}]}]"}
        dead = {"route": {"receiver": "r", "group_wait": "1s"},
                "receivers": [{"name": "r", "webhook_configs": [{"url": "http://127.0.0.1:9/"}]}]}
        with Belfry({**self.config(max_wait="2s"), **dead, "packs": []}, rules=rules) as b:
            wait_until(lambda: b.metric("belfry_watchdog_held_total", reason="delivery") > 0, 40, "a beat held back")

    def test_a_refused_beat_is_counted(self):
        self.listener.status = 500
        with Belfry(self.config()) as b:
            wait_until(lambda: b.metric("belfry_watchdog_failed_total") > 0, 30, "a refused beat")


class Runbooks(unittest.TestCase):
    def test_a_page_is_served_and_alerts_link_to_it(self):
        with Belfry({**FAST, "web": {"external_url": "https://belfry.example/x/"}}) as b:
            page = b.get("/runbooks/HeartbeatMissed")
            self.assertEqual(page.status, 200)
            self.assertIn("<h1>HeartbeatMissed</h1>", page.text)
            self.assertIn("<code>systemctl list-timers</code>", page.text)
            self.assertEqual(b.get("/runbooks/Nothing").status, 404)
            rules = b.api("rules")["groups"][0]["rules"]
            self.assertEqual(rules[0]["annotations"]["runbook_url"], "https://belfry.example/x/runbooks/HeartbeatMissed")

    def test_without_a_place_for_runbooks_there_is_no_link(self):
        with Belfry(FAST) as b:
            self.assertNotIn("runbook_url", b.api("rules")["groups"][0]["rules"][0]["annotations"])


if __name__ == "__main__":
    sys.exit(runner.main())
