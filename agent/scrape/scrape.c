/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrape - the manager: targets, their timers, reloads; see scrape.h. Single scrapes are run.c.
 *
 * A target is scraped once a slot: wall-clock times offset + k * interval, the offset drawn from
 * its labels and URL (base/slot.h), so that targets are spread and keep their slots over restarts.
 * Samples carry the slot's time, whenever the page really came: regular timestamps cost the store
 * nothing.
 */
#include "agent/scrape/scrape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/scrape/run.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"

#define HOUSEKEEPING_MS 1000

/* ---- slots ---- */

static void arm(struct target *t)
{
	int64_t now = clock_wall_ms();
	int64_t next = target_slot(t->conf, now) + t->conf->interval_ms;

	loop_timer_set(t->timer, next - now, 0);
}

static void on_slot(void *arg)
{
	struct target *t = arg;
	struct scrape *s = t->owner;
	int64_t slot = target_slot(t->conf, clock_wall_ms());

	arm(t);
	if (slot == t->last_slot_ms)
		return; /* the timer was a little early */
	if (t->busy) {
		metric_inc(s->skipped); /* never two at once: this slot stays empty */
		return;
	}
	run_start(s, t, slot);
}

static void watch(struct scrape *s, struct target *t)
{
	t->owner = s;
	if (t->timer == NULL)
		t->timer = loop_timer_new(s->loop, on_slot, t);
	arm(t);
}

/* ---- runs that came back ---- */

static void on_retired(struct batch *b, void *arg)
{
	(void)arg;
	batch_free(b);
}

/* A target taken out of the configuration: its series end here. */
static void retire(struct scrape *s, struct target *t)
{
	int64_t now = MAX_OF(clock_wall_ms(), t->last_slot_ms + 1);
	struct batch *b;
	struct err e = {0};

	ASSERT(!t->busy);
	if (t->last != NULL)
		page_absorb(t->page, t->last);
	if (t->last_scrape_ms != 0) {
		b = batch_new(BATCH_SCRAPE);
		page_check_generation(t->page, store_id_generation(s->store));
		page_fail(t->page, now, b);
		page_end_reports(t->page, now, b);
		if (store_submit(s->store, b, on_retired, NULL, &e) != 0) {
			METRIC_DROP("scrape", "stale_markers", batch_rows(b));
			log_warn("scrape", "msg=\"stale markers not stored\" error=\"%s\"", e.msg);
			batch_free(b);
		}
	}
	target_unref(t);
}

static void log_change(const struct target *t, const struct run *r)
{
	char q[LOG_Q_MAX], u[LOG_Q_MAX];

	if (r->up && t->health == TARGET_DOWN)
		log_info("scrape", "msg=\"target is up again\" job=" STR_FMT " target=%s",
			STR_ARG(t->conf->pool), log_url(u, t->conf->url));
	else if (!r->up && t->health != TARGET_DOWN)
		log_warn("scrape", "msg=\"scrape failed\" job=" STR_FMT " target=%s error=%s",
			STR_ARG(t->conf->pool), log_url(u, t->conf->url),
			log_q(q, str_c(r->error)));
}

static void finish(struct scrape *s, struct run *r)
{
	struct target *t = r->t;

	t->busy = false;
	log_change(t, r);
	t->health = r->up ? TARGET_UP : TARGET_DOWN;
	(void)snprintf(t->last_error, sizeof t->last_error, "%s", r->error);
	t->last_scrape_ms = r->start_wall_ms;
	t->last_duration = r->duration;
	if (r->batch != NULL) {
		ASSERT(t->last == NULL);
		t->last = r->batch;
		r->batch = NULL;
	}
	metric_inc(s->runs);
	metric_addf(s->seconds, r->duration);
	if (!r->up)
		metric_inc(s->failed);
	if (r->stored && r->up)
		metric_add(s->samples, r->counts.samples);
	if (t->gone) {
		t->gone = false;
		retire(s, t);
	}
	run_free(r);
}

void scrape_on_done(void *arg)
{
	struct scrape *s = arg;
	struct run *r;

	atomic_store(&s->posted, false);
	while ((r = queue_pop(s->done, 0)) != NULL)
		finish(s, r);
}

/* ---- configuration ---- */

static int by_hash(const void *a, const void *b)
{
	const struct target *const *x = a, *const *y = b;
	uint64_t p = (*x)->conf->hash, q = (*y)->conf->hash;

	return p < q ? -1 : p > q;
}

/* An old target with these labels that nobody took yet; with this URL if `url` is given. old is
 * sorted by hash. */
static struct target **find_old(
	struct target **old, size_t n, const struct target_conf *c, bool same_url)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (old[mid]->conf->hash < c->hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < n && old[lo]->conf->hash == c->hash; lo++) {
		struct target *t = old[lo];

		if (t->owner != NULL && labels_eq(t->conf->labels, c->labels) &&
			(!same_url || str_eq(t->conf->url, c->url)))
			return &old[lo];
	}
	return NULL;
}

struct confs {
	struct target_conf **v;
	size_t n, cap;
};

static void add_conf(struct confs *l, struct target_conf *c)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		l->v = reallocarray(l->v, l->cap, sizeof(struct target_conf *));
		ASSERT(l->v != NULL);
	}
	l->v[l->n++] = c;
}

static void read_group(
	struct confs *l, const struct scrape_job *job, const struct scrape_static *group)
{
	struct err e = {0};

	for (size_t i = 0; i < group->n_targets; i++) {
		struct target_conf *c;

		if (l->n == LIMIT_SCRAPE_TARGETS) {
			METRIC_LIMIT("scrape_targets");
			log_error("scrape", "msg=\"more targets than are taken\" limit=%u",
				LIMIT_SCRAPE_TARGETS);
			return;
		}
		c = target_conf_new(job, group, group->targets[i], &e);
		if (c != NULL)
			add_conf(l, c);
		else
			log_error("scrape", "msg=\"target left out\" error=\"%s\"", e.msg);
	}
}

static int conf_by_hash(const void *a, const void *b)
{
	const struct target_conf *const *x = *(const struct target_conf *const *const *)a;
	const struct target_conf *const *y = *(const struct target_conf *const *const *)b;

	if ((*x)->hash != (*y)->hash)
		return (*x)->hash < (*y)->hash ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* A target named twice is scraped once. */
static void drop_doubles(struct confs *l)
{
	struct target_conf ***by = calloc(l->n + 1, sizeof(struct target_conf **));
	size_t out = 0;

	ASSERT(by != NULL);
	for (size_t i = 0; i < l->n; i++)
		by[i] = &l->v[i];
	qsort(by, l->n, sizeof(struct target_conf **), conf_by_hash);
	for (size_t i = 1, first = 0; i < l->n; i++) {
		const struct target_conf *a = *by[first], *b = *by[i];

		if (a->hash != b->hash || !labels_eq(a->labels, b->labels) ||
			!str_eq(a->url, b->url)) {
			first = i;
			continue;
		}
		log_warn("scrape", "msg=\"target stands twice\" job=" STR_FMT, STR_ARG(b->pool));
		target_conf_free(*by[i]);
		*by[i] = NULL;
	}
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i] != NULL)
			l->v[out++] = l->v[i];
	}
	l->n = out;
	free(by);
}

static void read_jobs(struct scrape *s, const struct scrape_opts *o, struct confs *l)
{
	free(s->pools);
	s->pools = calloc(o->n_jobs + 1, sizeof *s->pools);
	ASSERT(s->pools != NULL);
	s->n_pools = o->n_jobs;
	for (size_t i = 0; i < o->n_jobs; i++) {
		s->pools[i] = o->jobs[i].job_name;
		for (size_t g = 0; g < o->jobs[i].n_statics; g++)
			read_group(l, &o->jobs[i], &o->jobs[i].statics[g]);
	}
	drop_doubles(l);
	for (size_t i = 0; i < l->n; i++)
		target_conf_place(l->v[i], o->slot_unit_ms, l->n);
}

/* t goes on under a new configuration: cache, timer and history stay. */
static void reconfigure(struct scrape *s, struct target *t, struct target_conf *take_conf)
{
	bool same_slots = t->conf->interval_ms == take_conf->interval_ms &&
			  t->conf->offset_ms == take_conf->offset_ms;

	target_conf_free(t->conf);
	t->conf = take_conf;
	if (!same_slots)
		watch(s, t);
}

static void drop_target(struct scrape *s, struct target *t)
{
	loop_timer_free(t->timer);
	t->timer = NULL;
	if (t->busy)
		t->gone = true; /* finish() retires it */
	else
		retire(s, t);
}

/* First those that are the same, then those whose URL changed, then the new ones. */
static void match(struct scrape *s, struct confs *l, struct target **old, size_t n_old)
{
	struct target **now = calloc(l->n + 1, sizeof(struct target *));

	ASSERT(now != NULL);
	for (int url = 1; url >= 0; url--) {
		for (size_t i = 0; i < l->n; i++) {
			struct target **t =
				now[i] == NULL ? find_old(old, n_old, l->v[i], url == 1) : NULL;

			if (t == NULL)
				continue;
			now[i] = *t;
			now[i]->owner = NULL; /* taken */
		}
	}
	for (size_t i = 0; i < n_old; i++) {
		if (old[i]->owner != NULL) {
			drop_target(s, old[i]);
			old[i] = NULL;
		}
	}
	for (size_t i = 0; i < l->n; i++) {
		if (now[i] == NULL) {
			now[i] = target_new(l->v[i]);
			watch(s, now[i]);
			continue;
		}
		now[i]->owner = s;
		reconfigure(s, now[i], l->v[i]);
	}
	s->targets = now;
	s->n_targets = l->n;
}

void scrape_reload(struct scrape *s, const struct scrape_opts *o)
{
	struct target **old = s->targets;
	size_t n_old = s->n_targets;
	struct confs l = {0};

	if (n_old > 1)
		qsort(old, n_old, sizeof(struct target *), by_hash);
	read_jobs(s, o, &l);
	match(s, &l, old, n_old);
	free(l.v);
	free(old);
	metric_set(s->count, (double)s->n_targets);
}

/* ---- life ---- */

static void make_metrics(struct scrape *s)
{
	s->runs = metric_counter("belfry_scrapes_total", "Scrapes that ended, well or not.", NULL);
	s->failed = metric_counter("belfry_scrape_failed_total",
		"Scrapes that ended with up 0 or were not stored.", NULL);
	s->skipped = metric_counter("belfry_scrape_skipped_total",
		"Slots left out because the target's last scrape was still under way.", NULL);
	s->samples = metric_counter("belfry_scrape_samples_total", "Samples stored.", NULL);
	s->seconds = metric_counter("belfry_scrape_duration_seconds_total",
		"Time from request to parsed page, over all scrapes.", NULL);
	s->count = metric_gauge("belfry_scrape_targets", "Targets configured.", NULL);
	metric_set(metric_gauge("belfry_scrape_targets_limit", "Most targets taken.", NULL),
		LIMIT_SCRAPE_TARGETS);
}

int scrape_start(struct scrape **out, const struct scrape_opts *o, struct loop *l,
	struct pool *ingest, struct sender client, struct store *store, struct err *e)
{
	struct scrape *s = calloc(1, sizeof *s);

	if (s == NULL)
		return err_set(e, ERR_LIMIT, 0, "cannot start scraping: out of memory");
	atomic_store(&s->refs, 1);
	s->loop = l;
	s->ingest = ingest;
	s->client = client;
	s->store = store;
	/* targets of now, and gone ones whose last run is under way */
	s->done = queue_new((size_t)LIMIT_SCRAPE_TARGETS * 4, 0);
	make_metrics(s);
	s->housekeeping = loop_timer_new(l, scrape_on_done, s);
	loop_timer_set(s->housekeeping, HOUSEKEEPING_MS, HOUSEKEEPING_MS);
	scrape_reload(s, o);
	*out = s;
	return 0;
}

void scrape_unref(struct scrape *s)
{
	struct run *r;

	if (atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	while ((r = queue_pop(s->done, 0)) != NULL) {
		if (r->t->gone) /* in no list any more */
			target_unref(r->t);
		run_free(r);
	}
	queue_free(s->done);
	free(s);
}

void scrape_stop(struct scrape *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->closing, true);
	loop_timer_free(s->housekeeping);
	for (size_t i = 0; i < s->n_targets; i++) {
		loop_timer_free(s->targets[i]->timer);
		s->targets[i]->timer = NULL;
		target_unref(s->targets[i]);
	}
	free(s->targets);
	s->targets = NULL;
	s->n_targets = 0;
	free(s->pools);
	s->pools = NULL;
	scrape_unref(s);
}
