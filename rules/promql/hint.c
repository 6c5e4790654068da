/* SPDX-License-Identifier: Apache-2.0 */
/* hint - see hint.h. What other languages write, what word processors make of quotes and signs, and
 * the usual slips. */
#include "rules/promql/hint.h"

#include "base/num.h"

struct hint {
	const char *begins, *text;
};

static const struct hint signs[] = {
	{"&&", ", use \"and\""},
	{"||", ", use \"or\""},
	{"!~", ", \"!~\" stands between braces only"},
	{"!", ", there is no negation: compare (== 0), or leave out by \"unless\""},
	{";", ", an expression has no end mark"},
	{"$", ", a dashboard variable was not replaced"},
	{"\xe2\x80\x9c", ", use the straight quote \""},
	{"\xe2\x80\x9d", ", use the straight quote \""},
	{"\xe2\x80\x9e", ", use the straight quote \""},
	{"\xc2\xab", ", use the straight quote \""},
	{"\xc2\xbb", ", use the straight quote \""},
	{"\xe2\x80\x98", ", use the straight quote '"},
	{"\xe2\x80\x99", ", use the straight quote '"},
	{"\xe2\x80\x90", ", use \"-\""},
	{"\xe2\x80\x91", ", use \"-\""},
	{"\xe2\x80\x93", ", use \"-\""},
	{"\xe2\x80\x94", ", use \"-\""},
	{"\xe2\x88\x92", ", use \"-\""},
	{"\xc3\x97", ", use \"*\""},
	{"\xc3\xb7", ", use \"/\""},
	{"\xe2\x89\xa4", ", use \"<=\""},
	{"\xe2\x89\xa5", ", use \">=\""},
	{"\xe2\x89\xa0", ", use \"!=\""},
	{"\xc2\xa0", ", a blank that is none (U+00A0)"},
	{"\xe2\x80\xaf", ", a blank that is none (U+202F)"},
};

static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* The byte before `off` that is no blank, or NUL. */
static char before(struct str text, size_t off)
{
	while (off > 0 && (text.p[off - 1] == ' ' || text.p[off - 1] == '\t'))
		off--;
	return off > 0 ? text.p[off - 1] : '\0';
}

static const char *in_braces(struct str text, size_t off)
{
	struct str rest = str_sub(text, off, text.n);

	if (str_starts(rest, STR("~=")))
		return ", did you mean \"=~\"?";
	if (rest.p[0] == '~' && str_starts(str_sub(text, off - MIN_OF(off, 2u), off), STR("!=")))
		return ", did you mean \"!~\"?";
	if (rest.p[0] == ':')
		return ", did you mean \"=\"?";
	if (rest.p[0] == '>' || rest.p[0] == '<')
		return ", labels are only equal (= !=) or matched (=~ !~)";
	return "";
}

const char *pq_hint_char(const struct pq_lexer *lx, size_t off)
{
	struct str rest = str_sub(lx->text, off, lx->text.n);

	if (lx->in_braces && in_braces(lx->text, off)[0] != '\0')
		return in_braces(lx->text, off);
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (str_starts(rest, str_c(signs[i].begins)))
			return signs[i].text;
	}
	if (rest.p[0] == '.' && off > 0 && is_word(lx->text.p[off - 1]))
		return lx->in_braces ? ", a label with dots stands in quotes"
				     : ", a name with dots is written {\"a.b\"}";
	return "";
}

const char *pq_hint_number(struct str word, bool in_range)
{
	size_t digits = 0, dots = 0;
	char last = word.n > 0 ? word.p[word.n - 1] : '\0';

	while (digits < word.n && word.p[digits] >= '0' && word.p[digits] <= '9')
		digits++;
	for (size_t i = 0; i < word.n; i++)
		dots += word.p[i] == '.';
	if (!in_range && digits + 1 == word.n && last != '\0' && strchr("kKMGT", last) != NULL)
		return ", a thousand is 1e3, a million 1e6";
	if (dots > 1)
		return ", more than one point";
	if (digits > 0 && digits < word.n && !str_starts(word, STR("0x")) &&
		word.p[digits] != '.' && word.p[digits] != 'e')
		return ", durations are 500ms, 30s, 5m, 1h30m, 2d, 1w, 1y";
	return "";
}

/* Units as people say them. */
static bool is_unit(struct str s)
{
	static const char *const units[] = {"ms", "s", "m", "h", "d", "w", "y", "sec", "secs",
		"second", "seconds", "min", "mins", "minute", "minutes", "hour", "hours", "hr",
		"hrs", "day", "days", "week", "weeks", "year", "years"};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (str_eq_nocase(s, str_c(units[i])))
			return true;
	}
	return false;
}

const char *pq_hint_token(struct str text, struct pq_token t)
{
	char c = before(text, t.off),
	     next = t.off + t.text.n < text.n ? text.p[t.off + t.text.n] : '\0';
	bool behind_digit = c >= '0' && c <= '9';

	if (t.kind == PQ_T_NAME && behind_digit && is_unit(t.text))
		return ", durations are written like 5m or 1h30m";
	if (t.kind == PQ_T_NAME && str_eq(t.text, STR("for")))
		return ", how long belongs into the rule (for:)";
	if (t.kind == PQ_T_GT && c == '<')
		return ", did you mean \"!=\"?";
	if (t.kind == PQ_T_ASSIGN)
		return next == '<'   ? ", did you mean \"<=\"?"
		       : next == '>' ? ", did you mean \">=\"?"
				     : ", did you mean \"==\"?";
	if (t.kind == PQ_T_BY || t.kind == PQ_T_WITHOUT)
		return ", it stands before or behind the parentheses of an aggregation such as sum";
	if (t.kind == PQ_T_BOOL)
		return ", bool stands behind the comparison (== bool)";
	if (t.kind == PQ_T_COMMA && behind_digit && next >= '0' && next <= '9')
		return ", digits are grouped by _ (1_000)";
	return "";
}
