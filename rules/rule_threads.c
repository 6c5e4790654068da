/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_threads - the evaluators: each takes the group whose slot comes next, evaluates it, and puts
 * it back.
 *
 * Slots are offset + k * interval of wall time; a heap orders the groups by their next slot. A slot
 * that was missed (a long evaluation, a suspended machine) is counted and skipped: never a burst.
 * A group is in the hands of one evaluator at a time. One that is idle runs queries of other's
 * groups, as long as yet another is idle: a slow group must find the others free. What changes
 * groups as a whole (a reload, a clock that was set back) waits until nobody is at work.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/role.h"
#include "base/steps.h"
#include "rules/rules_internal.h"

#define IDLE_WAIT_MS  1000
#define CLOCK_STEP_MS 1000    /* less is slewing, not a step */
#define LEAP_MS       60000   /* so far ahead at once: suspended, or set; samples are missing */
#define BACK_HOLD_MS  300000  /* what was recorded before may be in the way for so long */
#define HELP_WORTH_NS 5000000 /* groups that took less are not worth a hand over */
#define THREADS_MIN   3u

/* --- helpers --- */

static void offer(void *ctx, struct rule_run *run)
{
	struct rules *r = ctx;
	struct rule_offer *empty = NULL;

	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < RULE_OFFERS_MAX; i++) {
		if (r->offers[i].run == run)
			empty = NULL;
		if (r->offers[i].run == run)
			break;
		if (r->offers[i].run == NULL && r->offers[i].inside == 0 && empty == NULL)
			empty = &r->offers[i];
	}
	if (empty != NULL)
		empty->run = run;
	if (r->n_idle > 1)
		(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
}

static void withdraw(void *ctx, struct rule_run *run)
{
	struct rules *r = ctx;

	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < RULE_OFFERS_MAX; i++) {
		struct rule_offer *o = &r->offers[i];

		if (o->run != run)
			continue;
		o->run = NULL;
		while (o->inside > 0)
			(void)pthread_cond_wait(&r->idle, &r->lock);
	}
	(void)pthread_mutex_unlock(&r->lock);
}

/* True when a query was run. */
static bool help_locked(struct rules *r)
{
	bool helped = false;

	for (size_t i = 0; i < RULE_OFFERS_MAX && !helped; i++) {
		struct rule_offer *o = &r->offers[i];
		struct rule_run *run = o->run;

		if (run == NULL || r->n_idle == 0) /* keep one for groups that are due */
			continue;
		o->inside++;
		r->n_busy++;
		(void)pthread_cond_signal(&r->wake); /* another one looks at the time */
		(void)pthread_mutex_unlock(&r->lock);
		helped = rule_run_help(run);
		(void)pthread_mutex_lock(&r->lock);
		r->n_busy--;
		o->inside--;
		(void)pthread_cond_broadcast(&r->idle);
	}
	return helped;
}

/* --- one group --- */

static void skip_missed(struct rule_group *g, int64_t now)
{
	int64_t missed = i64_floor_div(now - g->next_slot_ms, g->interval_ms);

	if (missed <= 0)
		return;
	metric_add(g->missed, (uint64_t)missed);
	g->next_slot_ms += missed * g->interval_ms; /* the newest slot that is due */
}

static void eval_first_locked(struct rules *r, int64_t now)
{
	struct rule_group *g = rules_heap_pop(r);
	struct alert_batch *b;
	int64_t slot;

	g->busy = true;
	r->n_busy++;
	skip_missed(g, now);
	slot = g->next_slot_ms;
	if (r->n_heap > 0) /* another one looks after what is due next */
		(void)pthread_cond_signal(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	rule_group_eval(g, &r->env, slot, &b);
	if (b == NULL || rules_tell(r, b))
		rule_group_told(g, &r->env);
	else
		alert_batch_free(b); /* the alerts remember what was told: the next batch says it */
	(void)pthread_mutex_lock(&r->lock);
	r->last_eval_ms = MAX_OF(r->last_eval_ms, slot);
	g->next_slot_ms = slot + g->interval_ms;
	g->busy = false;
	r->n_busy--;
	rules_heap_push(r, g);
	(void)pthread_cond_broadcast(&r->idle);
}

/* --- alone --- */

static void begin_alone_locked(struct rules *r)
{
	ASSERT(!r->exclusive);
	r->exclusive = true;
	while (r->n_busy > 0)
		(void)pthread_cond_wait(&r->idle, &r->lock);
}

static void end_alone_locked(struct rules *r)
{
	r->exclusive = false;
	(void)pthread_cond_broadcast(&r->wake);
}

/* Until sources were heard of at the new time nobody knows that an alert is over. */
static void hold_locked(struct rules *r, int64_t now, int64_t more_ms)
{
	for (size_t i = 0; i < r->n_groups; i++)
		rule_group_hold(r->groups[i], now + rules_grace_ms(r->groups[i]) + more_ms);
}

static void went_ahead_locked(struct rules *r, int64_t now, int64_t ms)
{
	log_warn("rule", "msg=\"the clock went ahead\" ms=%lld", (long long)ms);
	begin_alone_locked(r);
	hold_locked(r, now, 0);
	end_alone_locked(r);
}

/* Slots move by a millisecond: where they were stand the samples of the time that comes again. */
static void went_back_locked(struct rules *r, int64_t now, int64_t ms)
{
	log_warn("rule", "msg=\"the clock was set back\" ms=%lld", (long long)ms);
	begin_alone_locked(r);
	for (size_t i = 0; i < r->n_groups; i++) {
		struct rule_group *g = r->groups[i];

		g->offset_ms = (g->offset_ms + 1) % g->interval_ms;
		g->next_slot_ms = rules_slot_after(g, now);
		rule_group_shift(g, ms);
	}
	r->last_eval_ms = MIN_OF(r->last_eval_ms, now);
	hold_locked(r, now, MIN_OF(ms, (int64_t)BACK_HOLD_MS));
	rules_heap_build(r);
	end_alone_locked(r);
}

/*
 * The machine was suspended or the wall clock set ahead: there are no samples of that time yet, so
 * nothing ends by it. The wall clock was set back: slots begin anew from now instead of waiting
 * until the old time is reached again, and the alerts' times move along, so that what pended or
 * fired for a minute still did. True: time went on meanwhile, as others had to finish first.
 */
static bool follow_clock_locked(struct rules *r)
{
	bool first = r->seen_wall_ms == 0;
	int64_t now, passed, leap;

	clock_read(&now, &passed);
	leap = i64_sub_sat(now - r->seen_wall_ms, passed - r->seen_passed_ms);
	r->seen_wall_ms = now;
	r->seen_passed_ms = passed;
	if (first || (leap <= LEAP_MS && leap > -CLOCK_STEP_MS))
		return false;
	if (leap > 0)
		went_ahead_locked(r, now, leap);
	else
		went_back_locked(r, now, -leap);
	return true;
}

/* --- the threads --- */

/* Until the next slot, `ms` from now, or a call. One of the idle ones looks at the time for all;
 * who finds an earlier slot than that one waits for does so, too: a group that was put back may be
 * due before the one the first is waiting for. */
static void wait_locked(struct rules *r, int64_t ms)
{
	int64_t until = i64_add_sat(clock_mono_ms(), ms);

	r->n_idle++;
	if (until >= r->lead_until_ms || r->exclusive) {
		(void)steps_wait(&r->wake, &r->lock, INT64_MAX, -1);
	} else {
		r->lead_until_ms = until;
		(void)steps_wait(&r->wake, &r->lock, until, IDLE_WAIT_MS);
		if (r->lead_until_ms == until)
			r->lead_until_ms = INT64_MAX;
	}
	r->n_idle--;
}

static void turn_locked(struct rules *r)
{
	int64_t now, wait;

	if (r->exclusive) {
		wait_locked(r, INT64_MAX);
		return;
	}
	if (r->next_set != NULL) {
		begin_alone_locked(r);
		if (r->next_set != NULL)
			rules_take_reload(r);
		end_alone_locked(r);
		return;
	}
	if (follow_clock_locked(r))
		return;
	now = clock_wall_ms();
	wait = r->n_heap > 0 ? r->heap[0]->next_slot_ms - now : INT64_MAX;
	if (r->n_orphans > 0) /* the sink was full; perhaps there is no group any more */
		rules_tell_orphans(r);
	if (r->n_orphans > 0)
		wait = MIN_OF(wait, IDLE_WAIT_MS);
	if (wait <= 0)
		eval_first_locked(r, now);
	else if (!help_locked(r))
		wait_locked(r, wait);
}

static void *run(void *arg)
{
	struct rules *r = arg;

	steps_thread_begin();
	role_enter(ROLE_RULE);
	(void)pthread_mutex_lock(&r->lock);
	while (!r->stopping)
		turn_locked(r);
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	steps_thread_end();
	return NULL;
}

static unsigned evaluators(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = cpus > 0 ? (unsigned)MIN_OF(cpus, (long)RULE_THREADS_MAX) : 1;

	return MAX_OF(n, THREADS_MIN);
}

int rules_start(struct rules *r, struct err *e)
{
	r->helpers = (struct rule_helpers){
		.ctx = r, .worth_ns = HELP_WORTH_NS, .offer = offer, .withdraw = withdraw};
	(void)pthread_mutex_lock(&r->lock);
	r->lead_until_ms = INT64_MAX;
	rules_tell_orphans(r);
	(void)pthread_mutex_unlock(&r->lock);
	metric_set(metric_gauge("belfry_rule_evaluators", "Threads that evaluate rules.", NULL),
		evaluators());
	for (unsigned n = evaluators(); r->n_threads < n; r->n_threads++) {
		int rc;

		steps_thread_new();
		rc = pthread_create(&r->threads[r->n_threads], NULL, run, r);
		if (rc != 0) {
			steps_thread_end();
			return err_set(
				e, ERR_IO, rc, "cannot start a rule thread: %s", err_strerror(rc));
		}
	}
	return 0;
}

void rules_stop(struct rules *r)
{
	atomic_store(&r->cancel, true);
	(void)pthread_mutex_lock(&r->lock);
	r->stopping = true;
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	for (; r->n_threads > 0; r->n_threads--)
		(void)pthread_join(r->threads[r->n_threads - 1], NULL);
}
