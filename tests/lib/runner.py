# SPDX-License-Identifier: Apache-2.0
"""Ends a test script as the build's runner expects: the last line is `N passed, M failed`.

A script of unittest cases ends with

    if __name__ == "__main__":
        sys.exit(runner.main())

Arguments are unittest's own (-v, -k PATTERN, -f).
"""

import sys
import unittest


def main():
    """Runs the calling script's test cases; the exit status."""
    program = unittest.main(module="__main__", exit=False, argv=sys.argv)
    result = program.result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    sys.stderr.flush()
    for _, reason in result.skipped:
        print(f"skipped: {reason}")
    # A class whose setUpClass failed is an error without a test that ran.
    passed = max(0, result.testsRun - failed - len(result.skipped))
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0
