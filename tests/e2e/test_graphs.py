#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a value did of late stands in the messages of the real daemon: a sparkline and the top offenders
in Slack, a picture in the mail; templates of a file; and no message is lost for want of either."""

import pathlib
import struct
import sys
import time
import unittest
import zlib

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.inbox import Inbox

RULES = """
groups:
  - name: pools
    interval: 1s
    rules:
      - alert: PoolFull
        expr: pool_used / pool_size > 0.9
        labels: {severity: critical}
        annotations:
          summary: "pool {{ $labels.pool }} is full"
          belfry_top: 'topk(3, sum by (route) (pool_route_used{pool="{{ $labels.pool }}"}))'
"""


def png_size(raw):
    """Width and height after checking every chunk's sum and the pixels' number."""
    assert raw.startswith(b"\x89PNG\r\n\x1a\n"), raw[:16]
    at, data, size, colours = 8, b"", None, 0
    while at < len(raw):
        n, kind = struct.unpack(">I4s", raw[at:at + 8])
        body = raw[at + 8:at + 8 + n]
        assert zlib.crc32(kind + body) == struct.unpack(">I", raw[at + 8 + n:at + 12 + n])[0], kind
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
            assert body[8:10] == b"\x08\x03"
        if kind == b"PLTE":
            colours = n // 3
        if kind == b"IDAT":
            data += body
        at += 12 + n
    rows = zlib.decompress(data)
    assert len(rows) == size[1] * (size[0] + 1)
    used = {b for y in range(size[1]) for b in rows[y * (size[0] + 1) + 1:(y + 1) * (size[0] + 1)]}
    assert max(used) < colours and len(used) > 10
    return size


class Graphs(unittest.TestCase):
    def start(self, **config):
        self.inbox = self.enterContext(Inbox())
        self.belfry = self.enterContext(Belfry({
            "global": {"smtp_smarthost": f"127.0.0.1:{self.inbox.smtp_port}",
                       "smtp_from": "belfry@belfry.test", "smtp_require_tls": False},
            "storage": {"out_of_order_window": "2h"},
            "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s",
                      "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "ops",
                           "slack_configs": [{"api_url": self.inbox.slack_url("ops"),
                                              **config.pop("slack", {})}],
                           "email_configs": [{"to": "ops@belfry.test"}]}],
            **config}, rules={"r.yml": RULES}))

    def push(self):
        """Half an hour of a pool that fills up, in the past, then now."""
        now = int(time.time())
        used = [(t * 1000, 40 + max(0, (t - now + 600)) / 10)
                for t in range(now - 1800, now + 1, 15)]
        size = [(t, 100) for t, _ in used]
        self.belfry.write([({"__name__": "pool_size", "pool": "orders"}, size)])
        self.belfry.write([({"__name__": "pool_route_used", "pool": "orders", "route": r},
                            [(now * 1000, v)])
                           for r, v in (("/pay", 61), ("/search", 30), ("/cart", 9), ("/x", 1))])
        self.belfry.write([({"__name__": "pool_used", "pool": "orders"}, used)])

    def message(self, channel):
        return self.inbox.wait_for(lambda m: m.channel == channel and m.state == "FIRING", 20)

    def test_sparkline_offenders_and_picture(self):
        self.start()
        self.push()
        text = self.message("slack").text
        self.assertRegex(text, r"[▁▂▃▄▅▆▇█]{8,} 40 % → 100 % in 30m")
        self.assertIn("route=/pay 61, route=/search 30, route=/cart 9", text)
        self.assertNotIn("\x01", text)
        mail = self.message("mail")
        self.assertRegex(mail.text, r"[▁▂▃▄▅▆▇█]{8,} 40 % → 100 %")
        pictures = [p for p in mail.payload.walk() if p.get_content_type() == "image/png"]
        self.assertEqual(len(pictures), 1)
        raw = pictures[0].get_payload(decode=True)
        self.assertLessEqual(len(raw), 15 << 10)
        self.assertEqual(png_size(raw), (1200, 400))
        if "--keep" in sys.argv:
            pathlib.Path("/tmp/belfry-graph.png").write_bytes(raw)

    def test_a_file_of_templates_and_one_that_fails(self):
        self.start(templates=["t/*.tmpl"], slack={"text": "{{ template \"ours\" . }}"})
        folder = self.belfry.dir / "t"
        folder.mkdir()
        (folder / "a.tmpl").write_text(
            '{{ define "ours" }}{{ range .Alerts }}<{{ .Labels.pool | toUpper }}>{{ end }}{{ end }}'
            '{{ define "__subject" }}{{ .Status }}: {{ .GroupLabels.alertname }}{{ end }}')
        self.belfry.reload()
        self.push()
        slack = self.message("slack")
        self.assertIn("ORDERS", str(slack.payload))
        self.assertIn("firing: PoolFull", str(slack.payload))
        (folder / "a.tmpl").write_text('{{ define "ours" }}{{ .Nope }}{{ end }}')
        self.belfry.reload()
        now = int(time.time() * 1000)
        self.belfry.write([({"__name__": "pool_used", "pool": "orders"}, [(now, 3)])])
        over = self.inbox.wait_for(
            lambda m: m.channel == "slack" and "resolved" in str(m.payload).lower(), 20)
        self.assertIn("template", str(over.payload))


if __name__ == "__main__":
    sys.exit(runner.main())
