# SPDX-License-Identifier: Apache-2.0
"""Alerts that come and go while a test does its worst, and what must have been told of them."""

import collections
import time


def told(inbox, channel, words=""):
    """{state: how many messages with these words}, each counted once however often it came."""
    ids = {m.headers.get("X-Belfry-Id"): m.state for m in list(inbox.messages)
           if m.channel == channel and words in m.text}
    return collections.Counter(ids.values())


class Toggles:
    """Each toggle goes up and down in turns, out of step with one another. It stays as it is for
    hold_s, and until Slack and mail were told of that, so that a slow machine misses none.

    SUMMARY is the summary that the alert must have. value() belongs to one thread."""

    SUMMARY = "toggle {{ $labels.n }} is up"

    def __init__(self, inbox, count, hold_s):
        start = time.monotonic()
        self.inbox = inbox
        self.hold_s = hold_s
        self.ups = collections.Counter()
        self.downs = collections.Counter()
        self.up = {n: False for n in range(count)}
        self.until = {n: start + 1 + n * hold_s / count for n in range(count)}
        self.ending = False

    def told(self, n):
        """Whether both channels were told of all that it did."""
        want = collections.Counter(FIRING=self.ups[n], RESOLVED=self.downs[n])
        return all(told(self.inbox, channel, f"toggle {n} is up") == want
                   for channel in ("slack", "mail"))

    def value(self, n):
        """1 or 0 as of now."""
        now = time.monotonic()
        due = self.up[n] if self.ending else now > self.until[n]
        if due and self.told(n):
            self.up[n] = not self.up[n]
            (self.ups if self.up[n] else self.downs)[n] += 1
            self.until[n] = now + self.hold_s
        return 1.0 if self.up[n] else 0.0

    def ended(self):
        """After .ending was set: whether all are down and that was told."""
        return not any(self.up.values()) and all(map(self.told, self.up))
