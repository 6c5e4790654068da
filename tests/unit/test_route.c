/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes of a routing tree alerts reach, and what their keys and groups are called. */
#include <check.h>
#include <stdlib.h>

#include "base/hash.h"
#include "exporters/route.h"
#include "tests/lib/suite.h"

static struct matcher db, page, page2;
static struct receiver_config receivers[] = {
	{.name = {"team", 4}}, {.name = {"db", 2}}, {.name = {"pager", 5}}};
static struct route_config deep[1], children[3];
static struct notify_config cfg;
static struct route_table table;
static struct arena arena;

static void matcher(struct matcher *m, const char *name, const char *value)
{
	struct err e;

	ck_assert_int_eq(matcher_init(m, MATCH_EQ, str_c(name), str_c(value), &e), 0);
}

static void setup(void)
{
	hash_init();
	matcher(&db, "team", "db");
	matcher(&page, "severity", "page");
	matcher(&page2, "severity", "page");
	deep[0] =
		(struct route_config){.receiver = STR("pager"), .matchers = &page, .n_matchers = 1};
	children[0] = (struct route_config){.receiver = STR("db"),
		.matchers = &db,
		.n_matchers = 1,
		.routes = deep,
		.n_routes = 1,
		.continue_ = true};
	children[1] =
		(struct route_config){.receiver = STR("pager"), .matchers = &page, .n_matchers = 1};
	children[2] =
		(struct route_config){.receiver = STR("team"), .matchers = &page2, .n_matchers = 1};
	cfg = (struct notify_config){.receivers = receivers,
		.n_receivers = 3,
		.root = {.receiver = STR("team"), .routes = children, .n_routes = 3}};
	arena_init(&arena, 1 << 20);
	route_table_init(&table, &arena, &cfg);
}

static void teardown(void)
{
	arena_fini(&arena);
	matcher_fini(&db);
	matcher_fini(&page);
	matcher_fini(&page2);
}

static size_t reach(const char *team, const char *severity, size_t *out)
{
	struct label v[] = {{STR("severity"), str_c(severity)}, {STR("team"), str_c(team)}};
	struct labels ls = {v, 2};

	return route_match(&table, ls, out, 8);
}

START_TEST(an_alert_that_no_child_wants_stays_at_the_root)
{
	size_t at[8];

	ck_assert_uint_eq(reach("web", "info", at), 1);
	ck_assert_uint_eq(at[0], 0);
	ck_assert(str_eq(table.v[0].key, STR("{}")));
}
END_TEST

START_TEST(the_first_matching_child_takes_it_and_the_next_does_not)
{
	size_t at[8];

	ck_assert_uint_eq(reach("web", "page", at), 1);
	ck_assert(str_eq(table.v[at[0]].receiver->name, STR("pager")));
	ck_assert(str_eq(table.v[at[0]].key, STR("{}/{severity=\"page\"}")));
}
END_TEST

START_TEST(continue_goes_on_to_siblings_and_depth_comes_first)
{
	size_t at[8];

	ck_assert_uint_eq(reach("db", "page", at), 2);
	ck_assert(str_eq(table.v[at[0]].key, STR("{}/{team=\"db\"}/{severity=\"page\"}")));
	ck_assert(str_eq(table.v[at[1]].key, STR("{}/{severity=\"page\"}")));
	ck_assert_uint_eq(reach("db", "info", at), 1);
	ck_assert(str_eq(table.v[at[0]].receiver->name, STR("db")));
}
END_TEST

START_TEST(twin_siblings_have_keys_of_their_own)
{
	ck_assert_uint_eq(table.n, 5);
	ck_assert(str_eq(table.v[4].key, STR("{}/{severity=\"page\"}#2")));
	ck_assert_uint_eq(route_find(&table, table.v[4].key), 4);
	ck_assert_uint_eq(route_find(&table, STR("{}/nowhere")), table.n);
}
END_TEST

START_TEST(groups_are_named_by_the_labels_asked_for)
{
	struct str by[] = {STR("team"), STR("absent")};
	struct route_config r = {.group_by = by, .n_group_by = 2};
	struct label v[] = {{STR("alertname"), STR("A")}, {STR("team"), STR("db")}};
	struct labels ls = {v, 2}, g = route_group_labels(&r, ls, &arena);

	ck_assert_uint_eq(g.n, 1);
	ck_assert(str_eq(g.v[0].value, STR("db")));
	r.group_by_all = true;
	ck_assert_uint_eq(route_group_labels(&r, ls, &arena).n, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("route");
	TCase *t = tcase_create("route");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_alert_that_no_child_wants_stays_at_the_root);
	tcase_add_test(t, the_first_matching_child_takes_it_and_the_next_does_not);
	tcase_add_test(t, continue_goes_on_to_siblings_and_depth_comes_first);
	tcase_add_test(t, twin_siblings_have_keys_of_their_own);
	tcase_add_test(t, groups_are_named_by_the_labels_asked_for);
	suite_add_tcase(s, t);
	return suite_run(s);
}
