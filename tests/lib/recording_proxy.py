# SPDX-License-Identifier: Apache-2.0
"""A reverse proxy that stands between a scraper and a target and keeps what went through.

Each record holds the arrival time of the request, the body as the scraper got it after
decompression, and both header sets, so that every sample stored can be compared with what
was really said.
"""

import gzip
import http.server
import threading
import time
import urllib.error
import urllib.request
import zlib


class Record:
    """One exchange: arrived_ms (wall clock), path, status, body (decompressed bytes)."""

    def __init__(self, arrived_ms, path, request_headers, status, headers, body):
        self.arrived_ms = arrived_ms
        self.path = path
        self.request_headers = request_headers
        self.status = status
        self.headers = headers
        self.body = body


class RecordingProxy:
    """RecordingProxy("http://127.0.0.1:9100"): .port, .records, .pause(). Context manager."""

    def __init__(self, upstream, port=0, timeout=10.0):
        self.upstream = upstream.rstrip("/")
        self.records = []
        self._lock = threading.Lock()
        self._failing = None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                proxy._handle(self, timeout)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def address(self):
        """host:port, as a scrape target is written."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail_with(self, status):
        """Answers this status from now on without asking the target; None ends that."""
        self._failing = status

    def snapshot(self):
        """The records so far."""
        with self._lock:
            return list(self.records)

    def _ask(self, handler, timeout):
        if self._failing:
            return self._failing, {}, b"refused by the test's proxy\n"
        pass_on = {k: v for k, v in handler.headers.items()
                   if k.lower() not in ("host", "connection")}
        req = urllib.request.Request(self.upstream + handler.path, headers=pass_on)
        try:
            with self._opener.open(req, timeout=timeout) as res:
                return res.status, dict(res.headers), res.read()
        except urllib.error.HTTPError as err:
            with err:
                return err.code, dict(err.headers), err.read()
        except OSError as err:
            return 502, {}, f"{err}\n".encode()

    def _handle(self, handler, timeout):
        arrived_ms = time.time_ns() // 1_000_000
        status, headers, raw = self._ask(handler, timeout)
        low = {k.lower(): v for k, v in headers.items()}
        plain = raw
        if low.get("content-encoding") == "gzip":
            plain = gzip.decompress(raw)
        elif low.get("content-encoding") == "deflate":
            plain = zlib.decompress(raw)
        record = Record(arrived_ms, handler.path, dict(handler.headers), status, headers, plain)
        with self._lock:
            self.records.append(record)
        try:
            handler.send_response(status)
            for name in ("content-type", "content-encoding"):
                if name in low:
                    handler.send_header(name.title(), low[name])
            handler.send_header("Content-Length", str(len(raw)))
            handler.end_headers()
            handler.wfile.write(raw)
        except OSError:
            pass  # the scraper went away; the record says what it would have got
