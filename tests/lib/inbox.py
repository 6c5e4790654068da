# SPDX-License-Identifier: Apache-2.0
"""A local inbox: what Slack, a webhook receiver and a mail server would do, on loopback.

    with Inbox() as inbox:
        ... slack_configs: [{api_url: inbox.slack_url("ops")}] ...
        inbox.answer("slack", 429, times=2, retry_after=1)
        msg = inbox.wait_for(lambda m: m.channel == "slack" and m.state == "RESOLVED")

Every message that was accepted is in .messages (in order of arrival) and in .slack_messages,
.webhooks or .mails; every attempt, accepted or not, in .attempts. Slack's own limits are
enforced (lib.slack_text.check). SMTP optionally offers or demands STARTTLS with a self-signed
certificate made at start (.ca_file).
"""

import asyncio
import email
import email.policy
import http.server
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from aiosmtpd.smtp import SMTP

from . import slack_text
from .net import GUARD_S

MAX_BODY = 8 << 20
CHANNELS = ("slack", "webhook", "mail")


class Message:
    """One message as received.

    channel   slack, webhook or mail
    receiver  last part of the URL's path, or the first recipient's address
    state     FIRING, RESOLVED or "" when the message says neither
    title     its first line (mail: subject); text: as a person reads it
    payload   parsed JSON (slack, webhook) or email.message.EmailMessage (mail)
    origin    what the sender said of itself: the URL's query, or the name of its EHLO
    time      when it had been received whole; nothing is recorded before, or in part
    replied   when the answer had been handed to the kernel; None: not yet, or the sender was gone
    """

    def __init__(self, channel, receiver, payload, raw, headers, origin=""):
        self.time = time.time()
        self.replied = None
        self.origin = origin
        self.channel = channel
        self.receiver = receiver
        self.payload = payload
        self.raw = raw
        self.headers = headers
        self.status = 0
        self.mail_from = ""
        self.rcpt_tos = []
        self.tls = False
        lines = self._lines()
        self.title = next((ln.strip(" ┃") for ln in lines if ln.strip(" ┃")), "")
        self.text = "\n".join(lines)
        if channel == "mail":
            self.title = str(payload["Subject"] or "")
        self.state = self._state()

    def _lines(self):
        if self.channel == "slack":
            return slack_text.render(self.payload)
        if self.channel == "webhook":
            return webhook_lines(self.payload)
        part = self.payload.get_body(("plain", "html"))
        return part.get_content().rstrip().splitlines() if part else []

    def _state(self):
        if self.channel == "webhook" and isinstance(self.payload, dict):
            return str(self.payload.get("status", "")).upper()
        spoken = [self.title, self.text]
        if self.channel == "slack":
            spoken.insert(0, str(self.payload.get("text") or ""))
        for text in spoken:
            found = re.search(r"\b(FIRING|RESOLVED)\b", text)
            if found:
                return found.group(1)
        found = re.search(r"\b(firing|resolved)\b", self.text, re.I)
        return found.group(1).upper() if found else ""

    def alert(self, names=()):
        """The alert's name: one of names if the message tells it, else its best guess."""
        told = f"{self.title}\n{self.text}"
        for name in names:
            if name in told:
                return name
        guess = re.search(r"\b(?:[A-Z][a-z0-9]+){2,}\b", told)
        return guess.group(0) if guess else ""

    def __repr__(self):
        return f"Message({self.channel} {self.receiver} {self.state} {self.title!r})"


def webhook_lines(payload):
    """A generic webhook's body (version 4) in words."""
    if not isinstance(payload, dict):
        return [str(payload)]
    lines = [f"{payload.get('status', '')} {payload.get('groupKey', '')}"]
    for alert in payload.get("alerts") or []:
        labels = ", ".join(f"{k}={v}" for k, v in sorted(alert.get("labels", {}).items()))
        lines.append(f"  {alert.get('status')}: {labels}")
        summary = alert.get("annotations", {}).get("summary")
        if summary:
            lines.append(f"    {summary}")
    return lines


class _Plan:
    """What a channel answers instead of accepting, and how often (None = always)."""

    def __init__(self, status, times, retry_after, body, hang, stage):
        self.status = status
        self.times = times
        self.retry_after = retry_after
        self.body = body
        self.hang = hang
        self.stage = stage


class Inbox:
    """HTTP and SMTP on loopback ports. Context manager; start()/stop() otherwise."""

    def __init__(self, *, http_port=0, smtp_port=0, starttls=False, require_starttls=False,
                 on_message=None):
        self.messages = []
        self.attempts = []
        self.on_message = on_message
        self.ca_file = None
        self._changed = threading.Condition()
        self._plans = {}
        self._released = threading.Event()
        self._tls_dir = None
        self._ports = (http_port, smtp_port)
        self._starttls = starttls or require_starttls
        self._require_starttls = require_starttls
        self.http_port = self.smtp_port = None

    # -- life ----------------------------------------------------------------------------

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def start(self):
        self._start_http(self._ports[0])
        self._start_smtp(self._ports[1])
        return self

    def stop(self):
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._smtp_thread.join(GUARD_S)
        if self._tls_dir:
            shutil.rmtree(self._tls_dir, ignore_errors=True)

    def slack_url(self, name="ops"):
        return f"http://127.0.0.1:{self.http_port}/services/T0000/B0000/{name}"

    def webhook_url(self, name="webhook"):
        return f"http://127.0.0.1:{self.http_port}/webhook/{name}"

    @property
    def smarthost(self):
        """host:port, as smtp_smarthost is written."""
        return f"127.0.0.1:{self.smtp_port}"

    # -- what came -----------------------------------------------------------------------

    @property
    def slack_messages(self):
        return self._of("slack")

    @property
    def webhooks(self):
        return self._of("webhook")

    @property
    def mails(self):
        return self._of("mail")

    def _of(self, channel):
        with self._changed:
            return [m for m in self.messages if m.channel == channel]

    def wait_for(self, check, timeout=GUARD_S, count=1):
        """Waits until count accepted messages satisfy check; returns the first (or their list)."""
        timeout = max(timeout, GUARD_S)
        with self._changed:
            got = self._changed.wait_for(
                lambda: len([m for m in self.messages if check(m)]) >= count, timeout)
            found = [m for m in self.messages if check(m)]
            if not got:
                raise TimeoutError(f"{len(found)} of {count} messages within {timeout} s; "
                                   f"inbox: {self.messages}")
        return found[0] if count == 1 else found

    def wait_attempts(self, channel, count, timeout=GUARD_S):
        """Waits until that many attempts (accepted or not) were made on a channel."""
        timeout = max(timeout, GUARD_S)
        with self._changed:
            if not self._changed.wait_for(
                    lambda: len([a for a in self.attempts if a.channel == channel]) >= count,
                    timeout):
                raise TimeoutError(f"fewer than {count} attempts by {channel}")
            return [a for a in self.attempts if a.channel == channel]

    # -- misbehaviour --------------------------------------------------------------------

    def answer(self, channel, status, *, times=None, retry_after=None, body=None, stage="data"):
        """Answers status from now on, or the next times times. For mail status is an SMTP code
        and stage is rcpt or data."""
        self._plan(channel, _Plan(status, times, retry_after, body, False, stage))

    def hang(self, channel, times=None):
        """Takes the message and says nothing until release() or stop()."""
        self._plan(channel, _Plan(0, times, None, None, True, "data"))

    def accept(self, channel):
        """Back to normal."""
        with self._changed:
            self._plans.pop(channel, None)

    def release(self):
        """Lets hanging answers end (they close without an answer)."""
        self._released.set()

    def _plan(self, channel, plan):
        assert channel in CHANNELS, channel
        with self._changed:
            self._released.clear()
            self._plans[channel] = plan

    def _next_plan(self, channel, stage="data"):
        with self._changed:
            plan = self._plans.get(channel)
            if plan is None or plan.stage != stage:
                return None
            if plan.times is not None:
                plan.times -= 1
                if plan.times <= 0:
                    del self._plans[channel]
            return plan

    def _record(self, msg, status, accepted):
        msg.status = status
        with self._changed:
            self.attempts.append(msg)
            if accepted:
                self.messages.append(msg)
            self._changed.notify_all()
        if accepted and self.on_message:
            self.on_message(msg)

    # -- HTTP ----------------------------------------------------------------------------

    def _start_http(self, port):
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_POST(self):
                inbox._handle_post(self)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                if not isinstance(sys.exc_info()[1], OSError):  # a sender that died
                    super().handle_error(request, client_address)

        self._http = Server(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self.http_port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.1,), daemon=True).start()

    def _handle_post(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            return _reply(handler, 413, "too large")
        raw = handler.rfile.read(length)
        if len(raw) < length:  # the sender died in the middle: there was no message
            handler.close_connection = True
            return None
        path, _, query = handler.path.partition("?")
        path = path.rstrip("/")
        channel = "webhook" if path.startswith("/webhook") else "slack"
        try:
            payload = json.loads(raw)
        except ValueError:
            return _reply(handler, 400, "invalid_payload")
        if channel == "slack" and not isinstance(payload, dict):
            return _reply(handler, 400, "invalid_payload")
        msg = Message(channel, path.rsplit("/", 1)[-1], payload, raw, dict(handler.headers), query)
        plan = self._next_plan(channel)
        if plan and plan.hang:
            self._record(msg, 0, False)
            self._released.wait()
            handler.close_connection = True
            return None
        problem = slack_text.check(payload) if channel == "slack" else None
        if plan:
            status, body = plan.status, plan.body
            if body is None:
                body = _REFUSALS.get(status, "refused")
        else:
            status, body = (400, problem) if problem else (200, "ok")
        # Recorded before the answer: a test that saw the sender confirm finds the message here.
        self._record(msg, status, status // 100 == 2)
        if _reply(handler, status, body, plan.retry_after if plan else None):
            msg.replied = time.time()
        return None

    # -- SMTP ----------------------------------------------------------------------------

    def _start_smtp(self, port):
        context = self._tls_context() if self._starttls else None
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        self.smtp_port = sock.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        started = threading.Event()

        def protocol():
            return _Smtp(_MailHandler(self), hostname="inbox.test", enable_SMTPUTF8=True,
                         tls_context=context, require_starttls=self._require_starttls,
                         loop=self._loop)

        def run():
            asyncio.set_event_loop(self._loop)
            server = self._loop.run_until_complete(self._loop.create_server(protocol, sock=sock))
            started.set()
            self._loop.run_forever()
            server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

        self._smtp_thread = threading.Thread(target=run, daemon=True)
        self._smtp_thread.start()
        started.wait(GUARD_S)

    def _tls_context(self):
        self._tls_dir = tempfile.mkdtemp(prefix="belfry-inbox.")
        key, cert = f"{self._tls_dir}/key.pem", f"{self._tls_dir}/cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.ca_file = cert
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


_REFUSALS = {
    404: "no_service", 403: "invalid_token", 410: "channel_is_archived", 500: "rollup_error",
    429: '{"retry_after":1,"ok":false,"error":"rate_limited"}',
}


def _reply(handler, status, body, retry_after=None):
    data = body.encode()
    try:
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(data)))
        if retry_after is not None:
            handler.send_header("Retry-After", str(retry_after))
        handler.end_headers()
        handler.wfile.write(data)
    except OSError:
        handler.close_connection = True
        return False
    return True


class _Smtp(SMTP):
    """Notes when the answer to a message has left for the kernel."""

    unanswered = None

    async def push(self, status):
        await super().push(status)
        msg, self.unanswered = self.unanswered, None
        if msg and self.transport and self.transport.get_write_buffer_size() == 0:
            msg.replied = time.time()


class _MailHandler:
    """aiosmtpd's hooks for one connection."""

    def __init__(self, inbox):
        self.inbox = inbox

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        plan = self.inbox._next_plan("mail", "rcpt")
        if plan:
            return f"{plan.status} {plan.body or 'refused by the inbox'}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    # aiosmtpd calls this when the final dot was read, and nothing here waits before the message is
    # recorded: a sender that dies leaves a whole message, or none.
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        msg = Message("mail", envelope.rcpt_tos[0], mail, envelope.original_content,
                      dict(mail.items()), session.host_name)
        server.unanswered = msg
        msg.mail_from, msg.rcpt_tos = envelope.mail_from, list(envelope.rcpt_tos)
        msg.tls = session.ssl is not None
        plan = self.inbox._next_plan("mail")
        if plan and plan.hang:
            self.inbox._record(msg, 0, False)
            while not self.inbox._released.is_set():
                await asyncio.sleep(0.05)
            return "421 closing"
        status = plan.status if plan else 250
        self.inbox._record(msg, status, status == 250)
        return f"{status} {(plan.body if plan else None) or 'answer of the inbox'}"
