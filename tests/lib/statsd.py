# SPDX-License-Identifier: Apache-2.0
"""Sends StatsD lines over UDP, singly or packed into datagrams."""

import socket
import time


class StatsdSender:
    """A connected UDP socket. Use as a context manager, or close() it."""

    def __init__(self, port, host="127.0.0.1", max_bytes=1432):
        self.max_bytes = max_bytes
        self.packets = 0
        self.lines = 0
        self.refused = 0
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._sock.connect((host, port))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self._sock.close()

    def packet(self, data):
        """One datagram as it is. False when nobody listens there (counted in refused)."""
        if isinstance(data, str):
            data = data.encode()
        try:
            self._sock.send(data)
        except ConnectionRefusedError:
            self.refused += 1
            return False
        self.packets += 1
        self.lines += data.count(b"\n") + (not data.endswith(b"\n"))
        return True

    def send(self, *lines):
        """Lines packed into as few datagrams as fit max_bytes."""
        batch, size = [], 0
        for line in lines:
            raw = line.encode() if isinstance(line, str) else line
            if batch and size + 1 + len(raw) > self.max_bytes:
                self.packet(b"\n".join(batch))
                batch, size = [], 0
            batch.append(raw)
            size += len(raw) + (len(batch) > 1)
        if batch:
            self.packet(b"\n".join(batch))

    def stream(self, lines, per_second):
        """Sends all lines at about that pace, in steps of 5 ms."""
        lines = list(lines)
        step, at = max(1, per_second // 200), 0
        start = time.monotonic()
        while at < len(lines):
            self.send(*lines[at : at + step])
            at += step
            ahead = start + at / per_second - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)


def counter(name, value=1, rate=None, **tags):
    return _line(name, value, "c", rate, tags)


def gauge(name, value, **tags):
    return _line(name, value, "g", None, tags)


def timer(name, ms, rate=None, **tags):
    return _line(name, ms, "ms", rate, tags)


def _line(name, value, kind, rate, tags):
    text = f"{name}:{value}|{kind}"
    if rate is not None:
        text += f"|@{rate}"
    if tags:
        text += "|#" + ",".join(f"{k}:{v}" for k, v in tags.items())
    return text
