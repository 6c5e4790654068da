/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack_text - what may stand in a Slack message: escaping, clipping, mentions.
 *
 * Slack's mrkdwn has exactly three special characters, & < >; everything in angle brackets is a
 * link, a date or a call (<!channel>). Labels come from whoever sends metrics.
 */
#include "base/num.h"
#include "exporters/slack.h"

struct str slack_clip(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
		max--;
	return str_sub(s, 0, max);
}

/* U+202A..U+202E and U+2066..U+2069 turn the text behind them around. */
static bool is_direction(struct str rest)
{
	unsigned char c;

	if (rest.n < 3 || (unsigned char)rest.p[0] != 0xe2)
		return false;
	c = (unsigned char)rest.p[2];
	return ((unsigned char)rest.p[1] == 0x80 && c >= 0xaa && c <= 0xae) ||
	       ((unsigned char)rest.p[1] == 0x81 && c >= 0xa6 && c <= 0xa9);
}

/* Bytes of the character at the start of rest; a stray byte is taken alone, so that what stands
 * behind it is looked at. */
static size_t sequence(struct str rest)
{
	unsigned char c = (unsigned char)rest.p[0];
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	if (n > rest.n)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)rest.p[i] & 0xc0) != 0x80)
			return 1;
	}
	return n;
}

/* Slack's marks of form cannot be escaped; inside words, where names have them, they mean nothing.
 */
static struct str look_alike(char c)
{
	switch (c) {
	case '*': return STR("∗");
	case '_': return STR("＿");
	case '~': return STR("∼");
	default: return STR("ˋ");
	}
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (unsigned char)c >= 0x80;
}

/* What stands for the character at s[i]; *used of its bytes. */
static struct str escaped(struct str s, size_t i, enum slack_text kind, size_t *used)
{
	struct str rest = str_sub(s, i, s.n);
	char c = rest.p[0];

	*used = 1;
	switch (c) {
	case '&': return kind != SLACK_PLAIN ? STR("&amp;") : STR("&");
	case '<': return kind != SLACK_PLAIN ? STR("&lt;") : STR("‹");
	case '>': return kind != SLACK_PLAIN ? STR("&gt;") : STR("›");
	case '\n': return kind == SLACK_MRKDWN ? STR("\n") : STR(" ");
	case '*':
	case '_':
	case '~':
	case '`':
		if (kind == SLACK_LITERAL && (i == 0 || !is_word(s.p[i - 1])))
			return look_alike(c);
		break;
	default: break;
	}
	if ((unsigned char)c < 0x20 || c == 0x7f)
		return STR(" ");
	*used = sequence(rest);
	return is_direction(rest) ? STR("") : str_sub(rest, 0, *used);
}

void slack_escape(struct buf *b, struct str s, enum slack_text kind, size_t max)
{
	static const struct str more = {"…", 3};
	size_t start = b->n, i = 0, used;

	while (i < s.n) {
		struct str piece = escaped(s, i, kind, &used);
		size_t room = max - (b->n - start);

		if (piece.n > room || (piece.n + more.n > room && i + used < s.n)) {
			if (more.n <= room)
				buf_str(b, more);
			return;
		}
		buf_str(b, piece);
		if (b->failed)
			return;
		i += used;
	}
}

void slack_escape_buf(struct buf *b, struct buf *tmp, enum slack_text kind, size_t max)
{
	slack_escape(b, buf_view(tmp), kind, max);
	buf_reset(tmp);
}

static bool is_id(struct str s, const char *first)
{
	if (s.n < 6 || s.n > 20 || strchr(first, s.p[0]) == NULL)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9')))
			return false;
	}
	return true;
}

/* <!here>, <!subteam^S123>, <@U123>: nothing else in angle brackets is a call. */
static bool is_mention(struct str s)
{
	if (s.n < 4 || s.n > 80 || s.p[0] != '<' || s.p[s.n - 1] != '>' ||
		(s.p[1] != '!' && s.p[1] != '@'))
		return false;
	for (size_t i = 1; i + 1 < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '<' || s.p[i] == '>')
			return false;
	}
	return true;
}

static void one_mention(struct buf *b, struct str s)
{
	static const char *const all[] = {"here", "channel", "everyone"};
	struct str word = s.n > 0 && s.p[0] == '@' ? str_sub(s, 1, s.n) : s;

	if (b->n > 0)
		buf_ch(b, ' ');
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (str_eq_nocase(word, str_c(all[i]))) {
			buf_printf(b, "<!%s>", all[i]);
			return;
		}
	}
	if (is_mention(s)) {
		buf_str(b, s);
	} else if (is_id(word, "UW")) {
		buf_printf(b, "<@" STR_FMT ">", STR_ARG(word));
	} else if (is_id(word, "S")) {
		buf_printf(b, "<!subteam^" STR_FMT ">", STR_ARG(word));
	} else {
		slack_escape(b, s, SLACK_MRKDWN, 80);
	}
}

void slack_mentions(struct buf *b, struct str configured)
{
	size_t i = 0;

	while (i < configured.n && b->n < 400) {
		size_t from = i;

		while (i < configured.n && configured.p[i] != ' ' && configured.p[i] != ',')
			i++;
		if (i > from)
			one_mention(b, str_sub(configured, from, i));
		i++;
	}
}

void slack_untaint(struct buf *b, struct str text, struct str template_text, bool tainted)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		struct str rest = str_sub(text, i, text.n);

		if (c == '<' && tainted && rest.n > 1 && (rest.p[1] == '!' || rest.p[1] == '@') &&
			!str_has(template_text, str_sub(rest, 0, str_find(rest, '>') + 1))) {
			buf_c(b, "&lt;");
			continue;
		}
		buf_ch(b,
			((unsigned char)c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? ' ' : c);
	}
}
