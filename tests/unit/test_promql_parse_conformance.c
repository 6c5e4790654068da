/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser against cases of Prometheus's own tests, when they lie beside the tree
 * (../shared/conformance, or BELFRY_CONFORMANCE): what upstream accepts must parse, print and
 * parse again to the same text; what upstream refuses must be refused.
 */
#include <check.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rules/promql/ast.h"
#include "tests/lib/cases.h"
#include "tests/lib/suite.h"

/* Duration expressions have values: upstream refuses them before it looks at data. */
static int durations(const struct pq_expr *x, int64_t step_ms, struct err *e)
{
	const struct pq_dur *d[3] = {NULL};
	bool negative[3] = {false, true, false};
	const struct pq_expr *c;
	int64_t ms;

	if (x->kind == PQ_RANGE) {
		d[0] = x->u.range.range_expr;
	} else if (x->kind == PQ_SUBQUERY) {
		d[0] = x->u.subquery.range_expr;
		d[1] = x->u.subquery.when.offset_expr;
		d[2] = x->u.subquery.step_expr;
	} else if (x->kind == PQ_SELECTOR) {
		d[1] = x->u.selector.when.offset_expr;
	}
	for (size_t i = 0; i < 3; i++)
		if (d[i] != NULL &&
			pq_dur_eval(d[i], step_ms, 10 * step_ms, negative[i], &ms, e) != 0)
			return -1;
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++)
		if (durations(c, step_ms, e) != 0)
			return -1;
	return 0;
}

static void check_ids(const struct pq_expr *x, const struct pq_expr *parent)
{
	const struct pq_expr *c;

	ck_assert(parent == NULL || x->id < parent->id);
	ck_assert(parent == NULL || x->height < parent->height);
	ck_assert(parent == NULL ||
		  (x->off >= parent->off && x->off + x->len <= parent->off + parent->len));
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++)
		check_ids(c, x);
}

/* Parse; when that works, print and parse once more. */
static bool accepts(const char *query, int64_t step_ms, struct err *e)
{
	struct buf one, two;
	struct arena a;
	const struct pq_expr *x;
	bool ok = false;

	arena_init(&a, (size_t)16 << 20);
	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	x = pq_parse(&a, str_c(query), true, e);
	if (x != NULL) {
		check_ids(x, NULL);
		ok = durations(x, step_ms, e) == 0;
		pq_expr_print(&one, x);
		ck_assert(!one.failed);
		x = pq_parse(&a, buf_view(&one), true, e);
		ck_assert_msg(x != NULL, "%s\nprinted %s\n%s", query, one.p, e->msg);
		pq_expr_print(&two, x);
		ck_assert_msg(str_eq(buf_view(&one), buf_view(&two)), "%s\n%s", one.p, two.p);
	}
	buf_fini(&two);
	buf_fini(&one);
	arena_fini(&a);
	return ok;
}

START_TEST(upstreams_table_is_accepted_and_refused_as_upstream_does)
{
	json_t *cases = cases_load("promql_parse/parse.json"), *c;
	size_t i, wrong = 0;

	if (cases == NULL)
		return;
	json_array_foreach(cases, i, c)
	{
		const char *query = json_string_value(json_object_get(c, "query"));
		bool want = json_is_true(json_object_get(c, "accepted"));
		struct err e = {.kind = ERR_NONE};

		if (query == NULL || accepts(query, 0, &e) == want)
			continue;
		wrong++;
		printf("%s: %s\n  upstream: %s\n  here: %s\n", want ? "refused" : "accepted", query,
			json_string_value(json_object_get(c, "api_error")), e.msg);
	}
	ck_assert(json_array_size(cases) > 200);
	json_decref(cases);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* The expression of an `eval` line and whether it may fail; NULL: not such a line. */
static char *expression(char *line, bool *may_fail)
{
	char *p = strstr(line, "eval"), *q;
	int skip;

	*may_fail = false;
	if (p == NULL || strspn(line, " \t") != (size_t)(p - line))
		return NULL;
	*may_fail = strncmp(p, "eval_fail", 9) == 0;
	if ((q = strstr(p, " instant at ")) != NULL) {
		p = q + strlen(" instant at ");
		skip = 1;
	} else if ((q = strstr(p, " range from ")) != NULL) {
		p = q + strlen(" range from ");
		skip = 5;
	} else {
		return NULL;
	}
	while (skip-- > 0) {
		p += strcspn(p, " \t");
		p += strspn(p, " \t");
	}
	p[strcspn(p, "\n")] = '\0';
	return p;
}

static void check_file(const char *path, size_t *lines)
{
	FILE *f = fopen(path, "r");
	char line[20000], pending[20000] = "";
	struct err e = {.kind = ERR_NONE};

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL) {
		bool may_fail;
		char *expr;

		if (strstr(line, "expect fail") != NULL)
			pending[0] = '\0';
		expr = expression(line, &may_fail);
		if (expr == NULL)
			continue;
		ck_assert_msg(pending[0] == '\0', "%s: %s\n%s", path, pending, e.msg);
		++*lines;
		if (!may_fail &&
			!accepts(expr, strstr(line, " range from ") != NULL ? 60000 : 0, &e))
			(void)snprintf(pending, sizeof pending, "%s", expr);
	}
	ck_assert_msg(pending[0] == '\0', "%s: %s\n%s", path, pending, e.msg);
	(void)fclose(f);
}

START_TEST(every_expression_of_the_evaluation_tests_parses)
{
	char folder[1000], path[1300];
	struct dirent *d;
	size_t lines = 0;
	DIR *dir;

	if (!cases_path("public", folder, sizeof folder))
		return;
	dir = opendir(folder);
	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)) != NULL) {
		if (strstr(d->d_name, ".test") == NULL)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
		check_file(path, &lines);
	}
	(void)closedir(dir);
	ck_assert_uint_gt(lines, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_parse_conformance");
	TCase *t = tcase_create("promql_parse_conformance");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, upstreams_table_is_accepted_and_refused_as_upstream_does);
	tcase_add_test(t, every_expression_of_the_evaluation_tests_parses);
	suite_add_tcase(s, t);
	return suite_run(s);
}
