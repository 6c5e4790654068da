/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self - belfry's own metrics as series of its own store; see self.h. Also keeps the gauges of the
 * process itself (memory, CPU, open files) under the names that Prometheus client libraries use.
 */
#include "agent/self.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/run.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"

#define LABELS_MAX           8u   /* of one own metric */
#define SELF_INTERVAL_MIN_MS 5000 /* unless scrapes are more frequent */

struct self_metrics {
	struct app *app;
	struct loop_timer *timer;
	int64_t interval_ms;
	char instance[256];
};

struct turn {
	struct self_metrics *s;
	struct batch *batch;
	struct arena a;
	int64_t t_ms;
};

static double resident_bytes(void)
{
	struct arena a;
	struct str text, rest, field;
	struct err e;
	unsigned long long pages = 0;
	bool ok = false;

	arena_init(&a, (size_t)1 << 20);
	if (fd_read_file("/proc/self/statm", 4096, &a, &text, &e) == 0) {
		rest = text; /* the second field is the resident pages */
		for (int i = 0; i < 2 && str_split(&rest, ' ', &field); i++)
			ok = str_to_u64(field, &pages);
	}
	arena_fini(&a);
	return ok ? (double)pages * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double cpu_seconds(void *arg)
{
	struct rusage ru;

	(void)arg;
	if (getrusage(RUSAGE_SELF, &ru) != 0)
		return 0;
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static double rss_now(void *arg)
{
	(void)arg;
	return resident_bytes();
}

void self_process_metrics(const struct app *app)
{
	char version[128];
	struct rlimit files;

	metric_gauge_fn("process_resident_memory_bytes", "Resident memory size in bytes.", NULL,
		rss_now, NULL);
	metric_counter_fn("process_cpu_seconds_total",
		"Total user and system CPU time spent in seconds.", NULL, cpu_seconds, NULL);
	metric_set(metric_gauge("process_start_time_seconds",
			   "Start time of the process since the epoch in seconds.", NULL),
		(double)app->start_wall_ms / 1000);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		metric_set(metric_gauge("process_max_fds",
				   "Maximum number of open file descriptors.", NULL),
			(double)files.rlim_cur);
	(void)snprintf(version, sizeof version, "%s", run_version);
	metric_set(metric_gauge_l("belfry_build_info", "Always 1; the version stands in the label.",
			   "version", str_c(version)),
		1);
}

/* name="value",name="value": text of our own making, escaped as in the exposition format. */
static size_t parse_labels(struct arena *a, const char *text, struct label *v, size_t max)
{
	const char *p = text;
	size_t n = 0;

	while (*p != '\0' && n < max) {
		const char *eq = strchr(p, '=');
		char *out;
		size_t o = 0;

		if (eq == NULL || eq[1] != '"')
			break;
		v[n].name = str_n(p, (size_t)(eq - p));
		out = arena_alloc(a, strlen(eq) + 1, 1);
		if (out == NULL)
			break;
		for (p = eq + 2; *p != '\0' && *p != '"'; p++) {
			if (*p == '\\' && p[1] != '\0')
				p++;
			out[o++] = *p == 'n' && p[-1] == '\\' ? '\n' : *p;
		}
		v[n++].value = str_n(out, o);
		p += *p == '"';
		p += *p == ',';
	}
	return n;
}

static void add_cell(const char *name, const char *labels, double value, void *arg)
{
	struct turn *t = arg;
	struct label v[LABELS_MAX + 3];
	struct labels ls = {v, 0};
	size_t n = parse_labels(&t->a, labels, v, LABELS_MAX);
	uint64_t hash;
	uint32_t id;

	v[n++] = (struct label){LABEL_NAME, str_c(name)};
	v[n++] = (struct label){STR("job"), STR("belfry")};
	v[n++] = (struct label){STR("instance"), str_c(t->s->instance)};
	if (!labels_sort(v, &n))
		return; /* a metric with a label called job: none of ours */
	ls.n = n;
	hash = labels_hash(ls);
	id = store_find_series(t->s->app->store, ls, hash);
	if (id != 0)
		batch_series_id(t->batch, id);
	else
		batch_series_labels(t->batch, ls, hash);
	batch_float(t->batch, t->t_ms, value, 0);
}

static void on_done(struct batch *b, void *arg)
{
	(void)arg;
	if (batch_result(b)->fail != ERR_NONE)
		METRIC_DROP("self", "store_refused", batch_rows(b));
	batch_free(b);
}

static void on_timer(void *arg)
{
	struct turn t = {.s = arg, .batch = batch_new(BATCH_SELF)};
	struct err e;

	/* aligned, so that the time column costs nothing */
	t.t_ms = i64_floor_div(clock_wall_ms(), t.s->interval_ms) * t.s->interval_ms;
	arena_init(&t.a, (size_t)4 << 20);
	metrics_each(add_cell, &t);
	add_cell("up", "", 1, &t);
	arena_fini(&t.a);
	if (!batch_failed(t.batch) &&
		store_submit(t.s->app->store, t.batch, on_done, NULL, &e) == 0)
		return;
	METRIC_DROP("self", "store_busy", batch_rows(t.batch));
	batch_free(t.batch);
}

int self_start(struct self_metrics **out, struct app *app, const struct config *c, struct err *e)
{
	struct self_metrics *s = calloc(1, sizeof *s);
	int64_t now = clock_wall_ms();

	if (s == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	s->app = app;
	/* as often as the rules that watch it run, within reason */
	s->interval_ms = MIN_OF(
		c->scrape_interval_ms, MAX_OF(c->evaluation_interval_ms, SELF_INTERVAL_MIN_MS));
	(void)snprintf(s->instance, sizeof s->instance, STR_FMT,
		STR_ARG(c->n_web_listen > 0 ? c->web_listen[0] : STR("local")));
	s->timer = loop_timer_new(app->loop, on_timer, s);
	loop_timer_set(s->timer,
		s->interval_ms - (now - i64_floor_div(now, s->interval_ms) * s->interval_ms),
		s->interval_ms);
	*out = s;
	return 0;
}

void self_stop(struct self_metrics *s)
{
	if (s == NULL)
		return;
	loop_timer_free(s->timer);
	free(s);
}
