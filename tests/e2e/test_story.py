#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The story of an alert as on-call asks for it: explain, ack, mark, noise, and the link in the
message, which works without logging in and changes nothing when it is only looked at."""

import json
import re
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import runner
from lib.belfry import Belfry, binary
from lib.inbox import Inbox
from lib.net import free_port, http, wait_until

RULES = """
groups:
- name: shop
  interval: 1s
  rules:
  - alert: PoolFull
    expr: pool_used > 0.9
    for: 1s
    labels: {severity: critical}
    annotations: {summary: "pool of {{ $labels.service }} <is> full"}
"""


def command(belfry, *args):
    """A command of on-call's; its exit code and what it printed."""
    done = subprocess.run([binary(), *args], capture_output=True, text=True, timeout=30,
                          check=False, env={"BELFRY_URL": f"http://127.0.0.1:{belfry.web_port}",
                                            "USER": "ann", "PATH": "/usr/bin:/bin"})
    return done.returncode, done.stdout + done.stderr


def start(inbox, port):
    return Belfry({
        "statsd": {"flush_interval": "1s"},
        "web": {"listen": f"127.0.0.1:{port}", "external_url": f"http://127.0.0.1:{port}"},
        "route": {"receiver": "chat", "group_by": ["alertname"], "group_wait": "0s"},
        "receivers": [{"name": "chat", "slack_configs": [{"api_url": inbox.slack_url("ops")}]}],
    }, rules={"r.yml": RULES}, web_port=port)


def link(message, wish):
    """The address behind a button of the message."""
    found = re.search(r'"(http://[^"]*/l/[0-9a-f]{32}\?do=' + wish + ')"', json.dumps(message.payload))
    assert found, f"no {wish} link in {message.payload}"
    return found.group(1)


def fire(belfry):
    belfry.statsd("pool_used:0.97|g|#service:orders")
    belfry.wait_query("pool_used", bool, timeout=30)


class Story(unittest.TestCase):
    def test_on_call_can_ask_acknowledge_and_judge(self):
        with Inbox() as inbox:
            inbox.answer("slack", 503, times=1)
            with start(inbox, free_port()) as belfry:
                fire(belfry)
                message = inbox.wait_for(lambda m: m.state == "FIRING")
                wait_until(lambda: "delivered" in command(belfry, "explain", "PoolFull")[1], 15)
                code, story = command(belfry, "explain", "PoolFull")
                assert code == 0, story
                for part in ("waiting out its", "firing; value 0.97 (alert when > 0.9)",
                             "joined the group {", "told chat by slack: first notification", "attempt 1: failed, will be repeated: answered 503",
                             "attempt 2: delivered: 200"):
                    assert part in story, f"{part!r} is not in:\n{story}"
                code, text = command(belfry, "ack", "PoolFull", "-m", "on it")
                assert code == 0 and "1 alert" in text, text
                assert "acknowledged by ann" in command(belfry, "explain", "PoolFull")[1]
                assert command(belfry, "mark", "false-positive", 'PoolFull{service="orders"}')[0] == 0
                code, noise = command(belfry, "noise")
                assert re.search(r"shop / PoolFull +1 +1 +1 +0 +1 ", noise), noise
                assert message.title

    def test_what_is_not_known_is_said(self):
        with Inbox() as inbox, start(inbox, free_port()) as belfry:
            assert command(belfry, "explain", "Nothing") == (
                1, "belfry: nothing is known of Nothing: it was never pending nor firing as far as "
                   "belfry remembers; `belfry alerts` lists what is\n")
            assert command(belfry, "ack", "Nothing")[0] == 1
            assert command(belfry, "mark", "useful", "Nothing")[0] == 1
            assert command(belfry, "mark", "great", "Nothing")[0] == 2
            assert command(belfry, "explain")[0] == 2

    def test_the_link_shows_on_get_and_acts_on_post(self):
        with Inbox() as inbox, start(inbox, free_port()) as belfry:
            fire(belfry)
            message = inbox.wait_for(lambda m: m.state == "FIRING")
            url = link(message, "silence")
            silences = f"http://127.0.0.1:{belfry.web_port}/api/v2/silences"
            page = http(url)
            assert page.status == 200 and "&lt;is&gt; full" in page.text, page.text
            assert json.loads(http(silences).body) == [], "a GET made a silence"
            elsewhere = http(url, data="do=silence&duration=1h", headers={
                "Origin": "http://evil.example", "Content-Type": "application/x-www-form-urlencoded"})
            assert elsewhere.status == 403, elsewhere
            bad = http(url, data="do=silence&duration=10y&who=ann", headers={
                "Content-Type": "application/x-www-form-urlencoded"})
            assert bad.status == 400 and "30d" in bad.text, bad
            done = http(url, data="do=silence&duration=1h&who=ann", headers={
                "Content-Type": "application/x-www-form-urlencoded"})
            assert done.status == 200 and "Silenced" in done.text, done.text
            made = json.loads(http(silences).body)
            assert [m["value"] for m in made[0]["matchers"]] == ["PoolFull"], made
            assert made[0]["createdBy"] == "ann"
            done = http(link(message, "ack"), data="do=ack&who=bob", headers={
                "Content-Type": "application/x-www-form-urlencoded"})
            assert "Acknowledged" in done.text, done.text
            wait_until(lambda: "acknowledged by bob" in command(belfry, "explain", "PoolFull")[1], 10)
            assert http(url.replace("/l/", "/l/0")).status == 404


if __name__ == "__main__":
    sys.exit(runner.main())
