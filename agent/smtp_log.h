/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_log - what the mail server said, gathered from libcurl's debug lines.
 *
 * libcurl tells only the last code; which recipient was refused, and with which words, stands in
 * the dialogue alone. Of what we send only the command's verb is looked at, and of RCPT its
 * order: credentials never get in here.
 */
#ifndef BELFRY_AGENT_SMTP_LOG_H
#define BELFRY_AGENT_SMTP_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

#define SMTP_LINE_MAX   400u
#define SMTP_REPORT_MAX 16384u

struct smtp_log {
	size_t rcpt_sent;         /* RCPT commands so far */
	size_t rcpt_refused;      /* how many of them got 4xx or 5xx */
	bool rcpt_waits;          /* the next reply answers a RCPT */
	int last_code;            /* code of the last whole reply; 0: none yet */
	char last[SMTP_LINE_MAX]; /* its text, several lines joined by blanks */
	bool over;                /* we said QUIT */
	bool joining;             /* inside a multi-line reply */
	struct buf refused;       /* "code text <address>" a refused recipient, one a line */
};

void smtp_log_init(struct smtp_log *l);
void smtp_log_fini(struct smtp_log *l);
/* A line the server sent; rcpt (n of them) are the addresses in the order of their commands. */
void smtp_log_server(struct smtp_log *l, struct str line, char *const *rcpt, size_t n);
/* A command we sent. */
void smtp_log_client(struct smtp_log *l, struct str line);

#endif
