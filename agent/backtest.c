/* SPDX-License-Identifier: Apache-2.0 */
/* backtest - options of `belfry backtest`, loading, running, printing; see backtest.h. */
#include "agent/backtest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/backtest_fetch.h"
#include "agent/backtest_stop.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "rules/rules.h"
#include "rules/store_source.h"

#define DEFAULT_DIR     "/var/lib/belfry"
#define FILES_MAX       256
#define WARM_UP_MAX_MS  INT64_C(259200000) /* three days: the longest windows of burn rates */
#define QUERY_BYTES     ((size_t)512 << 20)
#define PAST_BYTES      ((size_t)256 << 20)
#define REPORT_BYTES    ((size_t)1 << 30)
#define NIGHT_FROM      (22 * 60)
#define NIGHT_TO        (7 * 60)
#define DEFAULT_STEP_MS 15000

struct flags {
	struct str rules[FILES_MAX], compare[FILES_MAX];
	size_t n_rules, n_compare;
	const char *config, *dir, *url, *from, *to, *step, *warm_up, *tz, *night;
	bool json, slots_only, no_silences, no_acks;
};

struct work {
	struct flags f;
	struct arena a, past_arena;
	struct diag *d;
	struct config *config;
	struct rule_set *rules, *compare;
	const char *dir;
	struct store *store; /* a view of dir, or what was fetched */
	struct bt_fetched fetched;
	struct select_source source;
	struct past past;
	struct bt_opts o;
};

static int usage(const char *what, const char *value)
{
	(void)fprintf(stderr,
		"belfry backtest: %s%s%s\n"
		"Usage: belfry backtest --rules FILE... [--config FILE] --from T --to T\n"
		"         [--storage.path DIR | --url URL] [--step DURATION] [--warm-up DURATION] "
		"[--json]\n"
		"         [--compare FILE...] [--timezone NAME] [--night 22:00-07:00]\n"
		"         [--no-silences] [--no-acks]\n"
		"T is a date (2026-01-02T15:04:05Z), Unix seconds, now, or now-7d. Without --rules "
		"the\n"
		"configuration's own rules are taken. URL: a running belfry, or a server with\n"
		"Prometheus's API; else the data directory is read as it stands.\n",
		what, value != NULL ? " " : "", value != NULL ? value : "");
	return 2;
}

/* --- options --- */

static int take_files(int argc, char **argv, int i, struct str *v, size_t *n)
{
	size_t before = *n;

	for (; i < argc && strncmp(argv[i], "--", 2) != 0; i++) {
		if (*n == FILES_MAX)
			return -1;
		v[(*n)++] = str_c(argv[i]);
	}
	return *n > before ? i : -1;
}

/* The option's value into its place; false: no such option, or no value. */
static bool take_value(int argc, char **argv, int *i, struct flags *f)
{
	const struct {
		const char *name, **at;
	} options[] = {
		{"--config", &f->config},
		{"--storage.path", &f->dir},
		{"--url", &f->url},
		{"--from", &f->from},
		{"--to", &f->to},
		{"--step", &f->step},
		{"--warm-up", &f->warm_up},
		{"--timezone", &f->tz},
		{"--night", &f->night},
	};

	for (size_t k = 0; k < ARRAY_LEN(options); k++) {
		size_t n = strlen(options[k].name);

		if (strncmp(argv[*i], options[k].name, n) != 0)
			continue;
		if (argv[*i][n] == '=')
			*options[k].at = argv[*i] + n + 1;
		else if (argv[*i][n] == '\0' && *i + 1 < argc)
			*options[k].at = argv[++*i];
		else
			continue;
		return true;
	}
	return false;
}

static int read_flags(int argc, char **argv, struct flags *f)
{
	for (int i = 1; i < argc; i++) {
		bool rules = strcmp(argv[i], "--rules") == 0;

		if (rules || strcmp(argv[i], "--compare") == 0) {
			int next = rules ? take_files(argc, argv, i + 1, f->rules, &f->n_rules)
					 : take_files(argc, argv, i + 1, f->compare, &f->n_compare);

			if (next < 0)
				return usage("files are missing, or too many, behind", argv[i]);
			i = next - 1;
		} else if (strcmp(argv[i], "--json") == 0) {
			f->json = true;
		} else if (strcmp(argv[i], "--no-silences") == 0) {
			f->no_silences = true;
		} else if (strcmp(argv[i], "--no-acks") == 0) {
			f->no_acks = true;
		} else if (strcmp(argv[i], "--slot-by-slot") == 0) {
			f->slots_only = true; /* the slow way: to be compared with */
		} else if (!take_value(argc, argv, &i, f)) {
			return usage("unknown option, or its value is missing:", argv[i]);
		}
	}
	if (f->n_rules == 0 && f->config == NULL)
		return usage("--rules or --config is missing", NULL);
	if (f->url != NULL && f->dir != NULL)
		return usage("either --url or --storage.path, not both", NULL);
	return 0;
}

/* --- times --- */

static bool parse_time(const char *text, int64_t now_ms, int64_t *out)
{
	struct str s = str_c(text);
	struct err e;
	int64_t back;
	double v;

	if (str_eq(s, STR("now"))) {
		*out = now_ms;
		return true;
	}
	if (str_starts(s, STR("now-"))) {
		if (dur_parse(str_sub(s, 4, s.n), &back, &e) != 0)
			return false;
		*out = now_ms - back;
		return true;
	}
	if (time_parse_rfc3339(s, out))
		return true;
	if (!str_to_f64(s, &v) || !isfinite(v) || fabs(v) > 1e12)
		return false;
	*out = num_clamp_i64(v * 1000);
	return true;
}

static bool parse_minute(struct str s, int *out)
{
	struct str hour;
	long long h, m;

	if (!str_split(&s, ':', &hour) || !str_to_i64(hour, &h) || !str_to_i64(s, &m) || h < 0 ||
		h > 24 || m < 0 || m > 59)
		return false;
	*out = (int)(h * 60 + m);
	return true;
}

static int set_night(struct work *w)
{
	struct str s, from;

	w->o.night_from = NIGHT_FROM;
	w->o.night_to = NIGHT_TO;
	if (w->f.night == NULL)
		return 0;
	s = str_c(w->f.night);
	if (!str_split(&s, '-', &from) || !parse_minute(from, &w->o.night_from) ||
		!parse_minute(s, &w->o.night_to))
		return usage("--night must be like 22:00-07:00, not", w->f.night);
	return 0;
}

static int duration(const char *text, const char *option, int64_t *out)
{
	struct err e;

	if (text == NULL)
		return 0;
	if (dur_parse(str_c(text), out, &e) != 0 || *out < 0)
		return usage(option, text);
	return 0;
}

/* --from and --to as given; missing ones stay. */
static int given_times(struct work *w)
{
	int64_t now = clock_wall_ms();
	struct bt_opts *o = &w->o;

	if (w->f.from != NULL && !parse_time(w->f.from, now, &o->from_ms))
		return usage("--from is no time:", w->f.from);
	if (w->f.to != NULL && !parse_time(w->f.to, now, &o->to_ms))
		return usage("--to is no time:", w->f.to);
	if (o->from_ms >= o->to_ms)
		return usage("--to must be after --from", NULL);
	return 0;
}

/* How long before --from rules are evaluated, and the interval of groups that name none. */
static int set_steps(struct work *w, int64_t *warm_ms)
{
	struct bt_opts *o = &w->o;

	*warm_ms = INT64_MAX;
	o->interval_ms = w->config != NULL ? w->config->evaluation_interval_ms : DEFAULT_STEP_MS;
	o->slot_unit_ms = w->config != NULL ? w->config->scrape.slot_unit_ms : 0;
	if (duration(w->f.step, "--step is no duration:", &o->interval_ms) != 0 ||
		duration(w->f.warm_up, "--warm-up is no duration:", warm_ms) != 0)
		return 2;
	if (o->interval_ms <= 0)
		return usage("--step must be above 0", NULL);
	if (*warm_ms == INT64_MAX) {
		*warm_ms = replay_warm_up(w->rules, WARM_UP_MAX_MS);
		if (w->compare != NULL)
			*warm_ms = MAX_OF(*warm_ms, replay_warm_up(w->compare, WARM_UP_MAX_MS));
	}
	return set_night(w);
}

static int nothing_recorded(const struct work *w)
{
	(void)fprintf(stderr, "belfry backtest: nothing%s is recorded there\n",
		w->f.url != NULL ? " that these rules read" : "");
	return 1;
}

/* What was asked for, as far as there is something. */
static int set_times(struct work *w)
{
	int64_t oldest, newest, warm;
	struct bt_opts *o = &w->o;
	int rc;

	if (!store_time_range(w->store, &oldest, &newest))
		return nothing_recorded(w);
	if (w->f.url != NULL) { /* only what the rules read was fetched: the server lives on */
		newest = clock_wall_ms();
	} else {
		o->from_ms = oldest;
		o->to_ms = MIN_OF(newest, clock_wall_ms());
	}
	if ((rc = given_times(w)) != 0 || (rc = set_steps(w, &warm)) != 0)
		return rc;
	if (o->from_ms > newest || o->to_ms < oldest)
		(void)fprintf(stderr, "belfry backtest: nothing is recorded of that time\n");
	o->from_ms = MAX_OF(o->from_ms, oldest);
	o->to_ms = MAX_OF(MIN_OF(o->to_ms, newest), o->from_ms);
	o->begin_ms = MAX_OF(i64_sub_sat(o->from_ms, warm), oldest);
	return 0;
}

/* --- loading --- */

static int say_diag(struct work *w)
{
	struct buf out;
	int rc = diag_errors(w->d) > 0 ? 1 : 0;

	buf_init(&out, (size_t)4 << 20);
	diag_print(w->d, &out);
	if (out.n > 0)
		(void)fwrite(out.p, 1, out.n, stderr);
	buf_fini(&out);
	return rc;
}

static int load(struct work *w)
{
	const struct config_flags cf = {.storage_path = w->f.dir, .check = true};
	bool experimental = false;
	struct err e;

	if (w->f.config != NULL) {
		w->config = config_load(w->f.config, &cf, w->d);
		if (w->config == NULL)
			return say_diag(w);
		experimental = w->config->query_experimental;
	}
	if (w->f.n_rules > 0)
		w->rules = rule_set_load(w->f.rules, w->f.n_rules, experimental, w->d, &w->a);
	else
		w->rules = rule_set_load_with(w->config->rule_files, w->config->n_rule_files,
			w->config->packs, w->config->n_packs, experimental, w->d, &w->a);
	if (w->f.n_compare > 0)
		w->compare = rule_set_load(w->f.compare, w->f.n_compare, experimental, w->d, &w->a);
	if (say_diag(w) != 0 || w->rules == NULL)
		return 1;
	if (tz_load(&w->a, str_c(w->f.tz != NULL ? w->f.tz : "Local"), &e) == NULL &&
		w->f.tz != NULL)
		return usage("no such --timezone:", w->f.tz);
	w->o.tz = tz_load(&w->a, str_c(w->f.tz != NULL ? w->f.tz : "Local"), &e);
	return 0;
}

static int fetch_history(struct work *w)
{
	struct bt_fetch_opts fo = {
		.url = w->f.url, .sets = {w->rules, w->compare}, .progress = w->o.progress};
	int64_t warm;
	struct err e;
	int rc;

	if (w->f.from == NULL)
		return usage("--url needs --from", NULL);
	w->o.to_ms = clock_wall_ms();
	if ((rc = given_times(w)) != 0 || (rc = set_steps(w, &warm)) != 0)
		return rc;
	fo.begin_ms = i64_sub_sat(w->o.from_ms, warm);
	fo.to_ms = MIN_OF(w->o.to_ms, clock_wall_ms());
	if (w->config != NULL)
		fo.external = w->config->scrape.external_labels;
	bt_stop_catch();
	if (bt_fetch(&w->fetched, &fo, &e) != 0) {
		(void)fprintf(stderr, "belfry backtest: %s: %s\n", w->f.url, e.msg);
		return 1;
	}
	if (!w->fetched.exact)
		(void)fprintf(stderr,
			"belfry backtest: %s has no remote read: its series end five minutes late, "
			"so alerts may, too\n",
			w->f.url);
	w->store = w->fetched.store;
	return 0;
}

static int open_history(struct work *w)
{
	struct err e;

	w->o.config = w->config;
	w->o.max_memory = QUERY_BYTES;
	w->o.progress = isatty(STDERR_FILENO) == 1;
	w->o.slots_only = w->f.slots_only;
	if (w->f.url != NULL) {
		int rc = fetch_history(w);

		if (rc != 0)
			return rc;
	} else {
		w->dir = w->f.dir != NULL    ? w->f.dir
			 : w->config != NULL ? w->config->storage.dir
					     : DEFAULT_DIR;
		if (store_open_view(&w->store, w->dir, &e) != 0) {
			(void)fprintf(stderr, "belfry backtest: %s\n", e.msg);
			return 1;
		}
	}
	w->source = store_source(w->store);
	w->o.source = &w->source;
	return 0;
}

/* What people did meanwhile. Not to know it is no reason to tell nothing of the rules. */
static void read_past(struct work *w)
{
	const struct bt_opts *o = &w->o;
	struct arena *a = &w->past_arena;
	bool found = true;
	struct err e;
	int rc;

	if (w->config == NULL || (w->f.no_silences && w->f.no_acks))
		return;
	rc = w->f.url != NULL
		     ? bt_past_fetch(w->f.url, o->begin_ms, o->to_ms, a, &w->past, &found, &e)
		     : bt_past_read(w->dir, o->begin_ms, o->to_ms, a, &w->past, &found, &e);
	if (rc != 0 || !found) {
		(void)fprintf(stderr, "belfry backtest: past silences are not known: %s%s\n",
			rc != 0            ? ""
			: w->f.url != NULL ? w->f.url
					   : w->dir,
			rc != 0            ? e.msg
			: w->f.url != NULL ? " is no belfry"
					   : " holds no state.db");
		return;
	}
	if (w->f.no_silences)
		w->past.n_silences = w->past.n_rebuilt = 0;
	if (w->f.no_acks)
		w->past.n_acks = 0;
	w->o.past = &w->past;
}

/* --- running --- */

static struct str name_of(struct work *w, const struct str *files, size_t n)
{
	if (n == 0)
		return str_c(w->f.config);
	if (n == 1)
		return files[0];
	return arena_printf(&w->a, "%.*s and %zu more", (int)files[0].n, files[0].p, n - 1);
}

static int print(struct work *w, const struct bt_run *r, const struct bt_run *other)
{
	struct buf out;
	int rc = 0;

	buf_init(&out, REPORT_BYTES);
	if (w->f.json)
		bt_json(&out, &w->o, r, other);
	else
		bt_report(&out, &w->o, r, other);
	if (out.failed || fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout) != 0) {
		(void)fprintf(stderr, "belfry backtest: the report cannot be written\n");
		rc = 1;
	}
	buf_fini(&out);
	return rc;
}

static int run(struct work *w)
{
	struct bt_run first = {0}, second = {0};
	struct err e;
	int rc = bt_run(&first, name_of(w, w->f.rules, w->f.n_rules), w->rules, &w->o, &e);

	if (rc == 0 && w->compare != NULL)
		rc = bt_run(
			&second, name_of(w, w->f.compare, w->f.n_compare), w->compare, &w->o, &e);
	if (rc != 0)
		(void)fprintf(stderr, "belfry backtest: %s\n", e.msg);
	else
		rc = print(w, &first, w->compare != NULL ? &second : NULL);
	if (w->compare != NULL && second.n_rules > 0)
		bt_run_free(&second);
	bt_run_free(&first);
	return rc != 0 ? 1 : 0;
}

int backtest_main(int argc, char **argv)
{
	struct work *w = calloc(1, sizeof *w);
	int rc;

	if (w == NULL)
		return 1;
	log_init(LOG_ERROR, LOG_LOGFMT);
	arena_init(&w->a, LIMIT_CONFIG_BYTES);
	arena_init(&w->past_arena, PAST_BYTES);
	w->d = diag_new(&w->a);
	rc = read_flags(argc, argv, &w->f);
	if (rc == 0)
		rc = load(w);
	if (rc == 0)
		rc = open_history(w);
	if (rc == 0)
		rc = set_times(w);
	if (rc == 0)
		read_past(w);
	if (rc == 0)
		rc = run(w);
	if (w->f.url != NULL)
		bt_fetched_fini(&w->fetched);
	else
		store_close_view(w->store);
	rule_set_free(w->rules);
	rule_set_free(w->compare);
	config_free(w->config);
	if (rc != 0 && bt_stop_status() != 0)
		rc = bt_stop_status();
	arena_fini(&w->past_arena);
	arena_fini(&w->a);
	free(w);
	return rc;
}
