/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simple receivers share: counting, clipping, escaping, belfry's own message in a
 * service's mark-up, values of any shape.
 */
#include <check.h>
#include <stdlib.h>

#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/graph.h"
#include "tests/lib/message_fixture.h"
#include "tests/lib/suite.h"

static struct message_fixture fixture;

static void setup(void)
{
	message_fixture_init(&fixture, &(struct message_plan){.n = 2,
					       .n_resolved = 0,
					       .first = true,
					       .links = true,
					       .severity = "critical",
					       .hostile = STR("plain")});
}

static void teardown(void)
{
	message_fixture_fini(&fixture);
}

START_TEST(an_untainted_text_keeps_the_templates_calls_and_breaks_others)
{
	struct buf b;

	buf_init(&b, 1000);
	chat_untaint(&b, STR("@here a@b @all\1"), STR("@here {{ .x }}"));
	ck_assert_str_eq(b.p, "@here a@\xe2\x80\x8b"
			      "b @\xe2\x80\x8b"
			      "all ");
	buf_fini(&b);
}
END_TEST

START_TEST(texts_are_clipped_between_characters_and_visibly)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_c(&b, "ab\xf0\x9f\x92\xa5\xc3\xbc"
		  "cd");
	ck_assert_uint_eq(chat_units(buf_view(&b)), 7);
	ck_assert(!chat_clip(&b, 0, 7));
	ck_assert(chat_clip(&b, 0, 5));
	ck_assert_str_eq(b.p, "ab\xf0\x9f\x92\xa5\xe2\x80\xa6");
	ck_assert(chat_clip(&b, 0, 4));
	ck_assert_str_eq(b.p, "ab\xe2\x80\xa6");
	buf_fini(&b);
}
END_TEST

START_TEST(each_mark_up_has_its_escapes)
{
	static const struct {
		enum chat_markup how;
		const char *text, *want;
	} table[] = {
		{CHAT_PLAIN, "<a> *b* @c", "<a> *b* @c"},
		{CHAT_HTML, "<a href=\"x\">&", "&lt;a href=&quot;x&quot;&gt;&amp;"},
		{CHAT_TELEGRAM, "<b>@c",
			"&lt;b&gt;@\xe2\x80\x8b"
			"c"},
		{CHAT_MARKDOWN, "*a_b* [x](y) `c`", "\\*a\\_b\\* \\[x\\](y) \\`c\\`"},
		{CHAT_DISCORD, "<@1> **x** ||y||", "\\<\\@1\\> \\*\\*x\\*\\* \\|\\|y\\|\\|"},
		{CHAT_MATTERMOST, "@all #tag ~x~",
			"@\xe2\x80\x8b"
			"all \\#tag \\~x\\~"},
		{CHAT_ROCKETCHAT, "@all [x](y) *b*",
			"@\xe2\x80\x8b"
			"all [\xe2\x80\x8bx]\xe2\x80\x8b(y) \\*b\\*"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct buf b;

		buf_init(&b, 1000);
		chat_escape(&b, str_c(table[i].text), table[i].how, 100);
		ck_assert_str_eq(b.p, table[i].want);
		buf_fini(&b);
	}
}
END_TEST

START_TEST(the_own_message_never_exceeds_its_room_and_always_has_an_alert)
{
	static const enum chat_markup hows[] = {CHAT_PLAIN, CHAT_HTML, CHAT_TELEGRAM, CHAT_MARKDOWN,
		CHAT_DISCORD, CHAT_MATTERMOST, CHAT_ROCKETCHAT};
	char *big = hostile_long("<&\"*_`[@ ", 20000);

	message_fixture_fini(&fixture);
	message_fixture_init(&fixture, &(struct message_plan){.n = 20,
					       .links = true,
					       .severity = "critical",
					       .hostile = str_n(big, 20000)});
	for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
		for (size_t max = 300; max < 5000; max += 470) {
			struct buf b;

			buf_init(&b, (size_t)1 << 20);
			ck_assert(!chat_body(
				&fixture.m, hows[i], CHAT_LINKS | CHAT_SPARK | CHAT_TOP, max, &b));
			ck_assert_msg(chat_units(buf_view(&b)) <= max, "%u: %zu of %zu", hows[i],
				chat_units(buf_view(&b)), max);
			ck_assert_msg(strstr(b.p, "pool") != NULL, "%zu: %s", max, b.p);
			ck_assert_ptr_nonnull(strstr(b.p, " more\n"));
			buf_fini(&b);
		}
	}
	free(big);
}
END_TEST

/* --- values of any shape --- */

static void writes(const struct value_tree *t, const char *want)
{
	struct chat_form f = {.m = &fixture.m};
	struct jsonw j;
	struct buf b;

	buf_init(&f.note, 1000);
	buf_init(&b, 10000);
	jsonw_init(&j, &b);
	value_tree_write(&j, t, &f);
	ck_assert_str_eq(b.p, want);
	buf_fini(&b);
	buf_fini(&f.note);
}

START_TEST(a_text_that_comes_out_as_yaml_of_another_shape_is_that)
{
	static const struct {
		const char *text, *want;
	} table[] = {
		{"{{ .Alerts | len }}", "2"},
		{"{{ .Status }}", "\"firing\""},
		{"a{{ .Status }}: b", "{\"afiring\":\"b\"}"},
		{"{{ .GroupLabels.nope }}", "null"},
		{"[1, true, '2', x]", "[1,true,\"2\",\"x\"]"},
		{"'quoted'", "\"'quoted'\""},
		{"007", "\"007\""},
		{"1.50", "1.50"},
		{"two\nlines", "\"two\\nlines\""},
		{"[unclosed", "\"[unclosed\""},
		{"{{ list 1 2 | toJson }}", "[1,2]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		writes(&(struct value_tree){.kind = VALUE_TEXT, .text = str_c(table[i].text)},
			table[i].want);
	{
		struct value_tree leaf[] = {
			{.kind = VALUE_JSON, .key = STR("k{{ .Status }}"), .text = STR("null")},
			{.kind = VALUE_LIST, .key = STR("l")}};

		writes(&(struct value_tree){.kind = VALUE_MAP, .v = leaf, .n = 2},
			"{\"kfiring\":null,\"l\":[]}");
	}
}
END_TEST

START_TEST(an_answer_that_repeats_secrets_is_told_without_them)
{
	struct send_request *req = send_request_new(SEND_HTTP);
	struct buf b;

	buf_init(&b, 1000);
	req->url = strdup("https://h.example.org/hooks/0123456789ab/x?token=q");
	req->password = strdup("pw");
	send_request_hide(req, STR("routing-key"));
	send_request_hide(req, STR("short")); /* might be a word */
	send_request_hide(req, STR("with\0nul"));
	send_request_redact(req,
		STR("no /hooks/0123456789ab/x, 0123456789ab, routing-key, pw; short hooks"), &b);
	ck_assert_str_eq(b.p, "no …, …, …, pw; short hooks");
	free(req->password); /* a real one; two letters stand in every text */
	req->password = strdup("pass");
	buf_reset(&b);
	send_request_redact(req, STR("535 pass is wrong, p"), &b);
	ck_assert_str_eq(b.p, "535 … is wrong, p");
	buf_fini(&b);
	send_request_free(req);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chat");
	TCase *tc = tcase_create("chat");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_untainted_text_keeps_the_templates_calls_and_breaks_others);
	tcase_add_test(tc, texts_are_clipped_between_characters_and_visibly);
	tcase_add_test(tc, each_mark_up_has_its_escapes);
	tcase_add_test(tc, the_own_message_never_exceeds_its_room_and_always_has_an_alert);
	tcase_add_test(tc, an_answer_that_repeats_secrets_is_told_without_them);
	tcase_add_test(tc, a_text_that_comes_out_as_yaml_of_another_shape_is_that);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
