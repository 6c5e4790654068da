/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_log - the mail server's replies, out of the dialogue; see smtp_log.h. */
#include "agent/smtp_log.h"

#include "base/num.h"

void smtp_log_init(struct smtp_log *l)
{
	*l = (struct smtp_log){0};
	buf_init(&l->refused, SMTP_REPORT_MAX);
}

void smtp_log_fini(struct smtp_log *l)
{
	buf_fini(&l->refused);
}

static bool reply_code(struct str line, int *code)
{
	int v = 0;

	if (line.n < 3)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return false;
		v = v * 10 + (line.p[i] - '0');
	}
	*code = v;
	return true;
}

/* Text for people: printable, clipped. */
static void append_text(struct smtp_log *l, struct str text)
{
	size_t n = strlen(l->last);

	if (n > 0 && n < sizeof l->last - 1)
		l->last[n++] = ' ';
	for (size_t i = 0; i < text.n && n < sizeof l->last - 1; i++) {
		unsigned char c = (unsigned char)text.p[i];

		l->last[n++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
	}
	l->last[n] = '\0';
}

void smtp_log_server(struct smtp_log *l, struct str line, char *const *rcpt, size_t n)
{
	int code;

	line = str_trim(line);
	if (l->over || !reply_code(line, &code))
		return;
	if (!l->joining)
		l->last[0] = '\0';
	append_text(l, str_sub(line, 4, line.n));
	l->joining = line.n > 3 && line.p[3] == '-';
	if (l->joining)
		return;
	l->last_code = code;
	if (!l->rcpt_waits)
		return;
	l->rcpt_waits = false;
	if (code < 400)
		return;
	l->rcpt_refused++;
	if (l->rcpt_sent <= n)
		buf_printf(
			&l->refused, "%d %.200s <%.254s>\n", code, l->last, rcpt[l->rcpt_sent - 1]);
}

void smtp_log_client(struct smtp_log *l, struct str line)
{
	if (str_starts(line, STR("QUIT")))
		l->over = true; /* its 221 is no answer to the mail */
	l->rcpt_waits = str_starts(line, STR("RCPT TO:"));
	if (l->rcpt_waits)
		l->rcpt_sent++;
}
