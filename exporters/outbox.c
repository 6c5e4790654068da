/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox - rows, the integrations they are for, and the lanes they wait in; see outbox_internal.h.
 *
 * A lane keeps its rows in the order they came; a row that replaces an older one takes its place,
 * so that a group that changes all the time does not wait for ever.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/graph.h"
#include "exporters/notify_internal.h"

/* --- rows --- */

struct row *row_new(const struct row_texts *t)
{
	struct row *r = calloc(1, sizeof *r);
	struct str parts[] = {
		t->message_id, t->title, t->receiver, t->group_key, t->thread, t->tried};
	struct str *out[] = {
		&r->message_id, &r->title, &r->receiver, &r->group_key, &r->thread, &r->tried};
	size_t bytes = 0;
	char *p;

	ASSERT(r != NULL);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		bytes += parts[i].n + 1;
	r->block = malloc(bytes);
	ASSERT(r->block != NULL);
	p = r->block;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].n > 0)
			memcpy(p, parts[i].p, parts[i].n);
		p[parts[i].n] = '\0';
		*out[i] = str_n(p, parts[i].n);
		p += parts[i].n + 1;
	}
	r->group_hash = hash_str(r->group_key);
	r->is_new = true;
	return r;
}

void row_free(struct row *r)
{
	free(r->payload);
	free(r->content);
	free(r->graph_spec);
	graph_free(r->graph);
	free(r->key_block);
	free(r->tried_block);
	free(r->block);
	free(r);
}

void row_mark(struct notify *n, struct row *r)
{
	if (r->dirty)
		return;
	r->dirty = true;
	r->next_dirty = n->dirty_rows;
	n->dirty_rows = r;
}

struct row *row_by_id(const struct notify *n, int64_t id)
{
	struct map_iter it;
	uint64_t hash = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);

	for (struct row *r = map_first(&n->rows, hash, &it); r != NULL;
		r = map_next(&n->rows, &it)) {
		if (r->id == id)
			return r;
	}
	return NULL;
}

/* --- the configuration --- */

const struct receiver_config *outbox_receiver(const struct notify *n, struct str name)
{
	for (size_t i = 0; i < n->cfg->n_receivers; i++) {
		if (str_eq(n->cfg->receivers[i].name, name))
			return &n->cfg->receivers[i];
	}
	return NULL;
}

const struct integration *outbox_integration(
	const struct notify *n, struct str receiver, enum integration_kind kind, size_t index)
{
	const struct receiver_config *c = outbox_receiver(n, receiver);

	for (size_t k = 0; c != NULL && k < c->n; k++) {
		if (c->v[k].kind == kind && c->v[k].index == index)
			return &c->v[k];
	}
	return NULL;
}

/* --- lanes --- */

static uint64_t lane_key(const struct notify *n, const struct dest *d)
{
	const struct integration_type *type = integration_type(d->kind);
	const struct integration *in = outbox_integration(n, d->receiver, d->kind, d->index);
	struct buf b;
	uint64_t key;

	buf_init(&b, (size_t)64 << 10);
	if (in != NULL && type != NULL && type->place != NULL) {
		buf_printf(&b, "place %d ", (int)d->kind);
		type->place(in, &b);
	} else {
		buf_printf(&b, "own %d %zu ", (int)d->kind, d->index);
		buf_str(&b, d->receiver);
	}
	key = hash_str(buf_view(&b));
	explicit_bzero(b.p, b.n); /* it may hold a token */
	buf_fini(&b);
	return key;
}

static struct lane *lane_for(struct notify *n, const struct dest *d)
{
	const struct integration_type *type = integration_type(d->kind);
	uint64_t key = lane_key(n, d);
	struct lane *l;

	for (l = n->lanes; l != NULL; l = l->next) {
		if (l->key == key)
			return l;
	}
	l = calloc(1, sizeof *l);
	ASSERT(l != NULL);
	l->key = key;
	l->pace_ms = type != NULL ? type->pace_ms : 0;
	l->parallel = type != NULL ? type->parallel : 1;
	l->extra_mono_ms = INT64_MAX;
	l->next = n->lanes;
	n->lanes = l;
	return l;
}

static void dest_metrics(struct dest *d)
{
	static const char *const reasons[] = {"refused", "expired", "gone"};
	char label[256];
	struct buf text;
	struct str l;

	(void)snprintf(label, sizeof label, STR_FMT "/%s/%zu", STR_ARG(d->receiver),
		integration_name(d->kind), d->index);
	l = str_c(label);
	d->sent_total = metric_counter_l(
		"belfry_notify_sent_total", "Messages accepted by the receiver.", "integration", l);
	buf_init(&text, 1024);
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		buf_reset(&text);
		buf_c(&text, "integration=");
		labels_print_value(&text, l);
		buf_printf(&text, ",reason=\"%s\"", reasons[i]);
		d->failed_total[i] = metric_counter_text("belfry_notify_failed_total",
			"Messages given up: refused for good, expired, or their receiver is gone.",
			buf_view(&text));
	}
	buf_fini(&text);
	d->retries_total = metric_counter_l("belfry_notify_retries_total",
		"Attempts that failed and are repeated.", "integration", l);
	d->coalesced_total = metric_counter_l("belfry_notify_coalesced_total",
		"Waiting messages replaced by a newer one of their group, which tells theirs.",
		"integration", l);
	d->queued = metric_gauge_l(
		"belfry_notify_queued", "Messages waiting for this integration.", "integration", l);
	d->last_success = metric_gauge_l("belfry_notify_last_success_timestamp_seconds",
		"When the receiver last accepted a message.", "integration", l);
}

struct dest *outbox_dest(
	struct notify *n, struct str receiver, enum integration_kind kind, size_t index)
{
	struct dest *d;
	char *name;

	for (d = n->dests; d != NULL; d = d->next) {
		if (d->kind == kind && d->index == index && str_eq(d->receiver, receiver))
			return d;
	}
	d = calloc(1, sizeof *d);
	name = str_dup_c(receiver);
	ASSERT(d != NULL && name != NULL);
	d->receiver = str_n(name, receiver.n);
	d->kind = kind;
	d->index = index;
	d->lane = lane_for(n, d);
	dest_metrics(d);
	d->next = n->dests;
	n->dests = d;
	return d;
}

static void lane_append(struct lane *l, struct row *r)
{
	r->next = NULL;
	r->prev = l->last;
	if (l->last != NULL)
		l->last->next = r;
	else
		l->first = r;
	l->last = r;
}

void outbox_link(struct notify *n, struct row *r)
{
	r->dest = outbox_dest(n, r->receiver, r->kind, r->index);
	r->order = ++n->row_order;
	lane_append(r->dest->lane, r);
	map_add(&n->linked, r->group_hash, r);
	metric_set(r->dest->queued, ++r->dest->waiting);
}

void outbox_unlink(struct notify *n, struct row *r)
{
	struct lane *l = r->dest->lane;

	*(r->prev != NULL ? &r->prev->next : &l->first) = r->next;
	*(r->next != NULL ? &r->next->prev : &l->last) = r->prev;
	map_remove(&n->linked, r->group_hash, r);
	metric_set(r->dest->queued, --r->dest->waiting);
}

void outbox_replace(struct notify *n, struct row *old, struct row *r)
{
	struct lane *l = old->dest->lane;

	r->dest = old->dest;
	r->order = old->order;
	r->prev = old->prev;
	r->next = old->next;
	*(r->prev != NULL ? &r->prev->next : &l->first) = r;
	*(r->next != NULL ? &r->next->prev : &l->last) = r;
	map_remove(&n->linked, old->group_hash, old);
	map_add(&n->linked, r->group_hash, r);
}

struct row *outbox_newest(const struct notify *n, const struct dest *d, struct str group_key)
{
	struct row *newest = NULL;
	struct map_iter it;

	for (struct row *r = map_first(&n->linked, hash_str(group_key), &it); r != NULL;
		r = map_next(&n->linked, &it)) {
		if (r->dest == d && (newest == NULL || r->order > newest->order) &&
			str_eq(r->group_key, group_key))
			newest = r;
	}
	return newest;
}

void outbox_rekey(struct notify *n, struct str from, struct str to)
{
	uint64_t hash = hash_str(from);
	struct map_iter it;
	struct row *r;

	for (;;) { /* from the start each time: the table shifts */
		char *key;

		r = map_first(&n->linked, hash, &it);
		while (r != NULL && !str_eq(r->group_key, from))
			r = map_next(&n->linked, &it);
		if (r == NULL)
			return;
		map_remove(&n->linked, r->group_hash, r);
		key = str_dup_c(to);
		ASSERT(key != NULL);
		free(r->key_block);
		r->key_block = key;
		r->group_key = str_n(key, to.n);
		r->group_hash = hash_str(to);
		map_add(&n->linked, r->group_hash, r);
		row_mark(n, r);
	}
}

bool outbox_has_older(const struct notify *n, const struct row *r)
{
	struct map_iter it;

	for (const struct row *o = map_first(&n->linked, r->group_hash, &it); o != NULL;
		o = map_next(&n->linked, &it)) {
		if (o->dest == r->dest && o->order < r->order && str_eq(o->group_key, r->group_key))
			return true;
	}
	return false;
}

static int by_order(const void *a, const void *b)
{
	struct row *const *x = a, *const *y = b;

	return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

/* All rows that wait or are in flight, in order. */
static struct row **take_rows(struct notify *n, size_t *count)
{
	struct row **v;
	size_t cap = 1;

	for (const struct dest *d = n->dests; d != NULL; d = d->next)
		cap += d->waiting;
	v = calloc(cap, sizeof(struct row *));
	ASSERT(v != NULL);
	*count = 0;
	for (struct lane *l = n->lanes; l != NULL; l = l->next) {
		for (struct row *r = l->first; r != NULL; r = r->next) {
			ASSERT(*count < cap);
			v[(*count)++] = r;
		}
		l->first = l->last = NULL;
		l->in_flight = 0;
	}
	qsort(v, *count, sizeof(struct row *), by_order);
	return v;
}

static void free_unused_lanes(struct notify *n)
{
	struct lane **at = &n->lanes;

	while (*at != NULL) {
		struct lane *l = *at;
		bool used = l->first != NULL;

		for (const struct dest *d = n->dests; d != NULL && !used; d = d->next)
			used = d->lane == l;
		if (used) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free(l);
	}
}

void outbox_use_config(struct notify *n)
{
	size_t count;
	struct row **v = take_rows(n, &count);

	for (size_t i = 0; i < n->cfg->n_receivers; i++) {
		const struct receiver_config *r = &n->cfg->receivers[i];

		/* known from the start, so that their metrics exist before the first message */
		for (size_t k = 0; k < r->n; k++)
			(void)outbox_dest(n, r->name, r->v[k].kind, r->v[k].index);
	}
	for (struct dest *d = n->dests; d != NULL; d = d->next)
		d->lane = lane_for(n, d);
	for (size_t i = 0; i < count; i++) {
		lane_append(v[i]->dest->lane, v[i]);
		v[i]->dest->lane->in_flight += v[i]->in_flight;
		v[i]->next_mono_ms = MIN_OF(v[i]->next_mono_ms, clock_mono_ms());
	}
	free(v);
	free_unused_lanes(n);
	for (struct lane *l = n->lanes; l != NULL; l = l->next) /* it may have been mended */
		l->hold_mono_ms = 0;
}

/* A dead receiver that fills the outbox shuts no other one out: each has a small share of its own.
 */
static bool is_full(struct notify *n, const struct row *r)
{
	return n->n_rows >= LIMIT_OUTBOX_ROWS &&
	       outbox_dest(n, r->receiver, r->kind, r->index)->waiting >= LIMIT_OUTBOX_SHARE;
}

bool outbox_add(struct notify *n, struct row *take)
{
	if (take->dest == NULL && is_full(n, take)) {
		METRIC_LIMIT("outbox_rows");
		METRIC_DROP("notify", "outbox_full", 1);
		log_error("notify",
			"msg=\"outbox is full, a message is dropped\" receiver=" STR_FMT,
			STR_ARG(take->receiver));
		outbox_note(n, take, ATTEMPT_REFUSED, STR("the outbox is full"));
		row_free(take);
		return false;
	}
	take->next_mono_ms = clock_mono_ms();
	n->n_rows++;
	if (take->dest == NULL) /* else it took another's place */
		outbox_link(n, take);
	row_mark(n, take);
	return true;
}

void outbox_note(
	struct notify *n, const struct row *r, enum attempt_outcome outcome, struct str detail)
{
	char to[300];

	(void)snprintf(to, sizeof to, STR_FMT "/%s/%zu", STR_ARG(r->receiver),
		integration_name(r->kind), r->index);
	history_attempt(n, r->message_id, str_c(to), outcome, r->attempts, detail);
}

void outbox_free(struct notify *n)
{
	struct lane *l;
	struct dest *d;
	struct row *r;
	size_t pos = 0;

	while ((r = map_each(&n->rows, &pos)) != NULL)
		row_free(r);
	map_fini(&n->rows);
	map_fini(&n->linked);
	thread_free_all(n);
	while ((d = n->dests) != NULL) {
		n->dests = d->next;
		free((void *)(uintptr_t)d->receiver.p);
		free(d);
	}
	while ((l = n->lanes) != NULL) {
		n->lanes = l->next;
		free(l);
	}
}
