#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exit codes of `belfry check rules` and `belfry test rules` against those of promtool.

usage: rule_verdicts.py check|test. The public cases lie beside the tree (../shared/conformance, or
BELFRY_CONFORMANCE); without them this says so and passes. `test` runs inside the folder of the cases.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.environ.get("BELFRY_CONFORMANCE", "../shared/conformance")
BELFRY = os.path.abspath(os.environ.get("BELFRY_BIN", "build/belfry"))
# Cases that differ on purpose: name -> why.
DIFFERENT = {}


def run(args, folder="."):
    done = subprocess.run([BELFRY] + args, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def check_cases():
    unlisted = {n for n in os.listdir(os.path.join(ROOT, "rules/files")) if not n.endswith(".json")}
    with open(os.path.join(ROOT, "rules/files/expected_check_rules.json"), encoding="utf-8") as f:
        for case in json.load(f):
            unlisted.discard(case["file"].split("/", 1)[1])
            folder, name = case["file"].split("/", 1)
            path = os.path.join(ROOT, "rules", "promtool" if folder == "promtool" else "files", name)
            yield case["file"], ["check", "rules", path], ".", case["exit"]
    for name in unlisted:
        yield "rules/%s is in no list: nobody runs it" % name, ["no such case"], ".", 0
    with tempfile.TemporaryDirectory() as folder:
        large = os.path.join(folder, "rules_large.yml")
        with gzip.open(os.path.join(ROOT, "rules/promtool/rules_large.yml.gz")) as packed, open(large, "wb") as f:
            f.write(packed.read())
        yield "rules_large.yml, 10,002 rules", ["check", "rules", large], ".", 0
        yield "rules_large.yml has duplicates", ["check", "rules", "--lint-fatal", large], ".", 3
    duplicates = os.path.join(ROOT, "rules/promtool/rules_duplicates.yml")
    yield "duplicates are fatal when asked", ["check", "rules", "--lint-fatal", duplicates], ".", 3
    yield "no duplicates", ["check", "rules", "--lint-fatal", duplicates.replace("_duplicates", "")], ".", 0
    yield "no such file", ["check", "rules", "/nonexistent/rules.yml"], ".", 1
    yield "no file", ["check", "rules"], ".", 2
    yield "unknown option", ["check", "rules", "--frob", duplicates], ".", 2


def test_cases():
    folder = os.path.join(ROOT, "rules/promtool")
    with open(os.path.join(folder, "expected_test_rules.json"), encoding="utf-8") as f:
        for case in json.load(f):
            yield case["name"], case["args"], folder, case["exit"]


def main():
    kind = sys.argv[1]
    if not os.path.isdir(os.path.join(ROOT, "rules")):
        print("skipped: no public cases at", ROOT)
        return 0
    passed = failed = 0
    for name, args, folder, want in (check_cases if kind == "check" else test_cases)():
        if name in DIFFERENT:
            print("differs on purpose: %s: %s" % (name, DIFFERENT[name]))
            continue
        got, output = run(args, folder)
        if got == want:
            passed += 1
            continue
        failed += 1
        print("%s: exit %d, expected %d: belfry %s\n%s" % (name, got, want, " ".join(args), output))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
