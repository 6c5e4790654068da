# SPDX-License-Identifier: Apache-2.0
"""PagerDuty's events and Opsgenie's alerts on loopback, with their memory: what is open, by key.

    with PagingApi() as paging:
        ... pagerduty_configs: [{url: paging.pagerduty, routing_key: "k"}] ...
        ... opsgenie_configs: [{api_url: paging.opsgenie, api_key: "k"}] ...
        paging.open["pagerduty"]     keys that were opened and not closed
        paging.events                ("pagerduty", "trigger", key) in order of arrival
"""

import http.server
import json
import threading

from .net import GUARD_S


class PagingApi:
    def __init__(self):
        self.open = {"pagerduty": set(), "opsgenie": set()}
        self.events = []
        self.bodies = []
        self._changed = threading.Condition()

    @property
    def pagerduty(self):
        return f"http://127.0.0.1:{self.port}/v2/enqueue"

    @property
    def opsgenie(self):
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(raw)
                status = api._take(self.path.split("?")[0], body)
                answer = b'{"status":"success"}'
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *exc):
        self._server.shutdown()
        self._server.server_close()

    def of(self, service, action=None):
        """Keys of a service's events, in order."""
        with self._changed:
            return [k for s, a, k in self.events if s == service and action in (None, a)]

    def wait(self, check, timeout=GUARD_S):
        """Until check(self) is true."""
        with self._changed:
            if not self._changed.wait_for(lambda: check(self), timeout):
                raise TimeoutError(f"open {self.open}, events {self.events}")

    def _take(self, path, body):
        with self._changed:
            if path == "/v2/enqueue":
                event = ("pagerduty", body["event_action"], body["dedup_key"])
            elif path == "/v2/alerts":
                event = ("opsgenie", "create", body["alias"])
            else:
                event = ("opsgenie", "close", path.split("/")[3])
            service, action, key = event
            status = 202
            if action in ("trigger", "create"):
                self.open[service].add(key)
            elif service == "opsgenie" and key not in self.open[service]:
                status = 404
            else:
                self.open[service].discard(key)
            self.events.append(event)
            self.bodies.append(body)
            self._changed.notify_all()
        return status
