/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backtest_notify - the notifier under a replay's clock; see backtest.h.
 *
 * Whatever is due is done at its own time: the clock goes from one timer of the notifier to the
 * next up to the next evaluation. Messages are read off the rows that the notifier writes: what was
 * accepted stands in notify_history.
 */
#include <stdlib.h>

#include "agent/backtest.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "exporters/ack.h"
#include "exporters/integration.h"
#include "exporters/notify.h"
#include "storage/db.h"
#include "storage/state.h"

struct bt_notify {
	struct bt_run *run;
	const struct bt_opts *o;
	struct state *state;
	struct notify *notify;
	struct alert_sink sink;
	int64_t now_ms, wall_of_mono; /* wall - monotonic */
	sqlite3_stmt *accepted, *waiting;
	int64_t last_row;
	int64_t sent; /* requests, for ids in answers */
	size_t next_ack;
};

/* --- the sender: everybody says yes, in a way that every service's judge understands --- */

static bool on_submit(void *ctx, struct send_request *req)
{
	struct bt_notify *n = ctx;
	struct buf b;

	buf_init(&b, 1024);
	n->sent++;
	buf_printf(&b,
		"{\"ok\":true,\"status\":1,\"id\":\"%lld\",\"ts\":\"%lld.000100\",\"channel\":"
		"\"C1\","
		"\"result\":{\"message_id\":%lld}}",
		(long long)n->sent, (long long)n->sent + 1000000000, (long long)n->sent);
	req->transport_ok = true;
	req->status = req->kind == SEND_SMTP ? 250 : 200;
	req->reply = str_dup_c(buf_view(&b));
	req->reply_len = b.n;
	buf_fini(&b);
	req->on_done(req, req->arg);
	return true;
}

/* --- messages --- */

static struct bt_receiver *receiver_of(struct bt_run *r, struct str name, const char *integration)
{
	struct bt_receiver *v;

	for (size_t i = 0; i < r->n_receivers; i++) {
		if (str_eq(r->receivers[i].name, name) &&
			strcmp(r->receivers[i].integration, integration) == 0)
			return &r->receivers[i];
	}
	v = realloc(r->receivers, (r->n_receivers + 1) * sizeof *v);
	ASSERT(v != NULL);
	r->receivers = v;
	v = &r->receivers[r->n_receivers++];
	*v = (struct bt_receiver){.name = arena_str(&r->arena, name), .integration = integration};
	return v;
}

static void add_message(struct bt_notify *n, const struct bt_message *m)
{
	struct bt_run *r = n->run;
	struct bt_receiver *to = receiver_of(r, m->receiver, m->integration);
	struct civil c;

	bt_local(n->o, m->at_ms, &c);
	to->messages++;
	to->by_hour[c.hour]++;
	to->night += m->night;
	r->night_messages += m->night;
	if (r->n_messages == r->cap_messages) {
		r->cap_messages = r->cap_messages * 2 + 64;
		r->messages = realloc(r->messages, r->cap_messages * sizeof *r->messages);
		ASSERT(r->messages != NULL);
	}
	r->messages[r->n_messages] = *m;
	r->messages[r->n_messages].receiver = to->name;
	r->messages[r->n_messages++].title = arena_str(&r->arena, m->title);
}

static int read_accepted(struct bt_notify *n, struct err *e)
{
	int rc;

	(void)sqlite3_bind_int64(n->accepted, 1, n->last_row);
	while ((rc = db_step_row(n->accepted, "read messages", e)) == 1) {
		struct bt_message m = {.at_ms = sqlite3_column_int64(n->accepted, 1),
			.receiver = db_column_str(n->accepted, 2),
			.integration = integration_name(
				(enum integration_kind)sqlite3_column_int(n->accepted, 3)),
			.title = db_column_str(n->accepted, 4)};

		n->last_row = sqlite3_column_int64(n->accepted, 0);
		m.night = bt_is_night(n->o, m.at_ms);
		if (m.at_ms >= n->o->from_ms && m.at_ms <= n->o->to_ms)
			add_message(n, &m);
	}
	return rc;
}

/* --- time --- */

static int turn(struct bt_notify *n, int64_t *next_wall_ms, struct err *e)
{
	int64_t next;

	if (state_turn(n->state, &next, e) != 0 || read_accepted(n, e) != 0)
		return -1;
	*next_wall_ms = i64_add_sat(next, n->wall_of_mono);
	return 0;
}

static void set_clock(struct bt_notify *n, int64_t wall_ms)
{
	ASSERT(wall_ms >= n->now_ms);
	n->now_ms = wall_ms;
	clock_inject(wall_ms, 0);
}

static int64_t next_ack_ms(const struct bt_notify *n)
{
	const struct past *p = n->o->past;

	return p != NULL && n->next_ack < p->n_acks ? p->acks[n->next_ack].at_ms : INT64_MAX;
}

/* Those of one moment; a full queue takes the rest in the next turn. */
static void acknowledge(struct bt_notify *n)
{
	int64_t at = next_ack_ms(n);

	while (next_ack_ms(n) == at) {
		const struct past_ack *ack = &n->o->past->acks[n->next_ack];

		if (!notify_post_ack(n->notify, ack->fingerprint, ack->taken_back))
			return;
		n->next_ack++;
	}
}

int bt_notify_advance(struct bt_notify *n, int64_t to_ms, struct err *e)
{
	int64_t next;

	for (;;) {
		int64_t ack = next_ack_ms(n);

		if (turn(n, &next, e) != 0)
			return -1;
		if (MIN_OF(next, ack) > to_ms)
			break;
		set_clock(n, MAX_OF(MIN_OF(next, ack), n->now_ms));
		if (ack <= next)
			acknowledge(n);
	}
	set_clock(n, MAX_OF(to_ms, n->now_ms));
	return 0;
}

bool bt_notify_compact(const struct bt_notify *n)
{
	return n->sink.compact;
}

int bt_notify_batch(struct bt_notify *n, struct alert_batch *take, struct err *e)
{
	int64_t next;

	if (take->slot_ms > n->now_ms && bt_notify_advance(n, take->slot_ms, e) != 0)
		goto free_batch;
	while (!n->sink.submit(n->sink.ctx, take)) {
		if (turn(n, &next, e) != 0)
			goto free_batch;
	}
	return 0;
free_batch:
	alert_batch_free(take);
	return -1;
}

/* --- life --- */

int bt_notify_new(struct bt_notify **out, struct bt_run *r, const struct bt_opts *o, struct err *e)
{
	struct bt_notify *n = calloc(1, sizeof *n);

	ASSERT(n != NULL);
	*n = (struct bt_notify){.run = r, .o = o, .now_ms = o->begin_ms};
	clock_inject(o->begin_ms, 0);
	n->wall_of_mono = clock_wall_ms() - clock_mono_ms();
	if (state_open_memory(&n->state, e) != 0 ||
		(o->past != NULL && past_put_silences(state_db(n->state), o->past, e) != 0) ||
		notify_new(&n->notify, n->state, &o->config->notify,
			(struct sender){.ctx = n, .submit = on_submit}, e) != 0 ||
		db_prepare(state_db(n->state), &n->accepted,
			"SELECT id,at_ms,receiver,kind,title FROM notify_history WHERE id > ? AND "
			"outcome='delivered' ORDER BY id",
			e) != 0) {
		bt_notify_free(n);
		return err_wrap(e, "notifications");
	}
	n->sink = notify_sink(n->notify);
	*out = n;
	return 0;
}

void bt_notify_free(struct bt_notify *n)
{
	if (n == NULL)
		return;
	(void)sqlite3_finalize(n->accepted);
	notify_free(n->notify);
	state_free(n->state);
	clock_restore();
	free(n);
}
