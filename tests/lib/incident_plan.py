# SPDX-License-Identifier: Apache-2.0
"""Planned incidents, and from the documents (docs/reference/rules.md, alerting.md) alone: which
alerts must pend and fire at which evaluation, and who must be told what at which millisecond.

All times are ms since the plan's start, which is a whole minute. At every minute a value of each
series is sent; a series' incident is the stretch in which its value is bad. Rule groups are
evaluated once a minute, each at its own offset. Every alert is a group of its own.
"""

import datetime
import zoneinfo

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
CLUSTERS = ("c1", "c2", "c3", "c4")
SERVICES = ("shop", "search", "pay", "mail", "auth")
GROUP_WAIT, GROUP_INTERVAL, REPEAT = MINUTE, 5 * MINUTE, 4 * HOUR

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
# alert: rule group, `for` in minutes, severity, receiver, series, its calm and its bad value
KINDS = {
    "LatencyHigh": ("month", 2, "warning", "all", "latency_seconds", 0.1, 0.9),
    "ErrorsHigh": ("month", 0, "critical", "all", "errors_ratio", 0.0, 0.3),
    "BatchLate": ("month", 5, "info", "batch", "batch_age_seconds", 60.0, 9000.0),
    "ClusterDown": ("clusters", 0, "critical", "all", "cluster_up", 1.0, 0.0),
}
INHIBITED = ("LatencyHigh", "BatchLate")  # by ClusterDown of the same cluster


def config(url):
    """Routes and receivers of the plan."""
    def hook(name):
        return {"name": name,
                "webhook_configs": [{"url": f"{url}/{name}", "send_resolved": True}]}
    return {
        "global": {"evaluation_interval": "1m"},
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


class Incident:
    """One stretch of one series."""

    def __init__(self, alert, labels, start, end):
        self.alert, self.labels, self.start, self.end = alert, labels, int(start), int(end)
        self.first_bad = -(-self.start // MINUTE)  # minutes whose value is bad: this one ...
        self.first_calm = -(-self.end // MINUTE)   # ... until before this one

    @property
    def key(self):
        return self.alert, tuple(sorted(self.labels.items()))

    def __repr__(self):
        return (f"{self.alert} {self.labels} day {self.start / DAY:.2f} for "
                f"{(self.end - self.start) / HOUR:.1f} h")


class Plan:
    """lengths, first, gap: hours, each drawn from these."""

    def __init__(self, draw, start, days, *, count, clusters_count, lengths=(0.25, 1, 3, 10),
                 first=(1, 24), gap=(2, 48), tail=6 * HOUR):
        self.start, self.days = start, days  # start: a datetime, whole minutes
        self.start_ms = int(start.timestamp() * 1000)
        self.incidents, self.silences = [], []
        self.series = [("ClusterDown", {"cluster": c}) for c in CLUSTERS]
        self.series += [(a, {"cluster": c, "service": s}) for c in CLUSTERS for s in SERVICES
                        for a in ("LatencyHigh", "ErrorsHigh", "BatchLate")]
        for alert, labels in self.series:
            at = draw.uniform(*first) * HOUR
            for _ in range(clusters_count if alert == "ClusterDown" else count):
                length = draw.choice(lengths) * draw.uniform(1, 1.2) * HOUR
                if at + length > days * DAY - tail:
                    break
                self.incidents.append(Incident(alert, labels, at, at + length))
                at += length + draw.uniform(*gap) * HOUR

    def silence(self, service, begin, end):
        self.silences.append((service, int(begin), int(end)))

    def of(self, key):
        return [i for i in self.incidents if i.key == key]

    def nights(self):
        """20:00-07:00 Berlin's time."""
        day = self.start.astimezone(BERLIN).date() - datetime.timedelta(days=1)
        found = []
        for _ in range(self.days + 3):
            begin = datetime.datetime.combine(day, datetime.time(20), BERLIN)
            day += datetime.timedelta(days=1)
            end = datetime.datetime.combine(day, datetime.time(7), BERLIN)
            found.append(tuple(int(t.timestamp() * 1000) - self.start_ms for t in (begin, end)))
        return found

    def values(self, minute):
        """[(labels, value)] of all series at this minute."""
        bad = {i.key for i in self.incidents if i.first_bad <= minute < i.first_calm}
        for alert, labels in self.series:
            name, calm, broken = KINDS[alert][4:]
            yield {"__name__": name, **labels}, (
                broken if (alert, tuple(sorted(labels.items()))) in bad else calm)


# --- alerts --------------------------------------------------------------------------------------

def slot(offset, minute):
    """The evaluation that sees this minute's value: the first one after it."""
    return minute * MINUTE + (offset or MINUTE)


def fires(incident, offset):
    return slot(offset, incident.first_bad + KINDS[incident.alert][1])


def ends(incident, offset):
    return slot(offset, incident.first_calm)


def states(plan, offsets):
    """{(alert, labels, state): set of the evaluations that find it so}."""
    found = {}
    for i in plan.incidents:
        group, wait = KINDS[i.alert][:2]
        fired = i.first_bad + wait
        for state, begin, end in (("pending", i.first_bad, min(fired, i.first_calm)),
                                  ("firing", fired, i.first_calm)):
            for minute in range(begin, end):
                found.setdefault((*i.key, state), set()).add(slot(offsets[group], minute))
    return found


# --- messages ------------------------------------------------------------------------------------

def within(spans, at):
    return any(begin <= at < end for begin, end in spans)


class Group:
    """An alert's group, as docs/reference/alerting.md has it: what is told at which moment."""

    def __init__(self, quiet, nights):
        self.quiet, self.nights = quiet, nights  # spans: silenced or inhibited; muted
        self.told = []
        self.firing = False
        self.forget()

    def forget(self):
        self.there = self.known = False  # known: receivers were told that it fires
        self.flushed = self.told_at = self.due = None

    def by(self, at):
        self.due = at if self.due is None else min(self.due, at)

    def news(self, at):
        """What people are to be told now, if anything."""
        if not self.firing:
            return "resolved" if self.known else None
        if within(self.quiet, at):
            return None
        if not self.known or at - self.told_at >= REPEAT:
            return "firing"
        return None

    def flush(self, at):
        self.due = None
        self.flushed = at
        muted = within(self.nights, at)
        news = None if muted else self.news(at)
        if news:
            self.told.append((at, news))
            self.told_at, self.known = at, news == "firing"
        if not self.firing and not (muted and self.known):
            self.forget()
        elif self.firing and not muted and self.known and not within(self.quiet, at):
            self.by(self.told_at + REPEAT)

    def take(self, at, what):
        if what == "fires":
            self.firing = True
            if not self.there:
                self.there = True
                self.by(at + GROUP_WAIT)
            else:
                self.by(max(at + GROUP_WAIT, self.flushed + GROUP_INTERVAL))
        elif what == "ends":
            self.firing = False
            self.by(at if self.flushed is not None else at + GROUP_WAIT)
        elif not self.there:
            return
        elif what == "unmuted":
            if self.news(at):
                self.by(at)
        elif self.firing and not within(self.quiet, at):
            self.by(at + (GROUP_WAIT if what == "unsilenced" else GROUP_INTERVAL))

    def run(self, events, until):
        for at, what in [*sorted(events), (until, None)]:
            while self.due is not None and self.due < at:
                self.flush(self.due)
            if what:
                self.take(at, what)
            while self.due is not None and self.due <= at:
                self.flush(self.due)
        return self.told


def quiet_spans(plan, key, offsets):
    """(silenced, inhibited) spans of an alert."""
    alert, labels = key
    silenced = [(b, e) for service, b, e in plan.silences if ("service", service) in labels]
    inhibited = []
    if alert in INHIBITED:
        source = ("ClusterDown", tuple(p for p in labels if p[0] == "cluster"))
        inhibited = [(fires(i, offsets["clusters"]), ends(i, offsets["clusters"]))
                     for i in plan.of(source)]
    return silenced, inhibited


def messages(plan, offsets):
    """{(receiver, alert, labels): [(ms, state)]} that must be told."""
    found = {}
    for key in {i.key for i in plan.incidents}:
        group, _, _, receiver = KINDS[key[0]][:4]
        silenced, inhibited = quiet_spans(plan, key, offsets)
        nights = plan.nights() if receiver == "batch" else []
        events = [(fires(i, offsets[group]), "fires") for i in plan.of(key)]
        events += [(ends(i, offsets[group]), "ends") for i in plan.of(key)]
        events += [(e, "unsilenced") for _, e in silenced]
        events += [(e, "uninhibited") for _, e in inhibited]
        events += [(e, "unmuted") for _, e in nights]
        found[(receiver, *key)] = Group(silenced + inhibited, nights).run(events, plan.days * DAY)
    return found


def kind(plan, incident, offsets):
    """What the plan has for it: "free", "held back" (wholly) or "overlapping"."""
    silenced, inhibited = quiet_spans(plan, incident.key, offsets)
    spans = silenced + inhibited
    if KINDS[incident.alert][3] == "batch":
        spans += plan.nights()
    begin = fires(incident, offsets[KINDS[incident.alert][0]])
    end = ends(incident, offsets[KINDS[incident.alert][0]])
    if not any(b < end and begin < e for b, e in spans):
        return "free"
    at = begin
    for b, e in sorted(spans):
        if b <= at < e:
            at = e
    return "held back" if at >= end else "overlapping"
