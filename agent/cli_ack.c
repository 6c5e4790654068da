/* SPDX-License-Identifier: Apache-2.0 */
/* cli_ack - belfry ack and belfry mark: what on-call says of an incident. */
#include <stdlib.h>

#include "agent/cli.h"
#include "base/num.h"

#define USAGE_ACK  "ack " CLI_ACK_ARGS
#define USAGE_MARK "mark " CLI_MARK_ARGS

struct wish {
	const char *who, *note;
};

static int options(struct cli *c, struct wish *w, int argc, char **argv, const char *usage)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"author", required_argument, NULL, 'a'}, {"note", required_argument, NULL, 'm'},
		{NULL, 0, NULL, 0}};
	int opt;

	w->who = cli_user();
	w->note = "";
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "a:m:", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c->url = optarg; break;
		case 'a': w->who = optarg; break;
		case 'm': w->note = optarg; break;
		default: return cli_usage(usage, "unknown option");
		}
	}
	return CLI_FINE;
}

static int ack_one(struct cli *c, const struct wish *w, const char *fingerprint, struct err *e)
{
	json_t *body = json_pack(
		"{s:s,s:s,s:s}", "fingerprint", fingerprint, "who", w->who, "note", w->note);
	json_t *answer = NULL;
	int rc = body == NULL ? err_set(e, ERR_INPUT, 0, "a text is not UTF-8")
			      : cli_ask(c, "POST", "/api/belfry/v1/acks", body, &answer, e);

	json_decref(body);
	json_decref(answer);
	return rc;
}

/* The fingerprints of what the words match, then an acknowledgement of each. */
static int ack_matching(struct cli *c, const struct wish *w, int argc, char **argv)
{
	json_t *answer = NULL, *alert;
	struct err e = {0};
	struct buf path;
	size_t i, n = 0;
	int rc;

	buf_init(&path, 1u << 20);
	buf_c(&path, "/api/v2/alerts?active=true&silenced=true&inhibited=true");
	rc = cli_filters(c, &path, argc, argv, &e);
	if (rc == 0)
		rc = cli_ask(c, "GET", path.p, NULL, &answer, &e);
	json_array_foreach(answer, i, alert)
	{
		if (rc != 0)
			break;
		rc = ack_one(c, w, json_string_value(json_object_get(alert, "fingerprint")), &e);
		n += rc == 0;
	}
	if (rc == 0 && n == 0)
		rc = err_set(&e, ERR_INPUT, 404, "no such alert fires");
	json_decref(answer);
	buf_fini(&path);
	if (rc != 0)
		return cli_fail(&e);
	(void)printf("acknowledged: %zu alert%s\n", n, n == 1 ? "" : "s");
	return CLI_FINE;
}

int cli_ack_main(int argc, char **argv)
{
	struct wish w;
	struct cli c;
	int rc;

	cli_init(&c);
	rc = options(&c, &w, argc, argv, USAGE_ACK);
	if (rc == CLI_FINE && optind == argc)
		rc = cli_usage(USAGE_ACK, "which alert?");
	if (rc == CLI_FINE && optind + 1 == argc && strlen(argv[optind]) == 16 &&
		strspn(argv[optind], "0123456789abcdef") == 16) {
		struct err e = {0};

		rc = ack_one(&c, &w, argv[optind], &e) != 0 ? cli_fail(&e) : CLI_FINE;
	} else if (rc == CLI_FINE) {
		rc = ack_matching(&c, &w, argc - optind, argv + optind);
	}
	cli_fini(&c);
	return rc;
}

int cli_mark_main(int argc, char **argv)
{
	json_t *body = NULL, *answer = NULL;
	struct err e = {0};
	struct wish w;
	struct cli c;
	int rc;

	cli_init(&c);
	rc = options(&c, &w, argc, argv, USAGE_MARK);
	if (rc == CLI_FINE && optind + 2 != argc)
		rc = cli_usage(USAGE_MARK, "say false-positive or useful, then which alert");
	if (rc == CLI_FINE && strcmp(argv[optind], "false-positive") != 0 &&
		strcmp(argv[optind], "useful") != 0)
		rc = cli_usage(
			USAGE_MARK, "\"%s\": expected false-positive or useful", argv[optind]);
	if (rc == CLI_FINE) {
		body = json_pack("{s:s,s:s,s:s,s:s}", "alert", argv[optind + 1], "what",
			argv[optind][0] == 'f' ? "false_positive" : "useful", "who", w.who, "note",
			w.note);
		if (body == NULL ||
			cli_ask(&c, "POST", "/api/belfry/v1/marks", body, &answer, &e) != 0)
			rc = cli_fail(&e);
		else
			(void)printf("noted\n");
	}
	json_decref(body);
	json_decref(answer);
	cli_fini(&c);
	return rc;
}
