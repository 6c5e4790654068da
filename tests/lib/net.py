# SPDX-License-Identifier: Apache-2.0
"""Ports, waiting and plain HTTP for tests.

Ports come from below the kernel's ephemeral range, so that no outgoing connection of a
neighbour takes one between our choosing it and the daemon's binding it; other tests that run at
the same time are kept from it by a name that we hold.
"""

import os
import random
import socket
import time
import urllib.error
import urllib.request

# A test that waits so long hangs. Machines may be slow and busy: no test asserts a time by waiting.
GUARD_S = 90.0

_chooser = random.Random(os.urandom(8))
_given = {}


def free_port(host="127.0.0.1"):
    """A port that is free for TCP and for UDP, and given once only as long as this process lives."""
    for _ in range(500):
        port = _chooser.randrange(20000, 32000)
        # An abstract name is taken by one process of this network at a time, and goes with it.
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(f"\0belfry-test-port-{port}")
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
                tcp.bind((host, port))
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                    udp.bind((host, port))
        except OSError:
            name.close()
            continue
        _given[port] = name
        return port
    raise RuntimeError("no free port found")


def happens_within(check, seconds, every=0.02):
    """Whether check() becomes true in that time: for what may happen or not. What must happen is
    waited for with wait_until."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def wait_until(check, timeout=GUARD_S, what="condition", every=0.02):
    """Calls check() until it returns something true and returns that. The timeout guards against
    hanging and measures nothing: it is never less than GUARD_S. TimeoutError then."""
    timeout = max(timeout, GUARD_S)
    deadline = time.monotonic() + timeout
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {timeout} s")
        time.sleep(every)
        every = min(every * 1.3, 0.25)


class Answer:
    """An HTTP answer: status, headers (case-insensitive mapping), body (bytes)."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return f"Answer({self.status}, {self.text[:200]!r})"


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http(url, data=None, headers=None, method=None, timeout=30.0):
    """One request. An HTTP error status is an answer, not an exception."""
    if isinstance(data, str):
        data = data.encode()
    req = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    try:
        with _opener.open(req, timeout=timeout) as res:
            return Answer(res.status, res.headers, res.read())
    except urllib.error.HTTPError as err:
        with err:
            return Answer(err.code, err.headers, err.read())
