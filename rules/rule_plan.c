/* SPDX-License-Identifier: Apache-2.0 */
/* rule_plan - which queries of a group may run at the same time, and running them; see
 * rule_plan.h. */
#include "rules/rule_plan.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"

#define WINDOW 8u /* queries ahead of the effects: their results are memory */

/* --- who reads whom --- */

static struct str written_name(const struct rule_def *r)
{
	return r->is_alert ? STR("ALERTS") : r->name;
}

static bool alert_has_name(const struct matcher *name)
{
	return matcher_matches(name, STR("ALERTS")) ||
	       matcher_matches(name, STR("ALERTS_FOR_STATE"));
}

/* The rule sets this label to a text that does not match. */
static bool label_excludes(const struct rule_def *writer, const struct matcher *m)
{
	for (size_t i = 0; i < writer->n_labels; i++) {
		if (str_eq(writer->labels[i].name, m->name))
			return writer->labels[i].t == NULL &&
			       !matcher_matches(m, writer->labels[i].text);
	}
	return false;
}

bool rule_writes_what(const struct rule_def *writer, const struct matcher *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(m[i].name, LABEL_NAME)) {
			if (writer->is_alert ? !alert_has_name(&m[i])
					     : !matcher_matches(&m[i], writer->name))
				return false;
		} else if (writer->is_alert && str_eq(m[i].name, STR("alertname"))) {
			if (!matcher_matches(&m[i], writer->name))
				return false;
		} else if (label_excludes(writer, &m[i])) {
			return false;
		}
	}
	return true; /* without a name: may be anything */
}

struct named { /* rules that write a name, chained from the last to the first */
	size_t index;
	struct named *before;
};

struct finder {
	struct rule_plan *p;
	const struct rule_group_def *def;
	struct map by_name;
	size_t reader;
};

static void on_writer(struct finder *f, size_t j, const struct matcher *m, size_t n)
{
	if (j >= f->reader || !rule_writes_what(&f->def->rules[j], m, n))
		return;
	f->p->read_later[j] = true;
	f->p->after[f->reader] = MAX_OF(f->p->after[f->reader], j + 1);
}

static const struct matcher *exact_name(const struct matcher *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(m[i].name, LABEL_NAME) && m[i].op == MATCH_EQ)
			return &m[i];
	}
	return NULL;
}

static void on_selector(const struct matcher *m, size_t n, void *arg)
{
	struct finder *f = arg;
	const struct matcher *name = exact_name(m, n);
	struct map_iter it;
	struct str key;

	if (name == NULL) {
		for (size_t j = 0; j < f->reader; j++)
			on_writer(f, j, m, n);
		return;
	}
	key = str_eq(name->value, STR("ALERTS_FOR_STATE")) ? STR("ALERTS") : name->value;
	for (struct named *w = map_first(&f->by_name, hash_str(key), &it); w != NULL;
		w = map_next(&f->by_name, &it))
		on_writer(f, w->index, m, n);
}

void rule_plan_init(struct rule_plan *p, const struct rule_group_def *def)
{
	size_t n = def->n > 0 ? def->n : 1;
	struct named *v = calloc(n, sizeof *v);
	struct finder f = {.p = p, .def = def};

	p->after = calloc(n, sizeof *p->after);
	p->read_later = calloc(n, sizeof *p->read_later);
	ASSERT(v != NULL && p->after != NULL && p->read_later != NULL);
	map_init(&f.by_name);
	for (size_t i = 0; i < def->n; i++) {
		f.reader = i;
		if (def->rules[i].expr != NULL)
			rule_def_selectors(&def->rules[i], on_selector, &f);
		v[i].index = i;
		map_add(&f.by_name, hash_str(written_name(&def->rules[i])), &v[i]);
	}
	map_fini(&f.by_name);
	free(v);
}

void rule_plan_fini(struct rule_plan *p)
{
	free(p->after);
	free(p->read_later);
}

bool rule_is_read_later(const struct rule_group *g, size_t i)
{
	return g->plan.read_later[i];
}

/* --- running --- */

struct rule_run {
	struct rule_group *g;
	const struct rule_env *env;
	int64_t slot_ms;
	pthread_mutex_t lock; /* guards the states of tasks and `applied` */
	pthread_cond_t done;
	size_t applied;
	struct rule_task tasks[WINDOW]; /* rule i's is tasks[i % WINDOW] */
};

static void query(struct rule_group *g, size_t i, const struct rule_env *env, int64_t slot_ms,
	struct rule_task *t)
{
	int64_t start = clock_real_ns();

	t->t_ms = slot_ms - rule_group_delay(g, env);
	arena_init(&t->arena, env->max_memory);
	t->rc = rule_query(
		env, &t->arena, g->def->rules[i].expr, t->t_ms, g->interval_ms, &t->res, &t->err);
	t->spent_ns = clock_real_ns() - start;
}

static void run_task(struct rule_run *run, size_t i)
{
	struct rule_task *t = &run->tasks[i % WINDOW];

	query(run->g, i, run->env, run->slot_ms, t);
	(void)pthread_mutex_lock(&run->lock);
	t->state = TASK_DONE;
	(void)pthread_cond_broadcast(&run->done);
	(void)pthread_mutex_unlock(&run->lock);
}

/* A rule whose query may begin, from rule `from` on; g->def->n when there is none. */
static size_t take_locked(struct rule_run *run, size_t from)
{
	size_t end = MIN_OF(run->applied + WINDOW, run->g->def->n);

	for (size_t i = from; i < end; i++) {
		struct rule_task *t = &run->tasks[i % WINDOW];

		if (t->state == TASK_WAITS && run->g->plan.after[i] <= run->applied) {
			t->state = TASK_RUNS;
			return i;
		}
	}
	return run->g->def->n;
}

bool rule_run_help(struct rule_run *run)
{
	size_t i;

	(void)pthread_mutex_lock(&run->lock);
	i = take_locked(run, run->applied);
	(void)pthread_mutex_unlock(&run->lock);
	if (i == run->g->def->n)
		return false;
	run_task(run, i);
	return true;
}

/* The query of the next rule in order is done: by us, or by who has it. */
static void next_done(struct rule_run *run)
{
	struct rule_task *t = &run->tasks[run->applied % WINDOW];

	(void)pthread_mutex_lock(&run->lock);
	if (t->state == TASK_WAITS) {
		t->state = TASK_RUNS;
		(void)pthread_mutex_unlock(&run->lock);
		run_task(run, run->applied);
		return;
	}
	while (t->state != TASK_DONE) { /* better another query than waiting */
		size_t i = take_locked(run, run->applied + 1);

		if (i == run->g->def->n) {
			(void)pthread_cond_wait(&run->done, &run->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&run->lock);
		run_task(run, i);
		(void)pthread_mutex_lock(&run->lock);
	}
	(void)pthread_mutex_unlock(&run->lock);
}

static void run_helped(struct rule_group *g, const struct rule_env *env, int64_t slot_ms)
{
	struct rule_run run = {.g = g,
		.env = env,
		.slot_ms = slot_ms,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.done = PTHREAD_COND_INITIALIZER};
	const struct rule_helpers *h = env->helpers;

	h->offer(h->ctx, &run);
	while (run.applied < g->def->n) {
		struct rule_task *t = &run.tasks[run.applied % WINDOW];

		next_done(&run);
		rule_finish(g, run.applied, env, slot_ms, t);
		(void)pthread_mutex_lock(&run.lock);
		t->state = TASK_WAITS;
		run.applied++;
		(void)pthread_mutex_unlock(&run.lock);
		if (g->plan.read_later[run.applied - 1])
			h->offer(h->ctx, &run); /* others may begin now */
	}
	h->withdraw(h->ctx, &run);
}

void rule_plan_run(struct rule_group *g, const struct rule_env *env, int64_t slot_ms)
{
	struct rule_task t = {.state = TASK_WAITS};

	if (env->helpers != NULL && g->def->n > 1 &&
		g->eval_seconds * 1e9 >= (double)env->helpers->worth_ns) {
		run_helped(g, env, slot_ms);
		return;
	}
	for (size_t i = 0; i < g->def->n; i++) {
		query(g, i, env, slot_ms, &t);
		rule_finish(g, i, env, slot_ms, &t);
	}
}
