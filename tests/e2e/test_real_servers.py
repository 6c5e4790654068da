#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real program on the files of a running belfry: sqlite3 opens every one. The mail server is in
test_real_mta.py."""

import pathlib
import shutil
import subprocess
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import wait_until

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

class RealServers(unittest.TestCase):
    @staticmethod
    def push(belfry, value):
        belfry.write([({"__name__": "pool_use", "pool": "orders"},
                       [(int(time.time() * 1000), value)])])

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
