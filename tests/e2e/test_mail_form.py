#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mails of tests/unit/test_email.c, hostile ones among them, read by Python's mail parser: no
defect in any part, both parts the same alert, nothing in a header that we did not put there."""

import email
import email.policy
import html.parser
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lib import runner

UNIT = Path(os.environ.get("BELFRY_BUILD", ROOT / "build/release")) / "tests/unit/test_email"

HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
           "Auto-Submitted", "X-Auto-Response-Suppress", "List-Id", "List-Unsubscribe",
           "Precedence", "X-Priority", "Importance", "X-Belfry-Status", "X-Belfry-Id",
           "X-Belfry-Receiver", "X-Belfry-Group", "MIME-Version", "Content-Type",
           "Content-Transfer-Encoding", "X-Team", "Reply-To"}
GMAIL_CLIPS = 102 * 1024


class Html(html.parser.HTMLParser):
    """Elements must nest; no scripts, no handlers, no remote content."""

    VOID = {"meta", "img", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("script", "iframe", "object", "form", "link", "base"):
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on"):
                self.wrong.append(f"{tag} {name}")
            if name == "href" and not re.match(r"https?://", value or ""):
                self.wrong.append(f"{tag} href={value}")
            if name == "src" and not (value or "").startswith("cid:"):
                self.wrong.append(f"{tag} src={value}")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")


def defects(msg):
    for part in msg.walk():
        for found in part.defects:
            yield f"{part.get_content_type()}: {found!r}"
        for name, value in part.items():
            for found in value.defects:
                yield f"{name}: {found!r}"


@unittest.skipUnless(UNIT.exists(), "tests/unit/test_email is not built")
class MailForm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as where:
            done = subprocess.run([UNIT], env={**os.environ, "BELFRY_MAIL_DIR": where},
                                  capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stdout
            cls.raw = [p.read_bytes() for p in sorted(Path(where).iterdir())]
        assert len(cls.raw) > 200

    def test_python_finds_no_defect(self):
        for raw in self.raw:
            msg = email.message_from_bytes(raw, policy=email.policy.default)
            self.assertEqual(list(defects(msg)), [], raw[:2000])
            strict = email.message_from_bytes(raw, policy=email.policy.strict)
            self.assertEqual(strict["Subject"], msg["Subject"])

    def test_headers_are_ours_and_lines_are_short(self):
        for raw in self.raw:
            msg = email.message_from_bytes(raw, policy=email.policy.default)
            self.assertLessEqual(set(msg.keys()), HEADERS)
            self.assertEqual(len(set(msg.keys())), len(msg.keys()))
            head = raw.split(b"\r\n\r\n", 1)[0]
            for line in head.split(b"\r\n"):
                self.assertLessEqual(len(line), 200, line)
                if b"=?" in line:
                    self.assertLessEqual(len(line), 76, line)
            self.assertTrue(msg["Date"].datetime.year == 2026)
            self.assertRegex(msg["Message-ID"], r"^<[!-;=?-~]+@[a-z.]+>$")

    def test_parts_are_the_text_first_then_the_html(self):
        self.pictures = 0
        for raw in self.raw:
            msg = email.message_from_bytes(raw, policy=email.policy.default)
            if not msg.is_multipart():
                continue
            self.assertEqual(msg.get_content_type(), "multipart/alternative")
            parts = list(msg.iter_parts())
            if parts[1].get_content_type() == "multipart/related":
                page, picture = parts[1].iter_parts()
                self.assertEqual(page.get_content_type(), "text/html")
                self.assertEqual(picture.get_content_type(), "image/png")
                self.assertEqual(picture["Content-ID"], "<graph@belfry>")
                self.assertIn("cid:graph@belfry", page.get_content())
                self.assertEqual(picture.get_content()[:8], b"\x89PNG\r\n\x1a\n")
                self.pictures += 1
                parts[1] = page
            else:
                self.assertNotIn("cid:", parts[1].get_content())
            self.assertEqual([p.get_content_type() for p in parts], ["text/plain", "text/html"])
            text = msg.get_body(("plain",)).get_content()
            self.assertNotRegex(text.replace("\r\n", "\n"),
                                "[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")

        self.assertGreater(self.pictures, 0)

    def test_html_nests_and_brings_nothing_along(self):
        for raw in self.raw:
            msg = email.message_from_bytes(raw, policy=email.policy.default)
            part = msg.get_body(("html",))
            if part is None or part.get_content_type() != "text/html":
                continue
            self.assertLess(len(part.as_bytes()), GMAIL_CLIPS)
            page = Html()
            page.feed(part.get_content())
            page.close()
            self.assertEqual(page.wrong, [])
            self.assertEqual(page.open, [])


if __name__ == "__main__":
    sys.exit(runner.main())
