/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of rules: what they print, what they refuse and where, and that they end. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/histogram.h"
#include "base/limits.h"
#include "rules/template.h"
#include "tests/lib/suite.h"

static const struct label label_values[] = {{{"instance", 8}, {"db1.example.com:9100", 20}},
	{{"job", 3}, {"db", 2}}, {{"mount-point", 11}, {"/var", 4}}};
static const struct label external_values[] = {{{"site", 4}, {"eu", 2}}};

static int query(void *ctx, struct str expr, int64_t at_ms, struct arena *a,
	struct template_sample **samples, size_t *n, struct err *e)
{
	static const struct label one[] = {{{"job", 3}, {"web", 3}}};
	static const struct label two[] = {{{"job", 3}, {"api", 3}}};

	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(at_ms, 1500);
	if (str_eq(expr, STR("bad")))
		return err_set(e, ERR_INPUT, 0, "no such thing");
	*n = str_eq(expr, STR("none")) ? 0 : 2;
	*samples = ARENA_ARRAY(a, 2, struct template_sample);
	ck_assert_ptr_nonnull(*samples);
	(*samples)[0] = (struct template_sample){.labels = {one, 1}, .value = 3};
	(*samples)[1] = (struct template_sample){.labels = {two, 1}, .value = 0.5};
	return 0;
}

/* Runs a text with a rule's data; true when it ran. */
static bool run(const char *text, double value, struct buf *out, struct err *e)
{
	struct template_rule_data d = {.labels = {label_values, 3},
		.external_labels = {external_values, 1},
		.external_url = STR("http://mon.example:2355/belfry"),
		.value = value,
		.now_ms = 1500,
		.query = query,
		.query_ctx = out};
	const struct template *t;
	struct arena a;
	bool ok;

	arena_init(&a, (size_t)64 << 20);
	t = template_parse(&a, str_c(text), e);
	ok = t != NULL && template_run_rule(t, &d, &a, out, e) == 0;
	arena_fini(&a);
	return ok;
}

static const struct {
	const char *text, *out;
} good[] = {
	{"", ""},
	{"plain }} text", "plain }} text"},
	{"{{ $labels.job }}: {{ $value }}", "db: 1234.5"},
	{"{{ .Labels.job }} {{ .Value }} {{ .ExternalLabels.site }} {{ .ExternalURL }}",
		"db 1234.5 eu http://mon.example:2355/belfry"},
	{"{{ $externalLabels.site }} {{ $externalURL }}", "eu http://mon.example:2355/belfry"},
	{"[{{ $labels.absent }}]", "[]"},
	{"{{ index $labels \"mount-point\" }}", "/var"},
	{"{{ $labels }}", "map[instance:db1.example.com:9100 job:db mount-point:/var]"},
	{"{{ len $labels }}", "3"},
	/* trimming and comments */
	{"a  {{- 1 -}}  b", "a1b"},
	{"a {{- /* gone */ -}} b", "ab"},
	{"a {{/* gone */}} b", "a  b"},
	{"a \n\t{{- \"x\" }} b", "ax b"},
	{"{{ -1 }} {{- 2 }}", "-12"},
	{"{{\n  printf\n  \"%d\"\n  3 }}", "3"},
	/* literals */
	{"{{ 0x1F }} {{ 0b101 }} {{ 017 }} {{ 0o17 }} {{ 1_000 }} {{ 'a' }} {{ '\\n' }}",
		"31 5 15 15 1000 97 10"},
	{"{{ 1.5 }} {{ 1e3 }} {{ 1e21 }} {{ .5 }} {{ 100000.0 }} {{ 1234567.0 }} {{ 0.00001 }}",
		"1.5 1000 1e+21 0.5 100000 1.234567e+06 1e-05"},
	{"{{ \"a\\tb\\x41\\u00e9\\101\\\"\" }} {{ `raw\\n` }}", "a\tbA\xc3\xa9"
								"A\" raw\\n"},
	{"{{ true }} {{ false }}", "true false"},
	/* variables and pipelines */
	{"{{ $x := 3 }}{{ $x }}{{ $x = 4 }}{{ $x }}", "34"},
	{"{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"},
	{"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"},
	{"{{ \"%d-%s\" | printf | len }}", "25"},
	{"{{ 3 | printf \"%d %d\" 2 }}", "2 3"},
	{"{{ (printf \"%s\" \"ab\" | len) | printf \"%03d\" }}", "002"},
	{"{{ ($labels).job }}", "db"},
	{"{{ $x := $labels }}{{ $x.job }}{{ $.Labels.job }}", "dbdb"},
	/* control */
	{"{{ if eq $labels.job \"db\" }}yes{{ else }}no{{ end }}", "yes"},
	{"{{ if false }}a{{ else if true }}b{{ else }}c{{ end }}", "b"},
	{"{{ if false }}a{{ else if false }}b{{ else }}c{{ end }}", "c"},
	{"{{ with $labels.absent }}x{{ else }}none{{ end }}", "none"},
	{"{{ with $labels.absent }}x{{ else with $labels.job }}{{ . }}{{ end }}", "db"},
	{"{{ with $labels.job }}{{ . }}{{ end }}", "db"},
	{"{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}",
		"instance=db1.example.com:9100;job=db;mount-point=/var;"},
	{"{{ range $i, $s := query \"x\" }}{{ $i }}{{ $s.Labels.job }}{{ $s.Value }} {{ end }}",
		"0web3 1api0.5 "},
	{"{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty"},
	{"{{ range 5 }}{{ if eq . 3 }}{{ break }}{{ end }}{{ if eq . 1 }}{{ continue }}{{ end }}"
	 "{{ . }}{{ end }}",
		"02"},
	{"{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" $labels.job }}", "<db>"},
	{"{{ block \"b\" 3 }}[{{ . }}]{{ end }}", "[3]"},
	{"{{ template \"late\" . }}{{ define \"late\" }}{{ .Value }}{{ end }}", "1234.5"},
	{"{{ define \"t\" }}x{{ end }}{{ $n := \"t\" }}{{ tmpl $n . }}", "x"},
	/* logic and comparison */
	{"{{ and true 0 }} {{ or 0 \"x\" }} {{ not 1 }} {{ and 1 2 }} {{ or 0 \"\" }}",
		"0 x false 2 "},
	{"{{ or true (index $labels 5) }}", "true"},
	{"{{ and false (index $labels 5) }}", "false"},
	{"{{ eq 1 2 3 1 }} {{ ne \"a\" \"b\" }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt 1.5 0.5 }} "
	 "{{ ge \"b\" \"a\" }}",
		"true true true true true true"},
	{"{{ if gt $value 1000.0 }}high{{ end }}", "high"},
	{"{{ eq nil nil }} {{ eq true true }}", "true true"},
	/* built in */
	{"{{ print 1 2 \"a\" 3 4 }}|{{ println \"a\" 1 }}", "1 2a3 4|a 1\n"},
	{"{{ html \"<a href='x'>&\" }} {{ js \"it's <b>\" }} {{ urlquery \"a b&c\" }}",
		"&lt;a href=&#39;x&#39;&gt;&amp; it\\'s \\u003Cb\\u003E a+b%26c"},
	{"{{ slice \"abcdef\" 1 3 }} {{ slice \"abc\" 1 }} {{ index \"a\" 0 }}", "bc bc 97"},
	/* of Prometheus */
	{"{{ query \"x\" | first | value }} {{ query \"x\" | first | label \"job\" }}", "3 web"},
	{"{{ range query \"x\" | sortByLabel \"job\" }}{{ .Labels.job }} {{ end }}", "api web "},
	{"{{ with query \"none\" }}{{ . | first | value }}{{ else }}-{{ end }}", "-"},
	{"{{ $value | humanize }} {{ 0.1 | humanizePercentage }} {{ 3725 | humanizeDuration }}",
		"1.234k 10% 1h 2m 5s"},
	{"{{ humanizeDuration -90 }} {{ humanizeDuration 0.05 }} {{ humanize -0.001 }}",
		"-1m 30s 50ms -1m"},
	{"{{ humanize 0 }} {{ humanize1024 2048 }}", "0 2ki"},
	{"{{ humanizeTimestamp 0 }}", "1970-01-01 00:00:00 +0000 UTC"},
	{"{{ humanizeTimestamp 1.0009 }} {{ toTime -5.4629 }}",
		"1970-01-01 00:00:01 +0000 UTC 1969-12-31 23:59:54.538 +0000 UTC"},
	{"{{ toTime 1435065584.128 }}", "2015-06-23 13:19:44.128 +0000 UTC"},
	{"{{ (toTime 1435065584).Format \"Mon Jan _2 03:04:05PM 2006 -0700 Z07:00\" }}",
		"Tue Jun 23 01:19:44PM 2015 +0000 Z"},
	{"{{ (toTime 1.25).Format \"15:04:05.000 .999\" }}", "00:00:01.250 .25"},
	{"{{ (toTime 86400).Year }} {{ (toTime 86400).Month }} {{ (toTime 1.5).Unix }}",
		"1970 January 1"},
	{"{{ toDuration 5400.5 }} {{ (toDuration 0.0015).String }} {{ (toDuration 90).Minutes }}",
		"1h30m0.5s 1.5ms 1.5"},
	{"{{ now }}", "1.5"},
	{"{{ title \"disk full on db-1\" }} {{ toUpper \"\xc3\xa9x\" }} {{ toLower \"\xc3\x89X\" "
	 "}}",
		"Disk Full On Db-1 \xc3\x89X \xc3\xa9x"},
	{"{{ match \"^d.$\" $labels.job }} {{ reReplaceAll \"(.*):(.*)\" \"$2:$1\" \"a:b\" }}",
		"true b:a"},
	{"{{ $labels.instance | stripPort }} {{ $labels.instance | stripDomain }}",
		"db1.example.com db1:9100"},
	{"{{ stripPort \"[::1]:80\" }} {{ stripDomain \"10.1.2.3:80\" }}", "::1 10.1.2.3:80"},
	{"{{ graphLink \"up == 0\" }} {{ tableLink \"up\" }}",
		"/graph?g0.expr=up+%3D%3D+0&g0.tab=0 /graph?g0.expr=up&g0.tab=1"},
	{"{{ externalURL }} {{ pathPrefix }}", "http://mon.example:2355/belfry /belfry"},
	{"{{ parseDuration \"1h30m\" }} {{ safeHtml \"<b>\" }}", "5400 <b>"},
	{"{{ with args 1 \"b\" }}{{ .arg0 }}{{ .arg1 }}{{ .arg2 }}{{ end }}", "1b<no value>"},
};

START_TEST(templates_print_what_go_prints)
{
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct err e = {.kind = ERR_NONE};
		struct buf out;
		bool ok;

		buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
		ok = run(good[i].text, 1234.5, &out, &e);
		ck_assert_msg(ok, "%s: %s", good[i].text, e.msg);
		ck_assert_msg(str_eq(buf_view(&out), str_c(good[i].out)),
			"%s: got \"%.*s\", want \"%s\"", good[i].text, (int)out.n,
			out.p != NULL ? out.p : "", good[i].out);
		buf_fini(&out);
	}
}
END_TEST

static const struct {
	const char *format, *args, *out;
} formats[] = {
	{"%d|%5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o|%b|%c|%q|%U",
		"65 65 65 65 65 65 65 65 65 65 65 65 65 65",
		"65|   65|65   |00065|+65| 65|41|41|0x41|101|1000001|A|'A'|U+0041"},
	{"%v %s %q %10s| %-5s| %.2s %x %X % x",
		"\"ab\" \"ab\" \"ab\" \"ab\" \"ab\" \"abc\" \"ab\" \"ab\" \"ab\"",
		"ab ab \"ab\"         ab| ab   | ab 6162 6162 61 62"},
	{"%f %.2f %8.3f %-8.1f| %e %.1e %g %G %.3g %v",
		"1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.23456 0.1",
		"1.500000 1.50    1.500 1.5     | 1.500000e+00 1.5e+00 1.5 1.5 1.23 0.1"},
	{"%08.2f %+.1f %+d %06d", "-1.5 1.5 3 -42", "-0001.50 +1.5 +3 -00042"},
	{"%t %v %5t", "true false true", "true false  true"},
	{"%T %T %T %T", "1 1.5 \"a\" true", "int float64 string bool"},
	{"100%%", "", "100%"},
	{"%d", "\"x\"", "%!d(string=x)"},
	{"%s", "3", "%!s(int=3)"},
	{"%d", "1.5", "%!d(float64=1.5)"},
	{"%d %d", "1", "1 %!d(MISSING)"},
	{"%d", "1 2 \"c\"", "1%!(EXTRA int=2, string=c)"},
	{"%z", "1", "%!z(int=1)"},
	{"%", "", "%!(NOVERB)"},
	{"%[2]d %[1]d", "1 2", "2 1"},
	{"%*d|%-*d|%.*f", "4 7 4 7 1 2.55", "   7|7   |2.5"},
	{"%.3d %.0f", "7 2.5", "007 2"},
	{"%v %v", "nil (index (args) \"x\")", "<nil> <nil>"},
	{"%s", "(args 1 \"a\")", "map[arg0:1 arg1:a]"},
};

START_TEST(printf_knows_gos_verbs_and_flags)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		struct err e = {.kind = ERR_NONE};
		struct buf out;
		char text[512];
		bool ok;

		buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
		(void)snprintf(text, sizeof text, "{{ printf `%s` %s }}", formats[i].format,
			formats[i].args);
		ok = run(text, 1, &out, &e);
		ck_assert_msg(ok, "%s: %s", text, e.msg);
		ck_assert_msg(str_eq(buf_view(&out), str_c(formats[i].out)),
			"%s: got \"%.*s\", want \"%s\"", text, (int)out.n,
			out.p != NULL ? out.p : "", formats[i].out);
		buf_fini(&out);
	}
}
END_TEST

static const struct {
	const char *text;
	size_t off;
	const char *msg;
} unparsed[] = {
	{"ab {{ $label.x }}", 6, "undefined variable \"$label\""},
	{"{{ foo }}", 3, "function \"foo\" is not defined"},
	{"{{ if true }}x", 3, "this has no {{end}}"},
	{"x{{ end }}", 4, "unexpected {{end}}"},
	{"{{ if true }}{{ else }}{{ else }}{{ end }}", 26, "a second {{else}}"},
	{"{{ 1", 0, "unclosed action"},
	{"{{ (1 }}", 6, "unclosed left bracket"},
	{"{{ 1) }}", 4, "unexpected ')' in an action"},
	{"{{ \"abc }}", 3, "unterminated quoted text"},
	{"{{ \"\\z\" }}", 5, "invalid escape in a quoted text"},
	{"{{ `abc }}", 3, "unterminated raw text"},
	{"{{ 'ab' }}", 3, "a character constant holds one character"},
	{"{{ 1x }}", 3, "bad number \"1x\""},
	{"{{ 99999999999999999999 }}", 3, "bad number \"99999999999999999999\""},
	{"{{ 08 }}", 3, "bad number \"08\""},
	{"{{\xc2\xa0}}", 2, "unrecognized character U+00A0 in an action"},
	{"{{ # }}", 3, "unexpected '#' in an action"},
	{"{{ }}", 3, "a command is missing"},
	{"{{ 1 | 2 }}", 7, "only functions may take a value from a pipeline"},
	{"{{ 1 | }}", 7, "a command is missing"},
	{"{{ break }}", 3, "{{break}} outside of {{range}}"},
	{"{{ nil.foo }}", 3, "unexpected \".foo\" after a constant"},
	{"{{ $x }}", 3, "undefined variable \"$x\""},
	{"{{ $x = 1 }}", 3, "undefined variable \"$x\""},
	{"{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 38, "undefined variable \"$x\""},
	{"{{ define \"a\" }}{{ $labels.job }}{{ end }}", 19, "undefined variable \"$labels\""},
	{"{{ define \"a\" }}1{{ end }}{{ define \"a\" }}2{{ end }}", 29,
		"template \"a\" is defined twice"},
	{"{{ if true }}{{ define \"a\" }}{{ end }}{{ end }}", 16,
		"{{define}} stands inside of another action"},
	{"{{ template 3 }}", 12, "{{template}} needs a quoted name"},
	{"{{/* x }}", 2, "unclosed comment"},
	{"{{ range $a, $b, $c := . }}{{ end }}", 15, "unexpected \",\" in range"},
};

START_TEST(a_template_that_does_not_parse_is_refused_at_its_byte)
{
	for (size_t i = 0; i < sizeof unparsed / sizeof unparsed[0]; i++) {
		struct err e = {.kind = ERR_NONE};
		struct arena a;

		arena_init(&a, (size_t)64 << 20);
		ck_assert_msg(template_parse(&a, str_c(unparsed[i].text), &e) == NULL,
			"accepted %s", unparsed[i].text);
		ck_assert_msg(e.off == unparsed[i].off && strcmp(e.msg, unparsed[i].msg) == 0,
			"%s: got %zu \"%s\", want %zu \"%s\"", unparsed[i].text, e.off, e.msg,
			unparsed[i].off, unparsed[i].msg);
		arena_fini(&a);
	}
}
END_TEST

static const struct {
	const char *text, *msg;
} failing[] = {
	{"{{ humanize \"one\" }}", "1:4: at <humanize>: \"one\" is not a number"},
	{"a\nb {{ .Foo }}", "2:6: at <.Foo>: can't evaluate field Foo in type template.AlertData"},
	{"{{ $labels.job.x }}", "1:4: at <$labels.job.x>: can't evaluate field x in type string"},
	{"{{ gt $value 5 }}", "1:4: at <gt>: incompatible types for comparison: float64 and int"},
	{"{{ eq \"1\" 1 }}", "1:4: at <eq>: incompatible types for comparison: string and int"},
	{"{{ lt true false }}", "1:4: at <lt>: invalid type for comparison: bool"},
	{"{{ query \"bad\" }}", "1:4: at <query>: query: no such thing"},
	{"{{ query \"none\" | first }}",
		"1:19: at <first>: first() called on vector with no elements"},
	{"{{ index $labels 1 }}", "1:4: at <index>: expected string; got int"},
	{"{{ index \"abc\" 3 }}", "1:4: at <index>: index out of range: 3"},
	{"{{ slice \"abc\" 2 1 }}", "1:4: at <slice>: index out of range: 2"},
	{"{{ len 3 }}", "1:4: at <len>: len of type int"},
	{"{{ toUpper 3 }}", "1:4: at <toUpper>: expected string; got int"},
	{"{{ toUpper }}", "1:4: at <toUpper>: wrong number of arguments for toUpper: want 1 got 0"},
	{"{{ not 1 2 }}", "1:4: at <not>: wrong number of arguments for not: want 1 got 2"},
	{"{{ $value 3 }}", "1:4: at <$value>: can't give arguments to what is no function"},
	{"{{ $labels.job 3 }}", "1:4: at <$labels.job>: job has arguments but is no function"},
	{"{{ 3 | $value }}", "1:8: at <$value>: can't give arguments to what is no function"},
	{"{{ range \"abc\" }}{{ end }}", "1:10: at <\"abc\">: range can't iterate over string"},
	{"{{ template \"nowhere\" }}", "template \"nowhere\" is not defined"},
	{"{{ nil }}", "1:4: at <nil>: nil is not a command"},
	{"{{ call $value }}", "1:4: at <call>: call of a float64, which is no function"},
	{"{{ match \"(\" \"x\" }}", NULL},
	{"{{ toTime 1e300 }}", NULL},
	{"{{ (toTime 1).Foo }}", "1:4: at <(toTime 1).Foo>: a time has no method Foo"},
};

START_TEST(a_template_that_fails_says_where_and_why)
{
	for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
		struct err e = {.kind = ERR_NONE};
		struct buf out;

		buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
		ck_assert_msg(!run(failing[i].text, 7, &out, &e), "ran %s", failing[i].text);
		ck_assert_int_eq(e.kind, ERR_INPUT);
		ck_assert(e.msg[0] != '\0');
		if (failing[i].msg != NULL)
			ck_assert_msg(strcmp(e.msg, failing[i].msg) == 0,
				"%s: got \"%s\", want \"%s\"", failing[i].text, e.msg,
				failing[i].msg);
		buf_fini(&out);
	}
}
END_TEST

START_TEST(a_template_ends_whatever_it_says)
{
	static const char *const texts[] = {
		"{{ range 1000000000 }}{{ end }}",
		"{{ range 1000 }}{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}{{ end }}",
		"{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
		"{{ define \"a\" }}{{ template \"b\" }}{{ end }}"
		"{{ define \"b\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
		"{{ define \"a\" }}{{ tmpl \"a\" . }}{{ end }}{{ template \"a\" . }}",
		"{{ range 100000 }}0123456789012345678901234567890123456789{{ end }}",
		"{{ $x := \"xxxxxxxxxxxxxxxx\" }}{{ range 90 }}{{ $x = print $x $x }}{{ end }}{{ "
		"$x }}",
		"{{ printf \"%999999999d\" 1 | printf \"%s%[1]s%[1]s%[1]s\" }}"
		"{{ range 90 }}{{ printf \"%1000d\" 1 }}{{ end }}",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct err e = {.kind = ERR_NONE};
		struct buf out;

		buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
		ck_assert_msg(!run(texts[i], 7, &out, &e), "ran %s", texts[i]);
		ck_assert(e.msg[0] != '\0');
		ck_assert_uint_le(out.n, LIMIT_TEMPLATE_OUTPUT);
		buf_fini(&out);
	}
}
END_TEST

static char *repeat(const char *part, size_t n, const char *middle, const char *tail)
{
	struct buf b;

	buf_init(&b, (size_t)8 << 20);
	for (size_t i = 0; i < n; i++)
		buf_c(&b, part);
	buf_c(&b, middle);
	for (size_t i = 0; i < n; i++)
		buf_c(&b, tail);
	return buf_take(&b, &n);
}

START_TEST(nesting_is_refused_past_its_limit)
{
	static const struct {
		const char *open, *middle, *close;
	} nests[] = {{"{{ if true }}", "x", "{{ end }}"}, {"{{ range 1 }}", "x", "{{ end }}"},
		{"{{ block \"x\" . }}", "x", "{{ end }}"}};

	for (size_t i = 0; i < 3; i++) {
		for (unsigned n = LIMIT_TEMPLATE_DEPTH; n <= LIMIT_TEMPLATE_DEPTH + 1; n++) {
			char *text = repeat(nests[i].open, n, nests[i].middle, nests[i].close);
			struct err e = {.kind = ERR_NONE};
			struct arena a;
			bool ok;

			arena_init(&a, (size_t)64 << 20);
			ok = template_parse(&a, str_c(text), &e) != NULL;
			/* blocks share a name here: the second is refused for that */
			ck_assert_msg(ok == (n == LIMIT_TEMPLATE_DEPTH && i < 2), "%s %u: %s",
				nests[i].open, n, e.msg);
			arena_fini(&a);
			free(text);
		}
	}
	for (unsigned n = LIMIT_TEMPLATE_DEPTH; n <= LIMIT_TEMPLATE_DEPTH + 1; n++) {
		char *inner = repeat("(", n, "1", ")");
		struct err e = {.kind = ERR_NONE};
		struct arena a;
		struct str text;

		arena_init(&a, (size_t)64 << 20);
		text = arena_printf(&a, "{{ %s }}", inner);
		ck_assert_int_eq(template_parse(&a, text, &e) != NULL, n == LIMIT_TEMPLATE_DEPTH);
		arena_fini(&a);
		free(inner);
	}
}
END_TEST

START_TEST(a_text_over_its_limit_and_a_small_arena_are_refused)
{
	char *text = repeat("0123456789abcdef", LIMIT_TEMPLATE_BYTES / 16, "x", "");
	struct err e = {.kind = ERR_NONE};
	struct arena a;

	arena_init(&a, (size_t)64 << 20);
	ck_assert_ptr_null(template_parse(&a, str_c(text), &e));
	ck_assert_int_eq(e.kind, ERR_LIMIT);
	arena_fini(&a);
	free(text);
	for (size_t limit = 100; limit < 40000; limit += 500) {
		struct template_rule_data d = {.value = 1};
		const struct template *t;
		struct buf out;

		e.kind = ERR_NONE;
		buf_init(&out, 1000);
		arena_init(&a, limit);
		t = template_parse(&a,
			STR("{{ $x := 1 }}{{ range $i, $e := 3 }}{{ printf \"%d\" $x }}{{ end }}"),
			&e);
		if (t == NULL)
			ck_assert_int_ne(e.kind, ERR_NONE);
		else if (template_run_rule(t, &d, &a, &out, &e) == 0)
			ck_assert(str_eq(buf_view(&out), STR("111")));
		else
			ck_assert_int_ne(e.kind, ERR_NONE);
		buf_fini(&out);
		arena_fini(&a);
	}
}
END_TEST

START_TEST(a_histogram_prints_its_buckets)
{
	static const double pos[] = {1, 2}, neg[] = {4};
	static const struct hist_span ps = {0, 2}, ns = {1, 1};
	static const struct hist h = {.schema = 0,
		.count = 10,
		.sum = 2.5,
		.zero_count = 3,
		.zero_threshold = 0.001,
		.pos = {&ps, pos, 1, 2},
		.neg = {&ns, neg, 1, 1}};
	struct template_rule_data d = {.hist = &h};
	struct err e = {.kind = ERR_NONE};
	const struct template *t;
	struct arena a;
	struct buf out;

	buf_init(&out, 1000);
	arena_init(&a, 1 << 20);
	t = template_parse(&a, STR("{{ $value }}"), &e);
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(template_run_rule(t, &d, &a, &out, &e), 0);
	ck_assert_msg(str_eq(buf_view(&out), STR("{count:10, sum:2.5, [-2,-1):4, "
						 "[-0.001,0.001]:3, (0.5,1]:1, (1,2]:2}")),
		"%s", out.p);
	buf_fini(&out);
	arena_fini(&a);
}
END_TEST

START_TEST(numbers_are_humanized)
{
	static const struct {
		void (*fn)(struct buf *b, double v);
		double v;
		const char *out;
	} rows[] = {{humanize, 1234567, "1.235M"}, {humanize, 0, "0"}, {humanize, 1e30, "1e+06Y"},
		{humanize, -1500, "-1.5k"}, {humanize, 1e-30, "1e-06y"}, {humanize, NAN, "NaN"},
		{humanize, INFINITY, "+Inf"}, {humanize_1024, -2048, "-2ki"},
		{humanize_1024, 0.5, "0.5"}, {humanize_duration, 0, "0s"},
		{humanize_duration, 3725, "1h 2m 5s"}, {humanize_duration, -INFINITY, "-Inf"},
		{humanize_duration, 1e300, NULL}, {humanize_percentage, 0.1, "10%"},
		{humanize_percentage, NAN, "NaN%"}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf b;

		buf_init(&b, 500);
		rows[i].fn(&b, rows[i].v);
		ck_assert(!b.failed);
		if (rows[i].out != NULL)
			ck_assert_str_eq(b.p, rows[i].out);
		buf_fini(&b);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("template");
	TCase *tc = tcase_create("template");

	tcase_add_test(tc, templates_print_what_go_prints);
	tcase_add_test(tc, printf_knows_gos_verbs_and_flags);
	tcase_add_test(tc, a_template_that_does_not_parse_is_refused_at_its_byte);
	tcase_add_test(tc, a_template_that_fails_says_where_and_why);
	tcase_add_test(tc, a_template_ends_whatever_it_says);
	tcase_add_test(tc, nesting_is_refused_past_its_limit);
	tcase_add_test(tc, a_text_over_its_limit_and_a_small_arena_are_refused);
	tcase_add_test(tc, a_histogram_prints_its_buckets);
	tcase_add_test(tc, numbers_are_humanized);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
