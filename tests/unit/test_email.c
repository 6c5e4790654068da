/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail: whatever the alerts say, what is sent is one well-formed message with the headers we meant.
 * With BELFRY_MAIL_DIR in the environment every message is left there as a file, for
 * tests/e2e/test_mail_form.py to read with another parser.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/num.h"
#include "exporters/email.h"
#include "exporters/graph.h"
#include "tests/lib/message_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/trip.h"

static struct email_config plain = {.to = {"\"On, Call\" <ops@example.org>, b@example.org", 43},
	.from = {"Belfry Größe <belfry@example.org>", 35},
	.smarthost = {"mail.example.org:587", 20},
	.require_tls = true,
	.threading = true,
	.graph = true,
	.send_resolved = true};

static void leave_a_copy(const struct send_request *req)
{
	static unsigned n;
	const char *dir = getenv("BELFRY_MAIL_DIR");
	char path[400];
	FILE *f;

	if (dir == NULL)
		return;
	(void)snprintf(path, sizeof path, "%s/%d-%u.eml", dir, (int)getpid(), n++);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(req->body, 1, req->body_len, f), req->body_len);
	ck_assert_int_eq(fclose(f), 0);
}

/* What RFC 5322 asks of every line, and of a mail over a 7-bit way. */
static void check_lines(const struct send_request *req)
{
	struct str s = str_n(req->body, req->body_len), line;

	ck_assert(str_ends(s, STR("\r\n")));
	while (str_split(&s, '\n', &line)) {
		ck_assert_msg(line.n > 0 && line.p[line.n - 1] == '\r',
			"a bare line feed: " STR_FMT, STR_ARG(line));
		ck_assert_uint_le(line.n, 999);
		for (size_t i = 0; i + 1 < line.n; i++)
			ck_assert_msg((line.p[i] >= ' ' || line.p[i] == '\t') && line.p[i] < 0x7f,
				"byte %d in: " STR_FMT, line.p[i], STR_ARG(line));
	}
}

/* The header's value, unfolded, in out; false when it is not there exactly once. */
static bool header(const struct send_request *req, const char *name, struct buf *out)
{
	struct str s = str_n(req->body, req->body_len), line;
	size_t n = strlen(name), seen = 0;
	bool inside = false;

	buf_reset(out);
	while (str_split(&s, '\n', &line) && line.n > 1) {
		line.n--; /* CR */
		if (line.p[0] != ' ' && line.p[0] != '\t') {
			inside =
				line.n > n && strncasecmp(line.p, name, n) == 0 && line.p[n] == ':';
			seen += inside;
			if (inside)
				buf_str(out, str_trim(str_sub(line, n + 1, line.n)));
		} else if (inside) {
			buf_str(out, line);
		}
	}
	return seen == 1;
}

static void ask(struct trip *t)
{
	static const char *const once[] = {"From", "To", "Subject", "Date", "Message-ID",
		"MIME-Version", "Content-Type", "Auto-Submitted", "List-Id", "X-Belfry-Id"};
	struct buf v;

	trip_request(t);
	check_lines(t->req);
	buf_init(&v, 65536);
	for (size_t i = 0; i < ARRAY_LEN(once); i++)
		ck_assert_msg(header(t->req, once[i], &v), "%s\n%.3000s", once[i], t->req->body);
	ck_assert(!header(t->req, "Bcc", &v));
	buf_fini(&v);
	leave_a_copy(t->req);
}

static bool header_is(const struct trip *t, const char *name, const char *value)
{
	struct buf v;
	bool is;

	buf_init(&v, 65536);
	is = header(t->req, name, &v) && str_eq(buf_view(&v), str_c(value));
	if (!is)
		printf("%s: %.*s, not %s\n", name, (int)v.n, v.p, value);
	buf_fini(&v);
	return is;
}

static void plan(struct message_fixture *f, size_t n, size_t n_resolved, enum message_reason why)
{
	message_fixture_init(f, &(struct message_plan){.n = n,
					.n_resolved = n_resolved,
					.reason = why,
					.first = why == REASON_FIRST,
					.links = true,
					.severity = "critical"});
}

/* --- form --- */

static void both_forms(const struct message *m)
{
	struct trip t;

	trip_start(&t, INT_EMAIL, &plain, m);
	ask(&t);
	ck_assert(trip_says(&t, "multipart/alternative"));
	ck_assert_uint_lt(t.req->body_len, 200000);
	ck_assert_int_eq(trip_answer(&t, 552, "too big", ""), VERDICT_DEGRADE);
	ask(&t);
	ck_assert(!trip_says(&t, "text/html"));
	ck_assert(trip_says(&t, "Content-Type: text/plain"));
	trip_end(&t);
}

START_TEST(whatever_labels_say_the_message_is_well_formed)
{
	static const size_t sizes[] = {1, 3, 200};
	struct message_fixture f;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t over = 0; over <= 2; over++) {
			message_fixture_init(&f, &(struct message_plan){.n = sizes[i],
							 .n_resolved = over * sizes[i] / 2,
							 .reason = REASON_FIRST,
							 .first = over == 0,
							 .links = true,
							 .severity = "warning",
							 .hostile = hostile_texts[_i]});
			both_forms(&f.m);
			message_fixture_fini(&f);
		}
	}
}
END_TEST

START_TEST(a_megabyte_in_every_label_is_cut)
{
	static const char *const pieces[] = {
		"x", "<b>", "&", "\xf0\x9f\x92\xa5", "\n", "\"\\", "\xff", "=", ".\r\n"};
	char *big = hostile_long(pieces[_i], (size_t)1 << 20);
	struct message_fixture f;

	message_fixture_init(&f, &(struct message_plan){.n = 8,
					 .n_resolved = 3,
					 .reason = REASON_SOME_RESOLVED,
					 .links = true,
					 .severity = "critical",
					 .hostile = {big, (size_t)1 << 20}});
	both_forms(&f.m);
	message_fixture_fini(&f);
	free(big);
}
END_TEST

START_TEST(names_are_encoded_and_addresses_are_not)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_EMAIL, &plain, &f.m);
	ask(&t);
	ck_assert(header_is(&t, "From", "=?UTF-8?Q?Belfry_Gr=C3=B6=C3=9Fe?= <belfry@example.org>"));
	ck_assert(header_is(&t, "To", "\"On, Call\" <ops@example.org>, b@example.org"));
	ck_assert_str_eq(t.req->mail_from, "belfry@example.org");
	ck_assert_uint_eq(t.req->n_rcpt, 2);
	ck_assert_str_eq(t.req->rcpt[0], "ops@example.org");
	ck_assert_str_eq(t.req->rcpt[1], "b@example.org");
	ck_assert_str_eq(t.req->url, "smtp://mail.example.org:587");
	ck_assert(header_is(&t, "X-Priority", "1"));
	ck_assert(header_is(&t, "List-Id", "<ops.belfry.example.org>"));
	ck_assert(header_is(&t, "List-Unsubscribe", "<https://belfry.example.org/#g=1>"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_graph_stands_in_the_html_part)
{
	struct graph_answer *g = message_fixture_graph();
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, _i == 0 ? REASON_FIRST : REASON_REPEAT);
	trip_start(&t, INT_EMAIL, &plain, &f.m);
	t.d.graph = g;
	ask(&t);
	ck_assert(trip_says(&t, "Content-Type: multipart/related; type=\"text/html\""));
	ck_assert(trip_says(&t, "Content-ID: <" EMAIL_CID ">"));
	ck_assert(trip_says(&t, "\r\niVBORw0KGgo"));
	ck_assert(trip_says(&t, "cid:" EMAIL_CID));
	ck_assert(trip_says(&t, "=E2=96=81")); /* the sparkline, in the text part */
	ck_assert(trip_says(&t, "route=3D/api &lt;b&gt;&amp; 41 %"));
	ck_assert(trip_says(&t, "route=3D/api <b>& 41 %"));
	ck_assert_int_eq(trip_answer(&t, 552, "", ""), VERDICT_DEGRADE);
	ask(&t); /* smaller: without the picture, with the sparkline */
	ck_assert(!trip_says(&t, "image/png"));
	ck_assert(trip_says(&t, "=E2=96=81"));
	t.d.degraded = false;
	t.d.graph = NULL;
	ask(&t);
	ck_assert(!trip_says(&t, "multipart/related"));
	ck_assert(!trip_says(&t, "cid:"));
	trip_end(&t);
	message_fixture_fini(&f);
	graph_free(g);
}
END_TEST

/* --- conversations --- */

START_TEST(one_incident_is_one_conversation)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_EMAIL, &plain, &f.m);
	ask(&t);
	ck_assert(header_is(&t, "Message-ID", "<belfry-fedcba9876543210@example.org>"));
	ck_assert(header_is(&t, "Subject", "=?UTF-8?Q?=5Bbelfry=5D_PoolExhausted_=C2=B7_shop?="));
	ck_assert_int_eq(trip_answer(&t, 250, "2.0.0 Ok", ""), VERDICT_OK);
	message_fixture_fini(&f);

	/* the group has grown: its alerts have less in common, the subject stays */
	plan(&f, 3, 0, REASON_NEW_ALERTS);
	f.m.id = STR("belfry-0123456789abcdef-8");
	f.m.common_labels = (struct labels){NULL, 0};
	trip_next(&t, &f.m);
	ask(&t);
	ck_assert(header_is(&t, "Message-ID", "<belfry-0123456789abcdef-8@example.org>"));
	ck_assert(header_is(&t, "References", "<belfry-fedcba9876543210@example.org>"));
	ck_assert(header_is(&t, "In-Reply-To", "<belfry-fedcba9876543210@example.org>"));
	ck_assert(
		header_is(&t, "Subject", "Re: =?UTF-8?Q?=5Bbelfry=5D_PoolExhausted_=C2=B7_shop?="));
	ck_assert_int_eq(trip_answer(&t, 250, "2.0.0 Ok", ""), VERDICT_OK);
	ask(&t); /* and stays through a second round */
	ck_assert(
		header_is(&t, "Subject", "Re: =?UTF-8?Q?=5Bbelfry=5D_PoolExhausted_=C2=B7_shop?="));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(without_threading_each_message_stands_alone)
{
	struct email_config c = plain;
	struct message_fixture f;
	struct trip t;
	struct buf v;

	c.threading = false;
	plan(&f, 1, 1, REASON_ALL_RESOLVED);
	trip_start(&t, INT_EMAIL, &c, &f.m);
	ask(&t);
	buf_init(&v, 4096);
	ck_assert(!header(t.req, "References", &v));
	ck_assert(!header(t.req, "In-Reply-To", &v));
	ck_assert(header(t.req, "Subject", &v));
	ck_assert(str_has(buf_view(&v), STR("RESOLVED")));
	buf_fini(&v);
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_day_can_be_the_conversation)
{
	struct email_config c = plain;
	struct message_fixture f;
	struct trip t;

	c.thread_by = MAIL_THREAD_DAY;
	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_EMAIL, &c, &f.m);
	ask(&t);
	ck_assert(header_is(&t, "Message-ID", "<belfry-0123456789abcdef-7@example.org>"));
	ck_assert(header_is(&t, "References", "<belfry-fedcba9876543210-2026-09-21@example.org>"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

/* --- configured texts --- */

START_TEST(configured_headers_replace_and_add)
{
	static const struct label headers[] = {{{"Subject", 7}, {"pool trouble", 12}},
		{{"To", 2}, {"everybody@example.org", 21}},
		{{"X-Team", 6}, {"shop\r\nBcc: x@y", 14}}, {{"Message-ID", 10}, {"<mine>", 6}},
		{{"bcc", 3}, {"x@y", 3}}, {{"Precedence", 10}, {"list", 4}},
		{{"Reply-To", 8}, {"help@example.org", 16}}};
	struct email_config c = plain;
	struct message_fixture f;
	struct trip t;

	c.headers = headers;
	c.n_headers = ARRAY_LEN(headers);
	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_EMAIL, &c, &f.m);
	ask(&t);
	ck_assert(header_is(&t, "Subject", "pool trouble"));
	ck_assert(header_is(&t, "To", "everybody@example.org"));
	ck_assert_str_eq(t.req->rcpt[0], "ops@example.org");
	ck_assert(header_is(&t, "X-Team", "=?UTF-8?Q?shop__Bcc=3A_x=40y?="));
	ck_assert(header_is(&t, "Message-ID", "<belfry-fedcba9876543210@example.org>"));
	ck_assert(header_is(&t, "Precedence", "list"));
	ck_assert(header_is(&t, "Reply-To", "help@example.org"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_part_that_is_configured_away_is_not_sent)
{
	static const struct {
		bool has_html, has_text;
		struct str html, text;
		const char *there, *not_there;
	} cases[] = {
		{true, false, {"", 0}, {"", 0}, "Content-Type: text/plain", "text/html"},
		{false, true, {"", 0}, {"", 0}, "Content-Type: text/html", "text/plain"},
		{true, true, {"", 0}, {"", 0}, "Content-Type: text/plain", "text/html"},
		{true, true, {"<p>hi</p>", 9}, {"yo", 2}, "<p>hi</p>", "RESOLVED"},
		{true, false, {"<p>hi</p>", 9}, {"", 0}, "Content-Type: text/plain", "<table"},
	};
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct email_config c = plain;

		c.has_html = cases[i].has_html;
		c.has_text = cases[i].has_text;
		c.html = cases[i].html;
		c.text = cases[i].text;
		trip_start(&t, INT_EMAIL, &c, &f.m);
		ask(&t);
		ck_assert_msg(trip_says(&t, cases[i].there), "%zu", i);
		ck_assert_msg(!trip_says(&t, cases[i].not_there), "%zu", i);
		trip_end(&t);
	}
	message_fixture_fini(&f);
}
END_TEST

START_TEST(ways_to_sign_in_are_kept_apart)
{
	struct message_fixture f;
	struct email_config c = plain;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	c.auth_username = STR("u");
	c.auth_identity = STR("acts-as");
	c.auth_password = STR("p");
	trip_start(&t, INT_EMAIL, &c, &f.m);
	ask(&t);
	ck_assert_str_eq(t.req->login_options, "AUTH=PLAIN;AUTH=LOGIN");
	ck_assert_str_eq(t.req->password, "p");
	ck_assert_str_eq(t.req->authzid, "acts-as");
	c.auth_password = STR("");
	c.auth_secret = STR("s");
	ask(&t);
	ck_assert_str_eq(t.req->login_options, "AUTH=CRAM-MD5");
	ck_assert_str_eq(t.req->password, "s");
	c.auth_token = STR("t");
	c.tls = MAIL_TLS_IMPLICIT;
	ask(&t);
	ck_assert_str_eq(t.req->login_options, "AUTH=XOAUTH2;AUTH=OAUTHBEARER");
	ck_assert_ptr_null(t.req->password);
	ck_assert_str_eq(t.req->url, "smtps://mail.example.org:587");
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

/* --- answers --- */

START_TEST(smtp_answers_are_told_apart)
{
	static const struct {
		int status;
		enum verdict v;
	} cases[] = {{250, VERDICT_OK}, {0, VERDICT_RETRY}, {421, VERDICT_RETRY},
		{450, VERDICT_RETRY}, {451, VERDICT_RETRY}, {452, VERDICT_RETRY},
		{454, VERDICT_RETRY}, {530, VERDICT_FINAL}, {535, VERDICT_FINAL},
		{550, VERDICT_FINAL}, {552, VERDICT_DEGRADE}, {553, VERDICT_FINAL},
		{554, VERDICT_DEGRADE}};
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		trip_start(&t, INT_EMAIL, &plain, &f.m);
		ask(&t);
		ck_assert_msg(trip_answer(&t, cases[i].status, "", "") == cases[i].v, "%d",
			cases[i].status);
		trip_end(&t);
	}
	message_fixture_fini(&f);
}
END_TEST

START_TEST(recipients_that_are_put_off_are_asked_again_alone)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_EMAIL, &plain, &f.m);
	ask(&t);
	ck_assert_int_eq(trip_answer(&t, 250, "450 4.2.0 greylisted <b@example.org>\n",
				 "1 of 2 recipients refused"),
		VERDICT_NEXT);
	ask(&t);
	ck_assert_uint_eq(t.req->n_rcpt, 1);
	ck_assert_str_eq(t.req->rcpt[0], "b@example.org");
	ck_assert_int_eq(trip_answer(&t, 450, "4.2.0 greylisted", ""), VERDICT_RETRY);
	ask(&t);
	ck_assert_uint_eq(t.req->n_rcpt, 1);
	ck_assert_int_eq(trip_answer(&t, 250, "2.0.0 Ok", ""), VERDICT_OK);
	ck_assert(!str_has(buf_view(&t.data), STR("rcpt")));
	trip_end(&t);
	trip_start(&t, INT_EMAIL, &plain, &f.m); /* refused for good: told as such, not repeated */
	ask(&t);
	ck_assert_int_eq(trip_answer(&t, 250, "550 5.1.1 no such user <b@example.org>\n",
				 "1 of 2 recipients refused"),
		VERDICT_OK);
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(without_a_recipient_there_is_no_request)
{
	static const char *const lists[] = {"", "nobody", "a b@c", "x@y\r\nz"};
	struct message_fixture f;
	struct err e;

	plan(&f, 1, 0, REASON_FIRST);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct email_config c = plain;
		struct trip t;

		c.to = str_c(lists[i]);
		trip_start(&t, INT_EMAIL, &c, &f.m);
		t.d.payload = buf_view(&t.payload);
		t.d.data = STR("");
		ck_assert_ptr_null(integration_email.request(&t.in, &t.d, &e));
		trip_end(&t);
	}
	message_fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("email");
	TCase *tc = tcase_create("email");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(
		tc, whatever_labels_say_the_message_is_well_formed, 0, (int)n_hostile_texts);
	tcase_add_loop_test(tc, a_megabyte_in_every_label_is_cut, 0, 9);
	tcase_add_test(tc, names_are_encoded_and_addresses_are_not);
	tcase_add_loop_test(tc, a_graph_stands_in_the_html_part, 0, 2);
	tcase_add_test(tc, one_incident_is_one_conversation);
	tcase_add_test(tc, without_threading_each_message_stands_alone);
	tcase_add_test(tc, a_day_can_be_the_conversation);
	tcase_add_test(tc, configured_headers_replace_and_add);
	tcase_add_test(tc, a_part_that_is_configured_away_is_not_sent);
	tcase_add_test(tc, ways_to_sign_in_are_kept_apart);
	tcase_add_test(tc, smtp_answers_are_told_apart);
	tcase_add_test(tc, recipients_that_are_put_off_are_asked_again_alone);
	tcase_add_test(tc, without_a_recipient_there_is_no_request);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
