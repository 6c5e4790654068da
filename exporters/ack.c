/* SPDX-License-Identifier: Apache-2.0 */
/* ack - acknowledgements as jobs of the state writer; see ack.h. */
#include "exporters/ack.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/clean.h"
#include "exporters/incident.h"
#include "exporters/notify_internal.h"

struct ack_job {
	struct state_job job;
	struct notify *n;
	struct str group_key; /* empty: by fingerprint */
	int64_t incident_ms;
	uint64_t fingerprint;
	struct str who, note;
	size_t count;
	bool take_back, applied;
};

static void replace(char **text, struct str s)
{
	free(*text);
	*text = str_dup_c(s);
	ASSERT(*text != NULL);
}

static void acknowledge(struct notify *n, const struct group *g, const struct ack_job *aj)
{
	struct incident *i = incident_get(n, g);
	char q[LOG_Q_MAX];

	i->acked_ms = clock_wall_ms();
	replace(&i->acked_by, aj->who);
	replace(&i->ack_note, aj->note);
	free(i->acked);
	i->acked = incident_firing(g, false, &i->n_acked);
	escalate_plan(n, i, g);
	incident_mark(n, i);
	incident_note(n, g, HISTORY_ACKNOWLEDGED, aj->who, aj->note);
	log_info("notify", "msg=\"acknowledged\" by=%s alerts=%zu", log_q(q, aj->who), i->n_acked);
}

static void take_back(struct notify *n, struct group *g, const struct ack_job *aj)
{
	struct incident *i = incident_of(n, g);
	char q[LOG_Q_MAX];

	if (i == NULL || i->acked_ms == 0)
		return;
	i->acked_ms = 0;
	free(i->acked);
	i->acked = NULL;
	i->n_acked = 0;
	escalate_plan(n, i, g);
	incident_mark(n, i);
	incident_note(n, g, HISTORY_UNACKNOWLEDGED, aj->who, STR(""));
	group_due_by(n, g, clock_mono_ms()); /* a repeat may be owed */
	log_info("notify", "msg=\"acknowledgement taken back\" by=%s", log_q(q, aj->who));
}

/* Every incident the alert fires in. */
static size_t each_incident(struct notify *n, const struct ack_job *aj)
{
	const struct live_alert *a;
	size_t pos = 0, count = 0;

	while ((a = map_each(&n->alerts.by_labels, &pos)) != NULL) {
		if (a->al.fingerprint != aj->fingerprint)
			continue;
		for (const struct member *m = a->members; m != NULL; m = m->next_of_alert) {
			if (m->group->dead || !member_fires(m, false))
				continue;
			if (aj->take_back)
				take_back(n, m->group, aj);
			else
				acknowledge(n, m->group, aj);
			count++;
		}
	}
	return count;
}

/* Memory is changed once, however often the transaction is tried; the tick writes it in the same
 * one. */
static int run(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct ack_job *aj = job->arg;
	struct notify *n = aj->n;
	struct group *g;

	(void)db;
	if (aj->applied)
		return 0;
	if (aj->group_key.n > 0) {
		g = group_find(n, aj->group_key);
		if (g == NULL && aj->incident_ms != 0) /* a link of before a reload */
			g = group_heir(n, aj->group_key, aj->incident_ms);
		if (g == NULL || g->n_firing == 0 ||
			(aj->incident_ms != 0 && aj->incident_ms != g->incident_ms))
			return err_set(e, ERR_INPUT, 404,
				"no such incident: it is over, or a new configuration tells its "
				"alerts in other groups");
		if (aj->take_back)
			take_back(n, g, aj);
		else
			acknowledge(n, g, aj);
		aj->count = 1;
	}
	if (aj->group_key.n == 0)
		aj->count = each_incident(n, aj);
	if (aj->count == 0)
		return err_set(e, ERR_INPUT, 404, "no such alert fires");
	aj->applied = true;
	return 0;
}

/* Names and notes come from people and from whoever holds a link: fit for logs, messages and C
 * strings before anything is kept of them. */
static int call(struct ack_job *aj, struct err *e)
{
	struct buf who, note;
	int rc;

	aj->job.run = run;
	aj->job.arg = aj;
	buf_init(&who, ACK_WHO_MAX + 1);
	buf_init(&note, ACK_NOTE_MAX + 1);
	clean_text(&who, aj->who, ACK_WHO_MAX, CLEAN_ONE_LINE);
	clean_text(&note, aj->note, ACK_NOTE_MAX, CLEAN_LINES);
	aj->who = str_trim(buf_view(&who));
	aj->note = buf_view(&note);
	if (who.failed || note.failed)
		rc = err_set(e, ERR_LIMIT, 0, "no memory for an acknowledgement");
	else
		rc = state_call(aj->n->state, &aj->job, e);
	buf_fini(&who);
	buf_fini(&note);
	return rc;
}

int notify_ack(struct notify *n, struct str group_key, int64_t incident_ms, struct str who,
	struct str note, struct err *e)
{
	struct ack_job aj = {.n = n,
		.group_key = group_key,
		.incident_ms = incident_ms,
		.who = who,
		.note = note};

	if (group_key.n == 0)
		return err_set(e, ERR_INPUT, 404, "no such incident");
	return call(&aj, e);
}

int notify_ack_alert(struct notify *n, uint64_t fingerprint, struct str who, struct str note,
	size_t *count, struct err *e)
{
	struct ack_job aj = {.n = n, .fingerprint = fingerprint, .who = who, .note = note};
	int rc = call(&aj, e);

	if (count != NULL)
		*count = rc == 0 ? aj.count : 0;
	return rc;
}

int notify_unack(
	struct notify *n, struct str group_key, int64_t incident_ms, struct str who, struct err *e)
{
	struct ack_job aj = {.n = n,
		.group_key = group_key,
		.incident_ms = incident_ms,
		.who = who,
		.take_back = true};

	if (group_key.n == 0)
		return err_set(e, ERR_INPUT, 404, "no such incident");
	return call(&aj, e);
}

static void on_posted(struct state_job *job)
{
	free(job->arg);
}

bool notify_post_ack(struct notify *n, uint64_t fingerprint, bool back)
{
	struct ack_job *aj = calloc(1, sizeof *aj);

	ASSERT(aj != NULL);
	*aj = (struct ack_job){
		.n = n, .fingerprint = fingerprint, .who = STR("replay"), .take_back = back};
	aj->job = (struct state_job){.run = run, .done = on_posted, .arg = aj};
	if (state_post(n->state, &aj->job))
		return true;
	free(aj);
	return false;
}

struct list_job {
	struct state_job job;
	struct notify *n;
	struct arena *a;
	struct ack_view *v;
	size_t count;
};

static int run_list(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct list_job *lj = job->arg;
	const struct incident *i;
	size_t pos = 0;

	(void)db;
	lj->v = ARENA_ARRAY(lj->a, lj->n->incidents.n, struct ack_view);
	while (lj->v != NULL && (i = map_each(&lj->n->incidents, &pos)) != NULL) {
		if (i->dead || i->acked_ms == 0)
			continue;
		lj->v[lj->count++] = (struct ack_view){.group_key = arena_str(lj->a, str_c(i->key)),
			.who = arena_str(lj->a, str_c(i->acked_by)),
			.note = arena_str(lj->a, str_c(i->ack_note)),
			.incident_ms = i->incident_ms,
			.at_ms = i->acked_ms,
			.n_alerts = i->n_acked};
	}
	return lj->a->failed ? err_set(e, ERR_LIMIT, 0, "too many acknowledgements") : 0;
}

int notify_acks(
	struct notify *n, struct arena *a, struct ack_view **out, size_t *count, struct err *e)
{
	struct list_job lj = {.n = n, .a = a};

	lj.job.run = run_list;
	lj.job.arg = &lj;
	if (state_ask(n->state, &lj.job, e) != 0)
		return -1;
	*out = lj.v;
	*count = lj.count;
	return 0;
}
