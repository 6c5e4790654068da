#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The query API's parameters: belfry's answers beside those of Prometheus 3.5.

usage: api_diff.py [--peers DIR] [--all]

A table of requests (times, steps, limits, missing, doubled and unknown parameters, forms, names in
UTF-8, bad selectors) is asked of both over the plain data of promql_diff_data.py. Equal means the
same HTTP status, status, errorType, resultType, labels, values, and whether there are warnings;
texts are not compared. What differs on purpose stands in ON_PURPOSE with its reason. Without a
Prometheus 3.x nothing is run. Exit status 1 when anything else differs.
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import sys
from urllib.parse import parse_qs, quote

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
# pylint: disable=wrong-import-position
from lib.belfry import Belfry  # noqa: E402
import promql_diff  # noqa: E402
from promql_diff_compare import compare  # noqa: E402
import promql_diff_data as data  # noqa: E402

T = data.START // 1000 + 1800
ISO = "2023-11-14T22:43:00"
FORM = "application/x-www-form-urlencoded"

TIMES = ("", str(T), f"{T}.5", f"{T}.0004", f"{T}.9996", f"+{T}", f"-{T}", "1.7e9", "0", "-1", "1e3", "1e10", "1e12",
         "1e15", "9e15", "1e17", "1e18", "9.3e18", "1e19", "1e300", "-1e19", "-1e300", "NaN", "Inf", "-Inf", "inf",
         "infinity", "0x10", "0x1p3", "1_000", "1e", "abc", " 5", "5 ", "5m", "now", f"{ISO}Z", f"{ISO}z", f"{ISO}.25Z",
         f"{ISO}.123456789Z", f"{ISO}+01:00", f"{ISO}-23:59", f"{ISO}+24:00", f"{ISO}", "2023-11-14", "2023-11-14 22:43:00Z",
         "2023-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T23:59:60Z",
         "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z",
         "10000-01-01T00:00:00Z", "-292273086-05-16T16:47:06Z", "292277025-08-18T07:12:54.999999999Z", "1,5", "１",
         ".5", "5.", "1.7E9", "2023-11-14T22:43Z", f"{ISO}.Z", f"{ISO},5Z", "0b11", "0o17", "1__0", "\x00", "é")
STEPS = ("", "0", "-1", "1", "15", "0.5", "0.001", "0.0004", "0.0005", "1e-9", "60", "1e9", "9e9", "9.3e9", "1e10", "1e300", "NaN",
         "Inf", "-Inf", "1m", "1m30s", "30s1m", "1.5m", "1h30m", "90", "5m ", " 5m", "1ms", "999ms", "1us", "0s", "-5m", "+5m",
         "1y", "292y", "293y", "1w2d", "m", "5", "05", "0x10", "1_0", "1e2", "abc", "5x", "1d1d", "1M", "1S")
LIMITS = ("", "0", "1", "2", "10000", "-1", "+1", "1.5", "abc", "9223372036854775807", "9223372036854775808",
          "18446744073709551615", "99999999999999999999", " 1", "0x1", "1e1", "-0", "1_0")
SELECTORS = ("up", "nosuch", "{}", '{job=""}', '{job=~".*"}', '{job=~".+"}', '{job!=""}', '{job!~".*"}', 'up{job="api"}',
             '{__name__="up"}', '{__name__=~"up|temp"}', '{"utf8.metric name"}', '{"label.a"="x y"}', "up{", "up[5m]",
             "up offset 5m", "up @ 5", "sum(up)", "", " ", "up{job=api}", 'up{job=~"("}', '{__name__=~"(?i)UP"}', "1", '"up"',
             'up{__name__="temp"}', '{job="api",}', "{up}", "up # comment", "(up)", "-up", 'up{job="\\xff"}', "up or up")
QUERIES = ("", " ", "1", "1+1", '"a"', "up", "up[1m]", "nosuch", "up{", "time()", "vector(1)", "sum(up)", "{}", "rate(up)", "up == 1",
           "1/0", "0/0", "-1/0", "1e21", "1e-7", "123456789.125", "up * on(job) up", 'label_replace(up,"instance","","","")', "foo bar", "\x00", "\xff",
           "# only a comment", 'count_values("a b", up)', 'count_values("", up)', "scalar(up)", "up[1h:1m]", "nh_seconds", "nh_seconds[2m]",
           "mixed[5m]", "sort_desc(temp)", "topk(2, temp)", '{"utf8.metric name"}', "up @ 1e30", "up @ NaN", "up offset 300y",
           "up offset 290y", "up[290y]", "up[293y]", "up[1ms]", "up[0s]", "up[5m:]", "up[5m:0s]",
           'label_join(up, "a b", "-", "job")', 'label_join(up, "", "-", "job")', 'label_replace(up, "a", "$1", "job", "(")',
           "histogram_quantile(0.9, lat_seconds_bucket)", "quantile(2, up)", "absent(nosuch)", "pi()", "+up", "-(1)", "- -1", "Inf", "NaN",
           "up{job=\"api\",job=\"web\"}", "up + up", "up + ignoring(job, instance) up", "limitk(1, up)", "limit_ratio(2, up)", "topk(1e30, up)",
           "topk(NaN, up)", "start()", "up offset -5m", "timestamp(up)", "day_of_week()", "count_over_time(stale_gauge[30m])", "bare", "weird")
NAMES = ("job", "__name__", "nosuch", "label.a", "U__label_2e_a", "U__label_2E_a", "U__", "U__a__b", "U___", "U__x_zz_", "a b", "1a", "_", "le", "é",
         "\xff", "job/", "", "a%2Fb", "U__job", "job:x")


def q(text):
    """Percent-encoded; characters to U+00FF that only stand for bytes ("\\xff") as such bytes."""
    return quote(text.encode("latin-1") if text == "\xff" else text.encode(), safe="")


def form(*pairs):
    return "&".join(f"{k}={q(v)}" for k, v in pairs)


def instant(**kw):
    base = {"query": "up", "time": str(T), **kw}
    return form(*base.items())


def ranged(**kw):
    base = {"query": "up", "start": str(T), "end": str(T + 300), "step": "60", **kw}
    return form(*base.items())


def get(path, query=""):
    return "GET", path + ("?" + query if query else ""), None, None


def post(path, body, kind=FORM, query=""):
    return "POST", path + ("?" + query if query else ""), body, kind


def of_values():
    """A parameter at a time, in all its forms."""
    for v in TIMES:
        if v:
            yield get("query", instant(query="vector(time())", time=v))
        yield get("query", instant(time=v))
        yield get("query_range", ranged(start=v))
        yield get("query_range", ranged(end=v))
        for path, more in (("series", "match[]=up&"), ("labels", ""), ("label/job/values", "")):
            yield get(path, more + form(("start", v)))
            yield get(path, more + form(("end", v)))
            yield get(path, more + form(("start", v), ("end", v)))
    for v in STEPS:
        yield get("query_range", ranged(step=v))
        yield get("query_range", ranged(query="vector(time())", end=str(T + 2), step=v))
        yield get("query", instant(query="count_over_time(temp[10m])", lookback_delta=v))
        yield get("query", instant(query="irregular", lookback_delta=v))
        yield get("query_range", ranged(query="irregular", lookback_delta=v))
        if v not in ("0.001", "0.0004", "0.0005", "1e-9", "1ms", "1us", "0", "-1", "0s", "-5m", "999ms", "0.5"):  # a race
            yield get("query", instant(timeout=v))
    for v in LIMITS:
        yield get("query", instant(limit=v))
        yield get("query_range", ranged(limit=v))
        yield get("query", instant(query="1", limit=v))
        yield get("query", instant(query="up[1m]", limit=v))
        for path, more in (("series", "match[]=up&"), ("labels", ""), ("label/instance/values", ""), ("metadata", "")):
            yield get(path, more + form(("limit", v)))
    for v in ("", "all", "1", "true", "false", "none", "ALL"):
        yield get("query", instant(stats=v))
        yield get("query_range", ranged(stats=v))


def of_texts():
    for v in QUERIES:
        yield get("query", instant(query=v))
        yield get("query_range", ranged(query=v))
        yield post("query", instant(query=v))
        for path in ("format_query", "parse_query", "query_exemplars"):
            yield get(path, form(("query", v)))
    for v in SELECTORS:
        for path in ("series", "labels", "label/job/values"):
            yield get(path, form(("match[]", v)))
            yield get(path, form(("match[]", v), ("match[]", "temp")))
            yield get(path, form(("match[]", v), ("start", str(T)), ("end", str(T + 60)), ("limit", "2")))
    for v in NAMES:
        path = "label/" + (v if "%" in v else q(v)) + "/values"
        yield get(path)
        yield get(path, "match[]=up")


def of_ranges():
    s = T
    for n in (10999, 11000, 11001, 12000):
        yield get("query_range", ranged(query="1", start=str(s), end=str(s + n), step="1"))
        yield get("query_range", ranged(query="1", start=str(s), end=str(s + n + 0.5), step="1"))
    for start, end in ((s, s), (s, s - 1), (s, s - 0.001), (s + 0.0001, s), (-1, 1), (0, 0), (-1e9, -1e9), (1e15, 1e15),
                       (-1e15, -1e15), (-1e15, 1e15), (9.2e15, 9.3e15), (0, 1e9)):
        for step in ("1", "60", "1e9", "100y"):
            yield get("query_range", ranged(query="vector(1)", start=repr(start), end=repr(end), step=step))
    for missing in ("query", "start", "end", "step"):
        args = {"query": "up", "start": str(T), "end": str(T + 300), "step": "60"}
        del args[missing]
        yield get("query_range", form(*args.items()))
        yield post("query_range", form(*args.items()))
    for wrong in (("x", "y", "z"), (str(T), "y", "0"), (str(T + 9), str(T), "x"), (str(T), str(T + 9), "x")):
        yield get("query_range", ranged(query="up{", start=wrong[0], end=wrong[1], step=wrong[2]))


def of_forms():
    yield get("query")
    yield post("query", "")
    yield get("query", instant() + "&unknown=1")
    yield get("query", "query=1&query=2&time=5")
    yield get("query", "query=1&time=5&time=x")
    yield get("query", "time=x&query=")
    yield get("query", "query=1%2B1&time=5")
    yield get("query", "query=1+%2B+1&time=5")
    yield get("query", "query=%zz&time=5")
    yield get("query", "query=1;time=5")
    yield get("query", "query=1&time=5&%zz=1")
    yield get("query", "query=1&&time=5&")
    yield get("query", "query=1&time=5&a;b=1")
    yield get("query", "QUERY=1&time=5")
    yield get("query", "&=&query=1&time=5&=x")
    yield post("query", "query=2", FORM, "query=1&time=5")
    yield post("query", "time=5", FORM, "query=1")
    yield post("query", "query=1&time=5", FORM + "; charset=utf-8")
    yield post("query", "query=1&time=5", FORM.upper())
    yield post("query", "query=1&time=5", "text/plain")
    yield post("query", '{"query":"1"}', "application/json")
    yield post("query", "query=1&time=5", None)
    yield post("query", "query=%zz&time=5")
    yield post("query", "query=1&time=5&x=%zz")
    yield post("query", "query=1;time=5")
    yield post("query", "a=1", "multipart/form-data; boundary=x", "query=1&time=5")
    yield post("query", '--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n1\r\n--x--\r\n', "multipart/form-data; boundary=x")
    yield post("series", "match[]=up&match[]=temp")
    yield post("series", "match%5B%5D=up")
    yield post("labels", "match[]=up")
    yield post("labels", "")
    yield post("label/job/values", "match[]=up")
    yield post("format_query", "query=1")
    yield post("parse_query", "query=1")
    yield post("query_exemplars", "query=up")
    yield get("series")
    yield get("series", "match=up")
    yield get("series", "match[]")
    yield get("series", "match[]=")
    yield post("series", "")
    yield get("series", f"match[]=up&start={T}&end={T - 1}")
    yield get("labels", f"start={T}&end={T - 1}")
    yield get("label/job/values", f"start={T}&end={T - 1}")
    yield get("query_exemplars", f"query=up&start={T}&end={T - 1}")
    yield get("query_exemplars", "query=up&start=x")
    yield get("format_query")
    yield get("parse_query")
    for method in ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        for path in ("query?query=1", "query_range", "series?match[]=up", "labels", "label/job/values"):
            yield method, path, None, None
    for path in ("nosuch", "query/", "label/job", "label/job/values/x", "Query", "label//values", ""):
        yield get(path)


# --- asking -------------------------------------------------------------------------------------

def ask(address, request):
    method, path, body, kind = request
    connection = http.client.HTTPConnection(address, timeout=30)
    headers = {"Content-Type": kind} if kind else {}
    connection.request(method, "/api/v1/" + path, body, headers)
    try:
        response = connection.getresponse()
    except TimeoutError:
        return {"status": "no answer"}
    text = response.read()
    connection.close()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {"status": "text"}
    answer["code"] = response.status
    answer["type"] = (response.getheader("Content-Type") or "").partition(";")[0]
    return answer


def differences(ours, theirs, expr):
    for key in ("code", "status", "errorType", "type"):
        if ours.get(key) != theirs.get(key):
            return f"{key} {ours.get(key)}, there {theirs.get(key)}"
    if ours["status"] != "success":
        return None
    for key in ("warnings", "infos"):
        if bool(ours.get(key)) != bool(theirs.get(key)):
            return f"{key} {ours.get(key)}, there {theirs.get(key)}"
    left, right = ours["data"], theirs["data"]
    if not isinstance(left, dict) or "resultType" not in left:
        key = json.dumps if isinstance(left, list) and left and isinstance(left[0], dict) else str
        if isinstance(left, list) and isinstance(right, list):
            left, right = (sorted(map(key, side)) for side in (left, right))
        return None if left == right or isinstance(left, dict) else f"{left}, there {right}"[:300]
    if ("stats" in left) != ("stats" in right):
        return "stats only in one"
    if "stats" in left and not left["stats"]["samples"].keys() >= right["stats"]["samples"].keys():
        return f"{left['stats']['samples']}, there {right['stats']['samples']}"
    if left["resultType"] != right["resultType"]:
        return f"{left['resultType']}, there {right['resultType']}"
    found = compare(ours, theirs, expr)
    return "; ".join(found)[:300] if found else None


WRAPPED = {"1e10", "1e12", "1e15", "9e15", "1e17", "1e18", "9.3e18", "1e19", "1e300", "-1e19", "-1e300", "Inf", "-Inf", "inf", "infinity",
           "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-292273086-05-16T16:47:06Z",
           "292277025-08-18T07:12:54.999999999Z", "-1000000000000000.0", "1000000000000000.0", "9200000000000000.0"}
GO_NUMBERS = {"NaN", "0x1p3", "1_000", f"{ISO}+24:00", f"{ISO},5Z", "1_0"}


def on_purpose(request, what):
    """Why these answers may differ, or None."""
    method, path, body, _ = request
    path, _, query = path.partition("?")
    args = parse_qs(query, keep_blank_values=True, encoding="latin-1")
    values = {v for vs in args.values() for v in vs}
    if values & WRAPPED:
        return "times that do not fit 64 bits of nanoseconds are clamped, there they wrap around"
    if values & GO_NUMBERS:
        return "numbers and times that only Go takes"
    code = what.rpartition(" ")[2] if what.startswith("code ") else ""  # Prometheus's
    if path == "query_exemplars" and code == "204":
        return "exemplars: always an empty list"
    if "ineffective" in what or what.startswith("warnings ['stats"):
        return "a warning of 3.14"
    if query == "query=start%28%29" or "start%28%29" in f"{query}{body}":
        return "an expression of 3.14"
    if "set twice" in what or values & {'up{__name__="temp"}'}:
        return "two names in a match[] are refused, as in a query"
    if method == "HEAD" or method == "PATCH" or code == "500":
        return "methods: HEAD is answered, an unknown one is 501"
    if code == "301" or "%2F" in path:
        return "paths are not cleaned; a name may have an escaped slash"
    if args.get("start") == [str(T)] and args.get("end") == [str(T - 1)]:
        return "an end before the start is refused everywhere"
    if body and body.startswith("--x"):
        return "multipart forms are not read"
    if {"0.0004", "0.0005", "1e-9"} & set(args.get("step", ())):
        return "a step below a millisecond is one millisecond, there an internal error"
    return None


def requests():
    for make in (of_values, of_texts, of_ranges, of_forms):
        yield from make()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--peers", default=os.environ.get("BELFRY_PEERS"))
    p.add_argument("--all", action="store_true", help="also what differs on purpose")
    args = p.parse_args()
    path, said = promql_diff.find_prometheus(args.peers)
    if path is None:
        print(f"skipped: {said}")
        return 0
    promql_diff.Prometheus.binary = path
    tally = collections.Counter()
    with Belfry(promql_diff.CONFIG, statsd=False) as belfry, promql_diff.Prometheus() as peer:
        promql_diff.load(belfry, peer, "plain")
        for request in requests():
            left, right = (ask(a, request) for a in (f"127.0.0.1:{belfry.web_port}", peer.address))
            what = differences(left, right, request[1])
            why = what and on_purpose(request, what)
            tally[why or ("different" if what else "equal")] += 1
            if what and (args.all or not why):
                errors = [a["error"].split("\n")[0] for a in (left, right) if a.get("error")]
                print(*(x for x in request if x is not None), f"\n    {what}   {errors}")
    for why, n in sorted(tally.items()):
        print(f"{n:8} {why}")
    print(f"belfry against {said}")
    return 1 if tally["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
