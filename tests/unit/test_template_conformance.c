/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates against cases of Prometheus's own tests, when they lie beside the tree
 * (../shared/conformance, or BELFRY_CONFORMANCE). Only cases whose input is no JSON may be skipped.
 */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "base/limits.h"
#include "rules/template_private.h"
#include "tests/lib/cases.h"
#include "tests/lib/suite.h"

static struct labels labels_of(struct arena *a, const json_t *map)
{
	struct label *v = ARENA_ARRAY(a, json_object_size(map), struct label);
	const char *key;
	json_t *value;
	size_t n = 0;

	ck_assert_ptr_nonnull(v);
	json_object_foreach((json_t *)(uintptr_t)map, key, value) v[n++] =
		(struct label){str_c(key), str_c(json_string_value(value))};
	ck_assert(labels_sort(v, &n));
	return (struct labels){v, n};
}

static const struct hist *hist_of(struct arena *a, const json_t *h)
{
	struct hist *out = ARENA_NEW(a, struct hist);

	if (h == NULL)
		return NULL;
	ck_assert_ptr_nonnull(out);
	out->count = json_number_value(json_object_get(h, "Count"));
	out->sum = json_number_value(json_object_get(h, "Sum"));
	return out;
}

/* A case's input: Go values as JSON; {"Value": ...} is a sample.
 * NOLINTNEXTLINE(misc-no-recursion): as deep as the case */
static struct tv value_of(struct arena *a, const json_t *j)
{
	struct tv *v;

	if (json_is_integer(j))
		return tv_int(json_integer_value(j));
	if (json_is_real(j))
		return tv_float(json_real_value(j));
	if (json_is_string(j)) {
		struct str s = str_c(json_string_value(j));

		if (str_eq(s, STR("MaxUint64")))
			return tv_float(18446744073709551615.0);
		return str_eq(s, STR("MinInt64")) ? tv_int(INT64_MIN) : tv_str(s);
	}
	if (json_is_object(j)) {
		const json_t *value = json_object_get(j, "Value");

		ck_assert(json_is_object(value));
		return tv_sample(a, (struct labels){NULL, 0}, 0, hist_of(a, value));
	}
	if (!json_is_array(j))
		return (struct tv){.kind = TV_NONE};
	v = ARENA_ARRAY(a, json_array_size(j), struct tv);
	ck_assert_ptr_nonnull(v);
	for (size_t i = 0; i < json_array_size(j); i++)
		v[i] = value_of(a, json_array_get(j, i));
	return tv_list(v, json_array_size(j));
}

static int query(void *ctx, struct str expr, int64_t at_ms, struct arena *a,
	struct template_sample **samples, size_t *n, struct err *e)
{
	const json_t *list = json_object_get(ctx, "queryResult");

	(void)expr;
	(void)at_ms;
	(void)e;
	*n = json_array_size(list);
	*samples = ARENA_ARRAY(a, *n, struct template_sample);
	ck_assert_ptr_nonnull(*samples);
	for (size_t i = 0; i < *n; i++) {
		const json_t *s = json_array_get(list, i);

		(*samples)[i].labels = labels_of(a, json_object_get(s, "Metric"));
		(*samples)[i].value = json_number_value(json_object_get(s, "F"));
		(*samples)[i].h = hist_of(a, json_object_get(s, "H"));
	}
	return 0;
}

/* The one option of Go's library that the cases set. */
static bool missing_fails(const json_t *c)
{
	const json_t *options = json_object_get(c, "options");

	for (size_t i = 0; i < json_array_size(options); i++)
		ck_assert_str_eq(json_string_value(json_array_get(options, i)), "missingkey=error");
	return json_array_size(options) > 0;
}

static bool passes(json_t *c)
{
	struct tmpl_html html = {0};
	struct tmpl_env env = {.html = json_is_true(json_object_get(c, "html")) ? &html : NULL,
		.missing_fails = missing_fails(c),
		.external_url = STR("http://testhost:9090/path/prefix"),
		.now_ms = 1353755652000,
		.query = query,
		.query_ctx = c};
	bool should_fail = json_is_true(json_object_get(c, "shouldFail")), ok;
	const char *text = json_string_value(json_object_get(c, "text"));
	struct err e = {.kind = ERR_NONE};
	const struct template *t;
	struct arena a;
	struct buf out;

	arena_init(&a, (size_t)16 << 20);
	buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
	t = template_parse(&a, str_c(text), &e);
	ok = t != NULL &&
	     tmpl_run(t, &env, value_of(&a, json_object_get(c, "input")), &a, &out, &e) == 0;
	if (ok && !should_fail)
		ok = str_eq(buf_view(&out), str_c(json_string_value(json_object_get(c, "output"))));
	else
		ok = ok != should_fail;
	if (!ok)
		printf("%s: got \"%.*s\" %s\n", text, (int)out.n, out.p != NULL ? out.p : "",
			e.kind != ERR_NONE ? e.msg : "");
	buf_fini(&out);
	arena_fini(&a);
	return ok;
}

START_TEST(templates_answer_as_prometheus_does)
{
	size_t passed = 0, failed = 0, skip = 0;
	json_t *cases = cases_load("templates/alert.json");

	if (cases == NULL)
		return;
	for (size_t i = 0; i < json_array_size(cases); i++) {
		json_t *c = json_array_get(cases, i);

		if (json_is_true(json_object_get(c, "needs_go_value")))
			skip++;
		else if (passes(c))
			passed++;
		else
			failed++;
	}
	printf("templates: %zu passed, %zu wrong, %zu skipped\n", passed, failed, skip);
	ck_assert_uint_gt(passed, 0);
	ck_assert_uint_eq(failed, 0);
	json_decref(cases);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("template_conformance");
	TCase *tc = tcase_create("template_conformance");

	tcase_add_test(tc, templates_answer_as_prometheus_does);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
