#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Alertmanager's API v2: the same requests to a real Alertmanager and to belfry, answers compared.

Status codes must be equal, JSON must have the same members (belfry's has those of newer versions
too), alerts and silences the same content. BELFRY_PEERS names a folder with a newer Alertmanager
(usr/bin/prometheus-alertmanager); it is then compared as well, without the exceptions of the old.
"""

import http.client
import json
import os
import pathlib
import re
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.inbox import Inbox
from lib.net import wait_until
from lib.peers import Alertmanager, Prometheus

CONFIG = {
    "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s",
              "routes": [{"receiver": "db", "matchers": ['team="db"'], "group_by": ["team"]}]},
    "receivers": [{"name": "ops"}, {"name": "db"}, {"name": "unused"}],
    "inhibit_rules": [{"source_matchers": ['severity="critical"'],
                       "target_matchers": ['severity="warning"'], "equal": ["host"]}],
}
FUTURE = f"{time.gmtime().tm_year + 9}-01-01T00:00:00Z"
SOONER = f"{time.gmtime().tm_year + 4}-01-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"
NO_ID = "00000000-0000-0000-0000-000000000000"
JSON = {"Content-Type": "application/json"}


def alert(**labels):
    return {"labels": labels}


def silence(drop=(), **change):
    whole = {"matchers": [{"name": "alertname", "value": "X", "isRegex": False}], "startsAt": PAST,
             "endsAt": FUTURE, "createdBy": "me", "comment": "c", **change}
    return {k: v for k, v in whole.items() if k not in drop}


def matcher(*names, **change):
    whole = {"name": "a", "value": "x", "isRegex": False, **change}
    return silence(matchers=[{k: v for k, v in whole.items() if k not in names}])


# (method, path, body, headers); the order matters: later ones see what earlier ones made
REQUESTS = [
    ("GET", "/status"), ("GET", "/receivers"), ("GET", "/alerts"), ("GET", "/alerts/groups"),
    ("GET", "/silences"),
    ("POST", "/alerts", [alert(alertname="X", team="db", empty="")]),
    ("POST", "/alerts", [{"labels": {"alertname": "Y", "host": "a b"}, "generatorURL": "http://x/y",
                          "annotations": {"summary": "s"}}]),
    ("POST", "/alerts", [{"labels": {"alertname": "Z"}, "startsAt": "0001-01-01T00:00:00.000Z",
                          "endsAt": "0001-01-01T00:00:00.000Z"}]),
    ("POST", "/alerts", [alert(alertname="Hot", severity="critical", host="h1"),
                         alert(alertname="Warm", severity="warning", host="h1"),
                         alert(alertname="Warm", severity="warning", host="h2")]),
    ("POST", "/alerts", [{"labels": {"alertname": "Past"}, "endsAt": PAST}]),
    ("POST", "/alerts", [alert()]), ("POST", "/alerts", [alert(a="")]),
    ("POST", "/alerts", [{"labels": {"": "c"}}]),
    ("POST", "/alerts", [{"labels": {"a": "b"}, "startsAt": FUTURE, "endsAt": PAST}]),
    ("POST", "/alerts", [alert(alertname="Good"), alert(),
                         {"labels": {"a": "b"}, "startsAt": FUTURE, "endsAt": PAST}]),
    ("POST", "/alerts", []), ("POST", "/alerts", "null"), ("POST", "/alerts", {}),
    ("POST", "/alerts", [{}]), ("POST", "/alerts", [{"labels": None}]),
    ("POST", "/alerts", [{"labels": {"a": 1}}]),
    ("POST", "/alerts", [{"labels": {"a": "b"}, "startsAt": "yesterday"}]),
    ("POST", "/alerts", [{"labels": {"a": "b"}, "startsAt": 5}]),
    ("POST", "/alerts", [{"labels": {"a": "b"}, "generatorURL": "not a url"}]),
    ("POST", "/alerts", [{"labels": {"alertname": "Odd"}, "generatorURL": "", "extra": 1}]),
    ("POST", "/alerts", "{"), ("POST", "/alerts", ""),
    ("POST", "/alerts", "[]", {"Content-Type": "text/plain"}), ("POST", "/alerts", "[]", {}),
    ("POST", "/alerts", "[]", {"Content-Type": "application/json; charset=utf-8"}),
    ("PUT", "/alerts", []), ("DELETE", "/alerts"), ("GET", "/nothing"), ("POST", "/nothing", {}),
    ("POST", "/status", {}), ("POST", "/receivers", {}), ("DELETE", "/silences"),
    ("GET", "/alerts", None, {"Accept": "text/html"}),
    ("GET", "/alerts", None, {"Accept": "text/html, */*;q=0.1"}),
    *[("GET", "/alerts" + q) for q in (
        "", "?filter=alertname%3DX", "?filter=alertname%3D~%22X%7CY%22", "?filter=bad", "?filter=",
        "?filter=team%3D", "?filter=team%3D%22%22", "?filter=team!%3D%22%22",
        "?filter=a%3D~%22(%22", "?filter=alertname%3DX,team%3Ddb", "?filter=%7Balertname%3DX%7D",
        "?filter=alertname%3DX&filter=team%3Dop", "?filter=host%3Da%20b", "?filter=team%3D~d.",
        "?active=false", "?active=maybe", "?active=", "?active=0", "?active=yes",
        "?inhibited=false",
        "?active=false&inhibited=true", "?receiver=db", "?receiver=d", "?receiver=%28",
        "?receiver=d.%7Cx", "?unprocessed=false&silenced=false&inhibited=false&active=true")],
    *[("GET", "/alerts/groups" + q) for q in (
        "", "?receiver=ops", "?receiver=db", "?filter=bad", "?filter=team%3Ddb", "?active=false",
        "?inhibited=false", "?silenced=maybe", "?receiver=%28")],
    ("GET", "/silences?filter=bad"),
    ("POST", "/silences", silence()),
    ("GET", "/alerts?silenced=false"), ("GET", "/alerts?active=false&silenced=true"),
    ("GET", "/alerts/groups?silenced=false"),
    ("POST", "/silences", silence(startsAt=FUTURE, endsAt=SOONER)),
    ("POST", "/silences", silence(endsAt="2020-02-01T00:00:00Z")),
    ("POST", "/silences", silence(startsAt=FUTURE)), ("POST", "/silences", silence(matchers=[])),
    ("POST", "/silences", silence(matchers=None)), ("POST", "/silences", silence(["matchers"])),
    ("POST", "/silences", silence(["comment"])), ("POST", "/silences", silence(["createdBy"])),
    ("POST", "/silences", silence(["startsAt"])), ("POST", "/silences", silence(["endsAt"])),
    ("POST", "/silences", silence(endsAt="x")),
    ("POST", "/silences", silence(comment="", createdBy="")),
    ("POST", "/silences", silence(startsAt="0001-01-01T00:00:00Z")),
    ("POST", "/silences", silence(startsAt=SOONER)),
    ("POST", "/silences", matcher(value="")),
    ("POST", "/silences", matcher(value=".*", isRegex=True)),
    ("POST", "/silences", matcher(value="(", isRegex=True)),
    ("POST", "/silences", matcher(name="")),
    ("POST", "/silences", matcher("isRegex")), ("POST", "/silences", matcher("value")),
    ("POST", "/silences", matcher("name")), ("POST", "/silences", matcher(name=1)),
    ("POST", "/silences", matcher(isRegex="no")), ("POST", "/silences", matcher(isEqual=None)),
    ("POST", "/silences", matcher(isEqual=False, value="q|r", isRegex=True)),
    ("POST", "/silences", silence(matchers={})), ("POST", "/silences", silence(id=NO_ID)),
    ("POST", "/silences", silence(id="nope")), ("POST", "/silences", silence(id=5)),
    ("POST", "/silences", {}), ("POST", "/silences", []), ("POST", "/silences", "null"),
    ("POST", "/silences", "{"), ("POST", "/silences", ""),
    ("GET", "/silences"), ("GET", "/silences?filter=alertname%3DX"),
    ("GET", "/silences?filter=alertname%3D~X"), ("GET", "/silences?filter=a!~%22q%7Cr%22"),
    ("GET", "/silence/nope"), ("GET", "/silence/" + NO_ID), ("GET", "/silence/"),
    ("DELETE", "/silence/nope"), ("POST", "/silence/" + NO_ID, {}),
]
# What the version after 0.25 answers, and belfry with it.
NEWER = [
    ("POST", "/alerts", [{"labels": {"a b": "c"}}]),
    ("POST", "/alerts", [alert(a="b"), {"labels": {"c-d": "e"}}]),
    ("GET", "/alerts?filter=%22a%20b%22%3D%22c%22"),
    ("POST", "/silences", matcher(name="a b")),
    ("DELETE", "/silence/" + NO_ID),
    ("GET", "/receivers?receiver_matchers=bad"),
    ("GET", "/receivers?receiver_matchers=name%3Ddb"),
    ("GET", "/alerts?receiver_matchers=name%3Ddb"),
    ("GET", "/silences?expired=false"), ("GET", "/silences?active=false"),
]
# Members that 0.25 does not know yet.
NEW_MEMBERS = {"mutedBy", "routeLabels"}


class Api:
    """A server of the API, and what was asked of it."""

    def __init__(self, port, prefix="/api/v2"):
        self.port, self.prefix = port, prefix

    def ask(self, method, path, body=None, headers=None):
        """Status, parsed body (or its text), content type."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        if headers is None:
            headers = JSON if body is not None else {}
        link.request(method, self.prefix + path, body, headers)
        answer = link.getresponse()
        text = answer.read().decode()
        link.close()
        try:
            return answer.status, json.loads(text), answer.getheader("Content-Type")
        except ValueError:
            return answer.status, text, answer.getheader("Content-Type")


def shape(value, drop=frozenset()):
    """Members of objects and kinds of values; of lists what their items have in common."""
    if isinstance(value, dict):
        if set(value) and all(re.fullmatch(r"[a-z]+", k) and isinstance(v, str)
                              for k, v in value.items()) and "code" not in value:
            return "map"
        return {k: shape(v, drop) for k, v in value.items() if k not in drop}
    if isinstance(value, list):
        return [shape(v, drop) for v in value[:1]]
    return type(value).__name__


def content(value, drop=frozenset()):
    """An answer without what is of one server alone: times, ids."""
    if isinstance(value, dict):
        return {k: content(v, drop) for k, v in value.items()
                if k not in drop and k not in ("updatedAt", "id", "silenceID", "endsAt", "startsAt",
                                               "uptime", "versionInfo", "config", "cluster")}
    if isinstance(value, list):
        return [content(v, drop) for v in value]
    if isinstance(value, str):
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", value)
    return value


def ordered(path, value):
    """Alerts of a group stand in no order in Alertmanager."""
    if path.startswith("/alerts/groups") and isinstance(value, list):
        for group in value:
            group["alerts"].sort(key=lambda a: a["fingerprint"])
        value.sort(key=lambda g: json.dumps([g["labels"], g["receiver"]], sort_keys=True))
    if path.startswith("/silences") and isinstance(value, list):
        value.sort(key=lambda s: json.dumps([s["status"], s["comment"], s["matchers"]],
                                            sort_keys=True))
    return value


def belfry_config(inbox):
    config = json.loads(json.dumps(CONFIG))
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": inbox.webhook_url()}]
    return config


class Differential(unittest.TestCase):
    def compare(self, theirs, ours, requests, drop=frozenset()):
        wrong = []
        for request in requests:
            method, path = request[:2]
            status, body, kind = theirs.ask(*request)
            got_status, got, got_kind = ours.ask(*request)
            said = f"{method} {path} {json.dumps(request[2])[:150] if len(request) > 2 else ''}"
            if got_status != status:
                wrong.append(f"{said}: {got_status} {got}, wanted {status} {body}")
            elif isinstance(body, str) or status >= 400:
                # the words may differ, what kind of a thing it is may not
                if type(got) is not type(body) or shape(got) != shape(body):
                    wrong.append(f"{said}: {got!r}, wanted the form of {body!r}")
            elif path.startswith(("/alerts", "/silence")) and method == "GET":
                want, have = (content(ordered(path, x), drop) for x in (body, got))
                if want != have:
                    wrong.append(f"{said}:\n   {json.dumps(have)}\n   wanted\n   "
                                 f"{json.dumps(want)}")
            elif shape(got, drop) != shape(body, drop) and path != "/status":
                wrong.append(f"{said}: {shape(got)}, wanted {shape(body)}")
            if kind is not None and body != "" and got_kind != kind:
                wrong.append(f"{said}: Content-Type {got_kind}, wanted {kind}")
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    @unittest.skipUnless(Alertmanager.path(), "Alertmanager is not installed")
    def test_answers_are_those_of_alertmanager(self):
        inbox = self.enterContext(Inbox())
        am = self.enterContext(Alertmanager(CONFIG))
        with Belfry(belfry_config(inbox)) as belfry:
            old = frozenset(NEW_MEMBERS | {"annotations_of_silences"})
            theirs, ours = Api(am.port), Api(belfry.web_port)
            requests = [r for r in REQUESTS if not (r[0] == "GET" and
                                                    r[1].startswith(("/silences", "/receivers")))]
            self.compare(theirs, ours, requests, old)
            self.same_silences(theirs, ours)
            self.assertEqual([r["name"] for r in ours.ask("GET", "/receivers")[1]],
                             [r["name"] for r in theirs.ask("GET", "/receivers")[1]])

    def same_silences(self, theirs, ours):
        """Their lists for the same filters, without the members newer versions have."""
        for query in ("", "?filter=alertname%3DX", "?filter=alertname%3D~X",
                      "?filter=a!~%22q%7Cr%22"):
            lists = []
            for server in (theirs, ours):
                found = ordered("/silences", server.ask("GET", "/silences" + query)[1])
                lists.append([{k: v for k, v in content(s).items() if k != "annotations"}
                              for s in found])
            self.assertEqual(lists[1], lists[0], query)

    @unittest.skipUnless(os.environ.get("BELFRY_PEERS"), "BELFRY_PEERS names no newer Alertmanager")
    def test_answers_are_those_of_a_newer_alertmanager(self):
        path = os.environ["BELFRY_PEERS"] + "/usr/bin/prometheus-alertmanager"

        class Newer(Alertmanager):
            names = (path,)

        inbox = self.enterContext(Inbox())
        am = self.enterContext(Newer(CONFIG))
        with Belfry(belfry_config(inbox)) as belfry:
            drop = frozenset({"routeLabels"})  # of 0.34
            theirs, ours = Api(am.port), Api(belfry.web_port)
            later = [r for r in NEWER if r[1] not in ("/silences?expired=false",
                                                      "/silences?active=false")]
            silences = [r for r in REQUESTS if r[0] == "GET" and r[1].startswith("/silences")]
            self.compare(theirs, ours, [r for r in REQUESTS + later if r not in silences], drop)
            self.same_silences(theirs, ours)


class Own(unittest.TestCase):
    def setUp(self):
        self.inbox = self.enterContext(Inbox())
        self.belfry = self.enterContext(Belfry(belfry_config(self.inbox)))
        self.api = Api(self.belfry.web_port)

    def test_a_silence_is_made_changed_and_ended(self):
        status, made, _ = self.api.ask("POST", "/silences", silence(
            comment="first", annotations={"ticket": "T-1"}))
        self.assertEqual(status, 200)
        one = self.api.ask("GET", "/silence/" + made["silenceID"])[1]
        self.assertEqual((one["comment"], one["status"], one["annotations"]),
                         ("first", {"state": "active"}, {"ticket": "T-1"}))
        self.assertRegex(one["startsAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        # the same matchers: in place
        again = self.api.ask("POST", "/silences", silence(
            id=made["silenceID"], startsAt=one["startsAt"], comment="second"))[1]
        self.assertEqual(again["silenceID"], made["silenceID"])
        # others: the old one ends, a new one begins
        other = self.api.ask("POST", "/silences", {**matcher(), "id": made["silenceID"]})[1]
        self.assertNotEqual(other["silenceID"], made["silenceID"])
        states = {s["id"]: s["status"]["state"] for s in self.api.ask("GET", "/silences")[1]}
        self.assertEqual(states, {made["silenceID"]: "expired", other["silenceID"]: "active"})
        self.assertEqual(self.api.ask("DELETE", "/silence/" + other["silenceID"])[:2], (200, ""))
        self.assertEqual(self.api.ask("GET", "/silences?expired=false")[1], [])

    def test_a_silence_survives_kill_9_and_holds(self):
        made = self.api.ask("POST", "/silences", silence())[1]["silenceID"]
        self.belfry.kill9()
        self.belfry.start()
        self.assertEqual([s["id"] for s in self.api.ask("GET", "/silences")[1]], [made])
        self.api.ask("POST", "/alerts", [alert(alertname="X"), alert(alertname="Y")])
        self.inbox.wait_for(lambda m: "Y" in str(m.payload))
        found = {a["labels"]["alertname"]: a["status"] for a in self.api.ask("GET", "/alerts")[1]}
        self.assertEqual(found["X"]["silencedBy"], [made])
        self.assertEqual(found["X"]["state"], "suppressed")
        self.assertEqual(found["Y"]["state"], "active")
        self.assertFalse([m for m in self.inbox.webhooks
                          if "X" in str(m.payload["groupLabels"])])

    def test_other_sites_pages_change_nothing(self):
        for headers in ({**JSON, "Origin": "http://evil.example"},
                        {**JSON, "Sec-Fetch-Site": "cross-site"}):
            self.assertEqual(self.api.ask("POST", "/silences", silence(), headers)[0], 403)
            self.assertEqual(self.api.ask("POST", "/alerts", [alert(a="b")], headers)[0], 403)
            self.assertEqual(self.api.ask("DELETE", "/silence/" + NO_ID, None, headers)[0], 403)
        self.assertEqual(self.api.ask("GET", "/silences")[1], [])

    def test_labels_of_any_text_pass_through(self):
        odd = {"alertname": "<!channel>\r\n\"'|💥\\", "a b": "x\u0000y", "é": "x" * 3000}
        self.assertEqual(self.api.ask("POST", "/alerts", [{"labels": odd}])[0], 200)
        self.assertEqual([a["labels"] for a in self.api.ask("GET", "/alerts")[1]], [odd])
        long = [{"labels": {"a": "x" * 2000000}}]
        self.assertEqual(self.api.ask("POST", "/alerts", long)[0], 400)

    def test_many_alerts_are_taken_and_shown(self):
        many = [alert(alertname=f"Many{i % 100}", n=str(i)) for i in range(20000)]
        self.assertEqual(self.api.ask("POST", "/alerts", many)[0], 200)
        status, found, _ = self.api.ask("GET", "/alerts")
        self.assertEqual((status, len(found)), (200, 20000))
        prints = [a["fingerprint"] for a in found]
        self.assertEqual(prints, sorted(prints))
        groups = self.api.ask("GET", "/alerts/groups?filter=alertname%3DMany7")[1]
        self.assertEqual([len(g["alerts"]) for g in groups], [200])

    def test_more_is_told_under_our_own_path(self):
        self.api.ask("POST", "/alerts", [alert(alertname="X")])
        made = self.api.ask("POST", "/silences", silence())[1]["silenceID"]
        own = Api(self.belfry.web_port, "/api/belfry/v1")
        found = own.ask("GET", "/alerts")[1][0]
        self.assertTrue(found["external"])
        self.assertEqual(found["status"]["silencedBy"], [made])
        shown = own.ask("GET", "/silences")[1][0]
        self.assertEqual((shown["id"], shown["alerts"], shown["recurring"]), (made, 1, ""))


@unittest.skipUnless(Prometheus.path(), "Prometheus is not installed")
class FromPrometheus(unittest.TestCase):
    RULES = """
groups:
- name: g
  interval: 1s
  rules:
  - alert: FromPrometheus
    expr: vector(1) %s 0
    labels: {team: db}
    annotations: {summary: "told by another"}
"""

    def test_its_alert_arrives_is_routed_told_and_ends(self):
        inbox = self.enterContext(Inbox())
        config = belfry_config(inbox)
        config["receivers"][1]["webhook_configs"] = [{"url": inbox.webhook_url("db")}]
        with Belfry(config) as belfry:
            prometheus = Prometheus(
                {"global": {"external_labels": {"from": "p"}}, "rule_files": ["rules.yml"],
                 "alerting": {"alertmanagers": [
                     {"static_configs": [{"targets": [f"127.0.0.1:{belfry.web_port}"]}]}]}},
                extra=["--web.enable-lifecycle", "--rules.alert.resend-delay=1s"])
            rules = self.write_rules(prometheus, ">")
            with prometheus:
                message = inbox.wait_for(lambda m: m.state == "FIRING", 30)
                told = message.payload["alerts"][0]
                self.assertEqual(told["labels"], {"alertname": "FromPrometheus", "team": "db",
                                                  "from": "p"})
                self.assertEqual(told["annotations"], {"summary": "told by another"})
                self.assertIn("/graph?g0.expr=vector", told["generatorURL"])
                self.assertTrue(message.receiver.endswith("db") or
                                message.payload["receiver"] == "db")
                rules(prometheus, "<")
                inbox.wait_for(lambda m: m.state == "RESOLVED", 30)
                wait_until(lambda: not Api(belfry.web_port).ask("GET", "/alerts")[1], 10,
                           "no alert left")

    def write_rules(self, prometheus, sign):
        """The rule file beside its configuration, which is written when it starts."""
        original = prometheus.arguments

        def arguments():
            (prometheus.dir / "rules.yml").write_text(self.RULES % sign)
            return original()

        def again(running, new_sign):
            (running.dir / "rules.yml").write_text(self.RULES % new_sign)
            Api(running.port, "").ask("POST", "/-/reload", "")

        prometheus.arguments = arguments
        return again


if __name__ == "__main__":
    sys.exit(runner.main())
