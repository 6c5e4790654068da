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
	{"&", ", use \"and\""},
	{"||", ", use \"or\""},
	{"|", ", use \"or\""},
	{"?", ", there is no ? and :, use \"and\" and \"or\""},
	{"~", ", regular expressions stand between braces: {label=~\"a.*\"}"},
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
	if (rest.p[0] == '|')
		return ", alternatives are matched: label=~\"a|b\"";
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
	if ((unsigned char)rest.p[0] >= 0x80)
		return lx->in_braces ? ", a label of other letters than a to z stands in quotes"
				     : ", a name of other letters than a to z is written {\"...\"}";
	return "";
}

/* "10k", "1GB", "5Mi" */
static bool is_multiple(struct str word, size_t digits)
{
	struct str unit = str_sub(word, digits, word.n);

	if (digits == 0 || unit.n == 0 || unit.n > 3 || strchr("kKMGTP", unit.p[0]) == NULL)
		return false;
	return unit.n == 1 || str_eq_nocase(str_sub(unit, 1, unit.n), STR("b")) ||
	       str_eq_nocase(str_sub(unit, 1, unit.n), STR("i")) ||
	       str_eq_nocase(str_sub(unit, 1, unit.n), STR("ib"));
}

const char *pq_hint_number(struct str word, bool in_range)
{
	size_t digits = 0, dots = 0;
	char last = word.n > 0 ? word.p[word.n - 1] : '\0';

	while (digits < word.n && word.p[digits] >= '0' && word.p[digits] <= '9')
		digits++;
	for (size_t i = 0; i < word.n; i++)
		dots += word.p[i] == '.';
	if (!in_range && is_multiple(word, digits))
		return ", a thousand is 1e3, a million 1e6";
	if (dots > 1)
		return ", more than one point";
	if (dots == 1 && last != '\0' && strchr("smhdwy", last) != NULL)
		return ", parts of a unit are written in a smaller one: 1h30m";
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

/* The word in front of `off`, behind blanks. */
static struct str word_before(struct str text, size_t off)
{
	size_t end = off;

	while (end > 0 && (text.p[end - 1] == ' ' || text.p[end - 1] == '\t'))
		end--;
	off = end;
	while (off > 0 && is_word(text.p[off - 1]))
		off--;
	return str_sub(text, off, end);
}

/* Words of other languages, and of rules. */
static const char *of_word(struct str text, struct pq_token t)
{
	static const struct hint words[] = {
		{"for", ", how long belongs into the rule (for:)"},
		{"in", ", alternatives are matched: {label=~\"a|b\"}"},
		{"is", ", for what is missing there is absent(x)"},
		{"if", ", a condition is \"and\" or a comparison"},
		{"over", ", over time is a function: avg_over_time(x[5m])"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq_nocase(t.text, str_c(words[i].begins)))
			return words[i].text;
	}
	if (str_eq_nocase(word_before(text, t.off), STR("not")))
		return ", there is no negation: compare (== 0), or leave out by \"unless\"";
	return "";
}

/* Between braces. */
static const char *in_matching(struct pq_token t, char c)
{
	bool value = c == '=' || c == '~';

	switch ((int)t.kind) {
	case PQ_T_NAME:
		if (value)
			return ", values stand in quotes";
		if (str_eq_nocase(t.text, STR("and")) || str_eq_nocase(t.text, STR("or")))
			return ", conditions are joined by \",\", alternatives by label=~\"a|b\"";
		return "";
	case PQ_T_NUMBER:
	case PQ_T_DURATION:
		return value ? ", values stand in quotes"
			     : ", a label that begins with a digit stands in quotes";
	case PQ_T_LBRACKET:
	case PQ_T_LPAREN: return value ? ", alternatives are matched: label=~\"a|b\"" : "";
	case PQ_T_SUB: return value ? "" : ", a label with dashes stands in quotes";
	default: return "";
	}
}

/* Where an operator or the beginning of an expression should be. */
static const char *of_sign(struct str text, struct pq_token t, char c)
{
	char next = t.off + t.text.n < text.n ? text.p[t.off + t.text.n] : '\0';

	switch ((int)t.kind) {
	case PQ_T_GT: return c == '<' ? ", did you mean \"!=\"?" : "";
	case PQ_T_ASSIGN:
		return next == '<'   ? ", did you mean \"<=\"?"
		       : next == '>' ? ", did you mean \">=\"?"
				     : ", did you mean \"==\"?";
	case PQ_T_MATCH:
	case PQ_T_NMATCH: return ", it stands between braces: {label=~\"a.*\"}";
	case PQ_T_LBRACE:
		return next == '{' ? ", a template was not filled in"
		       : c == '}'  ? ", all conditions stand in one pair of braces"
				   : "";
	case PQ_T_BY:
	case PQ_T_WITHOUT:
		return ", it stands before or behind the parentheses of an aggregation such as sum";
	case PQ_T_ON:
	case PQ_T_IGNORING: return ", it stands behind an operator: x * on(a) y";
	case PQ_T_BOOL: return ", bool stands behind the comparison (== bool)";
	case PQ_T_COMMA:
		return c >= '0' && c <= '9' && next >= '0' && next <= '9'
			       ? ", digits are grouped by _ (1_000)"
			       : "";
	default: return "";
	}
}

const char *pq_hint_token(struct str text, struct pq_token t, enum pq_place place)
{
	char c = before(text, t.off);

	if (place == PQ_PLACE_BRACES)
		return in_matching(t, c);
	if (place == PQ_PLACE_LABELS && t.kind != PQ_T_BY && t.kind != PQ_T_WITHOUT)
		return t.kind == PQ_T_SUB ? ", a label with dashes stands in quotes" : "";
	if (t.kind == PQ_T_NAME && c >= '0' && c <= '9' && is_unit(t.text))
		return ", durations are written like 5m or 1h30m";
	if (c == '%')
		return ", % is the remainder of a division; 80 per cent are 0.8 of a ratio";
	return t.kind == PQ_T_NAME ? of_word(text, t) : of_sign(text, t, c);
}
