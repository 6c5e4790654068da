#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A month of incidents through the real daemon in minutes, its time going in steps.

usage: month.py [--days 30] [--seed 1] [--verbose]

At every minute of the daemon's time one remote write request brings the values of 64 series; each has
incidents of 15 minutes to 12 hours, some silenced, inhibited, or in the night (in Berlin's time,
across a change of its clocks). From the plan alone (tests/lib/incident_plan.py) follows at which evaluation
which alert pends and fires, and at which millisecond who is told what. Both must be so exactly; no
evaluation may be missed. The clock moves only when the daemon has nothing to do (base/steps.h), so
that this holds on any machine, however slow or busy.

Prints what was planned and told; exit status 1 when anything differs.
"""

import argparse
import collections
import datetime
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
# pylint: disable=wrong-import-position
from lib import incident_plan  # noqa: E402
from lib.belfry import Belfry  # noqa: E402
from lib.incident_plan import DAY, HOUR, KINDS, MINUTE, RULES, Plan  # noqa: E402
from lib.stepped import Ear, Stepped, env  # noqa: E402

# a Sunday in October 2026 has 25 hours in Berlin: the month spans it
START = datetime.datetime(2026, 10, 10, tzinfo=datetime.timezone.utc)


def month(days, seed):
    """The plan: about 1,500 incidents in 30 days, and every third day a silence."""
    draw = random.Random(seed)
    plan = Plan(draw, START, days, count=days, clusters_count=max(1, days // 5))
    for day in range(2, days, 3):
        begin = day * DAY + 6 * HOUR + 10 * MINUTE
        plan.silence(draw.choice(incident_plan.SERVICES), begin, begin + 12 * HOUR)
    return plan


def put_silences(clock, plan):
    def stamp(at):
        return (plan.start + datetime.timedelta(milliseconds=at)).isoformat()
    for service, begin, end in plan.silences:
        body = {"matchers": [{"name": "service", "value": service, "isRegex": False}],
                "startsAt": stamp(begin), "endsAt": stamp(end), "createdBy": "t",
                "comment": "planned"}
        clock.ask("POST", "/api/v2/silences", json.dumps(body).encode(),
                  {"Content-Type": "application/json"})


def drive(clock, plan, progress=None):
    """Lives through the plan."""
    for minute in range(plan.days * DAY // MINUTE + 1):
        clock.to(plan.start_ms + minute * MINUTE)
        at = plan.start_ms + minute * MINUTE
        clock.write([(labels, [(at, value)]) for labels, value in plan.values(minute)])
        if progress and minute % 1440 == 1439:
            progress(minute // 1440 + 1)


def offsets(belfry):
    """When in a minute each rule group is evaluated, ms."""
    found = {}
    for group in belfry.api("rules")["groups"]:
        at = datetime.datetime.fromisoformat(group["lastEvaluation"].replace("Z", "+00:00"))
        found[group["name"]] = round(at.timestamp() * 1000) % MINUTE
    return found


def seen_states(belfry, plan, offset):
    """As incident_plan.states(), from the series ALERTS."""
    found = collections.defaultdict(set)
    for name, phase in offset.items():
        alerts = "|".join(a for a, k in KINDS.items() if k[0] == name)
        for day in range(plan.days):
            begin = (plan.start_ms + day * DAY + (phase or MINUTE)) / 1000
            for one in belfry.query_range(f'ALERTS{{alertname=~"{alerts}"}}', f"{begin:.3f}",
                                          f"{begin + DAY / 1000 - 60:.3f}", 60):
                labels = {k: v for k, v in one["metric"].items()
                          if k not in ("__name__", "severity", "alertname", "alertstate")}
                key = (one["metric"]["alertname"], tuple(sorted(labels.items())),
                       one["metric"]["alertstate"])
                found[key].update(round(float(t) * 1000) - plan.start_ms for t, _ in one["values"])
    return found


def heard(ear, plan):
    """As incident_plan.messages(), from what came."""
    found = collections.defaultdict(list)
    for at, receiver, body in ear.messages:
        for alert in body["alerts"]:
            labels = {k: v for k, v in alert["labels"].items() if k not in ("severity", "alertname")}
            key = (receiver, alert["labels"]["alertname"], tuple(sorted(labels.items())))
            found[key].append((at - plan.start_ms, alert["status"]))
    return found


def compare(plan, wanted, got, offset):
    """Lines that say what differs, by incident."""
    wrong = {}
    for key in sorted(set(wanted) | set(got)):
        want, have = collections.Counter(wanted.get(key, [])), collections.Counter(got.get(key, []))
        for sign, some in (("missing", want - have), ("too many", have - want)):
            for at, state in some.elements():
                before = [i for i in plan.of(key[1:]) if i.start <= at]
                wrong.setdefault(before[-1] if before else key, []).append(
                    f"{sign}: {state} at day {at / DAY:.4f} ({at} ms)")
    return [f"{i} ({incident_plan.kind(plan, i, offset) if hasattr(i, 'alert') else '?'}): "
            f"{sorted(lines)}" for i, lines in wrong.items()]


class Outcome:
    """What a run gave: .wrong (lines), .counts, .missed (evaluations), .seconds."""

    def __init__(self):
        self.wrong, self.counts = [], collections.Counter()
        self.missed, self.seconds = None, 0.0


def live(plan, progress=None):
    """The plan through a daemon of its own."""
    out, began = Outcome(), time.monotonic()
    with Ear() as ear:
        config = {"storage": {"retention": "0"}, **incident_plan.config(ear.url)}
        with Belfry(config, rules={"rules.yml": RULES}, statsd=False,
                    env=env(plan.start_ms)) as belfry, Stepped(belfry) as clock:
            ear.port = belfry.web_port
            put_silences(clock, plan)
            drive(clock, plan, progress)
            offset = offsets(belfry)
            out.missed = belfry.metric("belfry_rule_group_iterations_missed_total")
            out.counts["evaluations"] = int(belfry.metric("belfry_rule_evaluations_total"))
            states = seen_states(belfry, plan, offset)
        wanted = incident_plan.messages(plan, offset)
        out.wrong = compare(plan, wanted, heard(ear, plan), offset)
    planned = incident_plan.states(plan, offset)
    for key in sorted(set(planned) | set(states)):
        odd = planned.get(key, set()) ^ states.get(key, set())
        if odd:
            out.wrong.append(f"{key}: {len(odd)} evaluations found another state, "
                             f"first at {min(odd)} ms")
    out.counts.update(incident_plan.kind(plan, i, offset) for i in plan.incidents)
    out.counts["messages"] = sum(map(len, wanted.values()))
    out.counts["states"] = sum(map(len, planned.values()))
    out.seconds = time.monotonic() - began
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    plan = month(args.days, args.seed)
    out = live(plan, (lambda day: print(f"day {day}", flush=True)) if args.verbose else None)
    for line in out.wrong:
        print("  ", line)
    print(f"{args.days} days in {out.seconds:.0f} s: {len(plan.incidents)} incidents, "
          f"{dict(out.counts)}, {out.missed:.0f} evaluations missed, {len(out.wrong)} differ")
    return 1 if out.wrong or out.missed else 0


if __name__ == "__main__":
    sys.exit(main())
