# SPDX-License-Identifier: Apache-2.0
"""A daemon whose time goes in steps: moves its clock, sends samples, hears when what was told.

    env = stepped.env(start_ms)
    with Belfry(config, env=env) as belfry, Stepped(belfry) as time:
        time.to(start_ms + 60_000)      # returns when everything due until then is done
        time.write(series)

The clock stands still while any work is under way (base/steps.h), so what happens when does not
depend on the machine.
"""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .remote_write import HEADERS, encode


def env(start_ms):
    """The environment of such a daemon."""
    return {"BELFRY_TEST": "1", "BELFRY_CLOCK": f"{int(start_ms)},steps"}


class Stepped:
    """One connection to the daemon that is kept open."""

    def __init__(self, belfry):
        self.belfry = belfry
        self.http = http.client.HTTPConnection("127.0.0.1", belfry.web_port, timeout=120)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.http.close()

    def ask(self, method, path, body=b"", headers=None):
        """The answer's body; anything but 2xx raises."""
        self.http.request(method, path, body=body, headers=headers or {})
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status // 100 != 2:
            raise RuntimeError(f"{path}: {answer.status} {text[:300]}")
        return text

    def _clock(self, query=""):
        answer = json.loads(self.ask("POST", f"/api/belfry/v1/debug/clock{query}"))
        return answer["data"]["unix_ms"]

    def now(self):
        return self._clock()

    def to(self, unix_ms):
        """Time goes on until then."""
        return self._clock(f"?to_ms={int(unix_ms)}")

    def set(self, unix_ms):
        """The clock is set, as an administrator does."""
        return self._clock(f"?unix_ms={int(unix_ms)}")

    def write(self, series):
        """Remote write; committed at the return."""
        self.ask("POST", "/api/v1/write", encode(series), HEADERS)


class Ear:
    """Takes webhooks at /RECEIVER: .messages is [(daemon's ms, receiver, body)]."""

    def __init__(self):
        self.messages = []
        self.port = None  # the daemon's; its clock stands still until we have answered
        ear = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ear.messages.append((ear.moment(), self.path.strip("/"), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def moment(self):
        """What the daemon's clock shows."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", "/api/belfry/v1/debug/clock")
            return json.loads(connection.getresponse().read())["data"]["unix_ms"]
        finally:
            connection.close()
