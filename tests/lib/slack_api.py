# SPDX-License-Identifier: Apache-2.0
"""Slack's Web API as far as a bot uses it, on loopback, with its real manners: HTTP 200 with
ok:false, channel ids where names do not do, what an edit keeps, files in three steps.

    with SlackApi() as slack:
        ... app_token: slack.token, app_url: slack.url, channel: "#ops" ...
        slack.fail("chat.update", "message_not_found", times=1)
        root = slack.wait_root(lambda r: "RESOLVED" in r["text"])
        root["replies"], root["files"], root["edits"]
"""

import http.server
import json
import threading
import urllib.parse

from . import slack_text
from .net import GUARD_S

MAX_BODY = 4 << 20


class SlackApi:
    token = "xoxb-test-token"

    def __init__(self):
        self.roots = []    # messages of the channel: text, attachments, ts, replies, files, edits
        self.calls = []    # (method, body as parsed, answer)
        self.wrong = []    # what a client must never do
        self._plans = {}
        self._uploads = {}
        self._clock = 0
        self._changed = threading.Condition()
        self.channels = {"#ops": "C01", "ops": "C01"}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/api/chat.postMessage"

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self._server.shutdown()
        self._server.server_close()

    # -- for tests -----------------------------------------------------------------------

    def fail(self, method, error, times=None, retry_after=None):
        """error: Slack's name of it, or an HTTP status. times None: until fail(method, None)."""
        with self._changed:
            self._plans.pop(method, None)
            if error is not None:
                self._plans[method] = [error, times, retry_after]

    def delete_roots(self):
        """Somebody removes the messages from the channel."""
        with self._changed:
            for root in self.roots:
                root["gone"] = True

    def wait_root(self, check, timeout=GUARD_S):
        timeout = max(timeout, GUARD_S)
        with self._changed:
            def found():
                return next((r for r in self.roots if check(r)), None)
            if not self._changed.wait_for(found, timeout):
                raise TimeoutError(f"no such message; there are {self.roots}")
            return found()

    def methods(self):
        with self._changed:
            return [c[0] for c in self.calls]

    # -- methods -------------------------------------------------------------------------

    def _ts(self):
        self._clock += 1
        return f"1700000000.{self._clock:06d}"

    def _root(self, ts):
        return next((r for r in self.roots if r["ts"] == ts and not r.get("gone")), None)

    def _content(self, body, message):
        """None, or the error for what it holds. An edit keeps what is not given."""
        error = slack_text.check(body)
        if error:
            return error
        for key in ("text", "attachments", "blocks"):
            if key in body:
                message[key] = body[key]
        return None

    def chat_postMessage(self, body):
        channel = body.get("channel")
        channel = self.channels.get(channel, channel)
        if channel not in self.channels.values():
            return {"ok": False, "error": "channel_not_found"}
        message = {"ts": self._ts(), "replies": [], "files": [], "edits": 0,
                   "metadata": body.get("metadata")}
        error = self._content(body, message)
        if error:
            return {"ok": False, "error": error}
        if "thread_ts" in body:
            root = self._root(body["thread_ts"])
            if root is None:
                return {"ok": False, "error": "thread_not_found"}
            message["broadcast"] = body.get("reply_broadcast", False)
            root["replies"].append(message)
        else:
            self.roots.append(message)
        return {"ok": True, "channel": channel, "ts": message["ts"],
                "message": {"text": message.get("text", "")}}

    def chat_update(self, body):
        if body.get("channel") not in self.channels.values():
            return {"ok": False, "error": "channel_not_found"}
        root = self._root(body.get("ts"))
        if root is None:
            return {"ok": False, "error": "message_not_found"}
        error = self._content(body, root)
        if error:
            return {"ok": False, "error": error}
        root["edits"] += 1
        return {"ok": True, "channel": body["channel"], "ts": root["ts"], "text": root["text"]}

    def files_getUploadURLExternal(self, form):
        if not str(form.get("length", "")).isdigit() or not form.get("filename"):
            return {"ok": False, "error": "invalid_arguments"}
        ident = f"F{len(self._uploads):02d}"
        self._uploads[ident] = {"length": int(form["length"]), "bytes": None}
        return {"ok": True, "file_id": ident,
                "upload_url": f"http://127.0.0.1:{self.port}/upload/{ident}"}

    def files_completeUploadExternal(self, body):
        root = self._root(body.get("thread_ts"))
        for entry in body.get("files", []):
            upload = self._uploads.get(entry["id"])
            if upload is None or upload["bytes"] is None:
                return {"ok": False, "error": "file_not_found"}
            if body.get("channel_id") not in self.channels.values() or root is None:
                return {"ok": False, "error": "invalid_channel"}
            root["files"].append((entry.get("title"), upload["bytes"]))
        return {"ok": True, "files": body.get("files", [])}

    def api_test(self, body):
        return {"ok": True}

    # -- HTTP ----------------------------------------------------------------------------

    def _planned(self, method):
        plan = self._plans.get(method)
        if plan is None:
            return None
        if plan[1] is not None:
            plan[1] -= 1
            if plan[1] <= 0:
                del self._plans[method]
        return plan

    def _answer(self, path, headers, raw):
        """Status, further headers, body."""
        if path.startswith("/upload/"):
            if "Authorization" in headers:
                self.wrong.append("the token was sent to the upload's address")
            upload = self._uploads.get(path.split("/")[-1])
            if upload is None or len(raw) != upload["length"]:
                return 400, {}, b"bad upload"
            upload["bytes"] = raw
            return 200, {}, b"OK"
        method = path.removeprefix("/api/")
        plan = self._planned(method)
        if plan and isinstance(plan[0], int):
            more = {"Retry-After": str(plan[2])} if plan[2] else {}
            self.calls.append((method, None, plan[0]))
            return plan[0], more, json.dumps({"ok": False, "error": "ratelimited"}).encode()
        if plan:
            answer = {"ok": False, "error": plan[0]}
        elif headers.get("Authorization") != f"Bearer {self.token}":
            answer = {"ok": False, "error": "invalid_auth"}
        else:
            answer = self._called(method, headers, raw)
        self.calls.append((method, raw.decode("utf-8", "replace"), answer))
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    def _called(self, method, headers, raw):
        run = getattr(self, method.replace(".", "_"), None)
        kind = headers.get("Content-Type", "")
        if run is None:
            return {"ok": False, "error": "unknown_method"}
        if kind.startswith("application/x-www-form-urlencoded"):
            return run(dict(urllib.parse.parse_qsl(raw.decode())))
        if method == "files.getUploadURLExternal" or not kind.startswith("application/json"):
            return {"ok": False, "error": "invalid_arguments"}
        return run(json.loads(raw))

    def _handler(outer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), MAX_BODY))
                with outer._changed:
                    status, more, body = outer._answer(self.path, self.headers, raw)
                    outer._changed.notify_all()
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        return Handler
