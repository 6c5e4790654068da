/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_explain - belfry explain and belfry noise: why was I, or wasn't I, paged; and which rules
 * page for nothing.
 */
#include <math.h>
#include <stdlib.h>

#include "agent/cli.h"
#include "base/dur.h"
#include "base/num.h"
#include "exporters/message.h"

#define USAGE_EXPLAIN "explain " CLI_EXPLAIN_ARGS
#define USAGE_NOISE   "noise " CLI_NOISE_ARGS

/* --- explain --- */

static void line(const json_t *obj, const char *indent, const char *key)
{
	struct buf b;

	buf_init(&b, 65536);
	cli_when(&b, cli_member(obj, "time"));
	buf_c(&b, indent);
	cli_clean(&b, cli_member(obj, key));
	(void)printf("  %s\n", b.p != NULL ? b.p : "");
	buf_fini(&b);
}

/* The attempts of the message that a "told" event names. */
static void attempts(const json_t *messages, struct str told)
{
	struct str id = str_sub(told, 0, str_find(told, ' '));
	size_t i, k;
	json_t *m, *at;

	json_array_foreach((json_t *)(uintptr_t)messages, i, m)
	{
		if (!str_eq(id, cli_member(m, "id")))
			continue;
		json_array_foreach(json_object_get(m, "attempts"), k, at)
		{
			struct buf b;

			buf_init(&b, 65536);
			cli_when(&b, cli_member(at, "time"));
			buf_printf(&b, "    attempt %lld: ",
				(long long)json_integer_value(json_object_get(at, "attempt")));
			cli_clean(&b, cli_member(at, "outcome"));
			buf_c(&b, ": ");
			cli_clean(&b, cli_member(at, "detail"));
			(void)printf("  %s\n", b.p != NULL ? b.p : "");
			buf_fini(&b);
		}
	}
}

static void story(const json_t *alert)
{
	const json_t *messages = json_object_get(alert, "messages");
	struct buf b;
	size_t i;
	json_t *ev;

	buf_init(&b, 65536);
	cli_labels(&b, json_object_get(alert, "labels"), NULL);
	(void)printf("%s  (%s)\n", b.p != NULL ? b.p : "",
		cli_member(alert, "fingerprint").n > 0 ? cli_member(alert, "fingerprint").p : "");
	buf_fini(&b);
	json_array_foreach(json_object_get(alert, "events"), i, ev)
	{
		line(ev, "  ", "text");
		if (str_eq(cli_member(ev, "event"), STR("told")))
			attempts(messages, cli_member(ev, "detail"));
	}
	(void)putchar('\n');
}

static int tell(const json_t *answer, bool json, const char *what)
{
	const json_t *data = json_object_get(answer, "data");
	const json_t *alerts = json_object_get(data, "alerts");
	size_t i;
	json_t *a;

	if (json) {
		(void)json_dumpf(data, stdout, JSON_INDENT(2));
		(void)putchar('\n');
		return CLI_FINE;
	}
	if (json_array_size(alerts) == 0) {
		(void)fprintf(stderr,
			"belfry: nothing is known of %s: it was never pending nor firing as far "
			"as belfry remembers; `belfry alerts` lists what is\n",
			what);
		return CLI_FAILED;
	}
	json_array_foreach((json_t *)(uintptr_t)alerts, i, a) story(a);
	return CLI_FINE;
}

int cli_explain_main(int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"limit", required_argument, NULL, 'l'}, {"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0}};
	const char *limit = "3";
	json_t *answer = NULL;
	bool json = false;
	struct err e = {0};
	struct buf path;
	struct cli c;
	int opt, rc;

	cli_init(&c);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c.url = optarg; break;
		case 'l': limit = optarg; break;
		case 'j': json = true; break;
		default: cli_fini(&c); return cli_usage(USAGE_EXPLAIN, "unknown option");
		}
	}
	if (optind + 1 != argc) {
		cli_fini(&c);
		return cli_usage(USAGE_EXPLAIN,
			"which alert? its name, 'NAME{label=\"value\"}', or its fingerprint");
	}
	buf_init(&path, 1u << 20);
	buf_c(&path, "/api/belfry/v1/explain?limit=");
	cli_encode(&path, str_c(limit));
	buf_c(&path, "&alert=");
	cli_encode(&path, str_c(argv[optind]));
	rc = cli_ask(&c, "GET", path.p, NULL, &answer, &e) != 0 ? cli_fail(&e)
								: tell(answer, json, argv[optind]);
	json_decref(answer);
	buf_fini(&path);
	cli_fini(&c);
	return rc;
}

/* --- noise --- */

static void count_cell(struct cli_table *t, const json_t *rule, const char *key)
{
	char s[32];

	(void)snprintf(
		s, sizeof s, "%lld", (long long)json_integer_value(json_object_get(rule, key)));
	cli_table_cell(t, str_c(s));
}

static void advice_cell(struct cli_table *t, const json_t *rule)
{
	const json_t *better = json_object_get(rule, "suggested_threshold");
	struct buf b;

	buf_init(&b, 256);
	if (json_is_number(better)) {
		cli_clean(&b, cli_member(rule, "comparison"));
		buf_ch(&b, ' ');
		message_number(&b, json_number_value(better));
		buf_c(&b, " instead of ");
		message_number(&b, json_number_value(json_object_get(rule, "threshold")));
	}
	cli_table_cell(t, buf_view(&b));
	buf_fini(&b);
}

static void print_noise(const json_t *rules, const char *range)
{
	static const char *const titles[] = {"RULE", "FIRED", "PAGES", "ACKED", "USEFUL", "FALSE",
		"UNDER 5M", "FLAPS", "QUIETER WITH", NULL};
	struct cli_table t;
	size_t i;
	json_t *r;

	if (json_array_size(rules) == 0) {
		(void)printf("nothing fired in the last %s\n", range);
		return;
	}
	(void)printf("the last %s, the noisiest first\n\n", range);
	cli_table_init(&t, titles);
	json_array_foreach((json_t *)(uintptr_t)rules, i, r)
	{
		struct buf name;

		buf_init(&name, 65536);
		cli_clean(&name, cli_member(r, "rule"));
		cli_table_cell(&t, buf_view(&name));
		buf_fini(&name);
		count_cell(&t, r, "firings");
		count_cell(&t, r, "pages");
		count_cell(&t, r, "acknowledged");
		count_cell(&t, r, "useful");
		count_cell(&t, r, "false_positives");
		count_cell(&t, r, "shorter_than_5m");
		count_cell(&t, r, "flaps");
		advice_cell(&t, r);
	}
	cli_table_print(&t, stdout);
	cli_table_fini(&t);
}

int cli_noise_main(int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"range", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0}};
	const char *range = "30d";
	json_t *answer = NULL;
	bool json = false;
	struct err e = {0};
	struct buf path;
	struct cli c;
	int opt, rc = CLI_FINE;

	cli_init(&c);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c.url = optarg; break;
		case 'r': range = optarg; break;
		case 'j': json = true; break;
		default: cli_fini(&c); return cli_usage(USAGE_NOISE, "unknown option");
		}
	}
	buf_init(&path, 4096);
	buf_c(&path, "/api/belfry/v1/noise?range=");
	cli_encode(&path, str_c(range));
	if (optind != argc)
		rc = cli_usage(USAGE_NOISE, "unexpected argument \"%s\"", argv[optind]);
	else if (cli_ask(&c, "GET", path.p, NULL, &answer, &e) != 0)
		rc = cli_fail(&e);
	else if (json)
		(void)json_dumpf(json_object_get(answer, "data"), stdout, JSON_INDENT(2));
	else
		print_noise(json_object_get(json_object_get(answer, "data"), "rules"), range);
	json_decref(answer);
	buf_fini(&path);
	cli_fini(&c);
	return rc;
}
