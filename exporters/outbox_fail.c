/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_fail - a message that can't be delivered: parked where it can be looked at, counted,
 * logged, and rendered for the receiver's fallback.
 *
 * The fallback's rows name who was tried; nobody in that list is tried again, so that two receivers
 * may be each other's fallback. What the fallback says is the message as it was; without its
 * packed form (made before a fallback was configured) what the group says now, or its title.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/message_pack.h"
#include "exporters/notify_internal.h"

static const char *const words[] = {"refused by the receiver", "expired", "it cannot be sent"};

static bool was_tried(struct str tried, struct str receiver)
{
	struct str one;

	while (str_split(&tried, '\n', &one)) {
		if (str_eq(one, receiver))
			return true;
	}
	return false;
}

/* All that is left of it: its name. */
static void from_title(struct message *m, const struct row *r, struct arena *a)
{
	struct message_alert *al = ARENA_NEW(a, struct message_alert);
	struct label *name = ARENA_NEW(a, struct label);
	size_t space = str_find(r->title, ' ');

	ASSERT(al != NULL && name != NULL);
	*name = (struct label){STR("alertname"), str_sub(r->title, space + 1, r->title.n)};
	al->firing = r->firing;
	al->labels = (struct labels){name, 1};
	al->fingerprint = labels_fingerprint(al->labels);
	al->starts_at_ms = r->created_ms;
	al->ends_at_ms = r->firing ? 0 : r->created_ms;
	al->value = al->current = al->worst = al->threshold = normal_nan();
	al->op = "";
	m->reason = r->firing ? REASON_FIRST : REASON_ALL_RESOLVED;
	m->incident_ms = r->created_ms;
	message_finish(m, al, 1, a);
}

static void restore(struct notify *n, struct message *m, const struct row *r, struct arena *a)
{
	const struct group *g = group_find(n, r->group_key);
	struct str bytes = STR_NULL;
	char *content = NULL;
	size_t len = 0;
	struct err e;

	if (r->content != NULL) /* not yet written */
		bytes = arena_str(a, str_n(r->content, r->content_len));
	else if (r->id != 0 && outbox_store_content(n, r->id, &content, &len, &e) == 0)
		bytes = arena_str(a, str_n(content, len));
	free(content);
	if (bytes.n > 0 && message_unpack(bytes, a, m, &e) == 0)
		return;
	if (g != NULL && r->firing && g->n_firing > 0)
		message_of_group(m, g, true, a);
	else
		from_title(m, r, a);
}

/* "ops/slack, refused by the receiver: answered 404 no_service" */
static struct str note(const struct row *r, enum give_up_reason why, struct arena *a)
{
	struct buf b;
	struct str s;

	buf_init(&b, 4096);
	buf_c(&b, "first tried: ");
	buf_str(&b, r->receiver);
	buf_printf(&b, "/%s, %s", integration_name(r->kind), words[why]);
	if (r->error[0] != '\0')
		buf_printf(&b, ": %s", r->error);
	s = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return s;
}

/* Whole names: what is missing here is told again, and in a ring of fallbacks for ever. */
static struct str with_tried(const struct row *r, struct arena *a)
{
	struct buf b;
	struct str s;

	buf_init(&b, (size_t)1 << 20);
	buf_str(&b, r->tried);
	buf_c(&b, r->tried.n > 0 ? "\n" : "");
	buf_str(&b, r->receiver);
	s = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return s;
}

static void tell_fallback(struct notify *n, const struct row *r, const struct receiver_config *to,
	enum give_up_reason why)
{
	struct arena a;
	struct str tried;
	struct message m = {.templates = n->cfg->templates,
		.receiver = to->name,
		.external_url = n->cfg->external_url,
		.group_key = r->group_key};

	arena_init(&a, (size_t)64 << 20);
	restore(n, &m, r, &a);
	m.note = note(r, why, &a);
	m.now_ms = clock_wall_ms();
	m.first = r->first;
	link_message(n->history, &m, &a);
	tried = with_tried(r, &a);
	for (size_t i = 0; i < receiver_integrations(to); i++) {
		struct message one = m;

		if (!one.firing && !to->v[i].send_resolved)
			continue;
		one.id = outbox_message_id(n, &a);
		one.thread = outbox_thread(n, &m, to, i, &a);
		ASSERT(!a.failed);
		outbox_note_told(n, &one, to, &to->v[i], "in place of another receiver");
		outbox_tell(n, &one, to, &to->v[i], tried);
	}
	arena_fini(&a);
	metric_inc(n->fallback_total);
	log_warn("notify",
		"msg=\"told to the fallback receiver\" receiver=" STR_FMT " fallback=" STR_FMT
		" id=" STR_FMT,
		STR_ARG(r->receiver), STR_ARG(to->name), STR_ARG(r->message_id));
}

/* Sent again and refused again, it is not told there once more. */
static void remember_told(struct row *r, struct str receiver)
{
	struct buf b;
	char *block;

	buf_init(&b, (size_t)1 << 20);
	buf_str(&b, r->tried);
	buf_c(&b, r->tried.n > 0 ? "\n" : "");
	buf_str(&b, receiver);
	block = buf_view(&b).n > 0 ? str_dup_c(buf_view(&b)) : NULL;
	ASSERT(block != NULL);
	free(r->tried_block);
	r->tried_block = block;
	r->tried = str_n(block, b.n);
	buf_fini(&b);
}

static void use_fallback(struct notify *n, struct row *r, enum give_up_reason why)
{
	const struct receiver_config *from = outbox_receiver(n, r->receiver), *to;

	if (from == NULL || from->fallback.n == 0 || str_eq(from->fallback, r->receiver) ||
		was_tried(r->tried, from->fallback))
		return;
	to = outbox_receiver(n, from->fallback);
	if (to == NULL || to->n == 0)
		return;
	tell_fallback(n, r, to, why);
	remember_told(r, to->name);
	(void)snprintf(r->error + strlen(r->error), sizeof r->error - strlen(r->error),
		"; told to " STR_FMT, STR_ARG(to->name));
}

#define NOTES_MAX 1000u /* alerts of one group the history hears of */

/* The story of the alerts it told of, as far as they are still there. */
static void note_alerts(struct notify *n, const struct row *r, enum give_up_reason why)
{
	const struct group *g = group_find(n, r->group_key);
	const struct member *m;
	size_t pos = 0, count = 0;
	struct buf b;

	buf_init(&b, 4096);
	buf_str(&b, r->message_id);
	buf_ch(&b, ' ');
	buf_str(&b, r->receiver);
	buf_printf(&b, "/%s/%zu %s: %s", integration_name(r->kind), r->index, words[why], r->error);
	if (g != NULL && g->incident_ms > r->created_ms)
		g = NULL; /* a newer incident under the same key */
	while (g != NULL && count < NOTES_MAX && (m = map_each(&g->members, &pos)) != NULL) {
		if (m->gone || m->a->al.firing != r->firing)
			continue;
		count++;
		history_note(n, &(struct history_fact){.fingerprint = m->a->al.fingerprint,
					.labels = m->a->al.labels,
					.kind = HISTORY_REFUSED,
					.detail = buf_view(&b)});
	}
	buf_fini(&b);
}

void outbox_give_up(struct notify *n, struct row *r, enum give_up_reason why)
{
	struct dest *d = r->dest;
	char q[LOG_Q_MAX];

	if (r->error[0] == '\0')
		(void)snprintf(r->error, sizeof r->error, "%s",
			why == GIVE_UP_EXPIRED ? "expired before it could be sent" : words[why]);
	r->parked = true;
	d->failed++;
	metric_inc(d->failed_total[why]);
	if (why == GIVE_UP_EXPIRED)
		metric_inc(n->expired_total);
	outbox_unlink(n, r);
	n->n_rows--;
	METRIC_DROP("notify", "refused", 1);
	outbox_note(
		n, r, why == GIVE_UP_EXPIRED ? ATTEMPT_EXPIRED : ATTEMPT_REFUSED, str_c(r->error));
	log_error("notify",
		"msg=\"message given up: %s\" receiver=" STR_FMT " kind=%s id=" STR_FMT
		" title=\"" STR_FMT "\" error=%s",
		words[why], STR_ARG(r->receiver), integration_name(r->kind), STR_ARG(r->message_id),
		STR_ARG(r->title), log_q(q, str_c(r->error)));
	use_fallback(n, r, why);
	note_alerts(n, r, why);
}
