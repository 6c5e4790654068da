/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli - what on-call's commands share: asking a running belfry over HTTP, matchers and times as
 * people type them, tables.
 *
 * One thread, one process per command: memory is freed by its end. Everything that comes from
 * labels is printed with control characters made visible, so that no label drives a terminal.
 */
#ifndef BELFRY_AGENT_CLI_H
#define BELFRY_AGENT_CLI_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/matcher.h"
#include "base/str.h"

enum { CLI_FINE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* --- cli_http.c --- */
struct cli {
	const char *url; /* --url, BELFRY_URL, else the default; without a slash at its end */
	struct arena arena;
	struct buf scratch;
};
void cli_init(struct cli *c);
void cli_fini(struct cli *c);
/* One request; path begins with a slash, body may be NULL. The answer's JSON (NULL when it is
 * empty) goes to *out, json_decref it. -1 with what is wrong, in words for people. */
int cli_ask(struct cli *c, const char *method, const char *path, const json_t *body, json_t **out,
	struct err *e) MUST_CHECK;
/* "belfry: ..." on stderr; CLI_FAILED. */
int cli_fail(const struct err *e);
/* "belfry COMMAND: ..." and how it is used, on stderr; CLI_USAGE. */
int cli_usage(const char *usage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Who asks, where nothing else is said: $USER. */
const char *cli_user(void);
/* Percent-encodes a query parameter. */
void cli_encode(struct buf *b, struct str s);

/* --- cli_text.c --- */
/* A matcher as typed: name=value and its like, or a word alone: alertname="word". `first`: a word
 * is allowed. */
int cli_matcher(
	struct arena *a, struct str s, bool first, struct matcher *m, struct err *e) MUST_CHECK;
/* "&filter=..." for each of the words. */
int cli_filters(struct cli *c, struct buf *path, int argc, char **argv, struct err *e) MUST_CHECK;
/* One matcher in the grammar that takes every name and value. */
void cli_matcher_print(struct buf *b, const struct matcher *m);
/* Unix ms from RFC 3339, seconds since 1970, "now", or "-2h" and "+30m" from now. */
bool cli_time(struct str s, int64_t now_ms, int64_t *ms);
/* A text of an answer, without control characters. */
void cli_clean(struct buf *b, struct str s);
struct str cli_member(const json_t *obj, const char *key); /* empty when it is no string */
/* "3m", "2h 5m", "4d 3h": at most two units. */
void cli_age(struct buf *b, int64_t ms);
/* "2026-01-02 03:04:05 CET" from RFC 3339, in the zone of TZ or the machine's; the text itself when
 * it is none. */
void cli_when(struct buf *b, struct str rfc3339);
/* {a="b", c="d"} without the names that are in skip (NULL-ended, may be NULL). */
void cli_labels(struct buf *b, const json_t *labels, const char *const *skip);

/* --- cli_table.c: rows of cells, as wide as they need --- */
#define CLI_COLUMNS_MAX 10u
struct cli_table {
	struct buf text; /* all cells */
	struct cli_cell {
		size_t from, to, width;
	} * cells;
	size_t n, cap, columns;
};
/* titles: NULL-ended. */
void cli_table_init(struct cli_table *t, const char *const *titles);
/* The next cell; the row is full after `columns` of them. */
void cli_table_cell(struct cli_table *t, struct str s);
void cli_table_print(const struct cli_table *t, FILE *f);
void cli_table_fini(struct cli_table *t);
/* Columns a text takes on a terminal: its characters, as far as one can know. */
size_t cli_width(struct str s);

/* --- cli_promql.c --- */
/* The member "explain" of a query's answer as a table: the expression from the root down. */
void cli_query_costs(const json_t *explain);

/* --- the commands; argv[0] is the command's last word --- */
int cli_alerts_main(int argc, char **argv);
int cli_silence_add_main(int argc, char **argv);
int cli_silence_query_main(int argc, char **argv);
int cli_silence_expire_main(int argc, char **argv);
int cli_notify_test_main(int argc, char **argv);
int cli_outbox_main(int argc, char **argv);
int cli_outbox_resend_main(int argc, char **argv);
int cli_query_main(int argc, char **argv);
int cli_promql_format_main(int argc, char **argv);
int cli_promql_parse_main(int argc, char **argv);

int cli_explain_main(int argc, char **argv);
int cli_noise_main(int argc, char **argv);
int cli_ack_main(int argc, char **argv);
int cli_mark_main(int argc, char **argv);

#define CLI_EXPLAIN_ARGS "[--url URL] [--limit N] [--json] ALERT"
#define CLI_NOISE_ARGS   "[--url URL] [--range D] [--json]"
#define CLI_ACK_ARGS     "[--url URL] [-a AUTHOR] [-m NOTE] FINGERPRINT | ALERTNAME | MATCHER..."
#define CLI_MARK_ARGS    "[--url URL] [-a AUTHOR] [-m NOTE] false-positive|useful ALERT"
#define CLI_ALERTS_ARGS  "[--url URL] [--all] [--receiver RE] [--json] [ALERTNAME | MATCHER]..."
#define CLI_SILENCE_ADD_ARGS                                                                       \
	"[--url URL] -c COMMENT [-a AUTHOR] [-d DURATION | --end T] [--start T] "                  \
	"[--recurring WHEN] [ALERTNAME | MATCHER]..."
#define CLI_SILENCE_QUERY_ARGS  "[--url URL] [--expired] [--json | -q] [ALERTNAME | MATCHER]..."
#define CLI_SILENCE_EXPIRE_ARGS "[--url URL] ID..."
#define CLI_NOTIFY_TEST_ARGS    "[--url URL] [--timeout D] [--no-resolve] [--json] RECEIVER"
#define CLI_OUTBOX_ARGS                                                                            \
	"[--url URL] [--state waiting|parked|expired] [--receiver NAME] [--limit N] [--json]"
#define CLI_OUTBOX_RESEND_ARGS "[--url URL] [-a AUTHOR] [--stale] ID... | --receiver NAME | --all"
#define CLI_QUERY_ARGS                                                                             \
	"[--url URL] [--time T | --start T [--end T] [--step D]] "                                 \
	"[--format table|json|csv|graph] [--explain] EXPR"
#define CLI_PROMQL_ARGS "EXPR | -"

#endif
