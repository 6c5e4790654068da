/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_test - a message that says it is a test, through the real renderers and the real outbox,
 * and what became of it. It belongs to no group and no rule, so nothing repeats or escalates it.
 */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/num.h"
#include "exporters/notify_api.h"
#include "exporters/notify_internal.h"
#include "storage/db.h"

struct test_job {
	struct state_job job;
	struct notify *n;
	struct str receiver;
	int64_t incident_ms;
	bool firing, applied;
	int rc;
	struct err err;
	struct arena *a;
	struct test_message *out;
	size_t count;
};

static const struct receiver_config *find(const struct notify_config *cfg, struct str name)
{
	for (size_t i = 0; i < cfg->n_receivers; i++) {
		if (str_eq(cfg->receivers[i].name, name))
			return &cfg->receivers[i];
	}
	return NULL;
}

/* The one alert of the message; its labels are sorted. */
static void test_alert(const struct test_job *t, struct label labels[3], struct label *note,
	struct message_alert *al)
{
	labels[0] = (struct label){STR("alertname"), STR("BelfryTest")};
	labels[1] = (struct label){STR("receiver"), t->receiver};
	labels[2] = (struct label){STR("severity"), STR("info")};
	*note = (struct label){STR("summary"), STR("this is a test, nothing is wrong")};
	*al = (struct message_alert){
		.firing = t->firing,
		.labels = {labels, 3},
		.annotations = {note, 1},
		.starts_at_ms = t->incident_ms,
		.ends_at_ms = t->firing ? 0 : clock_wall_ms(),
		.value = nan(""),
		.current = nan(""),
		.worst = nan(""),
		.threshold = nan(""),
		.op = "",
		.rule = STR(""),
		.group = STR(""),
		.expr = STR(""),
	};
	al->fingerprint = labels_fingerprint(al->labels);
}

static void tell(struct test_job *t, const struct receiver_config *r, const struct integration *in)
{
	struct notify *n = t->n;
	struct label labels[3], note;
	struct message_alert al;
	struct arena a;
	struct message m = {
		.receiver = r->name,
		.external_url = n->cfg->external_url,
		.templates = n->cfg->templates,
		.group_labels = {labels, 1},
		.reason = t->firing ? REASON_FIRST : REASON_ALL_RESOLVED,
		.now_ms = clock_wall_ms(),
		.incident_ms = t->incident_ms,
		.first = t->firing,
		.note = STR("a test message, asked for by hand"),
	};
	struct test_message *out = &t->out[t->count++];

	arena_init(&a, (size_t)4 << 20);
	test_alert(t, labels, &note, &al);
	m.group_key = arena_printf(
		&a, "{}/test:{receiver=\"%.*s\"}", (int)MIN_OF(r->name.n, 1000u), r->name.p);
	m.id = outbox_message_id(n, &a);
	m.thread = outbox_thread(n, &m, r, (size_t)in->kind * INTEGRATIONS_MAX + in->index, &a);
	message_finish(&m, &al, 1, &a);
	*out = (struct test_message){.id = arena_str(t->a, m.id),
		.integration = str_c(integration_name(in->kind)),
		.index = in->index,
		.sends_resolved = in->send_resolved};
	outbox_tell(n, &m, r, in, STR(""));
	arena_fini(&a);
}

static int apply(struct test_job *t)
{
	const struct receiver_config *r = find(t->n->cfg, t->receiver);

	if (r == NULL)
		return err_set(&t->err, ERR_INPUT, 404,
			"there is no receiver \"" STR_FMT "\" in the configuration",
			STR_ARG(t->receiver));
	if (r->n == 0)
		return err_set(&t->err, ERR_INPUT, 400,
			"receiver \"" STR_FMT "\" has no way to tell anybody",
			STR_ARG(t->receiver));
	t->out = ARENA_ARRAY(t->a, r->n, struct test_message);
	if (t->out == NULL)
		return err_set(&t->err, ERR_LIMIT, 0, "out of memory");
	for (size_t i = 0; i < r->n; i++) {
		if (t->firing || r->v[i].send_resolved)
			tell(t, r, &r->v[i]);
	}
	return 0;
}

static int run(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct test_job *t = job->arg;

	(void)db; /* the notifier's tick writes the rows, in the same transaction */
	if (!t->applied)
		t->rc = apply(t);
	t->applied = true;
	if (t->rc != 0)
		*e = t->err;
	return t->rc;
}

int notify_test(struct notify *n, struct str receiver, int64_t incident_ms, bool firing,
	struct arena *a, struct test_message **out, size_t *count, struct err *e)
{
	struct test_job t = {.job = {.run = run, .arg = &t},
		.n = n,
		.receiver = receiver,
		.incident_ms = incident_ms,
		.firing = firing,
		.a = a};

	if (state_call(n->state, &t.job, e) != 0)
		return -1;
	*out = t.out;
	*count = t.count;
	return 0;
}

/* ---- what became of it ---- */

/* The first row: state, attempts, error. 1 when there is one. */
static int ask(sqlite3 *db, const char *sql, struct str id, struct arena *a,
	struct message_state *out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st, sql, e) != 0)
		return -1;
	db_bind_text(st, 1, id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = (struct message_state){.state = arena_str(a, db_column_str(st, 0)),
			.attempts = sqlite3_column_int64(st, 1),
			.error = arena_str(a, db_column_str(st, 2))};
	(void)sqlite3_finalize(st);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE
		       ? 0
		       : err_set(e, ERR_IO, rc, "read the outbox: %s", sqlite3_errmsg(db));
}

int notify_message_state(
	struct notify *n, struct str id, struct arena *a, struct message_state *out, struct err *e)
{
	sqlite3 *db;
	int rc;

	*out = (struct message_state){.state = STR("unknown"), .error = STR("")};
	if (state_reader(n->state, &db, e) != 0)
		return -1;
	rc = ask(db,
		"SELECT outcome,attempts,error FROM notify_history WHERE message_id=? "
		"ORDER BY id DESC LIMIT 1",
		id, a, out, e);
	if (rc == 0)
		rc = ask(db,
			"SELECT CASE WHEN parked THEN 'failed' ELSE 'waiting' END,attempts,error "
			"FROM outbox WHERE message_id=?",
			id, a, out, e);
	db_close(db);
	return rc < 0 ? -1 : 0;
}
