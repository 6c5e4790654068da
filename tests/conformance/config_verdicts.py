#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Verdicts of `belfry check config` on Alertmanager configurations against those of amtool.

The public cases lie beside the tree (../shared/conformance, or BELFRY_CONFORMANCE); without them this
says so and passes. Each is checked as amtool 0.33.1 did (--alertmanager), as belfry.yml and through
alertmanager_config_file. What is valid but names receivers that belfry does not send to must be
refused by `belfry run`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.environ.get("BELFRY_CONFORMANCE", "../shared/conformance")
FOLDER = os.path.join(ROOT, "config", "alertmanager")
BELFRY = os.path.abspath(os.environ.get("BELFRY_BIN", "build/belfry"))
# What belfry takes though amtool 0.33.1 does not, and the one key that tells the two apart: labels of
# routes came with Alertmanager 0.34, where this file is from.
NEWER = {"examples/route_labels.yml": "labels is not known to Alertmanager 0.33: it came with 0.34"}
NOT_SENT_TO = re.compile(r"^\s*-?\s*(sns|victorops|wechat|webex|jira|incidentio|msteams)_configs:|service_key:",
                         re.MULTILINE)


def run(args):
    done = subprocess.run([BELFRY] + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


class Score:
    def __init__(self):
        self.passed = self.failed = 0

    def expect(self, what, good, output):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("%s\n%s" % (what, output))


def one(score, folder, name, valid):
    path = os.path.abspath(os.path.join(FOLDER, name))
    code, output = run(["check", "config", "--alertmanager", path])
    score.expect("%s: --alertmanager: exit %d, valid: %s" % (name, code, valid), code == (0 if valid else 1), output)
    if name in NEWER:
        score.expect("%s: refused for another reason" % name, "%d errors" % output.count(NEWER[name]) in output, output)
        code, output = run(["check", "config", "--alertmanager=0.34", path])
        score.expect("%s: --alertmanager=0.34: exit %d" % (name, code), code == 0, output)
        valid = True
    code, output = run(["check", "config", path])
    score.expect("%s: exit %d, valid: %s" % (name, code, valid), code == (0 if valid else 1), output)
    wrapped = os.path.join(folder, "belfry.yml")
    with open(wrapped, "w", encoding="utf-8") as f:
        json.dump({"alertmanager_config_file": path}, f)
    code, output = run(["check", "config", wrapped])
    score.expect("%s as alertmanager_config_file: exit %d, valid: %s" % (name, code, valid),
                 code == (0 if valid else 1), output)
    if not valid:
        score.expect("%s: no place in its own file" % name, path + ":" in output, output)
    with open(path, encoding="utf-8") as f:
        found = NOT_SENT_TO.search(f.read())
    if valid and found:
        code, output = run(["run", "--config", path, "--storage.path", os.path.join(folder, "data"),
                            "--web.listen", "127.0.0.1:0"])
        score.expect("%s: run took receivers that are only checked" % name,
                     code != 0 and "is only checked" in output, output)


def main():
    if not os.path.isdir(FOLDER):
        print("skipped: no public cases at", ROOT)
        return 0
    score = Score()
    with open(os.path.join(FOLDER, "expected_check_config.json"), encoding="utf-8") as f:
        cases = json.load(f)
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            one(score, folder, case["file"], case["valid"])
    print("%d files" % len(cases))
    print("%d passed, %d failed" % (score.passed, score.failed))
    return 1 if score.failed else 0


if __name__ == "__main__":
    sys.exit(main())
