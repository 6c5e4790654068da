# SPDX-License-Identifier: Apache-2.0
"""Encodes remote write 1.0 requests (protobuf by hand, python3-snappy) and posts them.

A series is (labels, samples[, histograms]): labels a dict or a list of pairs (a list is kept as
it is, so that tests can send bad ones), samples pairs (t_ms, value).
"""

import struct

import snappy

from .net import http

STALE_BITS = 0x7FF0000000000002
STALE = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": "belfry-tests",
}


def varint(n):
    """An unsigned or (two's complement) negative 64-bit varint."""
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint((n << 1) ^ (n >> 63))


def field(number, data):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def _double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


def _label(name, value):
    raw = [v.encode() if isinstance(v, str) else v for v in (name, value)]
    return field(1, field(1, raw[0]) + field(2, raw[1]))


def sample(t_ms, value):
    # struct.pack keeps the payload of a NaN only when the float object carries it; STALE does
    return field(2, _double(1, value) + b"\x10" + varint(t_ms))


def _spans(number, spans):
    return b"".join(field(number, b"\x08" + zigzag(o) + b"\x10" + varint(n)) for o, n in spans)


def _doubles(number, values):
    """A packed list of doubles; nothing when it is empty."""
    return field(number, struct.pack(f"<{len(values)}d", *values)) if values else b""


def histogram(t_ms, *, count, sum_, schema=0, zero_threshold=0.0, zero_count=0, pos_spans=(),
              pos_deltas=(), neg_spans=(), neg_deltas=(), reset_hint=0, custom_values=()):
    """A native histogram with integer counts; deltas as on the wire."""
    out = b"\x08" + varint(count) + _double(3, sum_) + b"\x20" + zigzag(schema)
    out += _double(5, zero_threshold) + b"\x30" + varint(zero_count)
    out += _spans(8, neg_spans)
    if neg_deltas:
        out += field(9, b"".join(map(zigzag, neg_deltas)))
    out += _spans(11, pos_spans)
    if pos_deltas:
        out += field(12, b"".join(map(zigzag, pos_deltas)))
    out += b"\x70" + varint(reset_hint) + b"\x78" + varint(t_ms) + _doubles(16, custom_values)
    return field(4, out)


def float_histogram(t_ms, *, count, sum_, schema=0, zero_threshold=0.0, zero_count=0.0,
                    pos_spans=(), pos_counts=(), neg_spans=(), neg_counts=(), reset_hint=0,
                    custom_values=()):
    """A native histogram with float counts, each bucket's own; schema -53 takes custom_values,
    the upper bounds of its (positive) buckets."""
    out = _double(2, count) + _double(3, sum_) + b"\x20" + zigzag(schema)
    out += _double(5, zero_threshold) + _double(7, zero_count)
    out += _spans(8, neg_spans) + _doubles(10, neg_counts)
    out += _spans(11, pos_spans) + _doubles(13, pos_counts)
    out += b"\x70" + varint(reset_hint) + b"\x78" + varint(t_ms) + _doubles(16, custom_values)
    return field(4, out)


def timeseries(labels, samples, histograms=()):
    if isinstance(labels, dict):
        labels = sorted(labels.items())
    body = b"".join(_label(k, v) for k, v in labels)
    body += b"".join(sample(t, v) for t, v in samples)
    return field(1, body + b"".join(histograms))


def write_request(series):
    """The protobuf message, uncompressed."""
    return b"".join(timeseries(*one) for one in series)


def encode(series):
    """The request body: protobuf under snappy's block format."""
    return snappy.compress(write_request(series))


def push(url, series, headers=None, timeout=30.0):
    """Posts series to url (…/api/v1/write); returns the lib.net.Answer."""
    return http(url, data=encode(series), headers={**HEADERS, **(headers or {})}, timeout=timeout)
