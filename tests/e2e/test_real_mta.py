#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real mail server at the other end: Postfix with Dovecot's SASL takes the mails over STARTTLS and
TLS from the first byte, by every way to sign in, and refuses what it must."""

import pathlib
import re
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import wait_until
from lib.postfix import Postfix

RULES = """
groups:
  - name: pools
    interval: 1s
    rules:
      - alert: PoolFull
        expr: pool_use_ratio > 0.9
        labels: {severity: critical}
        annotations:
          summary: "Pool {{ $labels.pool }} größer als erlaubt: {{ $value | humanizePercentage }}"
          description: "Anfragen warten.\\nBei 100 % scheitern sie."
          runbook_url: https://runbooks.example.com/pool
"""
HOSTILE = "orders\r\nBcc: <evil@belfry.test>\r\n\r\n.\r\nQUIT\r\n</td><script>x</script> <!channel>"


def mail(mta, **more):
    return {"to": "On Call <ops@belfry.test>", "smarthost": mta.smarthost,
            "tls_config": {"ca_file": mta.ca_file}, "auth_username": "ops", **more}


def config(*receivers):
    """All alerts go to every receiver."""
    return {
        "global": {"smtp_from": "Glöckner <belfry@belfry.test>", "smtp_hello": "mon.belfry.test"},
        "web": {"external_url": "https://belfry.example.com/"},
        "route": {"receiver": "r0", "group_by": ["alertname"], "group_wait": "0s",
                  "group_interval": "1s", "repeat_interval": "1h",
                  "routes": [{"receiver": f"r{i}", "continue": True}
                             for i in range(len(receivers))]},
        "receivers": [{"name": f"r{i}", "email_configs": [r]} for i, r in enumerate(receivers)],
    }


@unittest.skipIf(Postfix.missing(), f"Postfix and Dovecot: {Postfix.missing()}")
class RealMta(unittest.TestCase):
    def start(self, mta, *receivers):
        return self.enterContext(Belfry(config(*receivers), rules={"r.yml": RULES}))

    @staticmethod
    def push(belfry, value, pool=HOSTILE):
        belfry.write([({"__name__": "pool_use_ratio", "pool": pool, "service": "shop"},
                       [(int(time.time() * 1000), value)])])

    def await_mails(self, mta, count, who="ops"):
        wait_until(lambda: len(mta.mails(who)) >= count, 20, f"{count} mails")
        return mta.mails(who)

    def test_every_way_to_sign_in_delivers_over_tls(self):
        mta = self.enterContext(Postfix())
        ways = {"PLAIN": {"auth_password": "sesame-1"},
                "CRAM-MD5": {"auth_secret": "sesame-1"},
                "OAUTHBEARER": {"auth_token": "good-token"},
                "implicit": {"auth_password": "sesame-1",
                             "smarthost": f"127.0.0.1:{mta.tls_port}",
                             "force_implicit_tls": True,
                             "tls_config": {"ca_file": mta.ca_file, "server_name": "localhost"}}}
        belfry = self.start(mta, *(mail(mta, headers={"X-Way": way}, **more)
                                   for way, more in ways.items()))
        self.push(belfry, 0.97)
        mails = self.await_mails(mta, len(ways))
        self.assertEqual(sorted(m["X-Way"] for m in mails), sorted(ways))
        used = re.findall(r"sasl_method=([A-Z0-9-]+)", mta.log())
        self.assertEqual(sorted(set(used)), ["CRAM-MD5", "OAUTHBEARER", "PLAIN"])
        self.assertNotIn("sesame-1", belfry.log_text())
        self.assertNotIn("good-token", belfry.log_text())

    def test_an_incident_is_one_conversation_and_hostile_labels_stay_words(self):
        mta = self.enterContext(Postfix())
        belfry = self.start(mta, mail(mta, auth_password="sesame-1"))
        now = int(time.time() * 1000)
        belfry.write([({"__name__": "pool_use_ratio", "pool": HOSTILE, "service": "shop"},
                       [(now - s * 1000, 0.8 - s / 1000) for s in range(600, 10, -15)])])
        self.push(belfry, 0.97)
        self.await_mails(mta, 1)
        self.push(belfry, 0.99, "second")
        self.await_mails(mta, 2)
        self.push(belfry, 0.2)
        self.push(belfry, 0.2, "second")
        wait_until(lambda: "RESOLVED" in mta.mails()[-1].get_body(("plain",)).get_content(), 20,
                   "the end")
        mails = mta.mails()
        first = mails[0]
        self.assertEqual(first["Subject"], "[belfry] PoolFull · shop")
        self.assertEqual(str(first["From"]), "Glöckner <belfry@belfry.test>")
        self.assertEqual(str(first["To"]), "On Call <ops@belfry.test>")
        self.assertEqual(first["Auto-Submitted"], "auto-generated")
        self.assertEqual(first["X-Priority"], "1")
        self.assertEqual(first["List-Id"], "<r0.belfry.belfry.test>")
        for later in mails[1:]:
            self.assertEqual(later["Subject"], "Re: [belfry] PoolFull · shop")
            self.assertEqual(later["References"], first["Message-ID"])
            self.assertEqual(later["In-Reply-To"], first["Message-ID"])
        self.assertEqual(len({m["Message-ID"] for m in mails}), len(mails))
        for m in mails:
            self.assertIsNone(m["Bcc"])
            self.assertEqual([d for part in m.walk() for d in part.defects], [])
            self.assertNotIn("<script>", m.get_body(("html",)).get_content())
            self.assertIn("from=<belfry@belfry.test>", mta.log())
        pictures = [p for p in first.walk() if p.get_content_type() == "image/png"]
        self.assertEqual([p["Content-ID"] for p in pictures], ["<graph@belfry>"])
        self.assertEqual(pictures[0].get_content()[:8], b"\x89PNG\r\n\x1a\n")
        self.assertIn("cid:graph@belfry", first.get_body(("html",)).get_content())
        text = first.get_body(("plain",)).get_content()
        self.assertRegex(text, "[▁▂▃▄▅▆▇█]{6,}")
        self.assertTrue(text.startswith("FIRING since "))
        self.assertIn("größer als erlaubt: 97%", text)
        self.assertIn("Bei 100 % scheitern sie.", text)
        self.assertIn("https://runbooks.example.com/pool", text)
        self.assertRegex(text, r"Acknowledge: +https://belfry\.example\.com/")

    def test_a_server_that_wants_less_gets_the_text_alone(self):
        mta = self.enterContext(Postfix(size_limit=5000))
        belfry = self.start(mta, mail(mta, auth_password="sesame-1"))
        self.push(belfry, 0.97)
        first = self.await_mails(mta, 1)[0]
        self.assertEqual(first.get_content_type(), "text/plain")
        self.assertTrue(first.get_content().startswith("FIRING since "))

    def test_one_bad_recipient_does_not_cost_the_others_theirs(self):
        mta = self.enterContext(Postfix())
        belfry = self.start(mta, mail(
            mta, to="nobody@belfry.test, ops@belfry.test, Second <second@belfry.test>",
            auth_password="sesame-1"))
        self.push(belfry, 0.97)
        self.await_mails(mta, 1)
        self.await_mails(mta, 1, "second")
        wait_until(lambda: "some recipients were refused" in belfry.log_text(), 10, "the log")
        self.assertEqual(len(mta.mails()), 1)

    def test_a_wrong_password_is_final_and_a_strange_certificate_is_not_trusted(self):
        mta = self.enterContext(Postfix())
        belfry = self.start(mta, mail(mta, auth_password="wrong"),
                            mail(mta, auth_password="sesame-1", tls_config={}))
        self.push(belfry, 0.97)
        wait_until(lambda: re.search("given up.*535", belfry.log_text()), 20, "535")
        wait_until(lambda: re.search("will be repeated.*certificate", belfry.log_text()), 20,
                   "the certificate's refusal")
        self.assertEqual(mta.mails(), [])
        self.assertNotIn("sesame-1", belfry.log_text())
        self.assertNotIn("delivered to maildir", mta.log())


if __name__ == "__main__":
    sys.exit(runner.main())
