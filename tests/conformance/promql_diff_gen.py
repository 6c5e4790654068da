# SPDX-License-Identifier: Apache-2.0
"""Random valid PromQL over the data set of promql_diff_data.py, of the language that Prometheus
3.5 (with its experimental functions and duration expressions) and belfry both know.

    Gen(seed).expression()        # the same for a seed

Types are respected, and most binary operators match one to one or many to one, so that few
expressions are mere errors; a share of careless ones keeps the errors compared too.
"""

import functools
import random
import re

from promql_diff_data import END, SPAN, START

SERVICE = ("job", "instance")
#             name: (kind, its labels); kinds: c counter, g gauge, b buckets, h histogram, x mixed
METRICS = {
    "http_requests_total": ("c", ("job", "instance", "code", "method")),
    "errors_total": ("c", SERVICE), "cpu_seconds_total": ("c", SERVICE),
    "lat_seconds_count": ("c", SERVICE), "lat_seconds_sum": ("c", SERVICE),
    "slow_total": ("c", ("job",)),
    "up": ("g", SERVICE), "mem_bytes": ("g", ("job", "instance", "zone")),
    "temp": ("g", ("room", "floor")), "weird": ("g", ("kind",)), "sparse": ("g", ("i",)),
    "irregular": ("g", ("i",)), "stale_gauge": ("g", ("i",)), "bare": ("g", ()),
    "once": ("g", ()), "target_info": ("g", ("job", "instance", "region", "version")),
    "build_info": ("g", ("job", "instance", "rev")), "absent_metric": ("g", ("job",)),
    "utf8.metric name": ("g", ("label.a", "job")),
    "lat_seconds_bucket": ("b", ("job", "instance", "le")),
    "nh_seconds": ("h", SERVICE), "nhcb_seconds": ("h", SERVICE), "nh_gauge": ("h", ("i",)),
    "nh_changing": ("h", ("i",)), "mixed": ("x", ("i",)),
}
HISTOGRAMS = {  # of promql_diff_histograms.py
    "nh_resets": ("h", SERVICE), "nh_hints": ("h", SERVICE), "nh_schemas": ("h", ("i",)),
    "nh_zero": ("h", ("i",)), "nh_signs": ("h", ("i",)), "nh_floats": ("h", SERVICE),
    "nh_stale": ("h", ("i",)), "nh_gauges": ("h", ("i",)), "nh_odd": ("h", ("kind",)),
    "nhcb_moving": ("h", ("i",)), "nhcb_seconds": ("h", SERVICE), "mixed": ("x", ("i",)),
    "mixed_stale": ("x", ("i",)), "restarts_total": ("c", SERVICE), "churn_total": ("c", ("job", "rev")),
    "stale_total": ("c", ("i",)), "large_total": ("c", ("i",)), "level": ("g", ("i",)),
    "stale_level": ("g", ("i",)), "up": ("g", SERVICE), "lat_seconds_bucket": ("b", ("job", "instance", "le")),
    "target_info": ("g", ("job", "instance", "region")), "absent_metric": ("g", ("job",)),
}
WORLDS = {"plain": METRICS, "histograms": HISTOGRAMS}
VALUES = {
    "job": ("api", "web"), "instance": ("a:1", "b:2", "c:3"), "code": ("200", "404", "500"),
    "method": ("GET", "POST"), "zone": ("z1", "z2"), "room": ("attic", "cellar", "hall"),
    "floor": ("1", "2"), "i": ("0", "1", "2", "3"), "region": ("eu", "us"), "rev": ("r1", "r2"),
    "kind": ("nan", "inf", "ninf", "mix", "zero", "tiny", "huge", "const"),
    "version": ("1.0", "1.1", "1.2"), "le": ("0.1", "1", "2.5", "+Inf"), "label.a": ("x y",),
}
SIMPLE = ("abs ceil exp floor ln log10 log2 sgn sqrt acos acosh asin asinh atan atanh cos cosh "
          "sin sinh tan tanh deg rad timestamp sort sort_desc absent").split()
DATES = "day_of_month day_of_week day_of_year days_in_month hour minute month year".split()
COUNTER = "rate increase irate resets changes".split()
OF_ANY = ("count_over_time present_over_time last_over_time absent_over_time resets changes "
          "ts_of_last_over_time min_over_time max_over_time stddev_over_time irate").split()
OVER_TIME = ("avg min max sum count last present stddev stdvar absent mad ts_of_max ts_of_min "
             "ts_of_last").split()
OF_HISTOGRAM = "avg count sum stddev stdvar".split()
AGGREGATIONS = "sum avg min max count group stddev stdvar".split()
ARITHMETIC = "+ - * / % ^ atan2".split()
COMPARISONS = "== != < <= > >=".split()
LOOKBACKS = (None, None, None, None, None, "30s", "1m", "20m")
RANGES = ("30s", "1m", "90s", "2m", "5m", "5m1s", "10m", "17m", "1h", "15s", "1m30s", "300")


def quoted(name):
    return f'"{name}"' if not name.replace("_", "").isalnum() else name


def noting(make):
    """Remembers what the method makes in self.parts: the expressions inside the expression."""
    @functools.wraps(make)
    def noted(self, *args, **kw):
        text = make(self, *args, **kw)
        self.parts.append(text)
        return text
    return noted


class Gen:
    """One expression's generator; parts are its inner expressions (and some that were not used)."""

    def __init__(self, seed, world="plain"):
        self.r = random.Random(seed)
        self.parts = []
        self.metrics = WORLDS[world]
        self.native = 0.6 if world == "histograms" else 0.15

    def chance(self, p):
        return self.r.random() < p

    def pick(self, seq):
        return self.r.choice(seq)

    def expression(self):
        depth = self.pick((1, 2, 2, 3, 3, 3, 4))
        x = self.r.random()
        if x < 0.03:
            return self.scalar(depth)
        if x < 0.05:
            return self.matrix(depth)
        if x < 0.05 + self.native:
            return self.histograms(depth)
        return self.vector(depth)

    # -- leaves --------------------------------------------------------------------------

    def number(self):
        r = self.r
        return self.pick((
            lambda: str(r.randrange(20)), lambda: str(round(r.uniform(-5, 5), 3)), lambda: "1e3",
            lambda: "-" + str(r.randrange(9)), lambda: "0x1F", lambda: "1_000", lambda: "5m",
            lambda: self.pick(("Inf", "-Inf", "NaN", "0", ".5", "1e-3", "+2", "1h30m")),
        ))()

    def metric(self, kinds):
        if self.chance(0.12):
            kinds = "cgbhx"
        return self.pick([m for m, (kind, _) in self.metrics.items() if kind in kinds])

    def matchers(self, name):
        out = []
        labels = self.metrics[name][1]
        while labels and self.chance(0.35) and len(out) < 3:
            label = self.pick(labels)
            value = self.pick(VALUES[label])
            out.append(quoted(label) + self.pick((
                f'="{value}"', f"=~'{value[0]}.*'", f'!="{value}"', f'=~"{value}|zz"', '=~".+"',
                f'!~"{value}|x.*"', '!=""', f'=~"(?i){value.upper()}"', f'=~"{value}|"', '=~""',
                f'!~"|{value}"', f'=~"^{value[0]}.+$"', f'=~"(zz|{value[0]})(.*)"', '!~".+"',
                f'=~".*{value[-1]}"', f'=~"[{value[0]}-z0-9:+.]+"', '=""')))
        if self.chance(0.03):
            out.append(self.pick(('nosuch=""', 'nosuch!="x"', 'nosuch=~".*"', 'nosuch!~".+"')))
        return out

    @noting
    def selector(self, kinds="cg", plain=False):
        name = self.metric(kinds)
        matchers = self.matchers(name)
        if quoted(name) != name:
            text = "{" + ",".join([quoted(name)] + matchers) + "}"
        elif self.chance(0.03):
            some = self.pick(("up|temp", "lat_.*_count|bare", name, name + "|up"))
            text = '{__name__=~"' + some + '"' + "".join(", " + m for m in matchers) + "}"
        else:
            text = name + ("{" + ", ".join(matchers) + "}" if matchers else "")
        return text if plain else text + self.when()

    def when(self):
        """Offset and @, often neither."""
        parts = []
        if self.chance(0.12):
            parts.append("offset " + self.pick(("1m", "5m", "-1m", "7m13s", "-10m", "30", "0s", "15s")))
        if self.chance(0.1):
            at = START + self.r.randrange(SPAN)
            parts.append("@ " + self.pick((f"{at / 1000:.3f}", "start()", "end()", f"{at // 1000}")))
        self.r.shuffle(parts)
        return "".join(" " + p for p in parts)

    def duration(self, short=False):
        text = self.pick(RANGES[:7] if short else RANGES)
        if self.chance(0.03):
            return self.pick((f"{text}*2", "1m+30s", "10m/4", "2^7", "-(-90)"))
        return text

    @noting
    def matrix(self, depth, kinds="cg"):
        if depth > 1 and self.chance(0.3):
            if "h" in kinds:
                inner = self.histograms(depth - 1)
            else:
                inner = self.pick((self.vector, self.vector, self.scalar))(depth - self.pick((1, 2)))
            step = self.pick(("", "30s", "1m", "77s", "15s", "5m"))
            width = self.pick(("5m", "10m", "3m", "23m", "1m", "15s"))
            return f"({inner})[{width}:{step}]" + self.when()
        return self.selector(kinds, plain=True) + f"[{self.duration()}]" + self.when()

    # -- scalars -------------------------------------------------------------------------

    @noting
    def scalar(self, depth):
        if depth <= 0 or self.chance(0.4):
            return self.pick((self.number(), self.number(), "time()", "pi()"))
        x = self.r.random()
        if x < 0.3:
            return f"scalar({self.vector(depth - 1)})"
        if x < 0.4:
            return "-" + self.scalar(depth - 1)
        op = self.pick(ARITHMETIC + [c + " bool" for c in COMPARISONS])
        return f"({self.scalar(depth - 1)} {op} {self.scalar(depth - 1)})"

    def quantile(self, depth):
        if self.chance(0.15):
            return self.pick(("NaN", "-0.1", "1.5", self.scalar(depth - 1)))
        return self.pick(("0", "0.5", "0.9", "0.99", "1", "0.25"))

    # -- vectors of floats -----------------------------------------------------------------

    @noting
    def vector(self, depth):
        if depth <= 0:
            return self.selector()
        return self.pick((
            self.of_range, self.of_range, self.of_range, self.function, self.function,
            self.aggregation, self.aggregation, self.aggregation, self.binary, self.binary,
            self.binary, self.set_operation, self.of_histogram, self.of_histogram,
            self.with_labels, self.unary, self.chain, self.grouped, lambda d: self.selector(),
        ))(depth)

    def unary(self, depth):
        inner = self.vector(depth - 1)
        return self.pick(("-(%s)", "+(%s)", "(%s)", "-%s")) % inner

    @noting
    def chain(self, depth):
        """Operators of several precedences without parentheses."""
        terms = [self.pick((self.selector, self.selector, lambda: "-" + self.selector(), self.number,
                            lambda: "-" + self.number(), lambda: self.vector(depth - 2)))()
                 for _ in range(self.r.randrange(2, 5))]
        terms[self.r.randrange(len(terms))] = self.selector()
        text = terms[0]
        for term in terms[1:]:
            if is_scalar(term) or is_scalar(text):
                op = self.pick(ARITHMETIC)
            else:
                op = self.operator() if self.chance(0.7) else self.pick(("and", "or", "unless"))
                op += self.pick(("", "", " on(job)", " on()", " ignoring(code, le, i)"))
            text += f" {op} {term}"
        return text

    @noting
    def grouped(self, depth):
        """Many to one between any two vectors, the one side made one by an aggregation."""
        many = self.operand(depth - 1)
        names = [n for n in VALUES if n in self.labels_below(many)] or ["job"]
        on = self.r.sample(names, self.r.randrange(0, min(2, len(names)) + 1))
        right = self.pick((many, self.vector(depth - 1)))
        by = ", ".join(map(quoted, on + (["region"] if self.chance(0.2) else [])))
        one = f"{self.pick(AGGREGATIONS)} by ({by}) ({right})"
        extra = self.pick(("", "", "region", "job", "nosuch", "__name__"))
        if extra in on:
            extra = ""
        match = f"on({', '.join(map(quoted, on))})"
        if self.chance(0.5):
            return f"{many} {self.operator()} {match} group_left({extra}) {one}"
        return f"{one} {self.operator()} {match} group_right({extra}) {many}"

    @noting
    def of_range(self, depth):
        x = self.r.random()
        if x < 0.38:
            return f"{self.pick(COUNTER)}({self.matrix(depth, 'c')})"
        if x < 0.5:
            return f"{self.pick(('delta', 'idelta', 'deriv'))}({self.matrix(depth, 'g')})"
        if x < 0.56:
            return f"predict_linear({self.matrix(depth, 'g')}, {self.scalar(depth - 2)})"
        if x < 0.6:
            return (f"double_exponential_smoothing({self.matrix(depth, 'g')}, "
                    f"{self.pick(('0.5', '0.1', '0.9', '0.3'))}, {self.pick(('0.5', '0.2', '1'))})")
        if x < 0.68:
            return f"quantile_over_time({self.quantile(depth)}, {self.matrix(depth)})"
        kinds = "hx" if self.chance(0.08) else "cg"
        return f"{self.pick(OVER_TIME)}_over_time({self.matrix(depth, kinds)})"

    @noting
    def function(self, depth):
        x = self.r.random()
        inner = self.vector(depth - 1)
        if x < 0.45:
            return f"{self.pick(SIMPLE)}({inner})"
        if x < 0.57:
            return f"{self.pick(DATES)}({self.pick((inner, inner, ''))})"
        if x < 0.67:
            return f"round({inner}{self.pick(('', ', 0.1', ', 7', ', ' + self.scalar(depth - 2)))})"
        if x < 0.75:
            return f"clamp_{self.pick(('min', 'max'))}({inner}, {self.scalar(depth - 1)})"
        if x < 0.82:
            return f"clamp({inner}, {self.scalar(depth - 2)}, {self.scalar(depth - 2)})"
        if x < 0.9:
            return f"vector({self.scalar(depth)})"
        if x < 0.96:
            inner = self.pick((self.selector(), self.selector(), inner))
            return f"info({inner}{self.pick(('', ', {region=~' + chr(34) + '.+' + chr(34) + '}', self.info_of()))})"
        return f'sort_by_label{self.pick(("", "_desc"))}({inner}, "{self.pick(list(VALUES))}")'

    def info_of(self):
        return self.pick((', {version="1.1"}', ', {__name__="build_info"}',
                          ', {__name__="build_info", rev=~".+"}', ', {nosuch="x"}',
                          ', {region=~"eu|"}', ', {__name__=~".+_info", region!="us"}'))

    def with_labels(self, depth):
        inner = self.vector(depth - 1)
        src, dst = self.pick(list(VALUES)), self.pick(("job", "new", "instance", "i", "__name__"))
        if self.chance(0.3):
            names = "".join(f', "{n}"' for n in self.r.sample(list(VALUES), self.r.randrange(4)))
            dst = self.pick((dst, dst, "le", "a b"))
            return f'label_join({inner}, "{dst}", "{self.pick(("-", "", ", "))}"{names})'
        pattern, to = self.pick((("(.*)", "$1"), ("(.).*", "x_$1"), ("a.*|.*b", "hit"), ("", "none"),
                                 ("(?P<n>.+):(.+)", "${n}_$2"), (".*", ""), ("(a|b)+", "$0$1$9"),
                                 ("(.*):(\\\\d)", "$2"), ("(?i)(A|B).*", "$1x"), ("(z)?(.*)", "[$1|$2]"),
                                 (".+", "$$x")))
        return f'label_replace({inner}, "{dst}", "{to}", "{src}", "{pattern}")'

    def grouping(self, text=""):
        names = [n for n in VALUES if n in text] or ["job", "i"]
        some = self.r.sample(names, self.r.randrange(1, min(3, len(names)) + 1))
        if self.chance(0.06):
            some = self.pick(([], ["nosuch"], ["__name__"]))
        return " " + self.pick(("by", "by", "without")) + "(" + ", ".join(map(quoted, some)) + ")"

    def labels_below(self, text):
        """Labels that series of the expression have, roughly."""
        return " ".join(" ".join(ls) for m, (_, ls) in self.metrics.items() if m in text)

    @noting
    def aggregation(self, depth, inner=None):
        inner = inner or self.vector(depth - 1)
        by = self.grouping(self.labels_below(inner)) if self.chance(0.75) else ""
        x = self.r.random()
        if x < 0.66:
            op, first = self.pick(AGGREGATIONS), ""
        elif x < 0.76:
            op = self.pick(("topk", "bottomk"))
            first = self.pick(("1", "2", "3", "5", "0", "-1", "1.9", self.scalar(depth - 1)))
        elif x < 0.82:
            op, first = "limitk", self.pick(("1", "2", "4", "0", self.scalar(depth - 1)))
        elif x < 0.86:
            op, first = "limit_ratio", self.pick(("0.5", "-0.5", "0.1", "-0.9", "1"))
        elif x < 0.94:
            op, first = "quantile", self.quantile(depth)
        else:
            op, first = "count_values", f'"{self.pick(("value", "job"))}"'
        args = f"({first}, {inner})" if first else f"({inner})"
        return op + (by.lstrip() and by + " ") + args if self.chance(0.7) else op + args + by

    def operand(self, depth):
        text = self.vector(depth)
        return text if self.chance(0.3) else f"({text})"

    def operator(self):
        if self.chance(0.6):
            return self.pick(ARITHMETIC)
        return self.pick(COMPARISONS) + (" bool" if self.chance(0.4) else "")

    @noting
    def binary(self, depth):
        x = self.r.random()
        op = self.operator()
        if x < 0.35:
            pair = [self.operand(depth - 1), self.scalar(depth - 1)]
            self.r.shuffle(pair)
            return f"{pair[0]} {op} {pair[1]}"
        if x < 0.55:
            same = self.selector(plain=True)
            return f"{same}{self.when()} {op} {same}{self.when()}"
        if x < 0.7:
            return self.many_to_one(op, depth)
        if x < 0.9:
            by = self.pick((" by (job, instance) ", " by (job) ", " by (i) ", " ", " by (instance) "))
            agg = [f"{self.pick(AGGREGATIONS)}{by}({self.vector(depth - 2)})" for _ in "ab"]
            return f"{agg[0]} {op} {self.pick(('', '', 'on(job) ', 'ignoring(instance) '))}{agg[1]}"
        match = self.pick(("", "on(job, instance) ", "ignoring(code) ", "on() ", "ignoring(zone, le) "))
        return f"{self.operand(depth - 1)} {op} {match}{self.operand(depth - 1)}"

    @noting
    def many_to_one(self, op, depth):
        many = self.pick(("http_requests_total", "mem_bytes", "lat_seconds_bucket", "cpu_seconds_total"))
        many = many if many in self.metrics else self.selector("c", plain=True)
        many = self.pick((f"rate({many}[5m])", many, f"sum without(code) ({many})"))
        one = self.pick(("up", "errors_total", "target_info", "rate(cpu_seconds_total[2m])",
                         f"max by (job, instance) ({self.vector(depth - 2)})"))
        extra = self.pick(("", "region", "version, region", "job"))
        match = self.pick(("on(job, instance)", "ignoring(code, method, zone, le, region, version)"))
        if self.chance(0.5):
            return f"{many} {op} {match} group_left({extra}) {one}"
        return f"{one} {op} {match} group_right({extra}) {many}"

    @noting
    def set_operation(self, depth):
        match = self.pick(("", "", "on(job) ", "on(job, instance) ", "ignoring(code, le) ", "on() "))
        op = self.pick(("and", "or", "unless"))
        return f"{self.operand(depth - 1)} {op} {match}{self.operand(depth - 1)}"

    # -- histograms ------------------------------------------------------------------------

    @noting
    def histograms(self, depth):
        """A vector with native histograms (a few floats may be among them)."""
        if depth <= 0:
            return self.selector("hx")
        x = self.r.random()
        if x < 0.24:
            return f"{self.pick(COUNTER[:3])}({self.matrix(depth, 'hx')})"
        if x < 0.38:
            name = self.pick(("delta", "sum_over_time", "avg_over_time", "last_over_time", "idelta"))
            return f"{name}({self.matrix(depth, 'hx')})"
        if x < 0.45:
            return f"{self.pick(OF_ANY)}({self.matrix(depth, 'hx')})"
        if x < 0.62:
            inner = self.histograms(depth - 1)
            op = self.pick(("sum", "avg", "sum", "avg", "count", "group", "limitk(1,", "topk(1,", "max", "stddev"))
            by = self.grouping(self.labels_below(inner))
            if "(" in op:
                name, first = op.split("(")
                return f"{name}{by} ({first} {inner})"
            return f"{op}{by} ({inner})"
        if x < 0.67:
            return self.aggregation(depth, self.histograms(depth - 1))
        if x < 0.78:
            pair = [f"({self.histograms(depth - 1)})", self.scalar(depth - 2)]
            if self.chance(0.25):
                pair.reverse()
            return f" {self.pick(('*', '/', '+', '-', '==', '^', '%', '*', '/', '>'))} ".join(pair)
        if x < 0.9:
            op = self.pick(("+", "-", "==", "!=", "*", "/", "and", "or", "unless", "+", "-", "> bool", "== bool"))
            match = self.pick(("", "", "", "on(job, instance) ", "on(i) ", "ignoring(i) ", "on() "))
            other = self.histograms(depth - 1) if self.chance(0.7) else self.vector(depth - 2)
            return f"({self.histograms(depth - 1)}) {op} {match}({other})"
        if x < 0.93:
            return f'label_replace({self.histograms(depth - 1)}, "job", "x$1", "instance", "(.*)")'
        return self.pick(("-(%s)", "sort(%s)", "abs(%s)", "timestamp(%s)", "(%s)", "+(%s)", "absent(%s)", "-%s",
                          "clamp_min(%s, 1)")) % self.histograms(depth - 1)

    @noting
    def buckets(self):
        inner = f"rate({self.selector('b', plain=True)}[{self.duration()}]{self.when()})"
        self.parts.append(inner)
        return self.pick((inner, self.selector("b"), f"sum by (le) ({inner})", f"sum by (le, job) ({inner})",
                          f"avg without (instance) ({inner})"))

    def of_histogram(self, depth):
        inner = self.histograms(depth - 1) if self.chance(0.6) else self.buckets()
        if self.chance(0.05):
            inner = f"({inner}) or ({self.histograms(depth - 2)})"
        x = self.r.random()
        if x < 0.45:
            return f"histogram_quantile({self.quantile(depth)}, {inner})"
        if x < 0.65:
            low, high = self.pick((("0", "1"), ("0.1", "0.3"), ("-Inf", "0.5"), ("0", "+Inf"), ("-1", "2.2"),
                                   ("1", "0"), ("NaN", "1"), ("0.2", "100"), ("-3", "-0.2"), ("0.01", "0.02"),
                                   ("-Inf", "+Inf"), ("0.0005", "0.0007"), ("5", "5")))
            return f"histogram_fraction({low}, {high}, {inner})"
        return f"histogram_{self.pick(OF_HISTOGRAM)}({inner})"


def is_scalar(text):
    """A number as Gen.number() makes it."""
    return re.fullmatch(r"[-+]?(\.?\d[\w.]*(e-?\d+)?|Inf|NaN)", text) is not None


def words_of(expr):
    """What of the language an expression uses."""
    found = set(re.findall(r"[a-z][a-z0-9_]*(?= *\()", expr))
    found |= {w for w in ("offset", "@", "bool", "group_left", "group_right", "on", "ignoring", "by",
                          "without", "and", "or", "unless", "atan2") if re.search(rf"(?<!\w){w}(?!\w)", expr)}
    return found | ({"subquery"} if re.search(r":\d*\w*\]", expr) else set())


def times(seed):
    """Instants (s), a range (start, end, step), and a lookback or None to ask an expression with."""
    r = random.Random(f"times {seed}")
    lo, hi = START // 1000 - 300, END // 1000 + 400
    instants = [r.randrange(lo + 600, hi - 600), round(r.uniform(lo, hi), 3),
                r.randrange(lo, hi) // 15 * 15]
    step = r.choice((15, 30, 60, 61, 7.5, 300, 120))
    start = r.choice((r.randrange(lo, hi), START // 1000 + r.randrange(SPAN // 1000)))
    steps = r.randrange(1, 30) if r.random() < 0.9 else r.randrange(100, 500)
    return instants, (start, start + step * steps + r.randrange(2), step), r.choice(LOOKBACKS)
