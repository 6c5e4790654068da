/* SPDX-License-Identifier: Apache-2.0 */
/* backtest_run - one set of rules over the time, and the book of what fired; see backtest.h. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/backtest.h"
#include "agent/backtest_stop.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/num.h"

#define TEXT_BYTES ((size_t)512 << 20)

struct open_span { /* an alert that fires */
	uint64_t ref;
	struct bt_rule *rule;
	size_t span; /* SIZE_MAX: not listed */
	int64_t start_ms;
	bool already;
};

struct running {
	struct bt_run *r;
	const struct bt_opts *o;
	struct bt_notify *notify; /* NULL: rules alone */
	struct map open;          /* by ref */
	size_t n_spans;
	struct err err;
	bool failed;
	int64_t told_real_ns;
};

void bt_local(const struct bt_opts *o, int64_t t_ms, struct civil *c)
{
	civil_from_ms(i64_add_sat(t_ms, (int64_t)tz_offset(o->tz, t_ms) * 1000), c);
}

bool bt_is_night(const struct bt_opts *o, int64_t t_ms)
{
	struct civil c;
	int minute;

	bt_local(o, t_ms, &c);
	minute = c.hour * 60 + c.minute;
	if (o->night_from <= o->night_to)
		return minute >= o->night_from && minute < o->night_to;
	return minute >= o->night_from || minute < o->night_to;
}

static uint64_t ref_hash(uint64_t ref)
{
	return labels_hash_mix(0, ref, ref);
}

static struct open_span *find_open(const struct running *run, uint64_t ref)
{
	struct map_iter it;

	for (struct open_span *x = map_first(&run->open, ref_hash(ref), &it); x != NULL;
		x = map_next(&run->open, &it)) {
		if (x->ref == ref)
			return x;
	}
	return NULL;
}

static size_t list_span(struct running *run, struct bt_rule *rule, const struct alert_event *ev)
{
	struct bt_span *s;
	struct buf b;

	if (run->n_spans >= LIMIT_BACKTEST_SPANS) {
		rule->lost_spans++;
		return SIZE_MAX;
	}
	if (rule->n_spans == rule->cap_spans) {
		rule->cap_spans = rule->cap_spans * 2 + 8;
		rule->spans = realloc(rule->spans, rule->cap_spans * sizeof *rule->spans);
		ASSERT(rule->spans != NULL);
	}
	run->n_spans++;
	s = &rule->spans[rule->n_spans];
	buf_init(&b, 65536);
	labels_print(&b, ev->labels, false);
	*s = (struct bt_span){.start_ms = ev->fired_at_ms,
		.ref = ev->ref,
		.labels = arena_str(&run->r->arena, buf_view(&b)),
		.open = true};
	buf_fini(&b);
	return rule->n_spans++;
}

static void begin(struct running *run, struct bt_rule *rule, const struct alert_event *ev)
{
	struct open_span *x = calloc(1, sizeof *x);

	ASSERT(x != NULL);
	*x = (struct open_span){.ref = ev->ref,
		.rule = rule,
		.start_ms = ev->fired_at_ms,
		.already = ev->fired_at_ms < run->o->from_ms};
	x->span = list_span(run, rule, ev);
	if (x->span != SIZE_MAX)
		rule->spans[x->span].already = x->already;
	map_add(&run->open, ref_hash(ev->ref), x);
	if (x->already)
		return;
	rule->firings++;
	run->r->firings++;
	rule->night += bt_is_night(run->o, ev->fired_at_ms);
}

static void end(struct running *run, struct open_span *x, int64_t end_ms, bool open)
{
	int64_t from = MAX_OF(x->start_ms, run->o->from_ms), ms = end_ms - from;

	if (x->span != SIZE_MAX) {
		x->rule->spans[x->span].end_ms = end_ms;
		x->rule->spans[x->span].open = open;
	}
	if (ms > 0 || !x->already) {
		x->rule->total_ms += MAX_OF(ms, 0);
		x->rule->max_ms = MAX_OF(x->rule->max_ms, ms);
	}
	map_remove(&run->open, ref_hash(x->ref), x);
	free(x);
}

static void book(struct running *run, struct bt_rule *rule, const struct alert_event *ev)
{
	struct open_span *x = find_open(run, ev->ref);

	if (ev->to == ALERT_FIRING && x == NULL)
		begin(run, rule, ev);
	else if (ev->to != ALERT_FIRING && x != NULL)
		end(run, x, ev->to == ALERT_INACTIVE ? ev->resolved_at_ms : ev->active_at_ms,
			false);
	if (ev->from == ALERT_PENDING && ev->to == ALERT_INACTIVE)
		rule->spent++;
}

static struct bt_rule *rule_of(struct running *run, const struct rule *rule)
{
	for (size_t i = 0; i < run->r->n_rules; i++) {
		if (run->r->rules[i].facts->def == rule->def)
			return &run->r->rules[i];
	}
	ASSERT(false); /* every rule of the set is in the list */
	return NULL;
}

static void on_batch(void *arg, const struct rule *rule, struct alert_batch *b)
{
	struct running *run = arg;
	struct bt_rule *mine = rule_of(run, rule);

	for (size_t i = 0; i < b->n; i++)
		book(run, mine, &b->events[i]);
	if (run->notify == NULL || run->failed)
		alert_batch_free(b);
	else
		run->failed = bt_notify_batch(run->notify, b, &run->err) != 0;
}

static bool on_progress(void *arg, int64_t done_ms)
{
	struct running *run = arg;
	int64_t now = clock_real_ns();

	if (run->o->progress && now - run->told_real_ns > 500000000) {
		run->told_real_ns = now;
		(void)fprintf(stderr, "\r%3d %%",
			(int)(100.0 * (double)(done_ms - run->o->begin_ms) /
				(double)MAX_OF(run->o->to_ms - run->o->begin_ms, 1)));
		(void)fflush(stderr);
	}
	return !run->failed;
}

static int replay(struct running *run, struct err *e)
{
	const struct bt_opts *o = run->o;
	struct replay_opts ro = {.source = o->source,
		.interval_ms = o->interval_ms,
		.slot_unit_ms = o->slot_unit_ms,
		.start_ms = o->begin_ms,
		.end_ms = o->to_ms,
		.max_memory = o->max_memory,
		.compact = run->notify == NULL || bt_notify_compact(run->notify),
		.slots_only = o->slots_only,
		.cancel = bt_stop_flag(),
		.on_batch = on_batch,
		.on_progress = on_progress,
		.arg = run};
	int rc;

	if (o->config != NULL) {
		ro.external_labels = o->config->scrape.external_labels;
		ro.external_url = o->config->external_url;
		ro.query_offset_ms = o->config->rule_query_offset_ms;
		ro.experimental = o->config->query_experimental;
	}
	run->r->replay = replay_new(run->r->rs, &ro);
	run->r->rules = calloc(MAX_OF(run->r->rs->n_rules, 1), sizeof *run->r->rules);
	ASSERT(run->r->rules != NULL);
	run->r->n_rules = run->r->rs->n_rules;
	for (size_t i = 0; i < run->r->n_rules; i++) {
		size_t n;

		run->r->rules[i].facts = &replay_rules(run->r->replay, &n)[i];
	}
	rc = replay_run(run->r->replay, e);
	if (run->failed)
		*e = run->err;
	if (rc == 0 && run->notify != NULL)
		rc = bt_notify_advance(run->notify, o->to_ms, e);
	return rc;
}

static void end_all(struct running *run)
{
	struct open_span *x;
	size_t pos = 0;

	while ((x = map_each(&run->open, &pos)) != NULL) {
		end(run, x, run->o->to_ms, true);
		pos = 0; /* the table shifted */
	}
	map_fini(&run->open);
}

int bt_run(struct bt_run *r, struct str name, const struct rule_set *rs, const struct bt_opts *o,
	struct err *e)
{
	struct running run = {.r = r, .o = o};
	int64_t start = clock_real_ns();
	int rc = 0;

	*r = (struct bt_run){.name = name, .rs = rs};
	arena_init(&r->arena, TEXT_BYTES);
	map_init(&run.open);
	if (o->config != NULL)
		rc = bt_notify_new(&run.notify, r, o, e);
	if (rc == 0)
		rc = replay(&run, e);
	end_all(&run);
	bt_notify_free(run.notify);
	r->seconds = (double)(clock_real_ns() - start) / 1e9;
	if (o->progress)
		(void)fputs("\r     \r", stderr);
	return rc;
}

void bt_run_free(struct bt_run *r)
{
	for (size_t i = 0; i < r->n_rules; i++)
		free(r->rules[i].spans);
	free(r->rules);
	free(r->messages);
	free(r->receivers);
	replay_free(r->replay);
	arena_fini(&r->arena);
	*r = (struct bt_run){0};
}
