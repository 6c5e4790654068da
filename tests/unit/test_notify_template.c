/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of notifications: data, functions, files, escaping, bounds, and what failing costs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "exporters/notify_template_private.h"
#include "tests/lib/suite.h"

#define S(x)                                                                                       \
	{                                                                                          \
		"" x, sizeof(x) - 1                                                                \
	}

static const struct label one[] = {{S("alertname"), S("PoolExhausted")}, {S("instance"), S("a:1")},
	{S("job"), S("shop")}, {S("pool"), S("<orders>")}};
static const struct label two[] = {{S("alertname"), S("PoolExhausted")}, {S("instance"), S("b:1")},
	{S("job"), S("shop")}, {S("pool"), S("users")}};
static const struct label words[] = {{S("runbook_url"), S("https://rb.example/pool")},
	{S("summary"), S("pool is \"full\" & <b>slow</b>")}};
static const struct label route[] = {{S("a"), S("{{ routeLabels \"b\" }}")},
	{S("b"), S("{{ routeLabels \"a\" }}")}, {S("team"), S("{{ .GroupLabels.job }}-team")}};

struct fixture {
	struct arena a;
	struct message_alert v[2];
	struct message m;
};

static void setup(struct fixture *f)
{
	arena_init(&f->a, (size_t)1 << 20);
	f->v[0] = (struct message_alert){.firing = true,
		.labels = {one, 4},
		.annotations = {words, 2},
		.op = ">",
		.starts_at_ms = 1700000000000,
		.fingerprint = 0xabc,
		.expr = STR("pool_used > 0.9")};
	f->v[1] = f->v[0];
	f->v[1].labels = (struct labels){two, 4};
	f->v[1].firing = false;
	f->v[1].ends_at_ms = 1700000090000;
	f->m = (struct message){.receiver = STR("team+x"),
		.external_url = STR("https://mon.example"),
		.group_labels = {&one[2], 1},
		.route_labels = {route, 3},
		.reason = REASON_NEW_ALERTS,
		.now_ms = 1700000120000};
	message_finish(&f->m, f->v, 2, &f->a);
}

/* Expands over the fixture's message; the caller frees out. */
static int run(const struct notify_templates *t, const char *text, bool html, struct buf *out,
	struct err *e)
{
	struct fixture f;
	int rc;

	setup(&f);
	buf_init(out, (size_t)4 << 20);
	rc = html ? notify_template_html(t, str_c(text), &f.m, out, e)
		  : notify_template_text(t, str_c(text), &f.m, out, e);
	arena_fini(&f.a);
	return rc;
}

static void expect(const struct notify_templates *t, const char *text, bool html, const char *want)
{
	struct err e = {0};
	struct buf out;

	if (run(t, text, html, &out, &e) != 0)
		ck_abort_msg("%s: %s", text, e.msg);
	if (!str_eq(buf_view(&out), str_c(want)))
		ck_abort_msg("%s gives\n%.*s\nnot\n%s", text, (int)out.n,
			out.p != NULL ? out.p : "", want);
	buf_fini(&out);
}

static const struct {
	const char *text, *want;
} texts[] = {
	{"{{ .Status }} {{ .Receiver }} {{ .NotificationReason }} {{ .ExternalURL }}",
		"firing team\\+x new alerts added https://mon.example"},
	{"{{ len .Alerts }} {{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }}", "2 1 1"},
	{"{{ range .Alerts }}{{ .Labels.instance }} {{ .Status }} {{ .Fingerprint }};{{ end }}",
		"a:1 firing 0000000000000abc;b:1 resolved 0000000000000abc;"},
	{"{{ .CommonLabels }}|{{ .GroupLabels }}", "alertname=PoolExhausted, job=shop|job=shop"},
	{"{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
		"alertname=PoolExhausted;job=shop;"},
	{"{{ (.CommonLabels.Remove .GroupLabels.Names).Values | join \",\" }}", "PoolExhausted"},
	{"{{ .CommonLabels.Remove (stringSlice \"alertname\") }}", "job=shop"},
	{"{{ .CommonLabels.Values.Join \"/\" }} {{ .CommonLabels.SortedPairs.Names.Join \"+\" }}",
		"PoolExhausted/shop alertname+job"},
	{"{{ .CommonAnnotations.summary }}", "pool is \"full\" & <b>slow</b>"},
	{"{{ range .Alerts }}{{ .GeneratorURL }} {{ end }}",
		"https://mon.example/graph?g0.expr=pool_used%20%3E%200.9&g0.tab=0 "
		"https://mon.example/graph?g0.expr=pool_used%20%3E%200.9&g0.tab=0 "},
	{"{{ with index .Alerts 0 }}{{ .StartsAt }} {{ .StartsAt.Unix }} {{ .EndsAt.IsZero }} "
	 "{{ .EndsAt.Year }}{{ end }}",
		"2023-11-14 22:13:20 +0000 UTC 1700000000 true 1"},
	{"{{ with index .Alerts 1 }}{{ .EndsAt.Sub .StartsAt }} {{ (.EndsAt.Sub "
	 ".StartsAt).Seconds }} {{ since .StartsAt }}{{ end }}",
		"1m30s 90 2m0s"},
	{"{{ (index .Alerts 0).StartsAt.Format \"2 Jan 15:04 MST\" }}", "14 Nov 22:13 UTC"},
	{"{{ (index .Alerts 0).StartsAt | date \"2006-01-02T15:04:05Z07:00\" }}",
		"2023-11-14T22:13:20Z"},
	{"{{ toDate \"2006-01-02 15:04\" \"2024-02-29 07:30\" | date \"Mon 2.1.06 3PM\" }}",
		"Thu 29.2.24 7AM"},
	{"{{ (toDate \"2006-01-02\" \"2023-02-30\").IsZero }}", "true"},
	{"{{ humanizeDuration 3725 }} {{ now.Unix }}", "1h 2m 5s 1700000120"},
	{"{{ title \"hELLO wORLD-x don't\" }}", "Hello World-X Don't"},
	{"[{{ trimSpace \" \\t\\u00a0a b\\n\" }}]", "[a b]"},
	{"{{ toJson .GroupLabels }} {{ toJson .CommonLabels.SortedPairs }}",
		"{\"job\":\"shop\"} "
		"[{\"Name\":\"alertname\",\"Value\":\"PoolExhausted\"},{\"Name\":\"job\","
		"\"Value\":\"shop\"}]"},
	{"{{ toJson (dict \"x\" 1.5 \"a\" true \"x\" \"</s>\") }}",
		"{\"a\":true,\"x\":\"\\u003c/s\\u003e\"}"},
	{"{{ (index .Alerts.Firing 0) | toJson | len | lt 200 }}", "true"},
	{"{{ base64encode \"\" }}|{{ base64encode \"ab\" | base64decode }}", "|ab"},
	{"{{ urlUnescape \"a%2Bb+c\" }}", "a+b c"},
	{"{{ routeLabels \"team\" }} {{ routeLabels \"none\" }}.", "shop-team ."},
	{"{{ template \"__subject\" . }}", "[FIRING:1] shop (PoolExhausted)"},
	{"{{ template \"__alertmanagerURL\" . }}",
		"https://mon.example/#/alerts?receiver=team%5C%2Bx"},
	{"{{ template \"slack.default.fallback\" . }}",
		"[FIRING:1] shop (PoolExhausted) | "
		"https://mon.example/#/alerts?receiver=team%5C%2Bx"},
	{"{{ template \"slack.default.color\" . }}{{ template \"slack.default.text\" . }}",
		"danger"},
	{"{{ define \"x\" }}{{ . }}!{{ end }}{{ template \"x\" .Status }}", "firing!"},
	{"{{ template \"__text_alert_list\" .Alerts.Resolved }}",
		"Labels:\n - alertname = PoolExhausted\n - instance = b:1\n - job = shop\n - pool "
		"= "
		"users\nAnnotations:\n - runbook_url = https://rb.example/pool\n - summary = pool "
		"is "
		"\"full\" & <b>slow</b>\nSource: "
		"https://mon.example/graph?g0.expr=pool_used%20%3E%200.9&g0.tab=0\n"},
};

START_TEST(data_and_functions_are_alertmanagers)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		expect(NULL, texts[i].text, false, texts[i].want);
}
END_TEST

START_TEST(times_are_shown_in_a_zone_by_its_names)
{
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
		return;
	expect(NULL,
		"{{ (index .Alerts 0).StartsAt | tz \"Europe/Berlin\" | date \"15:04 MST -0700\" "
		"}} "
		"{{ toDate \"2006-01-02 15:04\" \"2026-07-01 12:00\" | tz \"Europe/Berlin\" }} "
		"{{ (tz \"America/Sao_Paulo\" (index .Alerts 0).StartsAt).Hour }} "
		"{{ (index .Alerts 0).StartsAt | tz \"America/Sao_Paulo\" | date \"MST Z07:00\" }}",
		false, "23:13 CET +0100 2026-07-01 14:00:00 +0200 CEST 19 -03 -03:00");
}
END_TEST

START_TEST(every_default_definition_runs_as_text_and_as_html)
{
	struct err e = {0};
	struct buf out;

	for (const struct notify_template_call *c = notify_template_calls; c->name != NULL; c++) {
		for (int html = 0; html < 2; html++) {
			if (str_eq(str_c(c->name), STR("pagerduty.default.instances")))
				continue; /* takes the list of alerts */
			if (run(NULL, c->text, html == 1, &out, &e) != 0)
				ck_abort_msg("%s: %s", c->name, e.msg);
			buf_fini(&out);
		}
	}
}
END_TEST

static const struct {
	const char *text, *want;
} pages[] = {
	{"<p>{{ .CommonAnnotations.summary }}</p>",
		"<p>pool is &#34;full&#34; &amp; &lt;b&gt;slow&lt;/b&gt;</p>"},
	{"<p>{{ .CommonAnnotations.summary | safeHtml }}</p>",
		"<p>pool is \"full\" & <b>slow</b></p>"},
	{"<p>{{ \"<\" | html }}{{ html \"&\" }}</p>", "<p>&lt;&amp;</p>"},
	{"<a title=\"{{ .CommonAnnotations.summary }}\">",
		"<a title=\"pool is &#34;full&#34; &amp; &lt;b&gt;slow&lt;/b&gt;\">"},
	{"<a title='{{ safeHtml \"<b>it's</b>\" }}'>", "<a title='it&#39;s'>"},
	{"<a title={{ \"a b=c\" }} x>", "<a title=a&#32;b&#61;c x>"},
	{"<a title={{ \"\" }} x=1>", "<a title=ZgotmplZ x=1>"},
	{"<a href=\"{{ \"javascript:alert(1)\" }}\">", "<a href=\"#ZgotmplZ\">"},
	{"<a href=\"{{ \"JAVASCRIPT:alert(1)\" }}\">", "<a href=\"#ZgotmplZ\">"},
	{"<a href=\"{{ \"data:text/html,x\" }}\">", "<a href=\"#ZgotmplZ\">"},
	{"<a href=\"{{ \"tel:1\" | safeUrl }}\">", "<a href=\"tel:1\">"},
	{"<a href=\"{{ .CommonAnnotations.runbook_url }}?x={{ \"a&b c\" }}\">",
		"<a href=\"https://rb.example/pool?x=a%26b%20c\">"},
	{"<a href=\"/p/{{ \"a b\\\"c\" }}/#{{ \"x/y\" }}\">", "<a href=\"/p/a%20b%22c/#x%2fy\">"},
	{"<a href='{{ template \"__alertmanagerURL\" . }}'>",
		"<a href='https://mon.example/#/alerts?receiver=team%5C%2Bx'>"},
	{"<a onclick=\"f({{ \"it's\" }}, {{ 3 }}, '{{ \"</a>'\" }}')\">",
		"<a onclick=\"f(&#34;it\\u0027s&#34;,  3 , '\\u003c\\/a\\u003e\\u0027')\">"},
	{"<script>var x = {{ .GroupLabels }}, y = \"{{ \"\\\"</script>\" }}\"; // {{ \"gone\" }}\n"
	 "</script>{{ \"<\" }}",
		"<script>var x =  {\"job\":\"shop\"} , y = \"\\u0022\\u003c\\/script\\u003e\"; // "
		"\n</script>&lt;"},
	{"<b style=\"color: {{ \"red\" }}; width: {{ 3 }}px; x: {{ \"expression(1)\" }}\">",
		"<b style=\"color: red; width: 3px; x: ZgotmplZ\">"},
	{"<b style=\"background: url('{{ \"javascript:1\" }}')\">",
		"<b style=\"background: url('#ZgotmplZ')\">"},
	{"<style>p { color: {{ \"a;b\" }} }</style><title>{{ \"</title>\" }}</title>",
		"<style>p { color: ZgotmplZ }</style><title>&lt;/title&gt;</title>"},
	{"a<!-- {{ .Status }} -->b", "ab"},
	{"<{{ \"img src=x onerror=y\" }}>", "<ZgotmplZ>"},
	{"<b {{ \"onload=1\" }}={{ 1 }} {{ \"class\" }}=\"x\">", "<b ZgotmplZ=1 class=\"x\">"},
	{"{{ if true }}<a href=\"{{ end }}{{ \"x y\" }}\">{{ \"x<y\" }}",
		"<a href=\"x%20y\">x&lt;y"},
	{"{{ .None }}", ""},
};

START_TEST(html_is_escaped_by_its_context)
{
	for (size_t i = 0; i + 1 < ARRAY_LEN(pages); i++)
		expect(NULL, pages[i].text, true, pages[i].want);
}
END_TEST

static const struct {
	const char *text, *says;
} bad[] = {
	{"{{ .Labels.x }}", "can't evaluate field Labels in type *template.Data"},
	{"{{ template \"nope\" . }}", "template \"nope\" is not defined"},
	{"{{ $labels }}", "undefined variable"},
	{"{{ query \"up\" }}", "function \"query\" is not defined"},
	{"{{ nosuch }}", "function \"nosuch\" is not defined"},
	{"{{ match \"(\" \"x\" }}", "missing"},
	{"{{ routeLabels \"a\" }}", "round in circles"},
	{"{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}",
		"nested deeper"},
	{"{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range 1000000 }}{{ $x = printf \"%s%s\" $x $x }}{{ "
	 "end }}",
		"too"},
	{"{{ range 100000000 }}{{ end }}", "takes"},
	{"{{ range 100000000 }}0123456789012345678901234567890123456789{{ end }}", ""},
	{"{{ mustToDate \"2006\" \"x\" }}", "cannot parse"},
	{"{{ tz \"No/Where\" now }}", ""},
	{"{{ tz \"../../etc/passwd\" now }}", ""},
	{"{{ base64decode \"a\" }}", "illegal base64"},
	{"{{ .CommonLabels.Remove }}", "needs a list"},
	{"{{ .CommonLabels.Names 1 }}", "wrong number"},
	{"{{ append 1 2 }}", "expected a list"},
};

START_TEST(what_cannot_run_is_an_error_that_says_why_and_leaves_no_output)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};
		struct buf out;

		if (run(NULL, bad[i].text, false, &out, &e) == 0)
			ck_abort_msg("%s ran", bad[i].text);
		if (!str_has(str_c(e.msg), str_c(bad[i].says)))
			ck_abort_msg("%s: %s", bad[i].text, e.msg);
		ck_assert_uint_eq(out.n, 0);
		ck_assert(!out.failed);
		buf_fini(&out);
	}
}
END_TEST

static struct notify_templates *with_file(struct arena *a, const char *path, const char *text)
{
	struct notify_templates *t = notify_templates_new(a);
	struct err e = {0};

	ck_assert_ptr_nonnull(t);
	if (notify_templates_add_file(t, str_c(path), str_c(text), &e) != 0)
		ck_abort_msg("%s", e.msg);
	return t;
}

START_TEST(files_replace_definitions_and_the_later_one_holds)
{
	struct notify_templates *t;
	struct err e = {0};
	struct arena a;

	arena_init(&a, (size_t)8 << 20);
	t = with_file(&a, "/etc/x/one.tmpl",
		"{{ define \"__subject\" }}S {{ .Status }}{{ end }}{{ define \"mine\" }}1{{ end "
		"}}top");
	ck_assert_int_eq(notify_templates_add_file(t, STR("two.tmpl"),
				 STR("{{ define \"mine\" }}2{{ end }}"
				     "{{ define \"__subject\" }} {{ end }}"),
				 &e),
		0);
	expect(t, "{{ template \"mine\" . }}", false, "2");
	/* an empty definition does not replace one with content, as in Go */
	expect(t, "{{ template \"slack.default.title\" . }}", false, "S firing");
	expect(t, "{{ template \"one.tmpl\" . }}", false, "top");
	arena_fini(&a);
}
END_TEST

START_TEST(own_messages_give_way_only_to_what_the_user_wrote)
{
	struct notify_templates *none, *subject, *name, *title;
	struct arena a;

	arena_init(&a, (size_t)32 << 20);
	none = notify_templates_new(&a);
	subject = with_file(&a, "a", "{{ define \"__subject\" }}S{{ end }}");
	name = with_file(&a, "a", "{{ define \"__alertmanager\" }}Us{{ end }}");
	title = with_file(&a, "a", "{{ define \"slack.default.title\" }}T{{ end }}");
	ck_assert_uint_eq(notify_template_field(none, STR(""), "slack.default.title").n, 0);
	ck_assert_uint_eq(notify_template_field(NULL, STR(""), "slack.default.title").n, 0);
	ck_assert_uint_eq(notify_template_field(name, STR(""), "email.default.html").n, 0);
	ck_assert(str_eq(notify_template_field(none, STR("x"), "slack.default.title"), STR("x")));
	ck_assert(str_eq(notify_template_field(subject, STR(""), "slack.default.title"),
		STR("{{ template \"slack.default.title\" . }}")));
	ck_assert(str_eq(notify_template_field(title, STR(""), "slack.default.title"),
		STR("{{ template \"slack.default.title\" . }}")));
	ck_assert_uint_eq(notify_template_field(title, STR(""), "slack.default.text").n, 0);
	ck_assert(str_eq(notify_template_default(NULL, STR(""), "discord.default.title"),
		STR("{{ template \"discord.default.title\" . }}")));
	arena_fini(&a);
}
END_TEST

START_TEST(mistakes_in_files_and_fields_have_their_place)
{
	struct notify_templates *t;
	struct err e = {0};
	struct arena a;

	arena_init(&a, (size_t)8 << 20);
	t = notify_templates_new(&a);
	ck_assert_int_ne(notify_templates_add_file(t, STR("x"), STR("ok\n{{ nosuch }}"), &e), 0);
	ck_assert_uint_eq(e.off, 6);
	ck_assert_int_ne(notify_templates_add_field(t, STR("{{ if }}"), &e), 0);
	ck_assert_uint_gt(e.off, 0);
	ck_assert_int_eq(notify_templates_add_field(t, STR("{{ .Alerts.Nope }}"), &e), 0);
	ck_assert_int_ne(notify_templates_try(t, STR("{{ .Alerts.Nope }}"), false, &e), 0);
	ck_assert_uint_eq(e.off, 3);
	/* in a definition of another text: no place in this one, but the file's in the message */
	ck_assert_int_eq(notify_templates_add_file(t, STR("dir/f.tmpl"),
				 STR("\n{{ define \"bad\" }}{{ .Nope }}{{ end }}"), &e),
		0);
	ck_assert_int_ne(notify_templates_try(t, STR("{{ template \"bad\" . }}"), false, &e), 0);
	ck_assert_uint_eq(e.off, SIZE_MAX);
	ck_assert(str_has(str_c(e.msg), STR("dir/f.tmpl:2:22")));
	ck_assert_int_eq(notify_templates_try(t, STR("{{ .Status }}"), true, &e), 0);
	arena_fini(&a);
}
END_TEST

static void quiet(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

START_TEST(a_failing_template_is_counted_noted_and_says_false)
{
	struct metric *errors = metric_counter("belfry_notify_template_errors_total",
		"Templates of notifications that failed; belfry's own text was sent instead.",
		NULL);
	double before = metric_get(errors);
	struct fixture f;
	struct buf out, note;

	setup(&f);
	log_capture(quiet, NULL);
	buf_init(&out, 1000);
	buf_init(&note, 1000);
	buf_c(&out, "kept ");
	ck_assert(!notify_template_render(
		NULL, STR("x{{ .Nope }}"), "title", &f.m, false, &out, &note));
	ck_assert(str_eq(buf_view(&out), STR("kept ")));
	ck_assert(
		str_starts(buf_view(&note), STR("the template of title failed: 1:5: at <.Nope>")));
	ck_assert_double_eq(metric_get(errors), before + 1);
	ck_assert(notify_template_render(
		NULL, STR("{{ .Status }}"), "title", &f.m, false, &out, &note));
	ck_assert(str_eq(buf_view(&out), STR("kept firing")));
	/* no room: as if it had not been tried */
	buf_fini(&out);
	buf_init(&out, 3);
	ck_assert(!notify_template_render(
		NULL, STR("{{ .Status }}"), "title", &f.m, false, &out, NULL));
	ck_assert(!out.failed);
	ck_assert_uint_eq(out.n, 0);
	log_capture(NULL, NULL);
	buf_fini(&note);
	buf_fini(&out);
	arena_fini(&f.a);
}
END_TEST

START_TEST(nothing_a_label_holds_reaches_the_output_as_control)
{
	static const struct label evil[] = {
		{S("alertname"), S("a\001\0022\r\nSubject: x\xe2\x80\xae\xff\0z")}};
	struct fixture f;
	struct err e;
	struct buf out;

	setup(&f);
	f.v[0].labels = (struct labels){evil, 1};
	buf_init(&out, 1000);
	ck_assert_int_eq(notify_template_text(NULL, STR("{{ (index .Alerts 0).Labels.alertname }}"),
				 &f.m, &out, &e),
		0);
	ck_assert(str_eq(buf_view(&out), STR("a  2\nSubject: x\xef\xbf\xbd z")));
	buf_fini(&out);
	arena_fini(&f.a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("notify_template");
	TCase *tc = tcase_create("notify_template");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, data_and_functions_are_alertmanagers);
	tcase_add_test(tc, times_are_shown_in_a_zone_by_its_names);
	tcase_add_test(tc, every_default_definition_runs_as_text_and_as_html);
	tcase_add_test(tc, html_is_escaped_by_its_context);
	tcase_add_test(tc, what_cannot_run_is_an_error_that_says_why_and_leaves_no_output);
	tcase_add_test(tc, files_replace_definitions_and_the_later_one_holds);
	tcase_add_test(tc, own_messages_give_way_only_to_what_the_user_wrote);
	tcase_add_test(tc, mistakes_in_files_and_fields_have_their_place);
	tcase_add_test(tc, a_failing_template_is_counted_noted_and_says_false);
	tcase_add_test(tc, nothing_a_label_holds_reaches_the_output_as_control);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
