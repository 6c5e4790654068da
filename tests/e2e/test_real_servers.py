#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs at both ends: OpenSMTPD takes the mails, the sqlite3 program opens the files."""

import email
import email.policy
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import free_port, wait_until

RULES = """
groups:
  - name: pools
    interval: 1s
    rules:
      - alert: PoolFull
        expr: pool_use > 0.9
        labels: {severity: critical}
        annotations:
          summary: "Pool größer als erlaubt: {{ $value | humanizePercentage }}"
          runbook_url: https://runbooks.example.com/pool
"""

SMTPD_CONF = """
table boxes {{ "@belfry.test" = "nobody" }}
listen on 127.0.0.1 port {port} hostname localhost
action "keep" mda "cat > {box}/$(date +%s%N).eml" virtual <boxes> user nobody
match from any for domain "belfry.test" action "keep"
"""


class Smtpd:
    """Debian's OpenSMTPD in the foreground; each mail becomes a file. It needs root and has one control
    socket a machine."""

    @staticmethod
    def usable():
        return os.geteuid() == 0 and shutil.which("smtpd", path="/usr/sbin:/usr/bin") is not None \
            and not pathlib.Path("/run/smtpd.sock").exists()

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="belfry-smtpd."))
        self.box = self.dir / "box"
        self.box.mkdir()
        self.dir.chmod(0o755)
        self.box.chmod(0o777)
        self.port = free_port()
        conf = self.dir / "smtpd.conf"
        conf.write_text(SMTPD_CONF.format(port=self.port, box=self.box))
        self.log = open(self.dir / "log", "w")
        self.process = subprocess.Popen(["/usr/sbin/smtpd", "-d", "-f", str(conf)],
                                        stdout=self.log, stderr=self.log)
        wait_until(self.answers, 10, "OpenSMTPD")
        return self

    def answers(self):
        return subprocess.run(["curl", "-s", f"smtp://127.0.0.1:{self.port}", "-X", "NOOP"],
                              capture_output=True, check=False).returncode == 0

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def mails(self):
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                for path in sorted(self.box.glob("*.eml"))]


class RealServers(unittest.TestCase):
    @staticmethod
    def push(belfry, value):
        belfry.write([({"__name__": "pool_use", "pool": "orders"},
                       [(int(time.time() * 1000), value)])])

    @unittest.skipUnless(Smtpd.usable(), "needs root and OpenSMTPD, which is not running already")
    def test_opensmtpd_takes_firing_and_resolved_as_one_thread(self):
        smtpd = self.enterContext(Smtpd())
        belfry = self.enterContext(Belfry({
            "global": {"smtp_smarthost": f"127.0.0.1:{smtpd.port}",
                       "smtp_from": "belfry@belfry.test", "smtp_require_tls": False},
            "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s",
                      "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "ops", "email_configs": [{"to": "On Call <ops@belfry.test>"}]}],
        }, rules={"r.yml": RULES}))
        self.push(belfry, 0.97)
        wait_until(lambda: len(smtpd.mails()) == 1, 20, "the first mail")
        self.push(belfry, 0.2)
        wait_until(lambda: len(smtpd.mails()) == 2, 20, "the second mail")
        firing, resolved = smtpd.mails()
        self.assertEqual(firing["Subject"], "[belfry] PoolFull")
        self.assertEqual(resolved["Subject"], "Re: [belfry] PoolFull")
        self.assertEqual(resolved["In-Reply-To"], firing["Message-ID"])
        self.assertEqual(resolved["References"], firing["Message-ID"])
        self.assertEqual([p.get_content_type() for p in firing.iter_parts()],
                         ["text/plain", "text/html"])
        text = firing.get_body(("plain",)).get_content()
        self.assertIn("FIRING since ", text)
        self.assertIn("Pool größer als erlaubt: 97%", text)
        self.assertIn("now 0.97 (alert at > 0.9)", text)
        self.assertIn("https://runbooks.example.com/pool", text)
        text = resolved.get_body(("plain",)).get_content()
        self.assertIn("RESOLVED at ", text)
        self.assertIn("worst 0.97, now 0.2", text)

    @unittest.skipUnless(shutil.which("sqlite3"), "sqlite3 is not installed")
    def test_the_sqlite3_program_opens_every_file_of_a_running_belfry(self):
        belfry = self.enterContext(Belfry({}, rules={"r.yml": RULES}))
        self.push(belfry, 0.97)
        wait_until(lambda: belfry.query('ALERTS{alertstate="firing"}'), 20, "the alert")
        files = [p for p in pathlib.Path(belfry.data_dir).rglob("*.db")]
        self.assertGreaterEqual(len(files), 3, files)
        for path in files:
            answer = subprocess.run(
                ["sqlite3", "-readonly", str(path), "PRAGMA application_id; PRAGMA quick_check;"],
                capture_output=True, text=True, check=False)
            self.assertEqual((answer.returncode, answer.stdout.split()),
                             (0, [str(0x424c4659), "ok"]), f"{path}: {answer.stderr}")
        rows = subprocess.run(["sqlite3", "-readonly", f"{belfry.data_dir}/state.db",
                               "SELECT count(*) FROM alert WHERE state = 2"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(rows.stdout.strip(), "1")


if __name__ == "__main__":
    sys.exit(runner.main())
