/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom label sets reach in public Alertmanager configurations: the answers of `amtool config routes
 * test`, when they lie beside the tree (../shared/conformance or BELFRY_CONFORMANCE).
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/route.h"
#include "tests/lib/cases.h"
#include "tests/lib/suite.h"

static struct arena arena;

static struct config *load(const char *root, const char *name)
{
	struct config_flags flags = {.check = true};
	char path[] = "/tmp/belfry-routes-XXXXXX", full[4096];
	struct diag *d = diag_new(&arena);
	struct config *c;
	struct buf out;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	if (root[0] == '/')
		(void)snprintf(full, sizeof full, "%s", root);
	else
		ck_assert_ptr_nonnull(realpath(root, full));
	ck_assert_int_gt(
		dprintf(fd, "alertmanager_config_file: %s/config/alertmanager/%s\n", full, name),
		0);
	ck_assert_int_eq(close(fd), 0);
	c = config_load(path, &flags, d);
	buf_init(&out, 1u << 20);
	diag_print(d, &out);
	ck_assert_msg(c != NULL, "%s: %s", name, out.p);
	buf_fini(&out);
	ck_assert_int_eq(unlink(path), 0);
	return c;
}

static void check_case(const struct route_table *t, const json_t *c)
{
	const json_t *labels = json_object_get(c, "labels"),
		     *want = json_object_get(c, "receivers");
	struct label v[64];
	const char *key;
	json_t *value;
	size_t nodes[64], n = 0, found;

	json_object_foreach((json_t *)(uintptr_t)labels, key, value) v[n++] =
		(struct label){str_c(key), str_c(json_string_value(value))};
	ck_assert(labels_sort(v, &n));
	found = route_match(t, (struct labels){v, n}, nodes, 64);
	ck_assert_uint_eq(found, json_array_size(want));
	for (size_t i = 0; i < found; i++)
		ck_assert_str_eq(
			t->v[nodes[i]].cfg->receiver.p, json_string_value(json_array_get(want, i)));
}

START_TEST(label_sets_reach_the_receivers_that_amtool_names)
{
	char root[1024];
	json_t *all = cases_load("alerting/routes.json");

	if (all == NULL || !cases_path("", root, sizeof root))
		return;
	hash_init();
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i);
		struct route_table t;
		struct config *cfg;

		arena_init(&arena, LIMIT_CONFIG_BYTES);
		cfg = load(root, json_string_value(json_object_get(c, "config")));
		route_table_init(&t, &arena, &cfg->notify);
		check_case(&t, c);
		config_free(cfg);
		arena_fini(&arena);
	}
	json_decref(all);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {label_sets_reach_the_receivers_that_amtool_names};
	Suite *s = suite_create("routes of Alertmanager");
	TCase *tc = tcase_create("routes of Alertmanager");

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
