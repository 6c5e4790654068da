/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simple receivers: what is rendered is within each service's published limits and
 * harmless whatever the alerts say.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tests/lib/receiver_rig.h"
#include "tests/lib/suite.h"

static void at_most(json_t *j, const char *path, size_t units)
{
	const char *s = rig_at(j, path);

	ck_assert_msg(chat_units(str_c(s)) <= units, "%s has %zu units, %zu are allowed", path,
		chat_units(str_c(s)), units);
	ck_assert_msg(s[0] != '\0', "%s is empty", path);
}

/* --- limits as the services publish them --- */

static void check_limits(const struct integration *in, bool degraded)
{
	json_t *j = in->kind == INT_PUSHOVER ? NULL : rig_body();

	switch (in->kind) {
	case INT_PAGERDUTY:
		ck_assert_uint_le(rig_req->body_len, 512000);
		at_most(j, "dedup_key", 255);
		if (rig_d.firing) {
			at_most(j, "payload/summary", 1024);
			at_most(j, "payload/source", 255);
			at_most(j, "payload/severity", 8);
		}
		break;
	case INT_OPSGENIE:
		if (rig_d.firing && rig_d.step == 0) {
			at_most(j, "message", 130);
			at_most(j, "alias", 512);
			at_most(j, "description", 15000);
			at_most(j, "source", 100);
			at_most(j, "priority", 2);
		}
		break;
	case INT_MSTEAMSV2: ck_assert_uint_le(rig_req->body_len, 21000); break;
	case INT_DISCORD:
		if (degraded) {
			at_most(j, "content", 2000);
		} else {
			at_most(j, "embeds/0/title", 256);
			at_most(j, "embeds/0/description", 4096);
		}
		ck_assert_ptr_nonnull(json_object_get(j, "allowed_mentions"));
		break;
	case INT_TELEGRAM: at_most(j, "text", 4096); break;
	case INT_NTFY:
		ck_assert_uint_le(strlen(rig_at(j, "message")), 4096);
		at_most(j, "topic", 64);
		break;
	case INT_MATTERMOST: at_most(j, degraded ? "text" : "attachments/0/text", 8000); break;
	case INT_ROCKETCHAT: at_most(j, degraded ? "text" : "attachments/0/text", 5000); break;
	case INT_PUSHOVER: ck_assert_uint_le(rig_req->body_len, 20000); break;
	case INT_SLACK:
	case INT_EMAIL:
	case INT_WEBHOOK:
	case INTEGRATION_KINDS: break;
	}
	json_decref(j);
}

static void walk(const json_t *j)
{
	const char *key;
	json_t *v;
	size_t i;

	if (json_is_string(j))
		ck_assert_ptr_null(strpbrk(json_string_value(j), "\1\2\033\177"));
	json_array_foreach((json_t *)(uintptr_t)j, i, v) walk(v);
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
	{
		ck_assert_ptr_null(strpbrk(key, "\1\2\033\177"));
		walk(v);
	}
}

/* No mark is left, and no control character of a label came through. */
static void no_controls(const struct integration *in)
{
	json_t *j;

	if (in->kind == INT_PUSHOVER) {
		ck_assert(!str_has(str_c(rig_req->body), STR("%01")));
		return;
	}
	j = rig_body();
	walk(j);
	json_decref(j);
}

static void check_all(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rig_all); i++) {
		const struct integration *in = &rig_all[i];

		rig_render(in);
		ck_assert_msg(!str_has(buf_view(&rig_payload), STR("SECRET")), "%s stores a secret",
			integration_name(in->kind));
		for (unsigned step = 0; step < (in->kind == INT_OPSGENIE && rig_d.firing ? 3 : 1);
			step++) {
			for (int degraded = 0; degraded < 2; degraded++) {
				rig_d.step = step;
				rig_d.degraded = degraded;
				rig_ask(in);
				check_limits(in, degraded);
				ck_assert_ptr_null(memchr(rig_req->body, '\1', rig_req->body_len));
				no_controls(in);
				ck_assert(str_is_utf8(str_n(rig_req->body, rig_req->body_len)));
			}
		}
	}
}

START_TEST(every_kind_is_within_its_limits_whatever_the_alerts_say)
{
	for (size_t i = 0; i < n_hostile_texts; i++) {
		rig_plan(&(struct message_plan){.n = 1 + i % 12,
			.n_resolved = i % 3 == 0 ? 1 + i % 12 : 0,
			.links = i % 2,
			.severity = i % 4 ? "warning" : NULL,
			.hostile = hostile_texts[i]});
		check_all();
	}
}
END_TEST

START_TEST(a_megabyte_in_a_label_or_a_thousand_alerts_change_nothing)
{
	static const char *const pieces[] = {
		"x", "<b>&\"", "\xf0\x9f\x92\xa5", "a b ", "*_`[](", "\n"};

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		char *big = hostile_long(pieces[i], 1u << 20);

		rig_plan(&(struct message_plan){
			.n = 3, .links = true, .hostile = str_n(big, 1u << 20)});
		check_all();
		free(big);
	}
	rig_plan(&(struct message_plan){.n = 1000, .n_resolved = 10, .hostile = STR("x")});
	check_all();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("receiver_limits");
	TCase *tc = tcase_create("receiver_limits");

	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_kind_is_within_its_limits_whatever_the_alerts_say);
	tcase_add_test(tc, a_megabyte_in_a_label_or_a_thousand_alerts_change_nothing);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
