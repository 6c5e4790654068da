/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Silences: what they keep from being told, when it is told again, how they are edited (D14), and
 * that they hold from the moment they were made, restarts included.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/silence.h"
#include "tests/lib/dispatch_rig.h"
#include "tests/lib/suite.h"

#define S 1000
#define M (60 * S)
#define H (60 * M)

#define ROUTE                                                                                      \
	"statsd: {listen: []}\n"                                                                   \
	"receivers: [" RIG_WEBHOOK("w") "]\n"                                                      \
					"route: {receiver: w, group_by: [alertname], group_wait: " \
					"10s, group_interval: 1m, "                                \
					"repeat_interval: 4h}\n"

static const char plain[] = ROUTE;

/* Ids of silences on the only alert, or of all. */
static size_t silenced_by(void)
{
	struct alert_query q = {.active = true, .silenced = true, .inhibited = true};
	struct alert_view *v;
	struct arena a;
	struct err e;
	size_t n, found;

	arena_init(&a, 1u << 20);
	ck_assert_int_eq(notify_alerts(rig_notify(), &q, &a, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	found = v[0].n_silenced_by;
	arena_fini(&a);
	return found;
}

static struct silence_view get(const char *id, struct arena *a)
{
	struct silence_view v;
	struct err e;

	ck_assert_msg(notify_silence_get(rig_notify(), str_c(id), a, &v, &e) == 0, "%s", e.msg);
	return v;
}

static enum silence_state state_of(const char *id)
{
	struct arena a;
	enum silence_state st;

	arena_init(&a, 1u << 20);
	st = get(id, &a).state;
	arena_fini(&a);
	return st;
}

/* An edit: starts and ends in ms from the test's beginning. */
static int put_again(const char *id, const char *value, int64_t starts, int64_t ends, struct err *e)
{
	struct silence_matcher m = {STR("alertname"), str_c(value), false, true};
	struct silence_view v = {.id = str_c(id),
		.matchers = &m,
		.n_matchers = 1,
		.starts_at_ms = RIG_T0 + starts,
		.ends_at_ms = RIG_T0 + ends,
		.comment = STR("again")};

	return notify_silence_put(rig_notify(), &v, rig_id, e);
}

START_TEST(a_silenced_alert_is_not_told_until_the_silence_ends)
{
	rig_start(plain);
	ck_assert_str_eq(rig_silence("alertname=A", 0, 1 * H), "");
	rig_fire("alertname=A");
	rig_fire("alertname=B");
	rig_pass(30 * M);
	ck_assert_str_eq(rig_told(), "w: B+");
	rig_pass(30 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(10 * S); /* group_wait, for its siblings */
	ck_assert_str_eq(rig_told(), "w: A+");
}
END_TEST

START_TEST(a_silence_that_begins_later_works_then)
{
	rig_start(plain);
	ck_assert_str_eq(rig_silence("alertname=A", 5 * M, 1 * H), "");
	ck_assert_int_eq(state_of(rig_id), SILENCE_PENDING);
	rig_fire("alertname=A,instance=1");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A/1+");
	rig_pass(5 * M);
	ck_assert_int_eq(state_of(rig_id), SILENCE_ACTIVE);
	rig_fire("alertname=A,instance=2");
	rig_pass(5 * M);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(the_end_of_an_alert_told_before_the_silence_is_told)
{
	rig_start(plain);
	rig_fire("alertname=A");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	ck_assert_str_eq(rig_silence("alertname=A", 0, 1 * H), "");
	rig_pass(5 * M);
	rig_restart(NULL);
	rig_resolve("alertname=A");
	ck_assert_str_eq(rig_told(), "w: A-");
}
END_TEST

START_TEST(the_end_of_a_silenced_alert_can_be_kept_silent)
{
	rig_start(ROUTE "notifications: {resolve_suppressed: false}\n");
	rig_fire("alertname=A");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	ck_assert_str_eq(rig_silence("alertname=A", 0, 1 * H), "");
	rig_resolve("alertname=A");
	rig_pass(2 * H);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(the_end_of_an_alert_that_was_silent_from_the_start_is_not_told)
{
	rig_start(plain);
	ck_assert_str_eq(rig_silence("alertname=A", 0, 1 * H), "");
	rig_fire("alertname=A");
	rig_pass(1 * M);
	rig_resolve("alertname=A");
	rig_pass(2 * H);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(a_silenced_member_leaves_the_others_and_is_owed_its_end)
{
	rig_start(plain);
	rig_fire("alertname=A,instance=1");
	rig_fire("alertname=A,instance=2");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A/1+ A/2+");
	ck_assert_str_eq(rig_silence("instance=1", 0, 1 * H), "");
	rig_fire("alertname=A,instance=3");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A/2+ A/3+");
	rig_resolve("alertname=A,instance=1");
	rig_restart(NULL);
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A/1- A/2+ A/3+");
}
END_TEST

START_TEST(what_still_fires_after_others_ended_is_told_when_the_silence_ends)
{
	rig_start(plain);
	rig_fire("alertname=A,instance=1");
	rig_fire("alertname=A,instance=2");
	rig_pass(10 * S);
	(void)rig_told();
	ck_assert_str_eq(rig_silence("instance=1", 0, 1 * H), "");
	rig_resolve("alertname=A,instance=2");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A/2-");
	rig_pass(1 * H);
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A/1+");
}
END_TEST

START_TEST(a_silence_holds_through_a_restart_and_ends_while_stopped)
{
	rig_start(plain);
	ck_assert_str_eq(rig_silence("alertname=A", 0, 1 * H), "");
	rig_restart(NULL);
	rig_fire("alertname=A");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "");
	ck_assert_uint_eq(silenced_by(), 1);
	rig_restart(NULL);
	ck_assert_uint_eq(silenced_by(), 1);
	rig_pass(10 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(2 * H);
	rig_restart(NULL);
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
}
END_TEST

START_TEST(all_kinds_of_matchers_silence)
{
	static const struct {
		const char *matchers;
		bool matches;
	} cases[] = {{"alertname=A", true}, {"alertname!=A,löschen=~.+", false},
		{"alertname!=B,löschen=~.+", true}, {"alertname=~A|B", true},
		{"alertname=~\"A.*\"", true}, {"alertname=~\".\"", true},
		{"alertname=~A,team=db", false}, {"alertname!~\"B.*\",löschen=~.+", true},
		{"alertname=A,team=\"\"", true}, {"alertname=A,team!=x", true},
		{"{\"löschen\"=\"ja 🙂\"}", true}, {"\"löschen\"=~\"nein|ja.*\"", true}};

	rig_start(plain);
	rig_fire("alertname=A,löschen=ja 🙂");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;

		ck_assert_str_eq(rig_silence(cases[i].matchers, 0, 1 * H), "");
		ck_assert_msg(silenced_by() == cases[i].matches, "%s", cases[i].matchers);
		ck_assert_int_eq(notify_silence_expire(rig_notify(), str_c(rig_id), &e), 0);
		ck_assert_uint_eq(silenced_by(), 0);
	}
}
END_TEST

START_TEST(a_wrong_silence_is_refused_in_alertmanagers_words)
{
	char big[LIMIT_SILENCE_BYTES + 1024];
	struct err e;

	rig_start(plain);
	ck_assert_str_eq(rig_silence("alertname=A", 10, 10),
		"Failed to create silence: start time must be before end time");
	ck_assert_str_eq(rig_silence("alertname=A", -10 * M, -5 * M),
		"Failed to create silence: end time can't be in the past");
	ck_assert_str_eq(rig_silence("alertname=~\".*\"", 0, 1 * H),
		"invalid silence: at least one matcher must not match the empty string");
	ck_assert_str_eq(
		rig_silence("{}", 0, 1 * H), "invalid silence: at least one matcher required");
	ck_assert_ptr_nonnull(strstr(rig_silence_recurring("a=b", "[{weekdays: [noday]}]", 1 * H),
		"noday is not a valid weekday"));
	ck_assert_ptr_nonnull(strstr(rig_silence_recurring("a=b", "][", 1 * H), "invalid silence"));
	ck_assert_int_ne(put_again("11111111-2222-4333-8444-555555555555", "A", 0, H, &e), 0);
	ck_assert_int_eq(e.code, 404);
	ck_assert_str_eq(e.msg, "silence not found");
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	ck_assert_int_ne(put_again("", big, 0, H, &e), 0);
	ck_assert_int_eq(e.code, 400);
	ck_assert_int_ne(notify_silence_expire(rig_notify(), STR("x"), &e), 0);
	ck_assert_int_eq(e.code, 404);
}
END_TEST

START_TEST(an_edit_keeps_the_id_when_only_the_end_moves)
{
	char id[37];
	struct err e;

	rig_start(plain);
	ck_assert_str_eq(rig_silence("alertname=A", 0, 1 * H), "");
	memcpy(id, rig_id, sizeof id);
	rig_fire("alertname=A");
	rig_pass(10 * M);
	ck_assert_int_eq(put_again(id, "A", 0, 2 * H, &e), 0);
	ck_assert_str_eq(rig_id, id);
	ck_assert_uint_eq(silenced_by(), 1);
	rig_pass(1 * H);
	rig_restart(NULL);
	ck_assert_int_eq(state_of(id), SILENCE_ACTIVE);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(an_edit_of_matchers_or_start_makes_a_new_one)
{
	char id[37];
	struct err e;

	rig_start(plain);
	ck_assert_str_eq(rig_silence("alertname=A", 0, 1 * H), "");
	memcpy(id, rig_id, sizeof id);
	rig_pass(10 * M);
	ck_assert_int_eq(put_again(id, "B", 0, 1 * H, &e), 0);
	ck_assert_str_ne(rig_id, id);
	ck_assert_int_eq(state_of(id), SILENCE_EXPIRED);
	ck_assert_int_eq(state_of(rig_id), SILENCE_ACTIVE);
	memcpy(id, rig_id, sizeof id);
	ck_assert_int_eq(put_again(id, "B", 20 * M, 1 * H, &e), 0);
	ck_assert_str_ne(rig_id, id);
	ck_assert_int_eq(state_of(id), SILENCE_EXPIRED);
	ck_assert_int_eq(state_of(rig_id), SILENCE_PENDING);
	memcpy(id, rig_id, sizeof id); /* a pending one may move its start */
	ck_assert_int_eq(put_again(id, "B", 30 * M, 2 * H, &e), 0);
	ck_assert_str_eq(rig_id, id);
	ck_assert_int_eq(notify_silence_expire(rig_notify(), str_c(id), &e), 0);
	ck_assert_int_eq(put_again(id, "B", 30 * M, 2 * H, &e), 0); /* over: never again */
	ck_assert_str_ne(rig_id, id);
}
END_TEST

START_TEST(an_expired_silence_is_kept_for_five_days)
{
	struct silence_view v;
	struct arena a;
	struct err e;
	char id[37];

	rig_start(plain);
	ck_assert_str_eq(rig_silence("alertname=A", 0, 1 * H), "");
	memcpy(id, rig_id, sizeof id);
	rig_pass(120 * H);
	ck_assert_int_eq(state_of(id), SILENCE_EXPIRED);
	rig_restart(NULL);
	ck_assert_int_eq(state_of(id), SILENCE_EXPIRED);
	rig_pass(2 * H);
	arena_init(&a, 1u << 20);
	ck_assert_int_ne(notify_silence_get(rig_notify(), str_c(id), &a, &v, &e), 0);
	arena_fini(&a);
}
END_TEST

START_TEST(silences_that_are_over_keep_no_new_one_out)
{
	struct silence_matcher m = {.name = STR("a"), .value = STR("b"), .is_equal = true};
	struct silence_view v = {.matchers = &m,
		.n_matchers = 1,
		.created_by = STR("me"),
		.comment = STR("c"),
		.id = STR("")};
	struct silence_set s;
	char id[37], first[37], last[37];
	struct err e;

	silence_set_init(&s);
	for (size_t i = 0; i < LIMIT_SILENCES; i++) {
		v.starts_at_ms = RIG_T0;
		v.ends_at_ms = i < 2 ? RIG_T0 + 1000 + (int64_t)i : RIG_T0 + 1 * H;
		ck_assert_int_eq(silence_put(&s, &v, RIG_T0, i == 0 ? first : last, &e), 0);
		silence_committed(&s);
	}
	ck_assert_int_eq(silence_put(&s, &v, RIG_T0, id, &e), -1); /* all of them work */
	ck_assert_int_eq(silence_put(&s, &v, RIG_T0 + 1 * M, id, &e), 0);
	ck_assert_ptr_null(silence_find(&s, str_c(first)));
	ck_assert_ptr_nonnull(silence_find(&s, str_c(last)));
	ck_assert_ptr_nonnull(silence_find(&s, str_c(id)));
	ck_assert_int_eq(silence_put(&s, &v, RIG_T0 + 1 * M, id, &e), 0);
	ck_assert_int_eq(silence_put(&s, &v, RIG_T0 + 1 * M, id, &e), -1);
	ck_assert_uint_eq(s.by_id.n, LIMIT_SILENCES);
	silence_set_fini(&s);
}
END_TEST

START_TEST(a_recurring_silence_works_in_its_hours_only)
{
	rig_start(plain); /* midnight UTC, 01:00 in Berlin */
	ck_assert_str_eq(rig_silence_recurring("alertname=A",
				 "[{\"times\": [{\"start_time\": \"02:00\", \"end_time\": "
				 "\"03:00\"}], \"location\": \"Europe/Berlin\"}]",
				 INT64_C(720) * H),
		"");
	ck_assert_int_eq(state_of(rig_id), SILENCE_PENDING);
	rig_fire("alertname=A");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_resolve("alertname=A");
	ck_assert_str_eq(rig_told(), "w: A-");
	rig_pass(1 * H);
	ck_assert_int_eq(state_of(rig_id), SILENCE_ACTIVE);
	rig_fire("alertname=A");
	rig_pass(30 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_restart(NULL);
	rig_pass(29 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1 * M);
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
}
END_TEST

START_TEST(silences_are_listed_in_alertmanagers_order)
{
	static const char *const want[] = {"soon", "later", "first", "second", "new", "old"};
	static const struct {
		const char *name;
		int64_t starts, ends;
	} make[] = {{"old", -5, 1}, {"new", -5, 2}, {"second", 50, 60}, {"first", 40, 70},
		{"later", -1, 30}, {"soon", -1, 20}};
	struct silence_view *v;
	struct arena a;
	struct err e;
	size_t n;

	rig_start(plain);
	for (size_t i = 0; i < ARRAY_LEN(make); i++) {
		char m[64];

		(void)snprintf(m, sizeof m, "alertname=%s", make[i].name);
		ck_assert_str_eq(rig_silence(m, make[i].starts * M, make[i].ends * M), "");
	}
	rig_pass(5 * M);
	arena_init(&a, 1u << 20);
	ck_assert_int_eq(notify_silences(rig_notify(), &a, &v, &n, &e), 0);
	ck_assert_uint_eq(n, ARRAY_LEN(want));
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(v[i].matchers[0].value.p, want[i]);
	arena_fini(&a);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {a_silenced_alert_is_not_told_until_the_silence_ends,
		a_silence_that_begins_later_works_then,
		the_end_of_an_alert_told_before_the_silence_is_told,
		the_end_of_a_silenced_alert_can_be_kept_silent,
		the_end_of_an_alert_that_was_silent_from_the_start_is_not_told,
		a_silenced_member_leaves_the_others_and_is_owed_its_end,
		what_still_fires_after_others_ended_is_told_when_the_silence_ends,
		a_silence_holds_through_a_restart_and_ends_while_stopped,
		all_kinds_of_matchers_silence, a_wrong_silence_is_refused_in_alertmanagers_words,
		an_edit_keeps_the_id_when_only_the_end_moves,
		an_edit_of_matchers_or_start_makes_a_new_one,
		an_expired_silence_is_kept_for_five_days,
		silences_that_are_over_keep_no_new_one_out,
		a_recurring_silence_works_in_its_hours_only,
		silences_are_listed_in_alertmanagers_order};
	Suite *s = suite_create("dispatch silences");
	TCase *tc = tcase_create("dispatch silences");

	tcase_add_checked_fixture(tc, rig_init, rig_fini);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
