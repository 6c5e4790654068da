/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_notify - belfry notify test RECEIVER: a real message to each of its integrations, then, where
 * ends are sent, that it is over (a pager must not keep the test open); waits for what becomes of
 * them.
 */
#include <stdlib.h>
#include <time.h>

#include "agent/cli.h"
#include "base/clock.h"
#include "base/dur.h"

#define USAGE   "notify test " CLI_NOTIFY_TEST_ARGS
#define PATH    "/api/belfry/v1/notify/test"
#define POLL_MS 100

struct wish {
	int64_t timeout_ms;
	bool no_resolve, json;
};

static void pause_ms(int ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

/* Every message came to its end. */
static bool all_done(const json_t *states)
{
	size_t i;
	json_t *s;

	json_array_foreach((json_t *)(uintptr_t)states, i, s)
	{
		struct str state = cli_member(s, "state");

		if (str_eq(state, STR("waiting")) || str_eq(state, STR("unknown")))
			return false;
	}
	return true;
}

/* States of the messages, asked for until all have ended or the time is over. */
static json_t *await(struct cli *c, const json_t *messages, int64_t until_ms, struct err *e)
{
	struct buf path;
	json_t *answer = NULL, *m;
	size_t i;

	buf_init(&path, 1u << 20);
	buf_c(&path, PATH "?");
	json_array_foreach((json_t *)(uintptr_t)messages, i, m)
	{
		buf_c(&path, i > 0 ? "&id=" : "id=");
		cli_encode(&path, cli_member(m, "id"));
	}
	for (;;) {
		json_decref(answer);
		if (cli_ask(c, "GET", path.p, NULL, &answer, e) != 0)
			break;
		if (all_done(json_object_get(answer, "data")) || clock_mono_ms() >= until_ms)
			break;
		pause_ms(POLL_MS);
	}
	buf_fini(&path);
	return answer;
}

static bool report(const json_t *messages, const json_t *states, const char *what)
{
	bool all = true;
	size_t i;
	json_t *s;

	json_array_foreach((json_t *)(uintptr_t)states, i, s)
	{
		const json_t *m = json_array_get(messages, i);
		struct str state = cli_member(s, "state"), error = cli_member(s, "error");
		bool fine = str_eq(state, STR("delivered"));
		struct buf b;

		all = all && fine;
		buf_init(&b, 65536);
		cli_clean(&b, cli_member(m, "integration"));
		if (json_integer_value(json_object_get(m, "index")) > 0)
			buf_printf(&b, "/%lld",
				(long long)json_integer_value(json_object_get(m, "index")));
		buf_printf(&b, " %s: ", what);
		cli_clean(&b, str_eq(state, STR("waiting")) ? STR("not delivered yet, tried again")
							    : state);
		if (!fine && error.n > 0) {
			buf_c(&b, ": ");
			cli_clean(&b, error);
		}
		(void)printf("%s\n", b.p != NULL ? b.p : "");
		buf_fini(&b);
	}
	return all;
}

/* One round: the messages are made, awaited and reported. -1: told. */
static int round_of(struct cli *c, const struct wish *w, const char *receiver, json_t *incident,
	bool resolved, json_t **made)
{
	json_t *body = json_pack("{s:s,s:b}", "receiver", receiver, "resolved", resolved);
	int64_t until = clock_mono_ms() + w->timeout_ms;
	const json_t *messages;
	struct err e = {0};
	json_t *states;
	int rc = CLI_FINE;

	if (incident != NULL)
		(void)json_object_set(body, "incident", incident);
	if (body == NULL || cli_ask(c, "POST", PATH, body, made, &e) != 0) {
		json_decref(body);
		return cli_fail(&e);
	}
	json_decref(body);
	messages = json_object_get(json_object_get(*made, "data"), "messages");
	if (json_array_size(messages) == 0)
		return CLI_FINE; /* no ends are sent */
	states = await(c, messages, until, &e);
	if (states == NULL)
		return cli_fail(&e);
	if (w->json) {
		(void)json_dumpf(json_object_get(states, "data"), stdout, JSON_INDENT(2));
		(void)putchar('\n');
		rc = CLI_FINE;
	}
	if (!w->json && !report(messages, json_object_get(states, "data"),
				resolved ? "that it is over" : "test message"))
		rc = CLI_FAILED;
	for (size_t i = 0; i < json_array_size(json_object_get(states, "data")); i++) {
		if (!str_eq(cli_member(json_array_get(json_object_get(states, "data"), i), "state"),
			    STR("delivered")))
			rc = CLI_FAILED;
	}
	json_decref(states);
	return rc;
}

static int options(struct cli *c, struct wish *w, int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"timeout", required_argument, NULL, 't'}, {"no-resolve", no_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	struct err e;
	int opt;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c->url = optarg; break;
		case 'n': w->no_resolve = true; break;
		case 'j': w->json = true; break;
		case 't':
			if (dur_parse(str_c(optarg), &w->timeout_ms, &e) != 0)
				return cli_usage(USAGE, "--timeout: %s", e.msg);
			break;
		default: return cli_usage(USAGE, "unknown option");
		}
	}
	return optind + 1 == argc ? CLI_FINE : cli_usage(USAGE, "which receiver?");
}

int cli_notify_test_main(int argc, char **argv)
{
	struct wish w = {.timeout_ms = 30000};
	json_t *made = NULL, *over = NULL;
	struct cli c;
	int rc;

	cli_init(&c);
	rc = options(&c, &w, argc, argv);
	if (rc == CLI_FINE)
		rc = round_of(&c, &w, argv[optind], NULL, false, &made);
	if (rc == CLI_FINE && !w.no_resolve)
		rc = round_of(&c, &w, argv[optind],
			json_object_get(json_object_get(made, "data"), "incident"), true, &over);
	json_decref(made);
	json_decref(over);
	cli_fini(&c);
	return rc;
}
