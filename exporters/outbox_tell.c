/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_tell - a message becomes a row; what waits for the same integration and says less is taken
 * into it first.
 *
 * Coalescing, by example (only within one incident, only what has not been handed to the sender):
 *   FIRING a         then FIRING a b      one message: FIRING a b, still the incident's first
 *   FIRING a, b ended then FIRING a c      one message: FIRING a c, b ended
 *   FIRING a         then RESOLVED a      after LATE_MS one message: RESOLVED, with a note when it
 *                                         fired and why that could not be told; before: both
 *   FIRING a, b ended then FIRING a b      both: the end of b must be told before its new start.
 *                                         One, when an older message of the group waits, too
 *
 * Receivers that pair the two by a key (type->pairs) always get both. An incident is thus told at
 * least once, and every end of an alert whose beginning was told, unless it goes on flapping.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/message_pack.h"
#include "exporters/notify_internal.h"

#define MESSAGE_MAX ((size_t)4 << 20) /* one rendered message */
#define CONTENT_MAX ((size_t)2 << 20) /* one packed message; a larger one is not kept */
#define LATE_MS     30000 /* a firing message this late, of what is over, alarms for nothing */

struct str outbox_message_id(struct notify *n, struct arena *a)
{
	n->seq_dirty = true;
	return arena_printf(a, "belfry-%s-%llu", n->instance, (unsigned long long)++n->seq);
}

/* What stands for the name in "belfry-<instance>-<name>-..."; empty: nothing. */
static struct str name_in(struct str thread)
{
	struct str part = STR_NULL;

	for (int i = 0; i < 3; i++) {
		if (!str_split(&thread, '-', &part))
			return STR_NULL;
	}
	return part;
}

/* Threads of the receivers the route names end in the integration's number; of others, who hear of
 * the incident by a fallback or an escalation, in their name as well. A message that was told in
 * another's place bears that one's thread: its group may be gone, and with it the name. */
struct str outbox_thread(const struct notify *n, const struct message *m,
	const struct receiver_config *r, size_t i, struct arena *a)
{
	struct str name = name_in(m->thread);

	if (name.n == 0)
		name = arena_printf(a, "%016llx",
			(unsigned long long)group_name_of(n, m->group_key, m->incident_ms));
	return arena_printf(a, "belfry-%s-" STR_FMT "-%lld-%08llx-%zu", n->instance, STR_ARG(name),
		(long long)m->incident_ms,
		(unsigned long long)(hash_fixed(r->name.p, r->name.n) & 0xffffffff), i);
}

#define TOLD_NOTES_MAX 1000u /* alerts of one message the history hears of */

void outbox_note_told(struct notify *n, const struct message *m, const struct receiver_config *r,
	const struct integration *in, const char *why)
{
	struct buf b;

	buf_init(&b, 8192);
	buf_printf(&b, STR_FMT " " STR_FMT "/%s/%zu %s", STR_ARG(m->id), STR_ARG(r->name),
		integration_name(in->kind), in->index, why);
	for (size_t i = 0; i < MIN_OF(m->n, (size_t)TOLD_NOTES_MAX); i++)
		history_note(n, &(struct history_fact){.at_ms = m->now_ms,
					.fingerprint = m->alerts[i].fingerprint,
					.labels = m->alerts[i].labels,
					.kind = HISTORY_TOLD,
					.detail = buf_view(&b)});
	buf_fini(&b);
}

/* --- coalescing --- */

static const struct message_alert *alert_in(const struct message *m, const struct message_alert *al)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->alerts[i].fingerprint == al->fingerprint &&
			labels_eq(m->alerts[i].labels, al->labels))
			return &m->alerts[i];
	}
	return NULL;
}

/* The ends that only the waiting row tells come into m. False: they can't, since an alert of them
 * fires again. Once more than one message of the group waits, that is no reason any more: alerts
 * that flap would fill the outbox of a dead receiver with what nobody will read. */
static bool take_ends(struct notify *n, struct message *m, const struct row *old, struct arena *a)
{
	bool late = outbox_has_older(n, old);
	struct message was = {0};
	struct message_alert *v;
	size_t count, bytes;
	char *content;
	struct err e;
	bool ok = true;

	if (old->ends == 0)
		return true;
	if (old->ends < 0 || old->ends > LIMIT_COALESCE_ENDS ||
		outbox_store_content(n, old->id, &content, &bytes, &e) != 0)
		return false;
	struct str kept = arena_str(a, str_n(content, bytes));

	free(content);
	if (kept.p == NULL || message_unpack(kept, a, &was, &e) != 0)
		return false;
	v = ARENA_ARRAY(a, m->n + was.n, struct message_alert);
	if (v == NULL)
		return false;
	memcpy(v, m->alerts, m->n * sizeof *v);
	count = m->n;
	for (size_t i = 0; ok && i < was.n; i++) {
		const struct message_alert *now = alert_in(m, &was.alerts[i]);

		if (was.alerts[i].firing)
			continue;
		ok = now == NULL || !now->firing || late;
		if (now == NULL)
			v[count++] = was.alerts[i];
	}
	if (ok)
		message_finish(m, v, count, a);
	return ok;
}

static void note_time(struct buf *b, int64_t ms)
{
	struct civil c;

	civil_from_ms(ms, &c);
	buf_printf(b, "%02d:%02d:%02d UTC", c.hour, c.minute, c.second);
}

/* The incident is over before it could be told that it began. */
static void note_untold(struct message *m, const struct row *old, struct arena *a)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_c(&b, "it began at ");
	note_time(&b, m->incident_ms);
	buf_c(&b, ", which could not be told in time");
	if (old->error[0] != '\0')
		buf_printf(&b, " (%s)", old->error);
	m->note = arena_str(a, buf_view(&b));
	buf_fini(&b);
}

static bool may_replace(const struct row *old, const struct message *m, bool pairs)
{
	if (old->in_flight || old->is_new || old->finished || old->parked || old->step > 0)
		return false; /* its fate is not known, or it was told in part */
	if (!str_eq(old->thread, m->thread))
		return false; /* another incident */
	if (!old->firing)
		return false; /* an end is told by itself */
	if (m->firing)
		return true;
	return !pairs && i64_sub_sat(m->now_ms, old->since_ms) >= LATE_MS;
}

/* Takes what waits into m; the row whose place the new one gets, or NULL. */
static struct row *supersede(struct notify *n, struct message *m, const struct integration *in,
	struct dest *d, struct arena *a)
{
	struct row *old = outbox_newest(n, d, m->group_key);

	if (old == NULL || !may_replace(old, m, integration_type(in->kind)->pairs) ||
		!take_ends(n, m, old, a))
		return NULL;
	if (!m->firing && old->first)
		note_untold(m, old, a);
	if (old->first) {
		m->first = true;
		m->reason = m->firing ? REASON_FIRST : m->reason;
	} else if (m->reason == REASON_REPEAT && !old->repeated) {
		m->reason = REASON_NEW_ALERTS;
	}
	return old;
}

static void replace(struct notify *n, struct row *old, struct row *by)
{
	if (old->error[0] == '\0')
		(void)snprintf(old->error, sizeof old->error, "replaced by a newer message");
	by->since_ms = old->since_ms;
	outbox_replace(n, old, by);
	old->finished = true;
	old->replaced = true;
	row_mark(n, old);
	metric_inc(old->dest->coalesced_total);
	outbox_note(n, old, ATTEMPT_REPLACED, by->message_id);
	log_info("notify",
		"msg=\"a waiting message is replaced by a newer one\" receiver=" STR_FMT
		" kind=%s id=" STR_FMT " by=" STR_FMT,
		STR_ARG(old->receiver), integration_name(old->kind), STR_ARG(old->message_id),
		STR_ARG(by->message_id));
}

/* --- rendering --- */

static int render(
	const struct message *m, const struct integration *in, struct buf *out, struct err *e)
{
	if (integration_type(in->kind)->render(m, in, out, e) != 0)
		return -1;
	return out->failed ? err_set(e, ERR_LIMIT, 0, "message larger than %zu bytes", MESSAGE_MAX)
			   : 0;
}

static void put_payload(
	struct notify *n, const struct message *m, const struct integration *in, struct row *row)
{
	struct buf body;
	struct err e;

	buf_init(&body, MESSAGE_MAX);
	if (render(m, in, &body, &e) != 0) {
		log_error("notify",
			"msg=\"message cannot be rendered\" receiver=" STR_FMT " error=\"%s\"",
			STR_ARG(m->receiver), e.msg);
		metric_inc(n->invalid_total);
		buf_reset(&body);
		buf_c(&body, "{\"text\":\"belfry: a message could not be rendered, see the log\"}");
	}
	row->payload = buf_take(&body, &row->payload_len);
	ASSERT(row->payload != NULL);
	buf_fini(&body);
}

/* Kept where it will be asked for: by a fallback, or by a newer message that takes the ends over.
 */
static void put_content(const struct message *m, const struct receiver_config *r, struct row *row)
{
	struct buf content;

	if (r->fallback.n == 0 && m->n_resolved == 0)
		return;
	buf_init(&content, CONTENT_MAX);
	message_pack(m, &content);
	if (!content.failed)
		row->content = buf_take(&content, &row->content_len);
	buf_fini(&content);
}

static struct row *make_row(
	struct notify *n, const struct message *m, struct str tried, const struct integration *in)
{
	struct buf title;
	struct row *row;

	buf_init(&title, 4096);
	buf_printf(&title, "%s ", m->firing ? "FIRING" : "RESOLVED");
	message_subject(m, &title);
	row = row_new(&(struct row_texts){.message_id = m->id,
		.title = buf_view(&title),
		.receiver = m->receiver,
		.group_key = m->group_key,
		.thread = m->thread,
		.tried = tried});
	buf_fini(&title);
	row->kind = in->kind;
	row->index = in->index;
	row->firing = m->firing;
	row->first = m->first;
	row->repeated = m->reason == REASON_REPEAT;
	row->ends = (int64_t)m->n_resolved;
	row->created_ms = row->since_ms = clock_wall_ms();
	row->expires_ms = i64_add_sat(row->created_ms,
		n->cfg->expiry_ms > 0 ? n->cfg->expiry_ms : LIMIT_OUTBOX_EXPIRY_MS);
	return row;
}

void outbox_tell(struct notify *n, struct message *m, const struct receiver_config *r,
	const struct integration *in, struct str tried)
{
	struct dest *d = outbox_dest(n, r->name, in->kind, in->index);
	struct row *row, *old;
	struct arena a;

	arena_init(&a, ((size_t)16 << 20) + m->n * 1024);
	old = tried.n == 0 ? supersede(n, m, in, d, &a) : NULL;
	row = make_row(n, m, tried, in);
	put_payload(n, m, in, row);
	put_content(m, r, row);
	outbox_graph_spec(row, m, in);
	if (old != NULL)
		replace(n, old, row);
	(void)outbox_add(n, row);
	arena_fini(&a);
}
