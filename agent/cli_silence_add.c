/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_silence_add - belfry silence add: matchers, how long, why; and recurring ones as people say
 * them ("sat,sun 01:00-03:00 Europe/Berlin").
 */
#include <stdlib.h>

#include "agent/cli.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/num.h"

#define USAGE        "silence add " CLI_SILENCE_ADD_ARGS
#define DEFAULT_MS   3600000              /* 1h, as amtool */
#define RECURRING_MS INT64_C(31536000000) /* a year: recurring ones are for long */

struct wish {
	const char *author, *comment, *duration, *start, *end, *recurring;
};

/* ---- recurring ---- */

static bool is_weekday(struct str s, struct buf *out)
{
	static const char *const days[] = {
		"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

	for (size_t i = 0; s.n >= 3 && i < ARRAY_LEN(days); i++) {
		if (s.n <= strlen(days[i]) && str_eq_nocase(s, str_n(days[i], s.n))) {
			buf_c(out, days[i]);
			return true;
		}
	}
	return false;
}

/* "sat,sun", "mon-fri" as a list of ranges; false when it is none. */
static bool weekdays(json_t *interval, struct str s)
{
	json_t *list = json_array();
	struct str part;
	bool ok = true;

	while (ok && str_split(&s, ',', &part)) {
		size_t dash = str_find(part, '-');
		struct buf b;

		buf_init(&b, 100);
		ok = is_weekday(str_sub(part, 0, dash), &b);
		if (ok && dash < part.n) {
			buf_ch(&b, ':');
			ok = is_weekday(str_sub(part, dash + 1, part.n), &b);
		}
		if (ok)
			(void)json_array_append_new(list, json_stringn(b.p, b.n));
		buf_fini(&b);
	}
	if (ok && json_array_size(list) > 0)
		(void)json_object_set(interval, "weekdays", list);
	else
		ok = false;
	json_decref(list);
	return ok;
}

static void add_range(json_t *list, struct str from, struct str to)
{
	json_t *r = json_object();

	(void)json_object_set_new(r, "start_time", json_stringn(from.p, from.n));
	(void)json_object_set_new(r, "end_time", json_stringn(to.p, to.n));
	(void)json_array_append_new(list, r);
}

/* "01:00-03:00"; over midnight it is two ranges. */
static bool times(json_t *interval, struct str s)
{
	struct str from = str_sub(s, 0, str_find(s, '-')), to = str_sub(s, from.n + 1, s.n);
	json_t *list;

	if (from.n != 5 || to.n != 5 || from.p[2] != ':' || to.p[2] != ':')
		return false;
	list = json_array();
	if (str_cmp(from, to) < 0) {
		add_range(list, from, to);
	} else {
		add_range(list, from, STR("24:00"));
		if (!str_eq(to, STR("00:00")))
			add_range(list, STR("00:00"), to);
	}
	(void)json_object_set_new(interval, "times", list);
	return true;
}

/* The text of a list of time intervals; NULL when it is not understood. */
static char *recurring_text(struct str s)
{
	json_t *interval, *list;
	struct str part;
	char *text = NULL;
	bool ok = true;

	if (s.n > 0 && (s.p[0] == '[' || s.p[0] == '-'))
		return str_dup_c(s); /* a list of Alertmanager's: the server reads it */
	interval = json_object();
	while (ok && str_split(&s, ' ', &part)) {
		if (part.n == 0 || str_eq(part, STR("daily")))
			continue;
		if (!weekdays(interval, part) && !times(interval, part)) {
			ok = str_find(part, '/') < part.n || str_eq(part, STR("UTC")) ||
			     str_eq(part, STR("Local"));
			(void)json_object_set_new(
				interval, "location", json_stringn(part.p, part.n));
		}
	}
	if (ok && json_object_size(interval) > 0) {
		list = json_array();
		(void)json_array_append(list, interval);
		text = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);
		json_decref(list);
	}
	json_decref(interval);
	return text;
}

/* ---- the silence ---- */

static json_t *matcher_json(const struct matcher *m)
{
	return json_pack("{s:s%,s:s%,s:b,s:b}", "name", m->name.p, m->name.n, "value", m->value.p,
		m->value.n, "isRegex", m->op == MATCH_RE || m->op == MATCH_NRE, "isEqual",
		m->op == MATCH_EQ || m->op == MATCH_RE);
}

static json_t *read_matchers(struct cli *c, int argc, char **argv, struct err *e)
{
	json_t *list = json_array();

	for (int i = 0; i < argc; i++) {
		struct matcher m;

		if (cli_matcher(&c->arena, str_c(argv[i]), i == 0, &m, e) != 0) {
			json_decref(list);
			return NULL;
		}
		(void)json_array_append_new(list, matcher_json(&m));
		matcher_fini(&m);
	}
	return list;
}

/* From when to when; false with what is wrong. */
static bool span(const struct wish *w, int64_t now, int64_t *starts, int64_t *ends, struct err *e)
{
	int64_t ms = w->recurring != NULL ? RECURRING_MS : DEFAULT_MS;

	*starts = now;
	if (w->start != NULL && !cli_time(str_c(w->start), now, starts))
		return err_set(e, ERR_INPUT, 0, "--start: \"%.100s\" is no time", w->start) == 0;
	if (w->end != NULL && w->duration != NULL)
		return err_set(e, ERR_INPUT, 0, "give a duration or an end, not both") == 0;
	if (w->end != NULL && !cli_time(str_c(w->end), now, ends))
		return err_set(e, ERR_INPUT, 0, "--end: \"%.100s\" is no time", w->end) == 0;
	if (w->duration != NULL && dur_parse(str_c(w->duration), &ms, e) != 0)
		return err_wrap(e, "-d") == 0;
	if (w->end == NULL)
		*ends = i64_add_sat(*starts, ms);
	return true;
}

static void set_time(json_t *s, const char *key, int64_t ms)
{
	struct buf b;

	buf_init(&b, 64);
	time_print_ms(&b, ms);
	(void)json_object_set_new(s, key, json_stringn(b.p, b.n));
	buf_fini(&b);
}

static const char *author(const struct wish *w)
{
	const char *user = getenv("USER"); /* NOLINT(concurrency-mt-unsafe): one thread */

	if (w->author != NULL)
		return w->author;
	return user != NULL && user[0] != '\0' ? user : "belfry";
}

/* NULL: told. */
static json_t *make(struct cli *c, const struct wish *w, int argc, char **argv, int *rc)
{
	struct err e = {0};
	int64_t starts, ends, now = clock_wall_ms();
	json_t *matchers, *s;
	char *when;

	*rc = CLI_USAGE;
	if (argc == 0 || w->comment == NULL || w->comment[0] == '\0') {
		(void)cli_usage(USAGE, argc == 0 ? "what should be silent? name an alert or give "
						   "matchers"
						 : "say why, for those who wonder: -c COMMENT");
		return NULL;
	}
	matchers = read_matchers(c, argc, argv, &e);
	if (matchers == NULL || !span(w, now, &starts, &ends, &e)) {
		json_decref(matchers);
		(void)cli_usage(USAGE, "%s", e.msg);
		return NULL;
	}
	s = json_object();
	(void)json_object_set_new(s, "matchers", matchers);
	(void)json_object_set_new(s, "comment", json_string(w->comment));
	(void)json_object_set_new(s, "createdBy", json_string(author(w)));
	set_time(s, "startsAt", starts);
	set_time(s, "endsAt", ends);
	if (w->recurring == NULL)
		return s;
	when = recurring_text(str_c(w->recurring));
	if (when == NULL) {
		(void)cli_usage(USAGE,
			"--recurring \"%.100s\" is not understood; write for example \"sat,sun "
			"01:00-03:00 Europe/Berlin\", or a list of Alertmanager's time intervals",
			w->recurring);
		json_decref(s);
		return NULL;
	}
	(void)json_object_set_new(s, "recurring", json_string(when));
	free(when);
	return s;
}

/* The id on stdout, for scripts; for people, on stderr, what it does now. */
static void tell(struct cli *c, struct str id, const json_t *made)
{
	json_t *all, *s;
	struct err e = {0};
	struct buf b;
	size_t i;

	(void)printf("%.*s\n", (int)id.n, id.p);
	(void)fflush(stdout);
	if (cli_ask(c, "GET", "/api/belfry/v1/silences?expired=false", NULL, &all, &e) != 0)
		return;
	json_array_foreach(all, i, s)
	{
		int64_t n = (int64_t)json_integer_value(json_object_get(s, "alerts"));

		if (!str_eq(cli_member(s, "id"), id))
			continue;
		buf_init(&b, 4096);
		cli_when(&b, cli_member(made, "endsAt"));
		(void)fprintf(stderr, "silences %lld alert%s now, until %s\n", (long long)n,
			n == 1 ? "" : "s", b.p != NULL ? b.p : "");
		buf_fini(&b);
	}
	json_decref(all);
}

static int options(struct cli *c, struct wish *w, int argc, char **argv)
{
	static const struct option known[] = {{"url", required_argument, NULL, 'u'},
		{"author", required_argument, NULL, 'a'}, {"comment", required_argument, NULL, 'c'},
		{"why", required_argument, NULL, 'c'}, {"duration", required_argument, NULL, 'd'},
		{"for", required_argument, NULL, 'd'}, {"start", required_argument, NULL, 's'},
		{"end", required_argument, NULL, 'e'}, {"recurring", required_argument, NULL, 'r'},
		{NULL, 0, NULL, 0}};
	int opt;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((opt = getopt_long(argc, argv, "a:c:d:", known, NULL)) != -1) {
		switch (opt) {
		case 'u': c->url = optarg; break;
		case 'a': w->author = optarg; break;
		case 'c': w->comment = optarg; break;
		case 'd': w->duration = optarg; break;
		case 's': w->start = optarg; break;
		case 'e': w->end = optarg; break;
		case 'r': w->recurring = optarg; break;
		default: return cli_usage(USAGE, "unknown option");
		}
	}
	return CLI_FINE;
}

int cli_silence_add_main(int argc, char **argv)
{
	struct wish w = {0};
	json_t *silence = NULL, *answer = NULL;
	struct err e = {0};
	struct cli c;
	int rc;

	cli_init(&c);
	rc = options(&c, &w, argc, argv);
	if (rc == CLI_FINE)
		silence = make(&c, &w, argc - optind, argv + optind, &rc);
	if (silence != NULL) {
		rc = CLI_FINE;
		if (cli_ask(&c, "POST", "/api/v2/silences", silence, &answer, &e) != 0)
			rc = cli_fail(&e);
		else
			tell(&c, cli_member(answer, "silenceID"), silence);
	}
	json_decref(silence);
	json_decref(answer);
	cli_fini(&c);
	return rc;
}
