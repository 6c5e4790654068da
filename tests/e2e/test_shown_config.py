#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What /api/v2/status shows of an Alertmanager configuration is one, and routes as the original.

Every valid public configuration that belfry can run is run; its config.original is put before
amtool's check-config, and the label sets of the public cases both before amtool's `config routes
test` on it and before belfry itself. BELFRY_PEERS names a newer amtool to use too.
"""

import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.net import http

CASES = pathlib.Path(os.environ.get("BELFRY_CONFORMANCE",
                                    TESTS.parent.parent / "shared" / "conformance"))
NEWER = pathlib.Path(os.environ.get("BELFRY_PEERS", "/nowhere")) / "usr/bin/amtool"
TOOLS = [t for t in (shutil.which("amtool"), str(NEWER) if NEWER.exists() else None) if t]


@unittest.skipUnless(CASES.is_dir(), "no public cases beside the tree")
@unittest.skipUnless(TOOLS, "amtool is not installed")
class ShownConfig(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.wrong = []

    def run_tool(self, *args):
        done = subprocess.run(args, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOME": str(self.folder)})
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def amtool_reads(self, name, text, cases):
        file = self.folder / "shown.yml"
        file.write_text(text)
        for tool in TOOLS:
            code, said, error = self.run_tool(tool, "check-config", str(file))
            if code != 0:
                self.wrong.append(f"{name}: {tool} check-config: {said} {error}")
                continue
            for case in cases:
                labels = [f"{k}={v}" for k, v in case["labels"].items()]
                _, said, _ = self.run_tool(tool, "config", "routes", "test",
                                           f"--config.file={file}", *labels)
                if said.split(",") != case["receivers"]:
                    self.wrong.append(f"{name}: {tool}: {labels}: {said}, "
                                      f"wanted {case['receivers']}")

    def belfry_routes(self, name, belfry, cases):
        for case in cases:
            if not case["labels"]:
                continue  # no alert
            body = json.dumps([{"labels": case["labels"]}]).encode()
            answer = http(belfry.url("/api/v2/alerts"), body, method="POST",
                          headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status, 200, answer.text)
        found = {json.dumps(a["labels"], sort_keys=True): {r["name"] for r in a["receivers"]}
                 for a in json.loads(belfry.get("/api/v2/alerts").body)}
        for case in cases:
            got = found.get(json.dumps(case["labels"], sort_keys=True))
            if case["labels"] and got != set(case["receivers"]):
                self.wrong.append(f"{name}: belfry: {case['labels']}: {got}, "
                                  f"wanted {case['receivers']}")

    def test_every_configuration_is_shown_as_one_that_amtool_reads(self):
        root = CASES / "config" / "alertmanager"
        routes = json.loads((CASES / "alerting" / "routes.json").read_text())
        ran, routed = 0, 0
        for listed in json.loads((root / "expected_check_config.json").read_text()):
            if not listed["valid"]:
                continue
            cases = [c for c in routes if c["config"] == listed["file"]]
            with contextlib.ExitStack() as stack:
                try:
                    with contextlib.redirect_stderr(io.StringIO()):
                        belfry = stack.enter_context(Belfry(
                            {"alertmanager_config_file": str(root / listed["file"])}))
                except Exception:  # it names what belfry checks only, or files that are not there
                    continue
                ran += 1
                routed += len(cases)
                status = json.loads(belfry.get("/api/v2/status").body)
                self.amtool_reads(listed["file"], status["config"]["original"], cases)
                self.belfry_routes(listed["file"], belfry, cases)
        self.assertEqual(self.wrong, [], "\n" + "\n".join(self.wrong))
        self.assertGreaterEqual(ran, 10)
        self.assertGreaterEqual(routed, 10)


if __name__ == "__main__":
    sys.exit(runner.main())
