/* SPDX-License-Identifier: Apache-2.0 */
/* cli_alerts - belfry alerts: what fires now, worst first, and why who is not told. */
#include <math.h>
#include <stdlib.h>

#include "agent/cli.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/num.h"

#define USAGE "alerts " CLI_ALERTS_ARGS

struct wish {
	const char *receiver;
	bool all, json;
};

static int severity(const json_t *alert)
{
	static const char *const words[] = {"critical", "page", "error", "warning", "info"};
	struct str s = cli_member(json_object_get(alert, "labels"), "severity");

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq_nocase(s, str_c(words[i])))
			return (int)i;
	}
	return ARRAY_LEN(words);
}

/* Active ones first, then by severity, then the newest. */
static int by_weight(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	struct str sx = cli_member(json_object_get(x, "status"), "state");
	struct str sy = cli_member(json_object_get(y, "status"), "state");
	int c = str_cmp(sx, sy);

	if (c == 0)
		c = severity(x) - severity(y);
	return c != 0 ? c : -str_cmp(cli_member(x, "startsAt"), cli_member(y, "startsAt"));
}

static void list_of(struct buf *b, const char *what, const json_t *names)
{
	size_t i;
	json_t *v;

	if (json_array_size(names) == 0)
		return;
	buf_printf(b, "%s%s ", b->n > 0 ? "; " : "", what);
	json_array_foreach((json_t *)(uintptr_t)names, i, v)
	{
		buf_c(b, i > 0 ? ", " : "");
		buf_str(b, cli_member(v, NULL));
	}
}

/* The alert of this fingerprint by its name, when it is among these. */
static void name_of(struct buf *b, const json_t *all, struct str fingerprint)
{
	struct str name = fingerprint;
	size_t i;
	json_t *x;

	json_array_foreach((json_t *)(uintptr_t)all, i, x)
	{
		if (str_eq(cli_member(x, "fingerprint"), fingerprint))
			name = cli_member(json_object_get(x, "labels"), "alertname");
	}
	buf_str(b, name);
}

static void inhibitors(struct buf *b, const json_t *all, const json_t *fingerprints)
{
	size_t i;
	json_t *v;

	if (json_array_size(fingerprints) == 0)
		return;
	buf_printf(b, "%sinhibited by ", b->n > 0 ? "; " : "");
	json_array_foreach((json_t *)(uintptr_t)fingerprints, i, v)
	{
		buf_c(b, i > 0 ? ", " : "");
		name_of(b, all, cli_member(v, NULL));
	}
}

static void state_cell(struct cli_table *t, struct buf *b, const json_t *alert, const json_t *all)
{
	const json_t *status = json_object_get(alert, "status");

	buf_reset(b);
	list_of(b, "silenced by", json_object_get(status, "silencedBy"));
	inhibitors(b, all, json_object_get(status, "inhibitedBy"));
	list_of(b, "muted by", json_object_get(status, "mutedBy"));
	if (b->n == 0)
		buf_c(b, "firing");
	cli_table_cell(t, buf_view(b));
}

static void number(struct buf *b, const json_t *v)
{
	if (json_is_number(v))
		buf_printf(b, "%.4g", json_number_value(v));
}

static void row(struct cli_table *t, struct buf *b, const json_t *alert, const json_t *all)
{
	static const char *const skip[] = {"alertname", "severity", NULL};
	const json_t *labels = json_object_get(alert, "labels");
	const json_t *receivers = json_object_get(alert, "receivers");
	size_t i;
	json_t *v;
	int64_t now_ms = clock_wall_ms(), since = now_ms;

	cli_table_cell(t, cli_member(labels, "severity"));
	cli_table_cell(t, cli_member(labels, "alertname"));
	buf_reset(b);
	if (time_parse_rfc3339(cli_member(alert, "startsAt"), &since))
		cli_age(b, now_ms - since);
	cli_table_cell(t, buf_view(b));
	buf_reset(b);
	number(b, json_object_get(alert, "value"));
	cli_table_cell(t, buf_view(b));
	state_cell(t, b, alert, all);
	buf_reset(b);
	json_array_foreach((json_t *)(uintptr_t)receivers, i, v)
	{
		buf_c(b, i > 0 ? ", " : "");
		buf_str(b, cli_member(v, "name"));
	}
	cli_table_cell(t, buf_view(b));
	buf_reset(b);
	cli_labels(b, labels, skip);
	cli_table_cell(t, buf_view(b));
}

static bool is_active(const json_t *alert)
{
	return str_eq(cli_member(json_object_get(alert, "status"), "state"), STR("active"));
}

static void show(struct cli *c, const json_t *answer, const struct wish *w)
{
	static const char *const titles[] = {
		"SEVERITY", "ALERT", "SINCE", "VALUE", "STATE", "TOLD", "LABELS", NULL};
	size_t n = json_array_size(answer), active = 0, shown = 0;
	const json_t **v = calloc(n + 1, sizeof *v);
	struct cli_table t;

	if (v == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		v[i] = json_array_get(answer, i);
		active += is_active(v[i]);
	}
	qsort(v, n, sizeof(*v), by_weight);
	cli_table_init(&t, titles);
	for (size_t i = 0; i < n; i++) {
		if (!w->all && !is_active(v[i]))
			continue;
		row(&t, &c->scratch, v[i], answer);
		shown++;
	}
	if (shown > 0)
		cli_table_print(&t, stdout);
	else
		(void)puts(
			active < n && !w->all ? "nothing fires that is told of" : "nothing fires");
	if (!w->all && active < n)
		(void)printf("%zu suppressed (--all shows them)\n", n - active);
	cli_table_fini(&t);
	free(v);
}

static int options(struct cli *c, struct wish *w, int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"all", no_argument, NULL, 'A'}, {"receiver", required_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	int opt;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c->url = optarg; break;
		case 'A': w->all = true; break;
		case 'r': w->receiver = optarg; break;
		case 'j': w->json = true; break;
		default: return cli_usage(USAGE, "unknown option");
		}
	}
	return CLI_FINE;
}

/* The question with all that was typed. */
static int question(
	struct cli *c, const struct wish *w, int argc, char **argv, struct buf *path, struct err *e)
{
	buf_c(path, "/api/belfry/v1/alerts?");
	if (w->receiver != NULL) {
		buf_c(path, "receiver=");
		cli_encode(path, str_c(w->receiver));
	}
	return cli_filters(c, path, argc - optind, argv + optind, e);
}

int cli_alerts_main(int argc, char **argv)
{
	struct wish w = {0};
	json_t *answer = NULL;
	struct err e = {0};
	struct buf path;
	struct cli c;
	int rc;

	cli_init(&c);
	buf_init(&path, 1u << 20);
	rc = options(&c, &w, argc, argv);
	if (rc == CLI_FINE && question(&c, &w, argc, argv, &path, &e) != 0)
		rc = cli_usage(USAGE, "%s", e.msg);
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
