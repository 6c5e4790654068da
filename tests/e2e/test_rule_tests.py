#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""belfry test rules: its options, JUnit files that an XML parser reads whatever a test holds, and
promtool's verdict about the same files where there is a promtool."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import binary

RULES = """
groups:
- name: g
  rules:
  - record: pool:use
    expr: used / size
  - record: latency
    expr: histogram_quantile(0.5, sum(rate(seconds[5m])))
  - alert: Full
    expr: pool:use > 0.9
    for: 1m
    annotations:
      belfry_clear_if: pool:use < 0.5
      summary: '{{ $labels.pool }} {{ $value }}'
"""

TEST = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- name: full and calm again
  interval: 1m
  input_series:
  - {series: 'used{pool="a"}', values: '10 10 10 10'}
  - {series: 'size{pool="a"}', values: '10x9'}
  - {series: 'seconds', values: '{{schema:0 count:2 sum:3 buckets:[1 1]}}+{{schema:0 count:2 sum:3 buckets:[1 1]}}x9'}
  alert_rule_test:
  - eval_time: 2m
    alertname: Full
    exp_alerts: [{exp_labels: {pool: a}, exp_annotations: {summary: a 1, belfry_clear_if: 'pool:use < 0.5'}}]
  promql_expr_test:
  - {expr: 'latency', eval_time: 5m, exp_samples: [{labels: latency, value: 1}]}
- name: broken
  interval: 1m
  input_series:
  - {series: 'used{pool="b"}', values: '1'}
  promql_expr_test:
  - {expr: 'used', eval_time: 0, exp_samples: [{labels: 'used{pool="b"}', value: 2}]}
"""

EVIL = '''
evaluation_interval: 1m
tests:
- name: "<&>\\"' ]]> \\u0007 \\u0085 \\ufffe \\U0001F600"
  interval: 1m
  input_series:
  - {series: 'x{l="a\\u0001<b>"}', values: '1'}
  promql_expr_test:
  - {expr: 'x or label_replace(vector(1), "y", "\\xff\\xfe", "", "")', eval_time: 0, exp_samples: []}
'''


class RuleTests(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.dir / "rules.yml").write_text(RULES)
        (self.dir / "test.yml").write_text(TEST)

    def run_tests(self, *args):
        return subprocess.run([binary(), "test", "rules", *args], cwd=self.dir,
                              capture_output=True, text=True, timeout=60, check=False,
                              errors="replace")

    def test_run_chooses_tests_by_name(self):
        self.assertEqual(self.run_tests("test.yml").returncode, 1)
        self.assertEqual(self.run_tests("--run", "calm", "test.yml").returncode, 0)
        self.assertEqual(self.run_tests("--run", "brok.n", "test.yml").returncode, 1)

    def test_diff_shows_what_differs(self):
        done = self.run_tests("--diff", "test.yml")
        self.assertIn('- used{pool="b"} 2', done.stdout + done.stderr)
        self.assertIn('+ used{pool="b"} 1', done.stdout + done.stderr)

    def test_unknown_fields_of_rules_are_errors_unless_passed_over_and_of_tests_always(self):
        (self.dir / "more.yml").write_text(TEST.replace("interval: 1m\n  input", "x_extra: 1\n  interval: 1m\n  input"))
        self.assertEqual(self.run_tests("--run", "calm", "more.yml").returncode, 1)
        self.assertEqual(self.run_tests("--ignore-unknown-fields", "--run", "calm", "more.yml").returncode, 1)
        (self.dir / "rules.yml").write_text(RULES.replace("- name: g\n", "- name: g\n  x_extra: 1\n"))
        self.assertEqual(self.run_tests("--run", "calm", "test.yml").returncode, 1)
        self.assertEqual(self.run_tests("--ignore-unknown-fields", "--run", "calm", "test.yml").returncode, 0)

    def junit(self, *files):
        out = self.dir / "out.xml"
        self.run_tests("--junit", str(out), *files)
        return xml.etree.ElementTree.parse(out).getroot()

    def test_junit_tells_each_test(self):
        root = self.junit("test.yml", "test.yml")
        self.assertEqual(root.tag, "testsuites")
        suites = root.findall("testsuite")
        self.assertEqual(len(suites), 2)
        for suite in suites:
            cases = suite.findall("testcase")
            self.assertEqual((suite.get("name"), suite.get("tests"), suite.get("failures")),
                             ("test.yml", "2", "1"))
            self.assertEqual([c.get("name") for c in cases], ["full and calm again", "broken"])
            self.assertEqual([len(c.findall("failure")) for c in cases], [0, 1])
            self.assertIn('used{pool="b"} 2', cases[1].find("failure").text)

    def test_junit_is_xml_whatever_a_test_holds(self):
        (self.dir / "evil.yml").write_text(EVIL)
        case = self.junit("evil.yml").find("testsuite/testcase")
        self.assertTrue(case.get("name").startswith("<&>\"' ]]> ? "), case.get("name"))
        self.assertIn("\U0001F600", case.get("name"))
        self.assertIn("<b>", case.find("failure").text)
        (self.dir / "evil.yml").write_text("tests: [")
        self.assertIsNotNone(self.junit("evil.yml").find("testsuite/testcase/error"))

    @unittest.skipUnless(shutil.which("promtool"), "no promtool")
    def test_promtool_gives_the_same_verdicts(self):
        plain = "".join(line for line in TEST.splitlines(True)  # old ones know no histograms
                        if "seconds" not in line and "latency" not in line)
        good = plain[:plain.index("- name: broken")].replace("  promql_expr_test:\n", "")
        for text, want in ((plain, 1), (good, 0), (good.replace("summary: a 1", "summary: b"), 1)):
            (self.dir / "same.yml").write_text(text)
            done = subprocess.run(["promtool", "test", "rules", "same.yml"], cwd=self.dir,
                                  capture_output=True, timeout=60, check=False)
            self.assertEqual((done.returncode, self.run_tests("same.yml").returncode), (want, want))


if __name__ == "__main__":
    sys.exit(runner.main())
