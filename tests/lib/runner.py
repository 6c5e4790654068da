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
    bad = [case for case, _ in result.failures + result.errors] + result.unexpectedSuccesses
    # Several failing subtests are one failed test; a failing setUpClass is no test but fails.
    failed = {getattr(case, "test_case", case).id() for case in bad}
    ran = {name for name in failed if not name.startswith(("setUp", "tearDown"))}
    sys.stderr.flush()
    for _, reason in result.skipped:
        print(f"skipped: {reason}")
    passed = result.testsRun - len(ran) - len(result.skipped)
    print(f"{max(0, passed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0
