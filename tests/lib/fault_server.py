# SPDX-License-Identifier: Apache-2.0
"""Receivers that misbehave, on loopback: HTTP(S) and SMTP, told per attempt what to do.

    with HttpFault(lambda n, t: reply(503) if t < 10 else reply(200)) as srv:
        ... url srv.url("/hook") ...
        srv.attempts  ->  [(seconds since start, headers, body), ...]

An action is a function(sock) that answers (or doesn't) one request that was read; see the makers
below. SmtpFault answers by stage: {"RCPT": "450 later", ...}.
"""

import contextlib
import pathlib
import select
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time


# -- what to do with a request -------------------------------------------------------------

def reply(status, body="ok", **headers):
    """A whole answer; header names with _ for -."""
    def act(sock):
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
    act.status = status
    return act


def hang(seconds=60.0):
    """Takes the request, says nothing."""
    def act(sock):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ready, _, _ = select.select([sock], [], [], 0.1)
            if ready and not sock.recv(1024):
                return
    act.status = 0
    return act


def drip(per_second=1):
    """A 200, a byte at a time."""
    def act(sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                sock.sendall(b"o")
                time.sleep(1 / per_second)
        except OSError:
            pass
    act.status = 0
    return act


def reset_in_reply():
    """Half an answer, then RST."""
    def act(sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
        time.sleep(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    act.status = 0
    return act


def garbage():
    def act(sock):
        sock.sendall(b"\x00\xffSSH-2.0-nonsense\r\n" * 50)
    act.status = 0
    return act


class _Server:
    def __init__(self, port=0):
        self.attempts = []
        self.connections = 0
        self.start_time = time.monotonic()
        self._closing = False
        self._sock = socket.socket()
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._sock.bind(("127.0.0.1", port))
        self._sock.listen(64)
        self.port = self._sock.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self._closing = True
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._sock.close()

    def began(self, n):
        """When the n-th attempt came, on the test's own clock."""
        return self.attempts[n]["t"] + self.start_time

    def now(self):
        return time.monotonic() - self.start_time

    def _accept(self):
        while not self._closing:
            try:
                conn, _ = self._sock.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._safely, args=(conn,), daemon=True).start()

    def _safely(self, conn):
        try:
            conn.settimeout(90)
            self._serve(conn)
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            try:
                conn.close()
            except OSError:
                pass


class HttpFault(_Server):
    """plan(n, t): the action for the n-th attempt (from 0), t seconds after the start."""

    def __init__(self, plan, port=0, context=None):
        super().__init__(port)
        self.plan = plan
        self.context = context

    def url(self, path="/hook", scheme=None, host="127.0.0.1"):
        return f"{scheme or ('https' if self.context else 'http')}://{host}:{self.port}{path}"

    @property
    def accepted(self):
        return [a for a in self.attempts if a["status"] // 100 == 2]

    def _serve(self, conn):
        if self.context:
            with self.context.wrap_socket(conn, server_side=True) as conn:
                self._request(conn)
        else:
            self._request(conn)

    def _request(self, conn):
        head = b""
        while b"\r\n\r\n" not in head:
            data = conn.recv(65536)
            if not data:
                return
            head += data
        head, body = head.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, v in (ln.split(":", 1) for ln in lines[1:])}
        while len(body) < int(headers.get("content-length", "0")):
            body += conn.recv(65536)
        attempt = {"t": self.now(), "path": lines[0].split()[1], "id": headers.get("x-belfry-id"),
                   "body": body.decode("utf-8", "replace")}
        action = self.plan(len(self.attempts), attempt["t"])
        attempt["status"] = action.status
        self.attempts.append(attempt)
        action(conn)
        attempt["end"] = self.now()
        conn.close()


class SilentPort(_Server):
    """Connections come about (the kernel's doing); nobody reads."""

    def _accept(self):
        pass


class SmtpFault(_Server):
    """say: {stage: reply} for CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, DOT; a reply may be
    a function(argument) or "DROP" (close without a word). Mails taken are in .mails, those read
    whole in .read."""

    def __init__(self, say=None, starttls=None, auth=False, port=0):
        super().__init__(port)
        self.say = dict(say or {})
        self.starttls = starttls
        self.auth = auth
        self.mails = []
        self.read = []

    @property
    def smarthost(self):
        return f"127.0.0.1:{self.port}"

    def _answer(self, conn, stage, argument, usual):
        text = self.say.get(stage, usual)
        if callable(text):
            text = text(argument) or usual
        if text == "DROP":
            conn.close()
            raise OSError("dropped")
        conn.sendall(text.encode() + b"\r\n")
        return text[:1] in "23"

    def _serve(self, conn):
        with contextlib.ExitStack() as stack:
            self._talk(conn, stack)

    def _talk(self, conn, stack):
        self.attempts.append({"t": self.now(), "stages": []})
        stages = self.attempts[-1]["stages"]
        stages.append("CONNECT")
        if not self._answer(conn, "CONNECT", "", "220 fault.test"):
            return
        stream, rcpt, tls = stack.enter_context(conn.makefile("rb")), [], False
        while True:
            line = stream.readline()
            if not line:
                return
            text = line.decode("latin-1").rstrip("\r\n")
            verb = text.split(" ")[0].upper()
            stages.append(verb)
            if verb in ("EHLO", "HELO"):
                offers = ["SIZE 10000000"]
                if self.starttls and not tls:
                    offers.append("STARTTLS")
                if self.auth:
                    offers.append("AUTH PLAIN LOGIN")
                usual = "\r\n".join(["250-fault.test"] + [f"250-{o}" for o in offers[:-1]]
                                    + [f"250 {offers[-1]}"])
                self._answer(conn, "EHLO", text, usual)
            elif verb == "STARTTLS":
                if self._answer(conn, "STARTTLS", "", "220 go on"):
                    conn = stack.enter_context(self.starttls.wrap_socket(conn, server_side=True))
                    stream, tls = stack.enter_context(conn.makefile("rb")), True
            elif verb == "AUTH":
                for _ in range({"PLAIN": 3, "LOGIN": 4}[text.split()[1]] - len(text.split())
                               if "AUTH" not in self.say else 0):
                    conn.sendall(b"334 \r\n")
                    stream.readline()
                self._answer(conn, "AUTH", text, "235 welcome")
            elif verb == "MAIL":
                self._answer(conn, "MAIL", text, "250 OK")
            elif verb == "RCPT":
                if self._answer(conn, "RCPT", text, "250 OK"):
                    rcpt.append(text.split(":", 1)[1])
            elif verb == "DATA":
                if self._answer(conn, "DATA", "", "354 go ahead"):
                    self._data(conn, stream, rcpt, tls)
                    rcpt = []
            elif verb == "QUIT":
                conn.sendall(b"221 bye\r\n")
                return
            else:
                conn.sendall(b"250 OK\r\n")

    def _data(self, conn, stream, rcpt, tls):
        lines = []
        while (line := stream.readline()) != b".\r\n":
            if not line:
                return
            lines.append(line)
        text = b"".join(lines).decode("utf-8", "replace")
        found = {k.lower(): v.strip() for k, v in
                 (ln.split(":", 1) for ln in text.split("\r\n\r\n")[0].split("\r\n") if ":" in ln)}
        mail = {"t": self.now(), "id": found.get("message-id"), "rcpt": list(rcpt), "tls": tls,
                "belfry": found.get("x-belfry-id"), "text": text}
        self.read.append(mail)
        if self._answer(conn, "DOT", "", "250 taken"):
            self.mails.append(mail)


# -- certificates --------------------------------------------------------------------------

class Certificates:
    """A directory with key pairs for localhost and 127.0.0.1, each signed by itself."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="belfry-certs."))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.dir, ignore_errors=True)

    def make(self, name, host="localhost", start=None, end=None):
        """PEM files (certificate, key); start and end as YYYYMMDDHHMMSSZ."""
        key, cert, req = (str(self.dir / f"{name}.{x}") for x in ("key", "pem", "csr"))
        san = f"subjectAltName=DNS:{host}" + (",IP:127.0.0.1" if host == "localhost" else "")
        run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                        "-out", req, "-subj", f"/CN={host}"], **run)
        conf = self.dir / f"{name}.cnf"
        (self.dir / f"{name}.index").write_text("")
        conf.write_text(f"""[ca]
default_ca=c
[c]
database={self.dir}/{name}.index
new_certs_dir={self.dir}
rand_serial=yes
default_md=sha256
policy=p
x509_extensions=x
[p]
commonName=supplied
[x]
basicConstraints=critical,CA:TRUE
{san}
""")
        start = start or time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() - 86400))
        end = end or time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 86400))
        subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", str(conf), "-keyfile",
                        key, "-in", req, "-out", cert, "-notext", "-startdate", start, "-enddate",
                        end], **run)
        return cert, key

    @staticmethod
    def context(pair, tls10=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if tls10:
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(*pair)
        return context
