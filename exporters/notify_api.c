/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_api - the door to the dispatcher; see notify_api.h. Each call is a job on the state
 * writer: state_call for what must stand in state.db afterwards, state_ask for answers from memory.
 */
#include "exporters/notify_api.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/notify_internal.h"
#include "exporters/notify_view.h"

/* --- changes: memory changes once, however often the transaction is tried --- */

struct change {
	struct state_job job;
	struct notify *n;
	int (*apply)(struct change *c, struct err *e);
	bool applied;
	int rc;
	struct err err;
	/* what the kinds need */
	const struct silence_view *silence;
	struct str id;
	char *new_id;
	const struct external_alert *alerts;
	size_t n_alerts;
	struct buf *wrong;
};

static int run_change(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct change *c = job->arg;

	(void)db; /* the notifier's tick writes what is dirty, in the same transaction */
	if (!c->applied)
		c->rc = c->apply(c, &c->err);
	c->applied = true;
	if (c->rc != 0)
		*e = c->err;
	return c->rc;
}

static int change(struct change *c, struct err *e)
{
	c->job.run = run_change;
	c->job.arg = c;
	return state_call(c->n->state, &c->job, e);
}

static int apply_put(struct change *c, struct err *e)
{
	if (silence_put(&c->n->silences, c->silence, clock_wall_ms(), c->new_id, e) != 0)
		return -1;
	suppress_silences(c->n);
	return 0;
}

int notify_silence_put(struct notify *n, const struct silence_view *s, char id[37], struct err *e)
{
	struct change c = {.n = n, .apply = apply_put, .silence = s, .new_id = id};

	id[0] = '\0';
	return change(&c, e);
}

static int apply_expire(struct change *c, struct err *e)
{
	if (silence_end(&c->n->silences, c->id, clock_wall_ms(), e) != 0)
		return -1;
	suppress_silences(c->n);
	return 0;
}

int notify_silence_expire(struct notify *n, struct str id, struct err *e)
{
	struct change c = {.n = n, .apply = apply_expire, .id = id};

	return change(&c, e);
}

static int apply_post(struct change *c, struct err *e)
{
	(void)e;
	external_post(c->n, c->alerts, c->n_alerts, c->wrong);
	return 0;
}

int notify_post_alerts(
	struct notify *n, const struct external_alert *v, size_t count, struct err *e)
{
	struct buf wrong;
	struct change c = {
		.n = n, .apply = apply_post, .alerts = v, .n_alerts = count, .wrong = &wrong};
	int rc;

	if (count > LIMIT_POST_ALERTS) {
		METRIC_LIMIT("post_alerts");
		return err_set(
			e, ERR_INPUT, 400, "more than %u alerts in one request", LIMIT_POST_ALERTS);
	}
	buf_init(&wrong, 8192);
	rc = change(&c, e);
	if (rc == 0 && wrong.n > 0)
		rc = err_set(e, ERR_INPUT, 400, STR_FMT, STR_ARG(buf_view(&wrong)));
	buf_fini(&wrong);
	return rc;
}

/* --- questions --- */

/* Outputs go through struct question, which hides that they are written.
 * NOLINTBEGIN(readability-non-const-parameter) */

struct question {
	struct state_job job;
	struct notify *n;
	struct arena *a;
	int (*answer)(struct question *q, struct err *e);
	const struct alert_query *query;
	struct str id;
	void *out;
	size_t *count;
};

static int run_question(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct question *q = job->arg;

	(void)db;
	if (q->answer(q, e) != 0)
		return -1;
	return q->a->failed ? err_set(e, ERR_LIMIT, 0, "the answer is too large") : 0;
}

static int ask(struct question *q, struct err *e)
{
	q->job.run = run_question;
	q->job.arg = q;
	return state_ask(q->n->state, &q->job, e);
}

static int answer_silence(struct question *q, struct err *e)
{
	const struct silence *x = silence_find(&q->n->silences, q->id);

	if (x == NULL)
		return err_set(e, ERR_INPUT, 404, "silence not found");
	view_silence(q->a, x, clock_wall_ms(), q->out);
	return 0;
}

int notify_silence_get(
	struct notify *n, struct str id, struct arena *a, struct silence_view *out, struct err *e)
{
	struct question q = {.n = n, .a = a, .answer = answer_silence, .id = id, .out = out};

	return ask(&q, e);
}

static int answer_silences(struct question *q, struct err *e)
{
	return view_silences(q->n, q->a, q->out, q->count, e);
}

int notify_silences(
	struct notify *n, struct arena *a, struct silence_view **out, size_t *count, struct err *e)
{
	struct question q = {
		.n = n, .a = a, .answer = answer_silences, .out = (void *)out, .count = count};

	return ask(&q, e);
}

static int answer_alerts(struct question *q, struct err *e)
{
	return view_alerts(q->n, q->query, q->a, q->out, q->count, e);
}

int notify_alerts(struct notify *n, const struct alert_query *query, struct arena *a,
	struct alert_view **out, size_t *count, struct err *e)
{
	struct question q = {.n = n,
		.a = a,
		.answer = answer_alerts,
		.query = query,
		.out = (void *)out,
		.count = count};

	return ask(&q, e);
}

static int answer_groups(struct question *q, struct err *e)
{
	return view_groups(q->n, q->query, q->a, q->out, q->count, e);
}

int notify_groups(struct notify *n, const struct alert_query *query, struct arena *a,
	struct group_view **out, size_t *count, struct err *e)
{
	struct question q = {.n = n,
		.a = a,
		.answer = answer_groups,
		.query = query,
		.out = (void *)out,
		.count = count};

	return ask(&q, e);
}

static int answer_receivers(struct question *q, struct err *e)
{
	const struct notify_config *cfg = q->n->cfg;
	struct str **out = q->out, *v = ARENA_ARRAY(q->a, cfg->n_receivers, struct str);

	(void)e;
	for (size_t i = 0; v != NULL && i < cfg->n_receivers; i++)
		v[i] = arena_str(q->a, cfg->receivers[i].name);
	*out = v;
	*q->count = cfg->n_receivers;
	return 0;
}

int notify_receivers(
	struct notify *n, struct arena *a, struct str **names, size_t *count, struct err *e)
{
	struct question q = {
		.n = n, .a = a, .answer = answer_receivers, .out = (void *)names, .count = count};

	return ask(&q, e);
}
/* NOLINTEND(readability-non-const-parameter) */
