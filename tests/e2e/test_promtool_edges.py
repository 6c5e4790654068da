#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files of rules and of rule tests at the edges of their formats: `belfry check rules` and
`belfry test rules` take and refuse what promtool 3.5.3 does. With a promtool in BELFRY_PEERS/usr/bin it is asked, too."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import binary

PROMTOOL = os.environ.get("BELFRY_PEERS", "/nowhere") + "/usr/bin/promtool"
NOT_IN_3_5 = "start_timestamp"  # keys that came later: promtool is not asked

RULES = {"r.yml": """groups:
- name: a
  rules:
  - {record: r1, expr: x + 1}
  - {alert: A, expr: x > 1, for: 1m, labels: {sev: 'l{{ 3 }}'}, annotations: {s: '{{ $labels.i }} {{ $externalLabels.e }} {{ $externalURL }}'}}
- name: b
  rules:
  - {record: r2, expr: r1 * 2}
""",
         "limit.yml": "groups:\n- name: a\n  limit: 1\n  rules: [{record: r9, expr: 'x or label_replace(x,\"i\",\"2\",\"\",\"\")'}]\n",
         "offset.yml": "groups:\n- name: a\n  query_offset: 2m\n  rules: [{record: ro, expr: x}]\n",
         "unknown.yml": "groups:\n- name: a\n  foo: b\n  rules: [{record: z, expr: '1'}]\n",
         "empty.yml": ""}
HEAD = "rule_files: [r.yml]\nevaluation_interval: 1m\n"
BASE = HEAD + "tests:\n- interval: 1m\n  input_series:\n  - {series: 'x{i=\"1\"}', values: '0 1 2 3 4 5'}\n"
X2 = "[{labels: 'x{i=\"1\"}', value: 2}]"


def query(expr, at, samples):
    return f"  promql_expr_test: [{{expr: '{expr}', eval_time: {at}, exp_samples: {samples}}}]\n"


def alerts(at, name, expected):
    return f"  alert_rule_test: [{{eval_time: {at}, alertname: {name}, exp_alerts: {expected}}}]\n"


def values(text, at_3m):
    """One series, and what it is at 3m (None: nothing)."""
    samples = "[]" if at_3m is None else f"[{{labels: x, value: {at_3m}}}]"
    return (f"tests:\n- interval: 1m\n  input_series: [{{series: x, values: '{text}'}}]\n"
            + query("x", "3m", samples))


def value(text):
    return BASE + query("x", "2m", f"[{{labels: 'x{{i=\"1\"}}', value: {text}}}]")


def rules(name, rest):
    return BASE.replace("r.yml", name) + rest


def two(first, second, at_3m):
    return (f"tests:\n- interval: 1m\n  input_series: [{{series: x, values: '{first}'}}, "
            f"{{series: x, values: '{second}'}}]\n" + query("x", "3m", f"[{{labels: x, value: {at_3m}}}]"))


FIRING = "[{exp_labels: {i: '1', sev: l3}, exp_annotations: {s: '1%s'}}]"
CASES = [  # text, exit code
    # values of a series
    (values("1_000x3", 1000), 0), (values("0_10 1_0.5 1e1_0 1_0", 10), 0), (values("1__0", 1), 1),
    (values("_1", 1), 1), (values("1_", 1), 1), (values("010x3", 8), 0), (values("08x3", 8), 0),
    (values("010+010x3", 32), 0), (values("-010x3", -8), 0), (values("0x3", 0), 0),
    (values("infx3", ".inf"), 1), (values("inf inf inf -Inf", "-.inf"), 0), (values("1+infx3", ".inf"), 1),
    (values("nanx3", 1), 1), (values("stalex3", None), 1), (values("1 stale stale stale", None), 0),
    (values("1stale", None), 1), (values("stale1", None), 1), (values("5m", 300), 1), (values("1,2", 1), 1),
    (values("1 2 3 {{}}x2", 1), 1), (values("1x", 1), 1), (values("1x-1", 1), 1), (values("1-1x3", -2), 0),
    (values("1+1", 2), 1), (values("_x2 5 6", 6), 0), (values("", None), 0), (values("_", None), 0),
    (two("1x3", "2x3", 2), 0), (two("1x3", "2x3", 1), 1), (two("_ _ 3 4", "1 2 _ _", 4), 1),
    (two("_ _ 3 4", "1 2 _ _", 2), 0),
    # expected values
    (value("2"), 0), (value("2.0"), 0), (value("2e0"), 0), (value("0x2"), 0), (value("0b10"), 0),
    (value("0o2"), 0), (value("02"), 0), (value("+2"), 0), (value("'2'"), 1), (value('"2"'), 1),
    (value("!!str 2"), 1), (value("true"), 1), (value("abc"), 1), (value("[2]"), 1), (value("3"), 1),
    (BASE + query("sum(x) / 0", "2m", "[{value: .inf}]"), 0), (BASE + query("sum(x) / 0", "2m", "[{value: Inf}]"), 1),
    (BASE + query("sum(x) / 0", "2m", "[{value: +Inf}]"), 1), (BASE + query("sum(x) / 0", "2m", "[{value: -.INF}]"), 1),
    (BASE + query("-sum(x) / 0", "2m", "[{value: -.INF}]"), 0), (BASE + query("sum(x)", "2m", "[{value: NaN}]"), 1),
    (BASE + query("sum(x)", "2m", "[{labels: , value: 2, histogram: ''}]"), 0),
    (BASE + query("sum(x)", "2m", "[{labels: '', value: 2}]"), 0), (BASE + query("sum(x) * 0", "2m", "[{}]"), 0),
    (BASE + query("sum(x)", "2m", "[{value: 2, histogram: '{{}}'}]"), 1),
    (BASE + query("x", "2m", "[{labels: {i: '1'}, value: 2}]"), 1), (BASE + query("x", "2m", "[]"), 1),
    (BASE + query("nothing", "2m", "[]"), 0), (BASE + query("nothing", "2m", ""), 0),
    # times
    (BASE + query("x", "119s", "[{labels: 'x{i=\"1\"}', value: 1}]"), 0), (BASE + query("x", "-1m", "[]"), 1),
    (BASE + query("x", "150s", X2), 0), (BASE + query("r1", "59999ms", "[{labels: 'r1{i=\"1\"}', value: 1}]"), 0),
    (BASE + query("x", "20m", "[]"), 0), (BASE + query("x", "120", X2), 1), (BASE + query("x", "1.5m", "[]"), 1),
    (BASE + query("x", "0", "[{labels: 'x{i=\"1\"}'}]"), 0), (BASE + query("x", "1m1m", "[]"), 1),
    (BASE.replace("interval: 1m\n  input", "interval: 45s\n  input") + query("x", "2m", X2), 0),
    (BASE.replace("evaluation_interval: 1m", "evaluation_interval: abc") + query("x", "2m", X2), 1),
    (BASE.replace("evaluation_interval: 1m", "evaluation_interval: 7s") + query("x", "121s", X2), 1),
    (BASE + "  start_timestamp: 2020-01-01T00:00:00+02:00\n" + query("x", "2m", X2), 0),
    (BASE + "  start_timestamp: 1577836800.5\n" + query("x", "2m", X2), 0),
    (BASE + "  start_timestamp: 2020-13-01T00:00:00Z\n" + query("x", "2m", X2), 1),
    # expressions
    (BASE + query("x +", "2m", "[]"), 1), (BASE + query("x[5m]", "2m", "[]"), 1), (BASE + query("", "2m", "[]"), 1),
    (BASE + query("\"abc\"", "2m", "[]"), 1), (BASE + query("1 + 1", "2m", "[{labels: '{}', value: 2}]"), 0),
    (BASE + query("mad_over_time(x[5m])", "2m", "[]"), 1),
    (BASE + query("x * 0.1", "3m", "[{labels: '{i=\"1\"}', value: 0.3}]"), 1),
    (BASE.replace(HEAD, HEAD + "fuzzy_compare: true\n") + query("x * 0.1", "3m", "[{labels: '{i=\"1\"}', value: 0.3}]"), 0),
    (BASE.replace(HEAD, HEAD + "fuzzy_compare: true\n") + query("x * 0 + 1e-300", "3m", "[{labels: '{i=\"1\"}', value: 0}]"), 1),
    (BASE.replace(HEAD, HEAD + "fuzzy_compare: 1\n") + query("x", "2m", X2), 1),
    # alerts
    (BASE + alerts("2m", "A", "[]"), 0), (BASE + alerts("3m", "A", FIRING % "  "), 0),
    (BASE + alerts("3m59s999ms", "A", FIRING % "  "), 0), (BASE + alerts("3m", "A", "[]"), 1),
    (BASE + alerts("3m", "Other", "[]"), 0), (BASE + alerts("3m", "Other", "[{}]"), 1),
    (BASE + alerts("3m", "''", "[]"), 1), (BASE + alerts("-1m", "A", "[{}]"), 1),
    (BASE + "  external_labels: {e: E}\n  external_url: http://u/\n" + alerts("3m", "A", FIRING % " E http://u/"), 0),
    (BASE + "  external_labels: [e]\n", 1),
    (BASE + "  external_labels: {e: E}\n" + query("x", "2m", "[{labels: 'x{i=\"1\",e=\"E\"}', value: 2}]"), 1),
    (BASE + alerts("3m", "A", "[{exp_labels: {alertname: Other, i: 1, sev: l3}, exp_annotations: {s: '1  '}}]"), 0),
    (BASE + alerts("3m", "A", "[{exp_labels: {i: '1', sev: l3, z: ''}, exp_annotations: {s: '1  '}}]"), 1),
    # order of groups
    (BASE + query("r2", "3m", "[{labels: 'r2{i=\"1\"}', value: 8}]"), 0),
    (BASE.replace(HEAD, HEAD + "group_eval_order: [b, a]\n") + query("r2", "3m", "[{labels: 'r2{i=\"1\"}', value: 6}]"), 0),
    (BASE.replace(HEAD, HEAD + "group_eval_order: [a, a]\n"), 1), (BASE.replace(HEAD, HEAD + "group_eval_order: a\n"), 1),
    # rule files
    (rules("nothing.yml", query("x", "2m", X2)), 0), (rules("'['", ""), 1), (rules("'[a'", ""), 1),
    (rules("'*.y[m]l'", ""), 1), (rules("r.yml, r.yml", query("r1", "2m", "[{labels: 'r1{i=\"1\"}', value: 3}]")), 0), (rules(".", ""), 1),
    (rules("limit.yml", ""), 1), (rules("unknown.yml", ""), 1),
    (rules("empty.yml", query("x", "2m", X2)), 0), (rules("offset.yml", query("ro", "3m", "[{labels: 'ro{i=\"1\"}', value: 3}]")), 1),
    # shape
    ("", 0), ("~\n", 0), ("[]\n", 1), ("abc\n", 1), (HEAD, 0), (HEAD + "tests:\n-\n", 0), (HEAD + "tests: {a: b}\n", 1),
    (HEAD + "tests: [abc]\n", 1), (BASE + "foo: bar\n", 1), (BASE + "  foo: bar\n", 1), (BASE + "  interval: 2m\n", 1),
    (HEAD + "tests: [{input_series: [null]}]\n", 0), (HEAD + "tests: [{input_series: [{values: '1'}]}]\n", 1),
    (HEAD + "tests: [{input_series: [{series: x, foo: 1}]}]\n", 1), (HEAD + "tests: [{input_series: x}]\n", 1),
    (HEAD + "tests: [{input_series: [{series: 'x{a!=\"b\"}', values: '1'}]}]\n", 1),
    (BASE + query("x", "2m", X2) + "---\nfoo: bar\n", 0),
    ("\ufeff" + BASE + query("x", "2m", X2), 0), ((BASE + query("x", "2m", X2)).replace("\n", "\r\n"), 0),
    (HEAD + "tests:\n- interval: 1m\n\tinput_series: []\n", 1),
]

RULE_CHECKS = [  # one rule, exit code of `check rules`
    ("{record: a, expr: 1}", 0), ("{record: a, expr: ''}", 1), ("{record: a}", 1), ("{expr: x}", 1),
    ("{record: a, alert: b, expr: x}", 1), ("{record: null, alert: a, expr: x}", 0), ("{record: 0a, expr: x}", 0),
    ("{record: 'a b', expr: x}", 0), ("{record: a, expr: x, for: 1m}", 1), ("{record: a, expr: x, for: 0s}", 0),
    ("{record: a, expr: x, annotations: {a: b}}", 1), ("{record: a, expr: x, labels: {__name__: c}}", 1),
    ("{record: a, expr: x, labels: {'': d}}", 1), ("{record: a, expr: x, labels: {a: b, a: c}}", 1),
    ("{alert: a, expr: x, for: }", 0), ("{alert: a, expr: x, for: ''}", 1), ("{alert: a, expr: x, for: 1}", 1),
    ("{alert: a, expr: x, for: -1m}", 1), ("{alert: a, expr: x, for: 30s1m}", 1), ("{alert: a, expr: x, for: 1m30s}", 0),
    ("{alert: a, expr: x, foo: b}", 1), ("{alert: a, expr: x, annotations: {s: '{{ foo }}'}}", 1),
    ("{alert: a, expr: x, annotations: {s: '{{ .Labels.a | toUpper }} {{ $value }}'}}", 0),
    ("{alert: a, expr: x, annotations: {s: '{{ $foo }}'}}", 1), ("{alert: a, expr: x, annotations: {s: '{{'}}", 1),
    ("{alert: a, expr: x, annotations: {s: '{{ define \"z\" }}q{{ end }}{{ template \"z\" }}'}}", 0),
    ("{alert: a, expr: 'x >'}", 1), ("{alert: a, expr: 'rate(x)'}", 1), ("{record: a, expr: 'mad_over_time(x[5m])'}", 1),
    ("{record: a, expr: 'x{a=~\"(\"}'}", 1), ("{record: a, expr: '{}'}", 1), ("null", 0), ("abc", 1), ("{}", 1),
]
GROUP_CHECKS = [  # keys of a group
    ("interval: ", 0), ("interval: 0s", 0), ("interval: -1m", 1), ("interval: ''", 1), ("limit: -1", 0),
    ("limit: '1'", 1), ("limit: abc", 1), ("limit: ", 0), ("query_offset: ", 0), ("query_offset: -1m", 1),
    ("labels: {a: b}", 0), ("labels: {a: 1}", 0), ("labels: []", 1), ("foo: b", 1), ("name: h", 1),
]
FILE_CHECKS = [
    ("", 0), ("~\n", 0), ("groups:\n", 0), ("groups: {}\n", 1), ("groups: []\n---\nfoo: []\n", 0),
    ("groups:\n-\n", 0), ("groups:\n- {rules: []}\n", 1), ("groups:\n- {name: '', rules: []}\n", 1),
    ("groups:\n- {name: a}\n", 0), ("groups:\n- {name: a, rules: []}\n- {name: a, rules: []}\n", 1),
    ("groups:\n- &g {name: a, rules: [&r {record: a, expr: x}, *r]}\n- {<<: *g, name: b}\n", 0),
    ("Groups: []\n", 1), ("\ufeffgroups: []\n", 0), ("- a\n", 1), ("groups:\n\t- name: a\n", 1),
]
# What belfry refuses though promtool does not: rules that can never give anything.
NEVER = ["{alert: a, expr: 'x[5m]'}", "{alert: a, expr: '\"s\"'}"]


def checks():
    for text, want in RULE_CHECKS:
        yield f"groups:\n- name: g\n  rules:\n  - {text}\n", want
    for text, want in GROUP_CHECKS:
        yield f"groups:\n- name: g\n  {text}\n  rules: [{{record: a, expr: x}}]\n", want
    yield from FILE_CHECKS


class Edges(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in RULES.items():
            (self.dir / name).write_text(text)
        self.test = self.dir / "test.yml"

    def exit_code(self, tool, *args):
        done = subprocess.run([tool, "test", "rules", *args, "test.yml"], cwd=self.dir,
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def run_cases(self, tool, skip=None):
        wrong = []
        for text, want in CASES:
            if skip and skip in text:
                continue
            self.test.write_text(text, newline="")
            got, said = self.exit_code(tool)
            if got != want:
                wrong.append(f"exit {got}, expected {want}\n{text}{said}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_belfry(self):
        self.run_cases(binary())

    @unittest.skipUnless(os.path.exists(PROMTOOL), "BELFRY_PEERS names no promtool")
    def test_promtool(self):
        self.run_cases(PROMTOOL, NOT_IN_3_5)

    def check_all(self, tool, cases):
        wrong, path = [], self.dir / "checked.yml"
        for text, want in cases:
            path.write_text(text)
            done = subprocess.run([tool, "check", "rules", str(path)], capture_output=True, text=True,
                                  timeout=60, check=False)
            if done.returncode != want:
                wrong.append(f"exit {done.returncode}, expected {want}\n{text}{done.stdout}{done.stderr}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_belfry_checks_rules(self):
        self.check_all(binary(), checks())
        self.check_all(binary(), [(f"groups:\n- name: g\n  rules:\n  - {text}\n", 1) for text in NEVER])

    @unittest.skipUnless(os.path.exists(PROMTOOL), "BELFRY_PEERS names no promtool")
    def test_promtool_checks_rules(self):
        self.check_all(PROMTOOL, checks())

    def test_unknown_fields_are_passed_over_in_rule_files_only(self):
        tools = [binary()] + ([PROMTOOL] if os.path.exists(PROMTOOL) else [])
        for tool in tools:
            for text, want in ((rules("unknown.yml", ""), 0), (BASE + "  foo: bar\n", 1)):
                self.test.write_text(text)
                self.assertEqual(self.exit_code(tool, "--ignore-unknown-fields")[0], want, text)

    def test_a_nan_that_is_expected_and_comes_is_right(self):
        """Not so in promtool, where no file can expect one."""
        self.test.write_text(BASE + query("sum(x) * 0 / 0", "2m", "[{value: .nan}]"))
        self.assertEqual(self.exit_code(binary())[0], 0)
        self.test.write_text(BASE + query("sum(x)", "2m", "[{value: .nan}]"))
        self.assertEqual(self.exit_code(binary())[0], 1)


if __name__ == "__main__":
    sys.exit(runner.main())
