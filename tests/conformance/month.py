#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A month of incidents through the real daemon in minutes, by its injected clock.

usage: month.py [--days 30] [--speed 3000] [--seed 1]

Every minute of the daemon's time one remote write request brings the values of 60 series; each has
incidents of 15 minutes to 10 hours. What people must have been told follows from the plan alone:

  - an incident outside all suppressions: FIRING once and RESOLVED once to each of its receivers,
    repeats every 4 h while it lasts, and nothing else;
  - one that lies wholly inside a silence, a muted time interval (nights in Berlin's time, across a
    change of its clocks) or under an inhibiting alert: nothing at all;
  - one that only overlaps a suppression: told at most once each.

Prints what was planned and told; exit status 1 when a message is missing or one too many.
"""

import argparse
import collections
import datetime
import json
import pathlib
import random
import sys
import time
import zoneinfo

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
# pylint: disable=wrong-import-position
from lib.belfry import Belfry  # noqa: E402
from lib.net import http as ask  # noqa: E402
from lib.remote_write import HEADERS, encode  # noqa: E402
from conformance.side_by_side import Inbox  # noqa: E402

MINUTE, HOUR, DAY = 60, 3600, 86400
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
# a Sunday in October 2026 has 25 hours in Berlin: the month spans it
START = datetime.datetime(2026, 10, 10, tzinfo=datetime.timezone.utc).timestamp()
CLUSTERS = ("c1", "c2", "c3", "c4")
SERVICES = ("shop", "search", "pay", "mail", "auth")
# between a moment of the plan and the message that tells of it: sample, evaluation, for, group_wait,
# group_interval, and the steps of the injected clock
SLACK = 20 * MINUTE

RULES = """
groups:
- name: month
  interval: 1m
  rules:
  - alert: LatencyHigh
    expr: latency_seconds > 0.5
    for: 2m
    labels: {severity: warning}
  - alert: ErrorsHigh
    expr: errors_ratio > 0.05
    labels: {severity: critical}
  - alert: BatchLate
    expr: batch_age_seconds > 7200
    for: 5m
    labels: {severity: info}
- name: clusters
  interval: 1m
  rules:
  - alert: ClusterDown
    expr: cluster_up == 0
    labels: {severity: critical}
"""

KINDS = {"LatencyHigh": ("latency_seconds", 0.1, 0.9), "ErrorsHigh": ("errors_ratio", 0.0, 0.3),
         "BatchLate": ("batch_age_seconds", 60, 9000), "ClusterDown": ("cluster_up", 1, 0)}


class Incident:
    """One stretch of one series, in seconds since START."""

    def __init__(self, alert, labels, start, end):
        self.alert, self.labels, self.start, self.end = alert, labels, start, end

    def __repr__(self):
        return f"{self.alert} {self.labels} day {self.start / DAY:.2f} for {(self.end - self.start) / HOUR:.1f} h"


def plan(days, draw):
    """Incidents of every series, at least two hours apart."""
    incidents = []

    def fill(alert, labels, count):
        at = draw.uniform(HOUR, DAY)
        for _ in range(count):
            length = draw.choice((15 * MINUTE, HOUR, 3 * HOUR, 10 * HOUR)) * draw.uniform(1, 1.2)
            if at + length > days * DAY - 6 * HOUR:
                return
            incidents.append(Incident(alert, labels, at, at + length))
            at += length + draw.uniform(2 * HOUR, 2 * DAY)

    for cluster in CLUSTERS:
        fill("ClusterDown", {"cluster": cluster}, days // 5)
        for service in SERVICES:
            for alert in ("LatencyHigh", "ErrorsHigh", "BatchLate"):
                fill(alert, {"cluster": cluster, "service": service}, days)
    return incidents


def nights(days):
    """When the route of BatchLate is muted: 20:00-07:00 Berlin's time."""
    first = datetime.datetime.fromtimestamp(START, BERLIN).date() - datetime.timedelta(days=1)
    for n in range(days + 3):
        day = first + datetime.timedelta(days=n)
        begin = datetime.datetime.combine(day, datetime.time(20), BERLIN)
        end = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(7), BERLIN)
        yield begin.timestamp() - START, end.timestamp() - START


def suppressions(incident, incidents, silences, days):
    """The spans in which this incident must not page."""
    spans = []
    if incident.alert == "BatchLate":
        spans += nights(days)
    if incident.alert != "ErrorsHigh" and incident.alert != "ClusterDown":
        spans += [(i.start, i.end) for i in incidents if i.alert == "ClusterDown"
                  and i.labels["cluster"] == incident.labels["cluster"]]
    spans += [(a, b) for a, b, service in silences if incident.labels.get("service") == service]
    return spans


def wholly_inside(incident, spans):
    """Is every minute of the incident in a span, with room on both sides?"""
    at = incident.start - MINUTE
    for begin, end in sorted(spans):
        if begin <= at < end:
            at = end
    return at >= incident.end + SLACK


def touches(incident, spans):
    return any(begin - SLACK < incident.end and end + SLACK > incident.start
               for begin, end in spans)


def routing(inbox):
    def hook(name):
        return {"name": name, "webhook_configs": [
            {"url": f"{inbox.url}/belfry/{name}", "send_resolved": True}]}
    return {
        "route": {"receiver": "all", "group_by": ["..."], "group_wait": "1m",
                  "group_interval": "5m", "repeat_interval": "4h",
                  "routes": [{"matchers": ['alertname="BatchLate"'], "receiver": "batch",
                              "group_by": ["..."], "mute_time_intervals": ["nights"]}]},
        "time_intervals": [{"name": "nights", "time_intervals": [
            {"times": [{"start_time": "20:00", "end_time": "24:00"},
                       {"start_time": "00:00", "end_time": "07:00"}],
             "location": "Europe/Berlin"}]}],
        "inhibit_rules": [{"source_matchers": ["alertname=ClusterDown"],
                           "target_matchers": ['alertname=~"LatencyHigh|BatchLate"'],
                           "equal": ["cluster"]}],
        "receivers": [hook("all"), hook("batch")],
    }


def put_silence(url, begin, end, service):
    def stamp(at):
        return datetime.datetime.fromtimestamp(START + at, datetime.timezone.utc).isoformat()
    body = {"matchers": [{"name": "service", "value": service, "isRegex": False}],
            "startsAt": stamp(begin), "endsAt": stamp(end), "createdBy": "t", "comment": "planned"}
    answer = ask(f"{url}/api/v2/silences", data=json.dumps(body),
                 headers={"Content-Type": "application/json"})
    if answer.status != 200:
        sys.exit(f"silence refused: {answer.status} {answer.text}")


def drive(belfry, incidents, days):
    """Sends the values of each minute of the daemon's time until the month is over."""
    url = f"http://127.0.0.1:{belfry.web_port}"
    series = collections.defaultdict(list)
    for i in incidents:
        series[i.alert, tuple(sorted(i.labels.items()))].append(i)
    for cluster in CLUSTERS:
        series.setdefault(("ClusterDown", (("cluster", cluster),)), [])
    worst = 0
    while True:
        now = json.loads(ask(f"{url}/api/belfry/v1/debug/clock").body)["data"]["unix_ms"] / 1000
        since = now - START
        if since > days * DAY:
            return worst
        body = []
        for (alert, labels), planned in series.items():
            name, calm, bad = KINDS[alert]
            broken = any(i.start <= since < i.end for i in planned)
            body.append(({"__name__": name, **dict(labels)},
                         [(int(now * 1000), float(bad if broken else calm))]))
        answer = ask(f"{url}/api/v1/write", data=encode(body), headers=HEADERS)
        if answer.status not in (200, 204):
            sys.exit(f"samples refused: {answer.status} {answer.text}")
        after = json.loads(ask(f"{url}/api/belfry/v1/debug/clock").body)["data"]["unix_ms"] / 1000
        worst = max(worst, after - now)


def told(inbox):
    """{(receiver, labels): [(state, began since START, why it was told)]}, by the times in the messages."""
    story = collections.defaultdict(list)
    for _, _, receiver, body in inbox.messages:
        reason = body["notification_reason"]
        for alert in body["alerts"]:
            labels = {k: v for k, v in alert["labels"].items() if k != "severity"}
            at = datetime.datetime.fromisoformat(alert["startsAt"].replace("Z", "+00:00"))
            story[receiver, tuple(sorted(labels.items()))].append(
                (alert["status"], at.timestamp() - START, reason))
    return story


def judge(incidents, silences, story, days):
    """Compares the plan with what was told."""
    wrong, counts = [], collections.Counter()
    open_since = set()  # series of which people know that they fire: the end was held back so far
    for incident in sorted(incidents, key=lambda i: i.start):
        spans = suppressions(incident, incidents, silences, days)
        receiver = "batch" if incident.alert == "BatchLate" else "all"
        key = receiver, tuple(sorted({"alertname": incident.alert, **incident.labels}.items()))
        heard = [m for m in story.get(key, []) if incident.start <= m[1] < incident.end + SLACK]
        mine = [m[0] for m in heard]
        firing, resolved = mine.count("firing"), mine.count("resolved")
        counts["incidents"] += 1
        late_end = key in open_since and mine[:1] == ["resolved"]
        if resolved > 0:
            open_since.discard(key)
        elif firing > 0:
            open_since.add(key)
        if wholly_inside(incident, spans):
            counts["held back"] += 1
            if mine and not (late_end and mine == ["resolved"]):
                wrong.append(f"told of although held back: {incident}: {mine}")
        elif not touches(incident, spans):
            counts["free"] += 1
            repeats = int((incident.end - incident.start) // (4 * HOUR))
            if resolved != 1 or not repeats <= firing - 1 <= repeats + (
                    (incident.end - incident.start) % (4 * HOUR) > 4 * HOUR - SLACK):
                # a repeat just before the end may or may not fall into the incident
                if resolved != 1 or not max(0, repeats - 1) <= firing - 1 <= repeats:
                    wrong.append(f"{firing} x firing, {resolved} x resolved: {incident}: "
                                 f"{[(s, round(at - incident.start), r) for s, at, r in heard]}")
        else:
            counts["overlapping"] += 1
            if resolved > 1 or (resolved == 1 and firing == 0 and not late_end):
                wrong.append(f"{firing} x firing, {resolved} x resolved: {incident}")
        counts["firing messages"] += firing
        counts["resolved messages"] += resolved
    all_told = sum(map(len, story.values()))
    if all_told != counts["firing messages"] + counts["resolved messages"]:
        wrong.append(f"{all_told} alerts were told, "
                     f"{counts['firing messages'] + counts['resolved messages']} belong to the plan")
    return wrong, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--speed", type=float, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    incidents = plan(args.days, draw)
    silences = [(d * DAY + 6 * HOUR, d * DAY + 18 * HOUR, draw.choice(SERVICES))
                for d in range(2, args.days, 3)]
    inbox = Inbox()
    # a request that takes 0.1 s is minutes of the daemon's time: no series may seem gone
    config = {"global": {"evaluation_interval": "1m"}, "query": {"lookback_delta": "1d"},
              **routing(inbox)}
    env = {"BELFRY_TEST": "1", "BELFRY_CLOCK": f"{int(START * 1000)},{args.speed}"}
    began = time.time()
    with Belfry(config, rules={"rules.yml": RULES}, statsd=False, env=env) as belfry:
        for begin, end, service in silences:
            put_silence(f"http://127.0.0.1:{belfry.web_port}", begin, end, service)
        worst = drive(belfry, incidents, args.days)
        time.sleep(2)
        missed = [line for line in
                  ask(f"http://127.0.0.1:{belfry.web_port}/metrics").text.splitlines()
                  if line.startswith("belfry_rule_group_iterations_missed_total")]
    wrong, counts = judge(incidents, silences, told(inbox), args.days)
    print(f"{args.days} days in {time.time() - began:.0f} s; slowest request {worst:.0f} s of "
          f"the daemon's time; {dict(counts)}; {missed}")
    for line in wrong:
        print("  ", line)
    print(f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
