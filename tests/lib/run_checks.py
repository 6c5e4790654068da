#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs test programs and scripts, counts, and ends with one line: `N passed, M failed`.

A libcheck program is counted by its `NN%: Checks: N, Failures: F, Errors: E` line, a script by the last
`N passed, M failed` line that it prints, or as one test by its exit code. Whatever dies before it has
printed its counts is one failed test. The output of what failed is shown whole, of the rest one line.

Sanitizers write their reports to files, one a process, in build/VARIANT/reports/TEST/: so the report of a
daemon that a script started, or killed, is found too. A report is a failed test whatever else was counted.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

CHECK_LINE = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
SKIPPED = re.compile(r"^skipped: ", re.M)
COUNT_LINE = re.compile(r"^(\d+) passed, (\d+) failed", re.M)


def command_of(path):
    if path.endswith(".py"):
        return [sys.executable, path]
    if path.endswith(".sh"):
        return ["bash", path]
    return [path]


def is_script(path):
    return path.endswith((".py", ".sh"))


SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1",
}


def report_dir(path, options):
    """Where the processes of one test leave their reports; they may have dropped root."""
    folder = pathlib.Path(options.reports).resolve() / path.replace(os.sep, "_")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o1777)
    return folder


def environment(options, reports):
    env = dict(os.environ)
    env["BELFRY_BIN"] = os.path.abspath(options.bin)
    env["BELFRY_VARIANT"] = options.variant
    env["BELFRY_BUILD"] = os.path.abspath(os.path.join("build", options.variant))
    if options.variant in ("asan", "tsan", "cover"):
        env.setdefault("CK_FORK", "no")
        env.setdefault("CK_TIMEOUT_MULTIPLIER", "10")
    for name, usual in SANITIZERS.items():
        env[name] = f"{env.get(name, usual)}:log_path={reports}/{name[:4].lower()}"
    return env


def run(path, options):
    """Runs one test in its own process group and returns (path, passed, failed, seconds, output)."""
    began = time.monotonic()
    reports = report_dir(path, options)
    child = subprocess.Popen(command_of(path), env=environment(options, reports), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output = child.communicate(timeout=options.timeout)[0]
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output = child.communicate()[0] + b"\nkilled after %d s\n" % options.timeout
    text = output.decode("utf-8", "replace")
    passed, failed = count(path, child.returncode, text)
    for report in sorted(reports.iterdir()):
        text += "\n%s:\n%s" % (report.name, report.read_text("utf-8", "replace"))
        failed = max(failed, 1)
    return path, passed, failed, time.monotonic() - began, text


def count(path, status, text):
    counts = list(COUNT_LINE.finditer(text)) if is_script(path) else list(CHECK_LINE.finditer(text))
    if not counts:
        return (1, 0) if status == 0 and is_script(path) else (0, 1)
    last = [int(x) for x in counts[-1].groups()]
    passed, failed = (last[0], last[1]) if is_script(path) else (last[0] - last[1] - last[2], last[1] + last[2])
    if passed + failed == 0 and not SKIPPED.search(text):
        failed = 1  # a test program without a test is a mistake; what cannot run here says so
    if status != 0 and failed == 0:
        failed = 1  # died after counting: a sanitizer's or a leak checker's verdict
    return passed, failed


def show(result):
    path, passed, failed, seconds, text = result
    word = "FAIL" if failed else "ok" if passed else "skipped"
    print("  %-7s %s: %d passed%s, %.1f s" % (word, path, passed,
                                             ", %d failed" % failed if failed else "", seconds))
    if failed:
        print("".join("    | %s\n" % line for line in text.splitlines()[-200:]), end="")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", default="release")
    parser.add_argument("--bin", default="build/belfry")
    parser.add_argument("--reports", help="folder of sanitizers' reports (build/VARIANT/reports)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=600, help="seconds a test may take")
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    options.reports = options.reports or os.path.join("build", options.variant, "reports")

    passed = failed = 0
    if not options.tests:
        print("no test has that name")
        failed = 1
    programs = [t for t in options.tests if not is_script(t)]
    scripts = [t for t in options.tests if is_script(t)]
    # Scripts measure and wait for a daemon: they have the machine for themselves.
    for jobs, group in ((options.jobs, programs), (1, scripts)):
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for result in pool.map(lambda t: run(t, options), group):
                show(result)
                passed += result[1]
                failed += result[2]
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
