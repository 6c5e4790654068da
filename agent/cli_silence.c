/* SPDX-License-Identifier: Apache-2.0 */
/* cli_silence - belfry silence query and expire; making one: cli_silence_add.c. */
#include <stdlib.h>

#include "agent/cli.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/labels.h"
#include "base/num.h"

#define QUERY_USAGE  "silence query " CLI_SILENCE_QUERY_ARGS
#define EXPIRE_USAGE "silence expire " CLI_SILENCE_EXPIRE_ARGS

struct wish {
	bool expired, json, quiet;
};

static void put_matchers(struct buf *b, const json_t *list)
{
	size_t i;
	json_t *m;

	json_array_foreach((json_t *)(uintptr_t)list, i, m)
	{
		bool re = json_is_true(json_object_get(m, "isRegex"));
		bool eq = !json_is_false(json_object_get(m, "isEqual"));
		struct buf quoted;

		buf_c(b, i > 0 ? ", " : "");
		buf_str(b, cli_member(m, "name"));
		buf_c(b, re ? (eq ? "=~" : "!~") : (eq ? "=" : "!="));
		buf_init(&quoted, 1u << 20);
		labels_print_value(&quoted, cli_member(m, "value"));
		buf_str(b, buf_view(&quoted));
		buf_fini(&quoted);
	}
}

static void row(struct cli_table *t, struct buf *b, const json_t *s)
{
	struct str state = cli_member(json_object_get(s, "status"), "state");
	struct str recurring = cli_member(s, "recurring");
	int64_t ends = 0, starts = 0, now = clock_wall_ms();

	cli_table_cell(t, cli_member(s, "id"));
	cli_table_cell(t, state);
	buf_reset(b);
	if (str_eq(state, STR("pending")) &&
		time_parse_rfc3339(cli_member(s, "startsAt"), &starts) && starts > now) {
		buf_c(b, "begins in ");
		cli_age(b, starts - now);
	} else if (time_parse_rfc3339(cli_member(s, "endsAt"), &ends)) {
		buf_c(b, ends > now ? "ends in " : "ended ");
		cli_age(b, ends > now ? ends - now : now - ends);
		buf_c(b, ends > now ? "" : " ago");
	}
	cli_table_cell(t, buf_view(b));
	buf_reset(b);
	buf_i64(b, (int64_t)json_integer_value(json_object_get(s, "alerts")));
	cli_table_cell(t, buf_view(b));
	cli_table_cell(t, cli_member(s, "createdBy"));
	buf_reset(b);
	put_matchers(b, json_object_get(s, "matchers"));
	if (recurring.n > 0)
		buf_printf(b, " at %.*s", (int)MIN_OF(recurring.n, 400u), recurring.p);
	cli_table_cell(t, buf_view(b));
	cli_table_cell(t, cli_member(s, "comment"));
}

static void show(struct cli *c, const json_t *answer, const struct wish *w)
{
	static const char *const titles[] = {
		"ID", "STATE", "WHEN", "ALERTS", "BY", "MATCHERS", "COMMENT", NULL};
	struct cli_table t;
	size_t i;
	json_t *s;

	if (w->quiet) {
		json_array_foreach((json_t *)(uintptr_t)answer, i, s)
			puts(json_string_value(json_object_get(s, "id")));
		return;
	}
	if (json_array_size(answer) == 0) {
		(void)puts("no silences");
		return;
	}
	cli_table_init(&t, titles);
	json_array_foreach((json_t *)(uintptr_t)answer, i, s) row(&t, &c->scratch, s);
	cli_table_print(&t, stdout);
	cli_table_fini(&t);
}

static int query_options(struct cli *c, struct wish *w, int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"expired", no_argument, NULL, 'x'}, {"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'}, {NULL, 0, NULL, 0}};
	int opt;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "q", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c->url = optarg; break;
		case 'x': w->expired = true; break;
		case 'j': w->json = true; break;
		case 'q': w->quiet = true; break;
		default: return cli_usage(QUERY_USAGE, "unknown option");
		}
	}
	return CLI_FINE;
}

int cli_silence_query_main(int argc, char **argv)
{
	struct wish w = {0};
	json_t *answer = NULL;
	struct err e = {0};
	struct buf path;
	struct cli c;
	int rc;

	cli_init(&c);
	buf_init(&path, 1u << 20);
	rc = query_options(&c, &w, argc, argv);
	buf_printf(&path, "/api/belfry/v1/silences?expired=%s", w.expired ? "true" : "false");
	if (rc == CLI_FINE && cli_filters(&c, &path, argc - optind, argv + optind, &e) != 0)
		rc = cli_usage(QUERY_USAGE, "%s", e.msg);
	if (rc == CLI_FINE && cli_ask(&c, "GET", path.p, NULL, &answer, &e) != 0)
		rc = cli_fail(&e);
	if (rc == CLI_FINE && w.json) {
		(void)json_dumpf(answer, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else if (rc == CLI_FINE) {
		show(&c, answer, &w);
	}
	json_decref(answer);
	buf_fini(&path);
	cli_fini(&c);
	return rc;
}

/* ---- expire ---- */

/* The whole id of what was typed: itself, or the one id it begins. */
static struct str whole_id(const json_t *all, struct str typed, struct err *e)
{
	struct str found = STR("");
	size_t i;
	json_t *s;

	json_array_foreach((json_t *)(uintptr_t)all, i, s)
	{
		struct str id = cli_member(s, "id");

		if (!str_starts(id, typed))
			continue;
		if (str_eq(id, typed))
			return id;
		if (found.n > 0) {
			(void)err_set(e, ERR_INPUT, 0,
				"several silences begin with \"" STR_FMT "\"", STR_ARG(typed));
			return STR("");
		}
		found = id;
	}
	if (found.n == 0)
		(void)err_set(e, ERR_INPUT, 0,
			"there is no active or pending silence \"" STR_FMT "\"", STR_ARG(typed));
	return found;
}

static int expire_one(struct cli *c, const json_t *all, const char *typed)
{
	struct err e = {0};
	struct str id = whole_id(all, str_c(typed), &e), path;
	json_t *answer;

	if (id.n == 0)
		return cli_fail(&e);
	path = arena_printf(&c->arena, "/api/v2/silence/%.*s", (int)id.n, id.p);
	if (cli_ask(c, "DELETE", path.p, NULL, &answer, &e) != 0)
		return cli_fail(&e);
	json_decref(answer);
	(void)printf("%.*s ended\n", (int)id.n, id.p);
	return CLI_FINE;
}

int cli_silence_expire_main(int argc, char **argv)
{
	static const struct option known[] = {
		{"url", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0}};
	json_t *all = NULL;
	struct err e = {0};
	struct cli c;
	int opt, rc = CLI_FINE;

	cli_init(&c);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (opt == 'u')
			c.url = optarg;
		else
			rc = cli_usage(EXPIRE_USAGE, "unknown option");
	}
	if (rc == CLI_FINE && optind == argc)
		rc = cli_usage(EXPIRE_USAGE, "which silence?");
	if (rc == CLI_FINE &&
		cli_ask(&c, "GET", "/api/belfry/v1/silences?expired=false", NULL, &all, &e) != 0)
		rc = cli_fail(&e);
	for (int i = optind; rc != CLI_USAGE && all != NULL && i < argc; i++) {
		if (expire_one(&c, all, argv[i]) != CLI_FINE)
			rc = CLI_FAILED;
	}
	json_decref(all);
	cli_fini(&c);
	return rc;
}
