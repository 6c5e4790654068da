/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relabelling: cases of our own, and those of Prometheus's tests when they lie beside the tree
 * (../shared/conformance, or BELFRY_CONFORMANCE).
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/md5.h"
#include "base/num.h"
#include "base/relabel.h"
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

static void text(const json_t *c, const char *key, struct str *out)
{
	const json_t *v = json_object_get(c, key);

	if (v != NULL)
		*out = str_c(json_string_value(v));
}

static struct relabel_rule rule_of(struct arena *a, const json_t *c)
{
	struct relabel_rule r = relabel_defaults;
	const json_t *list = json_object_get(c, "source_labels");
	struct str *v = ARENA_ARRAY(a, json_array_size(list), struct str);

	for (size_t i = 0; i < json_array_size(list); i++)
		v[i] = str_c(json_string_value(json_array_get(list, i)));
	r.source_labels = v;
	r.n_source_labels = json_array_size(list);
	r.action = relabel_action_of(str_c(json_string_value(json_object_get(c, "action"))));
	text(c, "separator", &r.separator);
	text(c, "regex", &r.regex);
	text(c, "target_label", &r.target_label);
	text(c, "replacement", &r.replacement);
	r.modulus = (uint64_t)json_integer_value(json_object_get(c, "modulus"));
	return r;
}

static void run_case(const json_t *c, size_t number)
{
	const json_t *list = json_object_get(c, "relabel_configs");
	size_t n = json_array_size(list);
	struct relabel_rule *v = calloc(n + 1, sizeof *v);
	struct labels_builder b;
	struct labels got, want;
	struct arena a;
	struct buf shown;
	struct err e = {0};
	bool keep;

	arena_init(&a, 1u << 20);
	buf_init(&shown, 65536);
	for (size_t i = 0; i < n; i++) {
		v[i] = rule_of(&a, json_array_get(list, i));
		ck_assert_msg(relabel_rule_init(&v[i], &e) == 0, "case %zu rule %zu: %s", number, i,
			e.msg);
	}
	labels_builder_init(&b, &a, labels_of(&a, json_object_get(c, "input")));
	keep = relabel_apply(v, n, &b);
	ck_assert_msg(keep == json_is_true(json_object_get(c, "keep")), "case %zu", number);
	if (keep) {
		got = labels_builder_done(&b);
		want = labels_of(&a, json_object_get(c, "output"));
		labels_print(&shown, got, false);
		ck_assert_msg(labels_eq(got, want), "case %zu gives %s", number, shown.p);
	}
	for (size_t i = 0; i < n; i++)
		relabel_rule_fini(&v[i]);
	buf_fini(&shown);
	arena_fini(&a);
	free(v);
}

START_TEST(all_public_cases_give_the_listed_labels)
{
	json_t *cases = cases_load("relabel/relabel.json");

	for (size_t i = 0; i < json_array_size(cases); i++)
		run_case(json_array_get(cases, i), i);
	json_decref(cases);
}
END_TEST

START_TEST(all_public_configurations_are_judged_as_listed)
{
	json_t *cases = cases_load("relabel/validate.json");

	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *c = json_array_get(cases, i);
		const char *want = json_string_value(json_object_get(c, "error_contains"));
		struct relabel_rule r;
		struct arena a;
		struct err e = {0};
		int rc;

		arena_init(&a, 1u << 16);
		r = rule_of(&a, json_object_get(c, "relabel_config"));
		/* the list names the default by its field's name */
		if (str_eq(r.replacement, STR("Replacement")))
			r.replacement = relabel_defaults.replacement;
		r.legacy_names =
			str_eq(str_c(json_string_value(json_object_get(c, "name_validation"))),
				STR("legacy"));
		rc = relabel_rule_init(&r, &e);
		ck_assert_msg((rc == 0) == (want[0] == '\0'), "case %zu: %s", i, e.msg);
		ck_assert_msg(rc == 0 || strstr(e.msg, want) != NULL, "case %zu: %s", i, e.msg);
		if (rc == 0)
			relabel_rule_fini(&r);
		arena_fini(&a);
	}
	json_decref(cases);
}
END_TEST

START_TEST(legacy_target_labels_are_judged_as_listed)
{
	json_t *cases = cases_load("relabel/target_label_legacy.json");

	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *c = json_array_get(cases, i);
		struct relabel_rule r = relabel_defaults;
		struct err e = {0};
		bool ok;

		r.legacy_names = true;
		text(c, "target_label", &r.target_label);
		ok = relabel_rule_init(&r, &e) == 0;
		if (ok)
			relabel_rule_fini(&r);
		ck_assert_msg(
			ok == json_is_true(json_object_get(c, "valid")), "case %zu: %s", i, e.msg);
	}
	json_decref(cases);
}
END_TEST

static const struct {
	enum relabel_action action;
	const char *source, *target, *regex, *replacement, *want; /* NULL: dropped */
} own[] = {
	{RELABEL_LOWERCASE, "a", "b", NULL, NULL, "{a=\"ÄßΩ Жx\", b=\"äßω жx\"}"},
	{RELABEL_UPPERCASE, "a", "b", NULL, NULL, "{a=\"ÄßΩ Жx\", b=\"ÄßΩ ЖX\"}"},
	{RELABEL_REPLACE, "a", "a", NULL, "", "{}"},
	{RELABEL_REPLACE, "none", "b", NULL, "x", "{a=\"ÄßΩ Жx\", b=\"x\"}"},
	{RELABEL_REPLACE, "a", "b", "(?P<first>.).*", "${first}-$$-$9",
		"{a=\"ÄßΩ Жx\", b=\"Ä-$-\"}"},
	{RELABEL_REPLACE, "a", "$9", NULL, "x", "{a=\"ÄßΩ Жx\"}"},
	{RELABEL_KEEPEQUAL, "a", "a", NULL, NULL, "{a=\"ÄßΩ Жx\"}"},
	{RELABEL_KEEPEQUAL, "a", "none", NULL, NULL, NULL},
	{RELABEL_DROPEQUAL, "none", "none", NULL, NULL, NULL},
	{RELABEL_LABELKEEP, NULL, NULL, "b.*", NULL, "{}"},
	{RELABEL_LABELDROP, NULL, NULL, "b.*", NULL, "{a=\"ÄßΩ Жx\"}"},
	{RELABEL_LABELMAP, NULL, NULL, "(a)", "x_$1", "{a=\"ÄßΩ Жx\", x_a=\"ÄßΩ Жx\"}"},
};

START_TEST(each_action_does_what_its_name_says)
{
	struct label base = {STR("a"), STR("ÄßΩ Жx")};
	struct relabel_rule r = relabel_defaults;
	struct str src = str_c(own[_i].source);
	struct labels_builder b;
	struct arena a;
	struct buf out;
	struct err e = {0};
	bool keep;

	arena_init(&a, 1u << 16);
	buf_init(&out, 4096);
	r.action = own[_i].action;
	r.source_labels = &src;
	r.n_source_labels = own[_i].source != NULL;
	r.target_label = str_c(own[_i].target);
	if (own[_i].regex != NULL)
		r.regex = str_c(own[_i].regex);
	if (own[_i].replacement != NULL)
		r.replacement = str_c(own[_i].replacement);
	ck_assert_msg(relabel_rule_init(&r, &e) == 0, "%s", e.msg);
	labels_builder_init(&b, &a, (struct labels){&base, 1});
	keep = relabel_apply(&r, 1, &b);
	ck_assert_int_eq(keep, own[_i].want != NULL);
	if (keep) {
		labels_print(&out, labels_builder_done(&b), false);
		ck_assert_str_eq(out.p, own[_i].want);
	}
	ck_assert(!a.failed);
	relabel_rule_fini(&r);
	buf_fini(&out);
	arena_fini(&a);
}
END_TEST

START_TEST(actions_are_named_in_any_case_of_letters)
{
	ck_assert_int_eq(relabel_action_of(STR("LabelMap")), RELABEL_LABELMAP);
	ck_assert_int_eq(relabel_action_of(STR("none")), RELABEL_NONE);
	ck_assert_int_eq(relabel_action_of(STR("")), RELABEL_NONE);
	ck_assert_str_eq(relabel_action_name(RELABEL_KEEPEQUAL), "keepequal");
}
END_TEST

START_TEST(a_result_without_measure_fails_the_arena)
{
	struct relabel_rule r = relabel_defaults;
	struct str src[] = {STR("a")};
	struct labels_builder b;
	struct label base;
	struct arena a;
	struct buf big, tpl;
	struct err e = {0};

	arena_init(&a, 8u << 20);
	buf_init(&big, 1u << 20);
	buf_init(&tpl, 1u << 20);
	for (int i = 0; i < 4000; i++)
		buf_ch(&big, 'x');
	for (int i = 0; i < 40; i++)
		buf_c(&tpl, "$1");
	base = (struct label){STR("a"), buf_view(&big)};
	r.source_labels = src;
	r.n_source_labels = 1;
	r.target_label = STR("b");
	r.replacement = buf_view(&tpl);
	ck_assert_int_eq(relabel_rule_init(&r, &e), 0);
	labels_builder_init(&b, &a, (struct labels){&base, 1});
	ck_assert(relabel_apply(&r, 1, &b));
	ck_assert(a.failed);
	relabel_rule_fini(&r);
	buf_fini(&big);
	buf_fini(&tpl);
	arena_fini(&a);
}
END_TEST

static const struct {
	const char *text, *hex;
} digests[] = {
	{"", "d41d8cd98f00b204e9800998ecf8427e"},
	{"abc", "900150983cd24fb0d6963f7d28e17f72"},
	{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
		"d174ab98d277d9f5a5611c2c9f419d9f"},
	{"1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
	 "9012",
		"db43065558754a70b9dbb95f1a27a3ae"},
};

START_TEST(md5_gives_the_digests_of_its_rfc)
{
	uint8_t sum[MD5_BYTES];
	char hex[2 * MD5_BYTES + 1];

	md5(str_c(digests[_i].text), sum);
	for (size_t i = 0; i < MD5_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	ck_assert_str_eq(hex, digests[_i].hex);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("relabel");
	TCase *t = tcase_create("relabel");

	tcase_add_test(t, all_public_cases_give_the_listed_labels);
	tcase_add_test(t, all_public_configurations_are_judged_as_listed);
	tcase_add_test(t, legacy_target_labels_are_judged_as_listed);
	tcase_add_loop_test(t, each_action_does_what_its_name_says, 0, (int)ARRAY_LEN(own));
	tcase_add_test(t, actions_are_named_in_any_case_of_letters);
	tcase_add_test(t, a_result_without_measure_fails_the_arena);
	tcase_add_loop_test(t, md5_gives_the_digests_of_its_rfc, 0, (int)ARRAY_LEN(digests));
	suite_add_tcase(s, t);
	return suite_run(s);
}
