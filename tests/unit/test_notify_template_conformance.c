/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates of notifications against cases of Alertmanager's own tests, when they lie beside the
 * tree (../shared/conformance, or BELFRY_CONFORMANCE).
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>

#include "base/dur.h"
#include "base/limits.h"
#include "rules/template.h"
#include "tests/lib/cases.h"
#include "tests/lib/suite.h"

static struct labels labels_of(struct arena *a, const json_t *map)
{
	struct label *v = ARENA_ARRAY(a, json_object_size(map) + 1, struct label);
	const char *key;
	json_t *value;
	size_t n = 0;

	ck_assert_ptr_nonnull(v);
	if (map == NULL)
		return (struct labels){NULL, 0}; /* Go's nil map */
	json_object_foreach((json_t *)(uintptr_t)map, key, value) v[n++] =
		(struct label){str_c(key), str_c(json_string_value(value))};
	ck_assert(labels_sort(v, &n));
	return (struct labels){v, n};
}

static struct tv alert_of(struct arena *a, const json_t *j)
{
	static const struct str names[] = {{"Status", 6}, {"Labels", 6}, {"Annotations", 11},
		{"StartsAt", 8}, {"EndsAt", 6}, {"GeneratorURL", 12}, {"Fingerprint", 11}};
	struct tv *v = ARENA_ARRAY(a, 7, struct tv);
	struct tv_field *f = ARENA_ARRAY(a, 7, struct tv_field);

	ck_assert_ptr_nonnull(v);
	ck_assert_ptr_nonnull(f);
	v[0] = tv_str(str_c(json_string_value(json_object_get(j, "Status"))));
	v[1] = tv_kv(labels_of(a, json_object_get(j, "Labels")));
	v[2] = tv_kv(labels_of(a, json_object_get(j, "Annotations")));
	v[3] = v[4] = tv_time(TV_TIME_ZERO);
	v[5] = v[6] = tv_str(STR(""));
	for (size_t i = 0; i < 7; i++)
		f[i] = (struct tv_field){names[i], &v[i]};
	return tv_struct(a, "template.Alert", f, 7);
}

/* A case's data: Go values as JSON. NOLINTNEXTLINE(misc-no-recursion): as deep as the case */
static struct tv value_of(struct arena *a, const json_t *j)
{
	struct tv *v;

	if (json_is_integer(j))
		return tv_int(json_integer_value(j));
	if (json_is_string(j))
		return tv_str(str_c(json_string_value(j)));
	if (json_is_array(j)) {
		v = ARENA_ARRAY(a, json_array_size(j), struct tv);
		ck_assert_ptr_nonnull(v);
		for (size_t i = 0; i < json_array_size(j); i++)
			v[i] = value_of(a, json_array_get(j, i));
		return tv_list(v, json_array_size(j));
	}
	if (json_object_get(j, "$call") != NULL) { /* time.Date(y, m, d, h, m, s, ns, zone) */
		const json_t *args = json_object_get(j, "args");
		int n[6];

		for (size_t i = 0; i < 6; i++)
			n[i] = (int)json_integer_value(json_array_get(args, i));
		return tv_time(civil_to_ms(n[0], n[1], n[2], n[3], n[4], n[5]) * 1000000);
	}
	return (struct tv){.kind = TV_NONE};
}

static struct tv data_of(struct arena *a, const json_t *j)
{
	struct tv_field *f = ARENA_ARRAY(a, json_object_size(j), struct tv_field);
	struct tv *v = ARENA_ARRAY(a, json_object_size(j), struct tv);
	const char *key;
	json_t *value;
	size_t n = 0;

	if (!json_is_object(j) || json_object_get(j, "$call") != NULL)
		return value_of(a, j);
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(v);
	json_object_foreach((json_t *)(uintptr_t)j, key, value)
	{
		v[n] = value_of(a, value);
		if (str_eq(str_c(key), STR("Alerts"))) {
			struct tv *list = ARENA_ARRAY(a, json_array_size(value), struct tv);

			ck_assert_ptr_nonnull(list);
			for (size_t i = 0; i < json_array_size(value); i++)
				list[i] = alert_of(a, json_array_get(value, i));
			v[n] = tv_named_list(TV_ALERTS, list, json_array_size(value));
		} else if (json_is_object(value)) {
			v[n] = tv_kv(labels_of(a, value));
		}
		f[n] = (struct tv_field){str_c(key), &v[n]};
		n++;
	}
	return tv_map(a, f, n);
}

static bool passes(const json_t *c)
{
	bool should_fail = json_is_true(json_object_get(c, "fail")), ok;
	const char *text = json_string_value(json_object_get(c, "template"));
	const json_t *data = json_object_get(c, "data");
	struct err e = {.kind = ERR_NONE};
	struct template_notify_run r = {.now_ms = 1700000000000,
		.html = json_is_true(json_object_get(c, "html")),
		.max_steps = LIMIT_NOTIFY_TEMPLATE_STEPS};
	const struct template *t;
	struct template_set *set;
	struct arena a;
	struct buf out;

	arena_init(&a, (size_t)16 << 20);
	buf_init(&out, LIMIT_NOTIFY_TEMPLATE_OUTPUT);
	set = template_set_new(&a);
	ck_assert_ptr_nonnull(set);
	r.data = data_of(&a, data);
	r.route_labels = labels_of(&a, json_object_get(data, "RouteLabels"));
	t = template_parse_in(set, &a, str_c(text), &e);
	ok = t != NULL && template_run_notify(t, &r, &a, &out, &e) == 0;
	if (ok && !should_fail)
		ok = str_eq(buf_view(&out), str_c(json_string_value(json_object_get(c, "expect"))));
	else
		ok = ok != should_fail;
	if (!ok)
		printf("%s: got \"%.*s\" %s\n", text, (int)out.n, out.p != NULL ? out.p : "",
			e.kind != ERR_NONE ? e.msg : "");
	buf_fini(&out);
	arena_fini(&a);
	return ok;
}

START_TEST(templates_answer_as_alertmanager_does)
{
	size_t passed = 0, failed = 0, skip = 0;
	json_t *cases = cases_load("templates/notification.json");

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
	printf("notification templates: %zu passed, %zu wrong, %zu skipped\n", passed, failed,
		skip);
	ck_assert_uint_gt(passed, 0);
	ck_assert_uint_eq(failed, 0);
	json_decref(cases);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("notify_template_conformance");
	TCase *tc = tcase_create("notify_template_conformance");

	tcase_add_test(tc, templates_answer_as_alertmanager_does);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
