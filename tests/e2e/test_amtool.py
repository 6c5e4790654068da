#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command of amtool against belfry: Debian's, and a newer one in BELFRY_PEERS/usr/bin."""

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
from lib.belfry import Belfry, binary as belfry_binary
from lib.inbox import Inbox

SECRET = "s3cr3t-token"


def config(inbox):
    """One of everything that /api/v2/status must show in Alertmanager's words."""
    hook = {"webhook_configs": [{"url": inbox.webhook_url() + "?t=" + SECRET}]}
    return {
        "global": {"resolve_timeout": "7m"},
        "route": {
            "receiver": "ops", "group_by": ["alertname", "job"], "group_wait": "0s",
            "routes": [
                {"receiver": "db", "matchers": ['team="db"', 'env=~"prod|st.*"'],
                 "group_by": ["..."], "mute_time_intervals": ["nights", "never"]},
                {"receiver": "all kinds", "matchers": ['quote="a\\"b\\\\c"'], "continue": True,
                 "active_time_intervals": ["office"],
                 "routes": [{"receiver": "none", "matchers": ["deep!=x", "er!~y"]}]},
                {"receiver": "none", "match": {"old": "way"}, "match_re": {"older": "w.y"}}]},
        "receivers": [
            {"name": "ops", **hook}, {"name": "db", **hook}, {"name": "none"},
            {"name": "all kinds", **hook,
             "slack_configs": [{"api_url": inbox.slack_url() + SECRET, "channel": "#ops"}],
             "email_configs": [{"to": "a@b.example, c@d.example", "from": "x@y.example",
                                "smarthost": "localhost:25", "auth_username": "u",
                                "auth_password": SECRET}],
             "pagerduty_configs": [{"routing_key": SECRET}],
             "opsgenie_configs": [{"api_key": SECRET}],
             "discord_configs": [{"webhook_url": inbox.slack_url() + SECRET}],
             "telegram_configs": [{"bot_token": SECRET, "chat_id": 7}],
             "pushover_configs": [{"user_key": SECRET, "token": SECRET}],
             "msteamsv2_configs": [{"webhook_url": inbox.slack_url() + SECRET}]}],
        "inhibit_rules": [{"source_matchers": ['severity="critical"'],
                           "target_matchers": ['severity=~"warning|info"'],
                           "equal": ["host", "job"]}],
        "time_intervals": [
            {"name": "nights", "time_intervals": [
                {"times": [{"start_time": "00:00", "end_time": "06:30"},
                           {"start_time": "22:00", "end_time": "24:00"}],
                 "location": "Europe/Berlin"}]},
            {"name": "office", "time_intervals": [
                {"weekdays": ["monday:friday"], "days_of_month": ["1:10", "-3:-1"],
                 "months": ["january:june", "12"], "years": ["2020:2040"]}]},
            {"name": "never", "time_intervals": [{"years": ["2000"]}]}]}


class Commands:
    """The commands; subclasses say which amtool."""

    amtool = None

    @classmethod
    def setUpClass(cls):
        cls.inbox = Inbox()
        cls.inbox.__enter__()
        cls.belfry = Belfry(config(cls.inbox))
        cls.belfry.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.belfry.__exit__(None, None, None)
        cls.inbox.__exit__(None, None, None)

    def run_it(self, *args, fails=False, url=True):
        command = [self.amtool, *args]
        if url:
            command += [f"--alertmanager.url=http://127.0.0.1:{self.belfry.web_port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOME": str(self.belfry.dir)})
        self.assertEqual(done.returncode != 0, fails, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def as_json(self, *args):
        return json.loads(self.run_it(*args, "-o", "json") or "null")

    def api(self, path):
        return json.loads(self.belfry.get("/api/v2" + path).body)

    # -- alerts

    def test_alert_add_and_query(self):
        self.run_it("alert", "add", "Added", "job=j", "host=a b", "--annotation=summary=it is",
                    "--generator-url=http://x.example/y")
        self.run_it("alert", "add", "alertname=Added", "job=k")
        found = self.as_json("alert", "query", "alertname=Added")
        self.assertEqual(sorted(a["labels"]["job"] for a in found), ["j", "k"])
        one = self.as_json("alert", "query", "alertname=Added", "job=~[j]")
        self.assertEqual([(a["annotations"], a["generatorURL"]) for a in one],
                         [({"summary": "it is"}, "http://x.example/y")])
        self.assertEqual(one[0]["receivers"], [{"name": "ops"}])
        self.assertIn("Added", self.run_it("alert", "query", "Added"))
        self.assertIn("it is", self.run_it("alert", "query", "-o", "extended", "Added"))
        self.assertNotIn("Added", self.run_it("alert", "query", "--receiver=db"))
        self.assertNotIn("Added", self.run_it("alert", "query", "Added", "host!=a b", "job!~k|x"))
        self.run_it("alert", "query", "Added", "a=~(", fails=True)

    def test_alert_states(self):
        self.run_it("alert", "add", "Quiet", "host=s")
        self.run_it("alert", "add", "Source", "severity=critical", "host=i", "job=j")
        self.run_it("alert", "add", "Target", "severity=warning", "host=i", "job=j")
        self.run_it("silence", "add", "Quiet", "--comment=c", "--author=me")
        active = [a["labels"]["alertname"] for a in self.as_json("alert", "query")]
        self.assertIn("Source", active)
        self.assertNotIn("Quiet", active)
        self.assertNotIn("Target", active)
        silenced = self.as_json("alert", "query", "--silenced", "Quiet")
        self.assertEqual([len(a["status"]["silencedBy"]) for a in silenced], [1])
        inhibited = self.as_json("alert", "query", "--inhibited", "Target")
        self.assertEqual(inhibited[0]["status"]["inhibitedBy"],
                         [a["fingerprint"] for a in self.as_json("alert", "query", "Source")])

    # -- silences

    def test_silence_add_query_update_expire(self):
        made = self.run_it("silence", "add", "alertname=S1", "host!=x", 'env=~"a|b"', "z!~y",
                           "--comment=because", "--author=me", "--duration=2h").strip()
        self.assertRegex(made, r"^[0-9a-f-]{36}$")
        shown = self.as_json("silence", "query", "alertname=S1")
        self.assertEqual([s["id"] for s in shown], [made])
        self.assertEqual((shown[0]["createdBy"], shown[0]["comment"]), ("me", "because"))
        self.assertEqual({(m["name"], m["value"], m["isRegex"], m.get("isEqual", True))
                          for m in shown[0]["matchers"]},
                         {("alertname", "S1", False, True), ("host", "x", False, False),
                          ("env", "a|b", True, True), ("z", "y", True, False)})
        self.assertIn("because", self.run_it("silence", "query"))
        self.assertEqual(self.run_it("silence", "query", "-q", "alertname=S1").strip(), made)
        self.assertEqual(self.as_json("silence", "query", "--created-by=nobody"), [])
        self.run_it("silence", "update", made, "--duration=4h", "--comment=longer")
        again = self.as_json("silence", "query", "alertname=S1")
        self.assertEqual([s["comment"] for s in again], ["longer"])
        self.assertEqual(self.as_json("silence", "query", "--within=3h", "alertname=S1"), [])
        self.run_it("silence", "expire", again[0]["id"])
        self.assertEqual(self.as_json("silence", "query", "alertname=S1"), [])
        states = [s["status"]["state"] for s in self.api("/silences?filter=alertname%3DS1")]
        self.assertEqual(set(states), {"expired"})
        gone = self.as_json("silence", "query", "--expired", "alertname=S1")
        self.assertTrue(gone)
        self.run_it("silence", "expire", "00000000-0000-0000-0000-000000000000", fails=True)
        self.run_it("silence", "add", 'x=""', "--comment=c", fails=True)

    def test_silence_import(self):
        for n in ("1", "2"):
            self.run_it("silence", "add", "alertname=Import", f"n={n}", "--comment=c",
                        "--author=me")
        saved = self.run_it("silence", "query", "-o", "json", "alertname=Import")
        for s in json.loads(saved):
            self.run_it("silence", "expire", s["id"])
        path = self.belfry.dir / "silences.json"
        strangers = json.loads(saved)
        for i, s in enumerate(strangers):
            s["id"] = f"00000000-0000-4000-8000-00000000000{i}"
        path.write_text(json.dumps(strangers))
        self.run_it("silence", "import", str(path))
        back = self.as_json("silence", "query", "alertname=Import")
        self.assertEqual({m["value"] for s in back for m in s["matchers"] if m["name"] == "n"},
                         {"1", "2"})

    # -- configuration

    def test_config_is_an_alertmanager_configuration(self):
        text = self.run_it("config", "show")
        self.assertNotIn(SECRET, text)
        self.assertIn("api_url: <secret>", text)
        self.assertIn("resolve_timeout: 7m", text)
        self.assertIn("time_intervals", text)
        self.assertIn("uptime", self.run_it("config", "show", "-o", "extended"))
        path = self.belfry.dir / "shown.yml"
        path.write_text(self.api("/status")["config"]["original"])
        done = self.run_it("check-config", str(path), url=False)
        self.assertIn("SUCCESS", done)
        self.assertIn("4 receivers", done)
        self.assertIn("1 inhibit rules", done)

    def test_config_routes(self):
        tree = self.run_it("config", "routes", "show")
        self.assertIn('{env=~"prod|st.*",team="db"}', tree.replace(
            '{team="db",env=~"prod|st.*"}', '{env=~"prod|st.*",team="db"}'))
        self.assertIn("receiver: all kinds", tree)
        for labels, receivers in ((["team=db", "env=prod"], "db"), (["team=db", "env=x"], "ops"),
                                  (["old=way", "older=way"], "none"), (["x=y"], "ops")):
            said = self.run_it("config", "routes", "test", *labels,
                               f"--verify.receivers={receivers}")
            self.assertEqual(said.strip(), receivers)
        self.run_it("config", "routes", "test", "x=y", "--verify.receivers=db", fails=True)

    def test_check_config_of_the_same_as_a_file(self):
        """What amtool takes for right and wrong, belfry does."""
        good = self.belfry.dir / "good-am.yml"
        good.write_text("route: {receiver: r}\nreceivers: [{name: r}]\n")
        self.run_it("check-config", str(good), url=False)
        bad = self.belfry.dir / "bad-am.yml"
        bad.write_text("route: {receiver: other}\nreceivers: [{name: r}]\n")
        self.run_it("check-config", str(bad), url=False, fails=True)

    def test_cluster_show(self):
        self.assertIn("disabled", self.run_it("cluster", "show"))


@unittest.skipUnless(shutil.which("amtool"), "amtool is not installed")
class Debian(Commands, unittest.TestCase):
    amtool = shutil.which("amtool")


NEWER = os.environ.get("BELFRY_PEERS", "/nowhere") + "/usr/bin/amtool"


@unittest.skipUnless(os.path.exists(NEWER), "BELFRY_PEERS names no newer amtool")
class Newer(Commands, unittest.TestCase):
    amtool = NEWER


HOOK = "webhook_configs: [{url: 'http://x.example/'}]"
# What stands in a file beside a route and a receiver r; what 0.33 and 0.34 say.
FILES = [
    ("", HOOK, 0, 0),
    ("labels: {a: b}", HOOK, 1, 0),
    ("routes: [{routes: [{labels: {a: b}}]}]", HOOK, 1, 0),
    ("", HOOK + ", fallback: r", 1, 1),
    ("", "ntfy_configs: [{topic: t}]", 1, 1),
    ("", "slack_configs: [{api_url: 'http://x.example/', mention: '@here'}]", 1, 1),
    ("", "email_configs: [{to: a@b.example, from: c@d.example, smarthost: 'x:25', graph: true}]", 1, 1),
    ("", "pushover_configs: [{user_key: u, token: t, api_url: 'http://x.example'}]", 1, 1),
    ("", "discord_configs: [{webhook_url: 'http://x.example/', graph: true}]", 1, 1),
    ("matchers: ['a=b']", HOOK, 1, 1),
    ("mute_time_intervals: [x]", HOOK, 1, 1),
    ("group_by: ['...', a]", HOOK, 1, 1),
    ("group_by: [a, a]", HOOK, 1, 1),
    ("routes: [{matchers: ['a=\"\\x41\"', '\"a\"=\"\\x41\"', '{x=y,z!~w}']}]", HOOK, 0, 0),
    ("routes: [{matchers: ['\"a\"=\"\\q\"']}]", HOOK, 1, 1),
    ("routes: [{matchers: ['a=~\"(\"']}]", HOOK, 1, 1),
]
REST = "route: {receiver: r}\nreceivers: [{name: r}]\n"
WHOLE = [  # the same of whole files: addresses in global that nobody uses, files without a route
    ("", 1, 1), ("# nothing\n", 1, 1), ("receivers: [{name: r}]\n", 1, 1), ("\ufeff" + REST, 0, 0),
    ("global: {pagerduty_url: abc}\n" + REST, 1, 1), ("global: {slack_api_url: ''}\n" + REST, 1, 1),
    ("global: {slack_api_url: <secret>}\n" + REST, 0, 0), ("global: {jira_api_url: <secret>}\n" + REST, 1, 1),
    ("global: {wechat_api_url: 'ftp://x.example/'}\n" + REST, 1, 1), ("global: {webex_api_url: 'http://'}\n" + REST, 1, 1),
    ("global: {opsgenie_api_url: 'http://x.example'}\n" + REST, 0, 0), ("global: {telegram_api_url: }\n" + REST, 0, 0),
    ("global: {smtp_smarthost: mail}\n" + REST, 1, 1), ("global: {smtp_smarthost: '[::1]:25'}\n" + REST, 0, 0),
]


def files():
    for route, receiver, *verdicts in FILES:
        comma = ", " if route else ""
        yield (f"route: {{receiver: r{comma}{route}}}\nreceivers: [{{name: r, {receiver}}}]\n",
               *verdicts)
    yield from WHOLE


class AsAlertmanager(unittest.TestCase):
    """`belfry check config --alertmanager` gives that Alertmanager's verdicts."""

    def test_what_only_belfry_or_a_newer_one_knows_is_refused(self):
        wrong = []
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "am.yml"
            for text, *verdicts in files():
                path.write_text(text)
                tools = [([belfry_binary(), "check", "config", "--alertmanager"], verdicts[0]),
                         ([belfry_binary(), "check", "config", "--alertmanager=0.34"], verdicts[1])]
                if os.path.exists(NEWER):
                    tools.append(([NEWER, "check-config"], verdicts[0]))
                for command, verdict in tools:
                    done = subprocess.run(command + [str(path)], capture_output=True, text=True,
                                          timeout=60)
                    if done.returncode != verdict:
                        wrong.append(f"{command}: {done.returncode}\n{path.read_text()}"
                                     f"{done.stdout}{done.stderr}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_only_known_versions_can_be_asked_for(self):
        for version in ("0.25", "0.333", "1", ""):
            done = subprocess.run([belfry_binary(), "check", "config",
                                   f"--alertmanager={version}", "/dev/null"],
                                  capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 2, version)


if __name__ == "__main__":
    sys.exit(runner.main())
