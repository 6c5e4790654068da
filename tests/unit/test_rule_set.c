/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule files: what good ones become, and every message of bad ones with its place
 * (tests/data/rules/bad; BELFRY_UPDATE=1 writes the expected messages anew).
 */
#include <check.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "rules/rule_set.h"
#include "tests/lib/suite.h"

static struct arena arena;
static struct diag *d;
static struct buf out;
static struct rule_set *rs;
static char path[64];

static void setup(void)
{
	arena_init(&arena, LIMIT_CONFIG_BYTES);
	buf_init(&out, 1u << 22);
	d = diag_new(&arena);
	rs = NULL;
	snprintf(path, sizeof path, "/tmp/belfry-rules.XXXXXX");
	close(mkstemp(path));
}

static void teardown(void)
{
	rule_set_free(rs);
	buf_fini(&out);
	arena_fini(&arena);
	unlink(path);
}

static void write_file(const char *name, struct str text)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text.p, 1, text.n, f), text.n);
	ck_assert_int_eq(fclose(f), 0);
}

static const char *printed(void)
{
	buf_reset(&out);
	diag_print(d, &out);
	ck_assert(!out.failed);
	return out.p != NULL ? out.p : "";
}

static void load(const char *text)
{
	struct str paths[] = {str_c(path)};

	rule_set_free(rs);
	d = diag_new(&arena);
	write_file(path, str_c(text));
	rs = rule_set_load(paths, 1, false, d, &arena);
	ck_assert((rs == NULL) == (diag_errors(d) > 0));
}

static const struct rule_def *loads_rule(const char *text)
{
	load(text);
	ck_assert_msg(rs != NULL, "%s", printed());
	ck_assert_uint_eq(rs->n, 1);
	ck_assert_uint_ge(rs->groups[0].n, 1);
	return &rs->groups[0].rules[0];
}

#define SAME(s, text) ck_assert_msg(str_eq((s), STR(text)), "got %.*s", (int)(s).n, (s).p)

START_TEST(every_bad_file_is_refused_with_its_messages)
{
	size_t n = 0;
	glob_t g;

	ck_assert_int_eq(glob("tests/data/rules/bad/*.yml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct str name = str_c(g.gl_pathv[i]), want;
		char golden[256];
		struct err e;

		d = diag_new(&arena);
		snprintf(golden, sizeof golden, "%.*s.err", (int)name.n - 4, name.p);
		ck_assert_msg(rule_set_load(&name, 1, false, d, &arena) == NULL, "%s was accepted",
			name.p);
		printed();
		if (getenv("BELFRY_UPDATE") != NULL)
			write_file(golden, buf_view(&out));
		ck_assert_msg(fd_read_file(golden, 1u << 20, &arena, &want, &e) == 0, "%s", e.msg);
		ck_assert_msg(str_eq(want, buf_view(&out)), "%s wanted:\n%.*s\ngot:\n%s", name.p,
			(int)want.n, want.p, out.p);
		n++;
	}
	globfree(&g);
	ck_assert_uint_ge(n, 13);
}
END_TEST

START_TEST(an_alert_has_its_parts)
{
	const struct rule_def *r = loads_rule("groups:\n"
					      "- name: g\n"
					      "  interval: 1m30s\n"
					      "  query_offset: 10s\n"
					      "  limit: 7\n"
					      "  labels: {team: infra, tier: '{{ $value }}'}\n"
					      "  rules:\n"
					      "  - alert: Hot\n"
					      "    expr: temp > 80\n"
					      "    for: 5m\n"
					      "    keep_firing_for: 1h\n"
					      "    labels: {team: web, severity: page}\n"
					      "    annotations: {summary: 'x {{ $value }}'}\n");
	const struct rule_group_def *g = &rs->groups[0];

	ck_assert_int_eq(g->interval_ms, 90000);
	ck_assert_int_eq(g->query_offset_ms, 10000);
	ck_assert_uint_eq(g->limit, 7);
	ck_assert(r->is_alert);
	SAME(r->name, "Hot");
	SAME(r->query, "temp > 80");
	ck_assert_int_eq(r->for_ms, 300000);
	ck_assert_int_eq(r->keep_firing_for_ms, 3600000);
	ck_assert_ptr_nonnull(r->side);
	ck_assert(r->threshold == 80);
	ck_assert_str_eq(r->op, ">");
	ck_assert_uint_eq(r->n_labels, 3); /* the group's, the rule's own winning */
	SAME(r->labels[0].name, "tier");
	ck_assert_ptr_nonnull(r->labels[0].t);
	SAME(r->labels[1].text, "web");
	ck_assert_ptr_null(r->labels[1].t);
	ck_assert_ptr_nonnull(r->annotations[0].t);
	ck_assert_uint_eq(r->line, 8);
}
END_TEST

START_TEST(a_recording_rules_labels_are_no_templates)
{
	const struct rule_def *r =
		loads_rule("groups: [{name: g, rules: [{record: 'a:b', expr: 'sum( x )', for: 0s,"
			   " labels: {l: '{{ $nothing }}'}}]}]");

	ck_assert(!r->is_alert);
	SAME(r->query, "sum(x)");
	SAME(r->labels[0].text, "{{ $nothing }}");
	ck_assert_ptr_null(r->labels[0].t);
	ck_assert(isnan(r->threshold));
	ck_assert_int_eq(rs->groups[0].interval_ms, 0);
	ck_assert_int_eq(rs->groups[0].query_offset_ms, -1);
}
END_TEST

static struct str key_of(const char *rule)
{
	char text[512];

	snprintf(text, sizeof text, "groups: [{name: g, rules: [{%s}]}]", rule);
	return arena_str(&arena, loads_rule(text)->key);
}

START_TEST(a_rules_identity_is_its_expression_and_labels)
{
	struct str a = key_of("alert: A, expr: x > 1, labels: {a: b}");

	ck_assert(str_eq(a, key_of("alert: A, expr: 'x>1', labels: {a: b}, for: 5m")));
	ck_assert(str_eq(a, key_of("alert: A, expr: x > 1, labels: {a: b}, annotations: {s: t}")));
	ck_assert(!str_eq(a, key_of("alert: A, expr: x > 2, labels: {a: b}")));
	ck_assert(!str_eq(a, key_of("alert: A, expr: x > 1, labels: {a: c}")));
	ck_assert(!str_eq(a, key_of("alert: A, expr: x > 1, labels: {ab: ''}")));
	ck_assert(!str_eq(a, key_of("alert: B, expr: x > 1, labels: {a: b}")));
}
END_TEST

START_TEST(empty_files_and_second_documents_load)
{
	load("");
	ck_assert_ptr_nonnull(rs);
	load("groups:\n");
	ck_assert_ptr_nonnull(rs);
	ck_assert_uint_eq(rs->n, 0);
	load("groups: [{name: g, rules: [{record: a, expr: '1'}]}]\n---\ngroups: []\n");
	ck_assert_ptr_nonnull(rs);
	ck_assert_uint_eq(rule_set_count(rs), 1);
	ck_assert_uint_eq(diag_warnings(d), 1);
}
END_TEST

START_TEST(unknown_keys_pass_when_asked_to)
{
	struct str paths[] = {str_c(path)};

	write_file(
		path, STR("groups: [{name: g, owner: me, rules: [{record: a, expr: '1', x: 2}]}]"));
	ck_assert_ptr_null(rule_set_load(paths, 1, false, d, &arena));
	d = diag_new(&arena);
	rs = rule_set_load_lenient(paths, 1, false, d, &arena);
	ck_assert_ptr_nonnull(rs);
}
END_TEST

START_TEST(groups_of_different_files_may_share_a_name)
{
	struct str paths[] = {str_c(path), STR("tests/demo/rules.yml"), STR("/nonexistent.yml")};

	write_file(path, STR("groups: [{name: shop, rules: [{record: a, expr: '1'}]}]"));
	rs = rule_set_load(paths, 2, false, d, &arena);
	ck_assert_msg(rs != NULL, "%s", printed());
	ck_assert_uint_ge(rs->n, 2);
	SAME(rs->groups[1].file, "tests/demo/rules.yml");
	rule_set_free(rs);
	rs = rule_set_load(paths, 3, false, d, &arena);
	ck_assert_ptr_null(rs);
	ck_assert_ptr_nonnull(strstr(printed(), "/nonexistent.yml"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rule_set");
	TCase *tc = tcase_create("rule_set");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_bad_file_is_refused_with_its_messages);
	tcase_add_test(tc, an_alert_has_its_parts);
	tcase_add_test(tc, a_recording_rules_labels_are_no_templates);
	tcase_add_test(tc, a_rules_identity_is_its_expression_and_labels);
	tcase_add_test(tc, empty_files_and_second_documents_load);
	tcase_add_test(tc, unknown_keys_pass_when_asked_to);
	tcase_add_test(tc, groups_of_different_files_may_share_a_name);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
