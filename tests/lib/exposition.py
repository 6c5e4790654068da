# SPDX-License-Identifier: Apache-2.0
"""Reads the Prometheus text format 0.0.4 and the samples of OpenMetrics 1.0.

Written apart from the daemon's parser on purpose: it is the other side of the comparison.
It is strict; a line that it doesn't understand raises ValueError.
"""

import re
import struct

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,?)')
_ESC = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Sample:
    """One line: name, labels (dict), value (float), timestamp (as written, or None)."""

    __slots__ = ("name", "labels", "value", "timestamp")

    def __init__(self, name, labels, value, timestamp=None):
        self.name = name
        self.labels = labels
        self.value = value
        self.timestamp = timestamp

    @property
    def key(self):
        """Hashable identity of the series."""
        return (self.name,) + tuple(sorted(self.labels.items()))

    def __repr__(self):
        return f"Sample({self.name}{self.labels} {self.value})"


def _unescape(text):
    return re.sub(r'\\[\\n"]', lambda m: _ESC[m.group(0)], text) if "\\" in text else text


def parse_line(line):
    """One sample line."""
    name = _NAME.match(line)
    if not name:
        raise ValueError(f"no metric name in {line!r}")
    at, labels = name.end(), {}
    if line[at : at + 1] == "{":
        at += 1
        while line[at : at + 1] != "}":
            m = _LABEL.match(line, at)
            if not m:
                raise ValueError(f"bad label at {at} in {line!r}")
            labels[m.group(1)] = _unescape(m.group(2))
            at = m.end()
        at += 1
    rest = line[at:].split(" # ", 1)[0].split()
    if not 1 <= len(rest) <= 2:
        raise ValueError(f"expected a value and perhaps a timestamp in {line!r}")
    return Sample(name.group(0), labels, float(rest[0]), rest[1] if len(rest) > 1 else None)


def parse(text):
    """All samples of an exposition, in order."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return [parse_line(ln) for ln in text.split("\n") if ln.strip() and not ln.startswith("#")]


def parse_types(text):
    """{family: type} of the # TYPE lines."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    found = re.findall(r"^# TYPE (\S+) (\S+)\s*$", text, re.M)
    return dict(found)


def select(samples, name, **labels):
    """The samples of that name that have at least these labels."""
    want = labels.items()
    return [s for s in samples if s.name == name and want <= s.labels.items()]


def bits(value):
    """The 64 bits of a float, so that NaNs and zeros compare exactly."""
    return struct.unpack("<Q", struct.pack("<d", value))[0]
