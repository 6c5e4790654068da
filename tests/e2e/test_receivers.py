#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every kind of receiver in one run, against a server that answers as the services do: an alert that
fires and its end arrive in each, where they should and with the credentials they should have."""

import email
import email.policy
import http.server
import json
import pathlib
import re
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import wait_until

RULES = """
groups:
- name: all
  interval: 1s
  rules:
  - alert: PoolExhausted
    expr: vector(97) > 90
    labels: {severity: critical, team: 'a<b>&@everyone'}
    annotations:
      summary: 'pool at {{ $value }} %'
      description: 'no connection is free'
      runbook_url: https://runbooks.example.org/pool
"""
CANARY = "c4n4ry-0123456789ab"


class Services:
    """Answers as each service does; keeps what came: (service, method, path, headers, body)."""

    def __init__(self):
        self.requests = []
        self.refusals = {"discord": 1, "telegram": 1, "pagerduty": 1}  # first told to wait
        self.pictures = []
        self.echo = False  # answer 404 and repeat the whole request
        self.changed = threading.Condition()
        services = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def take(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = services.text_of(self.headers, self.rfile.read(size))
                service = self.path.strip("/").split("/")[0]
                status, reply, headers = services.answer(service, self.path)
                if services.echo:
                    status, headers = 404, {}
                    secrets = [w for w in re.split(r"[^-\w:]+", f"{self.path} {self.headers} {body}") if CANARY in w]
                    reply = f"no {self.path[-60:]} {' '.join(secrets)}"
                with services.changed:
                    services.requests.append(
                        (service, self.command, self.path, dict(self.headers), body, status, time.monotonic()))
                    services.changed.notify_all()
                reply = reply.encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            do_POST = do_PUT = take

            def log_message(self, *_args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def text_of(self, headers, body):
        """The JSON of a message, also when it comes in parts with a picture."""
        kind = headers.get("Content-Type") or ""
        if not kind.startswith("multipart/form-data"):
            return body.decode()
        message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body,
                                           policy=email.policy.HTTP)
        parts = {p.get_param("name", header="Content-Disposition"): p.get_payload(decode=True)
                 for p in message.iter_parts()}
        picture = parts.get("photo") or parts.get("files[0]")
        with self.changed:
            self.pictures.append(picture)
        if "payload_json" in parts:
            return parts["payload_json"].decode()
        return json.dumps({"chat_id": int(parts["chat_id"]), "text": parts["caption"].decode()})

    def answer(self, service, path):
        if self.refusals.get(service, 0) > 0:
            self.refusals[service] -= 1
            return {"discord": (429, '{"message":"slow","retry_after":1.25,"global":false}', {}),
                    "telegram": (429, '{"ok":false,"error_code":429,"parameters":{"retry_after":2}}', {}),
                    "pagerduty": (429, "{}", {"Retry-After": "1"})}[service]
        return {"slack": (200, "ok", {}),
                "webhook": (200, "", {}),
                "pagerduty": (202, '{"status":"success","dedup_key":"x"}', {}),
                "opsgenie": (202, '{"result":"Request will be processed"}', {}),
                "teams": (202, "", {}),
                "discord": (204, "", {}),
                "telegram": (200, '{"ok":true,"result":{"message_id":1}}', {}),
                "ntfy": (200, '{"id":"x"}', {}),
                "pushover": (200, '{"status":1,"request":"x"}', {}),
                "mattermost": (200, "ok", {}),
                "rocketchat": (200, '{"success":true}', {})}.get(service, (404, "", {}))

    def of(self, service, status_below=300):
        with self.changed:
            return [r for r in self.requests if r[0] == service and r[5] < status_below]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def is_resolved(service, path, body):
    if service == "opsgenie":
        return "/close?" in path
    if service == "pagerduty":
        return json.loads(body)["event_action"] == "resolve"
    if service == "webhook":
        return json.loads(body)["status"] == "resolved"
    if service == "ntfy":
        return "RESOLVED" in json.loads(body)["title"]
    return "RESOLVED" in body


ALL = ("slack", "webhook", "pagerduty", "opsgenie", "teams", "discord", "telegram", "ntfy",
       "pushover", "mattermost", "rocketchat")


class Receivers(unittest.TestCase):
    def setUp(self):
        self.services = Services()
        self.addCleanup(self.services.stop)

    def config(self):
        url = self.services.url
        return {
            "global": {"evaluation_interval": "1s",
                       "telegram_api_url": f"{url}/telegram", "telegram_bot_token": f"12:{CANARY}",
                       "opsgenie_api_url": f"{url}/opsgenie", "opsgenie_api_key": CANARY,
                       "http_config": {"http_headers": {"X-Tenant": {"values": ["shop"]}}}},
            "web": {"external_url": "https://belfry.example.org"},
            "route": {"receiver": "all", "group_by": ["alertname"], "group_wait": "0s",
                      "group_interval": "1s"},
            "receivers": [{
                "name": "all",
                "slack_configs": [{"api_url": f"{url}/slack/{CANARY}"}],
                "webhook_configs": [{"url": f"{url}/webhook/{CANARY}", "http_config": {
                    "authorization": {"type": "Token", "credentials": "t"}}}],
                "pagerduty_configs": [{"url": f"{url}/pagerduty", "routing_key": CANARY}],
                "opsgenie_configs": [{"update_alerts": True}],
                "msteamsv2_configs": [{"webhook_url": f"{url}/teams/{CANARY}"}],
                "discord_configs": [{"webhook_url": f"{url}/discord/{CANARY}"}],
                "telegram_configs": [{"chat_id": -100}],
                "ntfy_configs": [{"url": f"{url}/ntfy", "topic": CANARY, "token": "tk_1"}],
                "pushover_configs": [{"api_url": f"{url}/pushover/1/messages.json",
                                      "token": CANARY, "user_key": CANARY}],
                "mattermost_configs": [{"webhook_url": f"{url}/mattermost/{CANARY}"}],
                "rocketchat_configs": [{"api_url": f"{url}/rocketchat", "token": CANARY,
                                        "token_id": "id", "channel": "#ops"}]}]}

    def wait_for(self, resolved):
        def missing():
            return [s for s in ALL if not any(
                is_resolved(s, r[2], r[4]) == resolved for r in self.services.of(s))]
        try:
            wait_until(lambda: not missing(), 30, "all services")
        except Exception as e:
            raise AssertionError(f"nothing came at {missing()}: {e}") from e

    def test_all_of_them_hear_of_an_alert_and_of_its_end(self):
        with Belfry(self.config(), rules={"r.yml": RULES}) as belfry:
            self.wait_for(resolved=False)
            wait_until(lambda: len(self.services.of("opsgenie")) >= 3, 10, "updates")
            belfry.write_rules("r.yml", RULES.replace("> 90", "> 98"))
            self.assertEqual(belfry.reload().status, 200)
            self.wait_for(resolved=True)
            wait_until(lambda: any("cancel_by_tag" in r[2] for r in self.services.of("pushover")),
                       10, "the end of Pushover's repeating")
            self.check_places()
            self.check_waits()
            self.check_identity()
            status = belfry.get("/api/v1/status/config").body
            log = belfry.log_path.read_text(encoding="utf-8")
            self.assertNotIn(CANARY, log)
            self.assertNotIn(CANARY.encode(), status if isinstance(status, bytes) else status.encode())
            belfry.stop()
            stored = list(belfry.data_dir.rglob("state.db*"))
            self.assertTrue(stored)
            for path in stored:
                self.assertNotIn(CANARY.encode(), path.read_bytes(), "a secret is stored")

    def test_a_secret_file_is_read_again_and_an_alertmanager_file_taken(self):
        url = self.services.url
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "am.yml").write_text(json.dumps({
            "route": {"receiver": "d", "group_wait": "0s", "group_interval": "1s"},
            "receivers": [{"name": "d", "discord_configs": [{"webhook_url_file": "url"}]}]}),
            encoding="utf-8")
        (folder / "url").write_text(f"{url}/discord/first\n", encoding="utf-8")
        config = {"global": {"evaluation_interval": "1s"},
                  "alertmanager_config_file": str(folder / "am.yml")}
        with Belfry(config, rules={"r.yml": RULES}) as belfry:
            wait_until(lambda: self.services.of("discord"), 20, "the first address")
            (folder / "url").write_text(f"{url}/discord/second\n", encoding="utf-8")
            self.assertEqual(belfry.reload().status, 200)
            belfry.write_rules("r.yml", RULES.replace("> 90", "> 98"))
            self.assertEqual(belfry.reload().status, 200)
            wait_until(lambda: len(self.services.of("discord")) == 2, 20, "the second address")
        self.assertEqual([r[2] for r in self.services.of("discord")],
                         ["/discord/first", "/discord/second"])

    def test_an_incident_is_closed_by_its_key_though_the_receiver_has_changed(self):
        config = self.config()
        receiver = config["receivers"][0]
        config["receivers"] = [{"name": "all", "pagerduty_configs": receiver["pagerduty_configs"],
                                "opsgenie_configs": [{}]}]
        with Belfry(config, rules={"r.yml": RULES}) as belfry:
            wait_until(lambda: self.services.of("pagerduty") and self.services.of("opsgenie"), 20, "both")
            config["receivers"][0]["slack_configs"] = receiver["slack_configs"]
            belfry.write_config(config)
            self.assertEqual(belfry.reload().status, 200)
            wait_until(lambda: self.services.of("slack"), 20, "who is new hears of it too")
            belfry.write_rules("r.yml", RULES.replace("> 90", "> 98"))
            self.assertEqual(belfry.reload().status, 200)
            wait_until(lambda: len(self.services.of("pagerduty")) == 2 and
                       len(self.services.of("opsgenie")) == 2, 20, "both ends")
        events = [json.loads(r[4]) for r in self.services.of("pagerduty")]
        self.assertEqual([e["event_action"] for e in events], ["trigger", "resolve"])
        self.assertEqual(events[0]["dedup_key"], events[1]["dedup_key"])
        alias = json.loads(self.services.of("opsgenie")[0][4])["alias"]
        self.assertIn(f"/v2/alerts/{alias}/close", self.services.of("opsgenie")[1][2])

    def test_no_secret_is_told_when_a_service_refuses_and_repeats_it(self):
        self.services.echo = True
        with Belfry(self.config(), rules={"r.yml": RULES}) as belfry:
            wait_until(lambda: len(
                {r[0] for r in self.services.requests}) == len(ALL), 30, "an attempt at each")
            wait_until(lambda: belfry.metric("belfry_notify_failed_total", reason="refused") >= len(ALL),
                       20, "all refused")
            belfry.stop()
            self.assertNotIn(CANARY, belfry.log_path.read_text(encoding="utf-8"))
            for path in belfry.data_dir.rglob("state.db*"):
                self.assertNotIn(CANARY.encode(), path.read_bytes(), path.name)

    def check_places(self):
        first = {s: self.services.of(s)[0] for s in ALL}
        self.assertEqual(first["telegram"][2], f"/telegram/bot12:{CANARY}/sendPhoto")
        self.assertEqual(json.loads(first["telegram"][4])["chat_id"], -100)
        self.assertEqual(first["opsgenie"][3]["Authorization"], f"GenieKey {CANARY}")
        self.assertEqual(first["webhook"][3]["Authorization"], "Token t")
        self.assertNotIn("X-Tenant", first["webhook"][3], "its http_config replaces global's")
        self.assertEqual(first["discord"][3]["X-Tenant"], "shop")
        self.assertEqual(first["ntfy"][3]["Authorization"], "Bearer tk_1")
        self.assertEqual(json.loads(first["ntfy"][4])["topic"], CANARY)
        self.assertEqual(first["rocketchat"][3]["X-Auth-Token"], CANARY)
        self.assertTrue(all(r[3]["User-Agent"].startswith("belfry/") for r in first.values()))
        form = urllib.parse.parse_qs(first["pushover"][4])
        self.assertEqual(form["priority"], ["2"])
        self.assertEqual(form["user"], [CANARY])
        for service in ALL:
            if service in ("webhook", "pagerduty", "opsgenie"):
                continue
            text = urllib.parse.unquote(first[service][4])
            self.assertIn("FIRING", text, service)
            self.assertIn("PoolExhausted", text, service)
            if service not in ("pushover", "ntfy"):  # these have one link of their own
                self.assertIn("https://runbooks.example.org/pool", text, service)
        self.assertNotIn("a<b>", first["telegram"][4])
        self.assertGreaterEqual(len(self.services.pictures), 2, "Discord and Telegram")
        self.assertTrue(all(p.startswith(b"\x89PNG\r\n") for p in self.services.pictures))
        self.assertEqual(json.loads(first["discord"][4])["embeds"][0]["image"]["url"],
                         "attachment://graph.png")
        methods = [(r[1], r[2].split("?")[0].split("/")[-1]) for r in self.services.of("opsgenie")]
        self.assertEqual(methods, [("POST", "alerts"), ("PUT", "message"), ("PUT", "description"),
                                   ("POST", "close")])

    def check_waits(self):
        for service, least in (("discord", 1.25), ("telegram", 2), ("pagerduty", 1)):
            with self.services.changed:
                times = [r[6] for r in self.services.requests if r[0] == service]
            self.assertGreaterEqual(times[1] - times[0], least, service)

    def check_identity(self):
        events = [json.loads(r[4]) for r in self.services.of("pagerduty")]
        self.assertEqual([e["event_action"] for e in events], ["trigger", "resolve"])
        self.assertEqual(events[0]["dedup_key"], events[1]["dedup_key"])
        self.assertEqual(events[0]["payload"]["severity"], "critical")
        alias = json.loads(self.services.of("opsgenie")[0][4])["alias"]
        self.assertIn(f"/v2/alerts/{alias}/close", self.services.of("opsgenie")[-1][2])
        with self.services.changed:
            ids = [r[3]["X-Belfry-Id"] for r in self.services.requests if r[0] == "discord"]
        self.assertEqual(ids[0], ids[1], "a repeated attempt keeps its id")
        self.assertNotEqual(ids[1], ids[2])


if __name__ == "__main__":
    sys.exit(runner.main())
