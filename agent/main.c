/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - the belfry binary: finds the command in a table and runs it. Exit codes: 0 fine, 1 wrong
 * or failed, 2 usage, 3 lint only (with --strict), 78 bad configuration at start (EX_CONFIG).
 */
#include <curl/curl.h>
#include <event2/event.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "agent/backtest.h"
#include "agent/cli.h"
#include "agent/config.h"
#include "agent/packs.h"
#include "agent/run.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/seam.h"
#include "base/str.h"
#include "rules/rules.h"

#ifndef BELFRY_VERSION
#define BELFRY_VERSION "0.0.0"
#endif
#ifndef BELFRY_REVISION
#define BELFRY_REVISION "unknown"
#endif

struct command {
	const char *name, *sub;            /* sub NULL: none */
	int (*run)(int argc, char **argv); /* argv[0] is the command's last word */
	const char *args, *what;
};

static int help_main(int argc, char **argv);

static const struct command commands[] = {
	{"run", NULL, run_main,
		"--config FILE [--storage.path DIR] [--web.listen HOST:PORT] [--log.level LEVEL] "
		"[--log.format logfmt|json]",
		"the daemon in the foreground; SIGHUP or POST /-/reload reloads"},
	{"check", "config", config_check_main, "[--strict] [--alertmanager[=VERSION]] FILE",
		"validate a configuration file and the rules it names; --alertmanager: an "
		"Alertmanager's, which may use nothing that Alertmanager (0.33) does not know"},
	{"check", "rules", rules_check_main, "[--strict] FILE...",
		"validate rule files; 3 when --strict and lint finds a problem"},
	{"test", "rules", rules_test_main,
		"[--run RE] [--diff] [--junit FILE] [--ignore-unknown-fields] FILE...",
		"run rule unit tests, in promtool's format"},
	{"packs", "list", packs_list_main, "", "the rule packs that ship with belfry"},
	{"packs", "show", packs_show_main, "NAME [--set PARAMETER=VALUE]... [--runbooks URL]",
		"a pack's parameters and its rules as they take effect"},
	{"backtest", NULL, backtest_main,
		"--rules FILE... [--config FILE] --from T --to T [--storage.path DIR] [--step D] "
		"[--warm-up D] [--json] [--compare FILE...] [--timezone NAME] [--night "
		"22:00-07:00]",
		"replay rules, and routing with a configuration, over recorded history"},
	{"query", NULL, cli_query_main, CLI_QUERY_ARGS,
		"ask a running belfry, or any server of Prometheus's API"},
	{"promql", "format", cli_promql_format_main, CLI_PROMQL_ARGS,
		"an expression as Prometheus would lay it out"},
	{"promql", "parse", cli_promql_parse_main, CLI_PROMQL_ARGS,
		"an expression's syntax tree as JSON, or what is wrong with it and where"},
	{"alerts", NULL, cli_alerts_main, CLI_ALERTS_ARGS, "what fires now, worst first"},
	{"silence", "add", cli_silence_add_main, CLI_SILENCE_ADD_ARGS,
		"silence alerts for an hour, or as long as said; prints the silence's id"},
	{"silence", "query", cli_silence_query_main, CLI_SILENCE_QUERY_ARGS,
		"the silences there are"},
	{"silence", "expire", cli_silence_expire_main, CLI_SILENCE_EXPIRE_ARGS,
		"end silences now; the beginning of an id is enough"},
	{"notify", "test", cli_notify_test_main, CLI_NOTIFY_TEST_ARGS,
		"send a test message to a receiver and wait until it is delivered"},
	{"outbox", "resend", cli_outbox_resend_main, CLI_OUTBOX_RESEND_ARGS,
		"send again what was refused or expired; of what waits, try it now"},
	{"outbox", NULL, cli_outbox_main, CLI_OUTBOX_ARGS,
		"messages that wait, were refused for good, or expired"},
	{"explain", NULL, cli_explain_main, CLI_EXPLAIN_ARGS,
		"the story of an alert: what it did, what held it back, who was told and how that "
		"went"},
	{"ack", NULL, cli_ack_main, CLI_ACK_ARGS,
		"acknowledge: no repeats and no escalation until another alert joins"},
	{"mark", NULL, cli_mark_main, CLI_MARK_ARGS, "say whether a page was worth it"},
	{"noise", NULL, cli_noise_main, CLI_NOISE_ARGS,
		"which rules page for nothing, and the threshold that would page less"},
	{"help", NULL, help_main, "[COMMAND | config]",
		"this text, one command's, or the configuration reference"},
};

static void print_command(FILE *f, const struct command *c)
{
	(void)fprintf(f, "  belfry %s%s%s %s\n        %s\n", c->name, c->sub != NULL ? " " : "",
		c->sub != NULL ? c->sub : "", c->args, c->what);
}

/* The reference of belfry.yml, from the same table that reads it. */
static int help_config(void)
{
	struct buf b;

	buf_init(&b, (size_t)4 << 20);
	config_reference(&b);
	if (!b.failed)
		(void)fwrite(b.p, 1, b.n, stdout);
	buf_fini(&b);
	return 0;
}

static int help_main(int argc, char **argv)
{
	bool any = false;

	if (argc < 2)
		puts("belfry takes metrics in (StatsD, scrapes, remote write), evaluates "
		     "Prometheus rules\n"
		     "over them and tells people. Usage:\n");
	if (argc > 1 && strcmp(argv[1], "config") == 0)
		return help_config();
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (argc > 1 && strcmp(argv[1], commands[i].name) != 0)
			continue;
		print_command(stdout, &commands[i]);
		any = true;
	}
	if (!any) {
		(void)fprintf(stderr, "belfry: unknown command \"%s\"\n", argv[1]);
		return 2;
	}
	if (argc < 2)
		puts("\n  belfry --version");
	return 0;
}

static void print_version(void)
{
	printf("belfry %s (revision %s)\nlibevent %s, %s, SQLite %s\n", BELFRY_VERSION,
		BELFRY_REVISION, event_get_version(), curl_version(), sqlite3_libversion());
}

static int unknown(const char *word)
{
	const char *near = NULL;
	unsigned best = 3;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		unsigned d = str_distance(str_c(word), str_c(commands[i].name), 2);

		if (d < best) {
			best = d;
			near = commands[i].name;
		}
	}
	(void)fprintf(stderr, "belfry: unknown command \"%s\"", word);
	if (near != NULL)
		(void)fprintf(stderr, ", did you mean \"%s\"?", near);
	(void)fprintf(stderr, "\nTry: belfry help\n");
	return 2;
}

static int dispatch(int argc, char **argv)
{
	bool known = false;

	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return help_main(argc, argv);
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(argv[1], c->name) != 0)
			continue;
		known = true;
		if (c->sub == NULL)
			return c->run(argc - 1, argv + 1);
		if (argc > 2 && strcmp(argv[2], c->sub) == 0)
			return c->run(argc - 2, argv + 2);
	}
	if (!known)
		return unknown(argv[1]);
	if (argc > 2)
		(void)fprintf(stderr, "belfry: no such command: %s %.40s\n", argv[1], argv[2]);
	else
		(void)fprintf(stderr, "belfry: what should be done? Usage:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			print_command(stderr, &commands[i]);
	}
	return 2;
}

int main(int argc, char **argv)
{
	seam_init();
	hash_init();
	run_version = BELFRY_VERSION;
	run_revision = BELFRY_REVISION;
	/* a closed peer and a file at its size limit are errors of one call, not of the process */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (argc < 2) {
		(void)help_main(0, NULL);
		return 2;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		print_version();
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help_main(0, NULL);
	return dispatch(argc, argv);
}
