/* SPDX-License-Identifier: Apache-2.0 */
/* rule_test_report - prints what failed, as text for people and as JUnit XML for machines. */
#include <stdio.h>

#include "base/num.h"
#include "rules/rule_test.h"

/* What XML 1.0 cannot say becomes a question mark: control characters, broken UTF-8, U+FFFE. */
static void xml(struct buf *b, struct str s)
{
	bool utf8 = str_is_utf8(s);

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '<')
			buf_c(b, "&lt;");
		else if (c == '>')
			buf_c(b, "&gt;");
		else if (c == '&')
			buf_c(b, "&amp;");
		else if (c == '"')
			buf_c(b, "&quot;");
		else if (c == '\n')
			buf_c(b, "&#10;");
		else if ((c < 0x20 && c != '\t') || (c >= 0x80 && !utf8))
			buf_ch(b, '?');
		else if (str_starts(str_sub(s, i, s.n), STR("\xef\xbf\xbe")) ||
			 str_starts(str_sub(s, i, s.n), STR("\xef\xbf\xbf"))) {
			buf_ch(b, '?');
			i += 2;
		} else {
			buf_ch(b, (char)c);
		}
	}
}

/* Whether a line stands in a text of lines. */
static bool has_line(struct str lines, struct str line)
{
	struct str l;

	while (str_split(&lines, '\n', &l)) {
		if (str_eq(l, line))
			return true;
	}
	return false;
}

static void print_lines(struct buf *b, struct str lines, struct str other, const char *sign)
{
	struct str l;

	while (str_split(&lines, '\n', &l)) {
		if (l.n == 0)
			continue;
		buf_printf(b, "      %s ", has_line(other, l) ? " " : sign);
		buf_str(b, l);
		buf_ch(b, '\n');
	}
}

/* Both lists under each other, or as a diff: what is missing with -, what is too much with +. */
static void print_difference(struct buf *b, const struct rule_test_failure *f, bool diff)
{
	struct str l, rest = f->got;

	if (f->want.n == 0 && f->got.n == 0)
		return;
	if (!diff) {
		buf_c(b, f->want.n > 0 ? "    expected:\n" : "    expected: nothing\n");
		print_lines(b, f->want, STR_NULL, " ");
		buf_c(b, f->got.n > 0 ? "    got:\n" : "    got: nothing\n");
		print_lines(b, f->got, STR_NULL, " ");
		return;
	}
	print_lines(b, f->want, f->got, "-");
	while (str_split(&rest, '\n', &l)) {
		if (l.n == 0 || has_line(f->want, l))
			continue;
		buf_c(b, "      + ");
		buf_str(b, l);
		buf_ch(b, '\n');
	}
}

static void print_failure(struct buf *b, const struct rule_test_file *f, const struct rule_test *t,
	const struct rule_test_failure *x, bool diff)
{
	buf_c(b, "  ");
	buf_str(b, f->path);
	buf_printf(b, ":%u: ", x->line > 0 ? x->line : t->line);
	if (t->name.n > 0) {
		buf_str(b, t->name);
		buf_c(b, ": ");
	}
	buf_str(b, x->what);
	buf_ch(b, '\n');
	print_difference(b, x, diff);
}

static void begin_case(struct rule_test_report *r, struct str name, unsigned line, double seconds)
{
	buf_c(&r->cases, "    <testcase name=\"");
	if (name.n > 0)
		xml(&r->cases, name);
	else
		buf_printf(&r->cases, "line %u", line);
	buf_printf(&r->cases, "\" time=\"%.3f\"", seconds);
}

void rule_test_report_test(struct rule_test_report *r, const struct rule_test_file *f,
	const struct rule_test *t, const struct rule_test_result *res)
{
	struct buf b;

	r->tests++;
	r->failed += res->first != NULL;
	r->seconds += res->seconds;
	begin_case(r, t->name, t->line, res->seconds);
	if (res->first == NULL) {
		buf_c(&r->cases, "/>\n");
		return;
	}
	buf_init(&b, (size_t)64 << 20);
	for (const struct rule_test_failure *x = res->first; x != NULL; x = x->next)
		print_failure(&b, f, t, x, r->diff);
	(void)fwrite(b.p, 1, b.n, stderr);
	buf_c(&r->cases, ">\n      <failure message=\"");
	xml(&r->cases, res->first->what);
	buf_c(&r->cases, "\">");
	xml(&r->cases, buf_view(&b));
	buf_c(&r->cases, "</failure>\n    </testcase>\n");
	buf_fini(&b);
}

void rule_test_report_broken(struct rule_test_report *r, struct str path, struct str text)
{
	r->tests++;
	r->failed++;
	(void)fwrite(text.p, 1, text.n, stderr);
	begin_case(r, path, 0, 0);
	buf_c(&r->cases, ">\n      <error>");
	xml(&r->cases, text);
	buf_c(&r->cases, "</error>\n    </testcase>\n");
}

void rule_test_report_file(struct rule_test_report *r, struct str path)
{
	if (r->failed == 0)
		(void)printf(STR_FMT ": %zu test%s, ok\n", STR_ARG(path), r->tests,
			r->tests == 1 ? "" : "s");
	else
		(void)printf(STR_FMT ": %zu of %zu test%s failed\n", STR_ARG(path), r->failed,
			r->tests, r->tests == 1 ? "" : "s");
	if (r->junit != NULL) {
		buf_c(r->junit, "  <testsuite name=\"");
		xml(r->junit, path);
		buf_printf(r->junit, "\" tests=\"%zu\" failures=\"%zu\" time=\"%.3f\">\n", r->tests,
			r->failed, r->seconds);
		buf_str(r->junit, buf_view(&r->cases));
		buf_c(r->junit, "  </testsuite>\n");
	}
	r->tests = r->failed = 0;
	r->seconds = 0;
	buf_reset(&r->cases);
}
