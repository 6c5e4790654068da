/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_outbox - belfry outbox: what waits for its receiver and what was given up; belfry outbox
 * resend: once more.
 */
#include <stdlib.h>

#include "agent/cli.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/num.h"

#define USAGE_LIST   "outbox " CLI_OUTBOX_ARGS
#define USAGE_RESEND "outbox resend " CLI_OUTBOX_RESEND_ARGS
#define PATH         "/api/belfry/v1/outbox"

/* --- the list --- */

struct list_wish {
	const char *state, *receiver, *limit;
	bool json;
};

static int list_options(struct cli *c, struct list_wish *w, int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"state", required_argument, NULL, 's'}, {"receiver", required_argument, NULL, 'r'},
		{"limit", required_argument, NULL, 'l'}, {"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0}};
	int opt;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c->url = optarg; break;
		case 's': w->state = optarg; break;
		case 'r': w->receiver = optarg; break;
		case 'l': w->limit = optarg; break;
		case 'j': w->json = true; break;
		default: return cli_usage(USAGE_LIST, "unknown option");
		}
	}
	return optind == argc ? CLI_FINE
			      : cli_usage(USAGE_LIST, "unexpected argument \"%s\"", argv[optind]);
}

static void parameter(struct buf *path, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(path, "%s%s=", path->n > strlen(PATH) + 1 ? "&" : "", name);
	cli_encode(path, str_c(value));
}

static void row(struct cli_table *t, const json_t *m)
{
	struct buf b;
	int64_t created;

	buf_init(&b, 65536);
	cli_table_cell(t, cli_member(m, "id"));
	cli_table_cell(t, cli_member(m, "state"));
	cli_clean(&b, cli_member(m, "receiver"));
	buf_ch(&b, '/');
	cli_clean(&b, cli_member(m, "integration"));
	if (json_integer_value(json_object_get(m, "index")) > 0)
		buf_printf(&b, "/%lld", (long long)json_integer_value(json_object_get(m, "index")));
	cli_table_cell(t, buf_view(&b));
	buf_reset(&b);
	if (time_parse_rfc3339(cli_member(m, "created"), &created))
		cli_age(&b, MAX_OF(clock_wall_ms() - created, 0));
	cli_table_cell(t, buf_view(&b));
	buf_reset(&b);
	buf_printf(&b, "%lld", (long long)json_integer_value(json_object_get(m, "attempts")));
	cli_table_cell(t, buf_view(&b));
	cli_table_cell(t, cli_member(m, "title"));
	cli_table_cell(t, cli_member(m, "error"));
	buf_fini(&b);
}

static void show(const json_t *data)
{
	static const char *const titles[] = {
		"ID", "STATE", "RECEIVER", "AGE", "TRIES", "MESSAGE", "LAST ERROR", NULL};
	const json_t *messages = json_object_get(data, "messages");
	const json_t *counts = json_object_get(data, "counts");
	struct cli_table t;
	json_t *m;
	size_t i;

	cli_table_init(&t, titles);
	json_array_foreach((json_t *)(uintptr_t)messages, i, m) row(&t, m);
	if (i > 0)
		cli_table_print(&t, stdout);
	(void)printf("%lld waiting, %lld parked, %lld expired\n",
		(long long)json_integer_value(json_object_get(counts, "waiting")),
		(long long)json_integer_value(json_object_get(counts, "parked")),
		(long long)json_integer_value(json_object_get(counts, "expired")));
	cli_table_fini(&t);
}

int cli_outbox_main(int argc, char **argv)
{
	struct list_wish w = {0};
	json_t *answer = NULL;
	struct err e = {0};
	struct buf path;
	struct cli c;
	int rc;

	cli_init(&c);
	buf_init(&path, 65536);
	rc = list_options(&c, &w, argc, argv);
	buf_c(&path, PATH "?");
	parameter(&path, "state", w.state);
	parameter(&path, "receiver", w.receiver);
	parameter(&path, "limit", w.limit);
	if (rc == CLI_FINE && cli_ask(&c, "GET", path.p, NULL, &answer, &e) != 0)
		rc = cli_fail(&e);
	if (rc == CLI_FINE && w.json) {
		(void)json_dumpf(json_object_get(answer, "data"), stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else if (rc == CLI_FINE) {
		show(json_object_get(answer, "data"));
	}
	json_decref(answer);
	buf_fini(&path);
	cli_fini(&c);
	return rc;
}

/* --- once more --- */

struct resend_wish {
	const char *who, *receiver;
	bool all, stale;
};

struct tally {
	long long sent, over, gone;
	long long next; /* where the rest begins */
	bool more, full;
};

static int resend_options(struct cli *c, struct resend_wish *w, int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"author", required_argument, NULL, 'a'},
		{"receiver", required_argument, NULL, 'r'}, {"all", no_argument, NULL, 'A'},
		{"stale", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	int opt;

	w->who = cli_user();
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "a:", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c->url = optarg; break;
		case 'a': w->who = optarg; break;
		case 'r': w->receiver = optarg; break;
		case 'A': w->all = true; break;
		case 's': w->stale = true; break;
		default: return cli_usage(USAGE_RESEND, "unknown option");
		}
	}
	if ((w->receiver != NULL) + w->all + (optind < argc) != 1)
		return cli_usage(USAGE_RESEND, "which messages? ids, --receiver NAME, or --all");
	return CLI_FINE;
}

static int ask(
	struct cli *c, const struct resend_wish *w, const char *id, struct tally *t, struct err *e)
{
	json_t *body = json_pack("{s:s,s:b}", "who", w->who, "stale", w->stale);
	json_t *answer = NULL;
	const json_t *data;
	int rc = -1;

	if (body != NULL && id != NULL)
		rc = json_object_set_new(body, "id", json_string(id));
	else if (body != NULL && w->receiver != NULL)
		rc = json_object_set_new(body, "receiver", json_string(w->receiver));
	else if (body != NULL)
		rc = json_object_set_new(body, "all", json_true());
	if (rc == 0 && t->next > 0)
		rc = json_object_set_new(body, "after", json_integer(t->next));
	rc = rc != 0 ? err_set(e, ERR_INPUT, 0, "a text is not UTF-8")
		     : cli_ask(c, "POST", PATH "/resend", body, &answer, e);
	data = json_object_get(answer, "data");
	t->sent += json_integer_value(json_object_get(data, "sent"));
	t->over += json_integer_value(json_object_get(data, "over"));
	t->gone += json_integer_value(json_object_get(data, "gone"));
	t->more = json_is_true(json_object_get(data, "more"));
	t->full = json_is_true(json_object_get(data, "full"));
	t->next = json_integer_value(json_object_get(data, "next"));
	json_decref(body);
	json_decref(answer);
	return rc;
}

/* All of a receiver, or of all: as many calls as it takes. A daemon that gets nowhere is not asked
 * for ever. */
static int ask_all(struct cli *c, const struct resend_wish *w, struct tally *t, struct err *e)
{
	long long before;

	do {
		before = t->next;
		if (ask(c, w, NULL, t, e) != 0)
			return -1;
	} while (t->more && !t->full && t->next > before);
	return 0;
}

static void report(const struct tally *t)
{
	(void)printf("sent again: %lld\n", t->sent);
	if (t->over > 0)
		(void)printf(
			"left: %lld that tell of what is over (--stale sends them too)\n", t->over);
	if (t->gone > 0)
		(void)printf("left: %lld whose receiver is not configured any more\n", t->gone);
	if (t->more)
		(void)puts(t->full ? "the outbox is full: ask again when messages were delivered"
				   : "there are more: ask again");
}

int cli_outbox_resend_main(int argc, char **argv)
{
	struct resend_wish w = {0};
	struct tally t = {0};
	struct err e = {0};
	struct cli c;
	int rc;

	cli_init(&c);
	rc = resend_options(&c, &w, argc, argv);
	if (rc == CLI_FINE && optind == argc && ask_all(&c, &w, &t, &e) != 0)
		rc = cli_fail(&e);
	for (int i = optind; rc == CLI_FINE && i < argc; i++) {
		t.next = 0;
		if (ask(&c, &w, argv[i], &t, &e) != 0)
			rc = cli_fail(&e);
	}
	if (rc == CLI_FINE || t.sent > 0)
		report(&t);
	cli_fini(&c);
	return rc;
}
