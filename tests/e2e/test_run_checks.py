#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The counting behind `make check`: what ends badly must never count as passed."""

import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import run_checks, runner

LIBCHECK = "66%: Checks: 3, Failures: 1, Errors: 0\n"


class Count(unittest.TestCase):
    def check(self, path, status, text, passed, failed):
        self.assertEqual(run_checks.count(path, status, text), (passed, failed))

    def test_a_libcheck_line_is_summed(self):
        self.check("t", 1, "Running suite\n" + LIBCHECK + "x.c:1: no\n", 2, 1)
        self.check("t", 0, "100%: Checks: 7, Failures: 0, Errors: 0\n", 7, 0)
        self.check("t", 1, "0%: Checks: 3, Failures: 1, Errors: 2\n", 0, 3)

    def test_a_program_that_prints_no_counts_has_failed(self):
        self.check("t", 0, "", 0, 1)
        self.check("t", -11, "Segmentation fault\n", 0, 1)

    def test_a_program_without_a_test_has_failed(self):
        self.check("t", 0, "100%: Checks: 0, Failures: 0, Errors: 0\n", 0, 1)

    def test_a_sanitizers_verdict_after_the_counts_is_a_failure(self):
        self.check("t", 1, "100%: Checks: 7, Failures: 0, Errors: 0\nERROR: LeakSanitizer\n", 7, 1)

    def test_a_script_counts_itself_by_its_last_line(self):
        self.check("t.py", 0, "2 passed, 0 failed\n5 passed, 0 failed\n", 5, 0)
        self.check("t.sh", 1, "5 passed, 2 failed\n", 5, 2)

    def test_a_script_that_cannot_run_here_is_neither_passed_nor_failed(self):
        self.check("t.py", 0, "skipped: needs root\n0 passed, 0 failed\n", 0, 0)
        self.check("t.py", 0, "0 passed, 0 failed\n", 0, 1)

    def test_a_script_without_counts_is_one_test(self):
        self.check("t.sh", 0, "fine\n", 1, 0)
        self.check("t.sh", 3, "not fine\n", 0, 1)


class Run(unittest.TestCase):
    def run_programs(self, *bodies, options=()):
        """Runs shell scripts as test programs; the last line and the exit status."""
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for i, body in enumerate(bodies):
                path = os.path.join(folder, f"test_{i}")
                with open(path, "w", encoding="utf-8") as f:
                    f.write("#!/bin/sh\n" + body)
                os.chmod(path, stat.S_IRWXU)
                paths.append(path)
            done = subprocess.run([sys.executable, str(TESTS / "lib" / "run_checks.py"), *options,
                                   "--reports", os.path.join(folder, "reports"), *paths],
                                  capture_output=True, text=True, check=False)
        self.output = done.stdout
        return done.stdout.splitlines()[-1], done.returncode

    def test_the_sum_is_the_last_line_and_the_status(self):
        good = "echo '100%: Checks: 2, Failures: 0, Errors: 0'\n"
        self.assertEqual(self.run_programs(good, good), ("4 passed, 0 failed", 0))
        self.assertEqual(self.run_programs(good, f"echo '{LIBCHECK.strip()}'; exit 1\n"), ("4 passed, 1 failed", 1))

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(self.run_programs(), ("0 passed, 1 failed", 1))

    def test_a_test_that_hangs_is_ended_with_its_children(self):
        self.assertEqual(self.run_programs("sleep 60 & sleep 60\n", options=["--timeout", "1"]),
                         ("0 passed, 1 failed", 1))

    def test_a_sanitizers_report_of_any_process_is_a_failure_and_shown(self):
        good = "echo '100%: Checks: 2, Failures: 0, Errors: 0'\n"
        for name in ("ASAN", "UBSAN", "TSAN"):
            body = f"sh -c 'echo WARNING: a race > \"${{{name}_OPTIONS##*log_path=}}.$$\"; kill -9 $$'\n" + good
            self.assertEqual(self.run_programs(good, body), ("4 passed, 1 failed", 1), name)
            self.assertIn("WARNING: a race", self.output)


if __name__ == "__main__":
    sys.exit(runner.main())
