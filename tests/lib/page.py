# SPDX-License-Identifier: Apache-2.0
"""A scrape target on loopback whose page, speed and status a test sets."""

import gzip
import http.server
import ssl
import threading


class Page:
    """A target on loopback. What it answers can be changed while it runs."""

    def __init__(self, tls=None):
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                page.requests.append((self.path, dict(self.headers)))
                page.answer(self)

            def log_message(self, *args):
                pass

        self.requests = []
        self.text = "a 1\n"
        self.type = "text/plain; version=0.0.4"
        self.status = 200
        self.gzip = False
        self.stop_event = threading.Event()
        self.slow = False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # clients that leave are part of the tests
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def answer(self, request):
        if self.slow:
            self.stop_event.wait(30)
        body = self.text.encode()
        if self.gzip and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
        request.send_response(self.status)
        request.send_header("Content-Type", self.type)
        if self.gzip:
            request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop_event.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
