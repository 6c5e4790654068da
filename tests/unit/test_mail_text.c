/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/buf.h"
#include "exporters/mail_text.h"
#include "tests/lib/suite.h"

static struct buf out;

static void setup(void)
{
	buf_init(&out, 1 << 20);
}

static void teardown(void)
{
	buf_fini(&out);
}

START_TEST(header_values_cannot_begin_a_new_header)
{
	mail_header(&out, "Subject", STR("down\r\nBcc: evil@example.org\0x"));
	ck_assert_ptr_null(strstr(out.p, "\r\nBcc"));
	ck_assert_str_eq(out.p + out.n - 2, "\r\n");
	ck_assert_ptr_null(memchr(out.p, '\0', out.n));
}
END_TEST

START_TEST(header_words_stay_short_and_whole)
{
	struct str s = STR(
		"Größe überschritten: Straße ändern – größer als üblich, bitte prüfen und äußern");
	struct str rest, line;

	mail_header(&out, "Subject", s);
	rest = buf_view(&out);
	while (str_split(&rest, '\n', &line)) {
		ck_assert_uint_le(line.n, 78 + 9);
		/* no encoded word ends inside a character: its bytes come in whole sequences */
		ck_assert(line.n == 0 || str_ends(line, STR("?=\r")));
	}
	ck_assert_ptr_nonnull(strstr(out.p, "=?UTF-8?Q?Gr=C3=B6=C3=9Fe_"));
}
END_TEST

START_TEST(plain_headers_stay_readable)
{
	mail_header(&out, "Subject", STR("[belfry] PoolFull"));
	ck_assert_str_eq(out.p, "Subject: [belfry] PoolFull\r\n");
}
END_TEST

static const struct {
	const char *in, *addr; /* NULL: refused */
} addresses[] = {
	{"a@b", "a@b"},
	{" a@b ", "a@b"},
	{"On Call <ops@example.org>", "ops@example.org"},
	{"ops", NULL},
	{"@x", NULL},
	{"a@", NULL},
	{"a@b\r\nRCPT TO:<c@d>", NULL},
	{"<a@b", NULL},
	{"a@b,c@d", NULL},
	{"A <a@b> <c@d>", NULL},
	{"", NULL},
};

START_TEST(addresses_are_taken_or_refused)
{
	struct str addr;
	bool ok = mail_address(str_c(addresses[_i].in), &addr);

	ck_assert_int_eq(ok, addresses[_i].addr != NULL);
	if (ok)
		ck_assert(str_eq(addr, str_c(addresses[_i].addr)));
}
END_TEST

START_TEST(quoted_printable_wraps_and_encodes)
{
	struct str rest, line;
	char long_text[301];

	memset(long_text, 'x', 300);
	long_text[300] = '\0';
	mail_quoted_printable(&out, STR("a=b \nzwölf\t\n.\n"));
	ck_assert_str_eq(out.p, "a=3Db=20\r\nzw=C3=B6lf=09\r\n.\r\n\r\n");
	buf_reset(&out);
	mail_quoted_printable(&out, str_c(long_text));
	rest = buf_view(&out);
	while (str_split(&rest, '\n', &line))
		ck_assert_uint_le(line.n, 77);
}
END_TEST

START_TEST(dates_are_rfc_5322_in_english)
{
	mail_date(&out, 1795321380000LL);
	ck_assert_str_eq(out.p, "Sun, 22 Nov 2026 04:23:00 +0000");
}
END_TEST

START_TEST(own_header_fields_cannot_be_configured)
{
	ck_assert(mail_header_name_ok(STR("X-Team")));
	ck_assert(!mail_header_name_ok(STR("bcc:")));
	ck_assert(!mail_header_name_ok(STR("message-id")));
	ck_assert(!mail_header_name_ok(STR("X Y")));
	ck_assert(!mail_header_name_ok(STR("")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mail_text");
	TCase *t = tcase_create("mail_text");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, header_values_cannot_begin_a_new_header);
	tcase_add_test(t, header_words_stay_short_and_whole);
	tcase_add_test(t, plain_headers_stay_readable);
	tcase_add_loop_test(t, addresses_are_taken_or_refused, 0,
		(int)(sizeof addresses / sizeof addresses[0]));
	tcase_add_test(t, quoted_printable_wraps_and_encodes);
	tcase_add_test(t, dates_are_rfc_5322_in_english);
	tcase_add_test(t, own_header_fields_cannot_be_configured);
	suite_add_tcase(s, t);
	return suite_run(s);
}
