/* SPDX-License-Identifier: Apache-2.0 */
/* live_alert - see live_alert.h. */
#include "exporters/live_alert.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/num.h"

struct packer {
	char *p;
};

static struct str pack_str(struct packer *k, struct str s)
{
	char *at = k->p;

	if (s.n > 0)
		memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	k->p += s.n + 1;
	return str_n(at, s.n);
}

static size_t labels_bytes(struct labels ls)
{
	size_t n = 0;

	for (size_t i = 0; i < ls.n; i++)
		n += ls.v[i].name.n + ls.v[i].value.n + 2;
	return n + ls.n * sizeof(struct label);
}

static struct labels pack_labels(struct packer *k, struct label *v, struct labels ls)
{
	for (size_t i = 0; i < ls.n; i++) {
		v[i].name = pack_str(k, ls.v[i].name);
		v[i].value = pack_str(k, ls.v[i].value);
	}
	return (struct labels){v, ls.n};
}

void live_alerts_init(struct live_alerts *t)
{
	*t = (struct live_alerts){0};
	map_init(&t->by_labels);
	map_init(&t->by_ref);
	t->gauge = metric_gauge(
		"belfry_notify_alerts", "Alerts that fire or whose end is to be told.", NULL);
}

static void destroy(struct live_alert *a)
{
	free(a->silences);
	free(a->links);
	free(a->block);
	free(a->notes);
	free(a);
}

void live_alerts_fini(struct live_alerts *t)
{
	struct live_alert *a;
	size_t pos = 0;

	while ((a = map_each(&t->by_labels, &pos)) != NULL)
		destroy(a);
	while ((a = t->dirty) != NULL) {
		t->dirty = a->next_dirty;
		if (!a->listed)
			destroy(a);
	}
	map_fini(&t->by_labels);
	map_fini(&t->by_ref);
}

struct live_alert *live_alert_find(const struct live_alerts *t, struct labels ls)
{
	uint64_t hash = labels_hash(ls);
	struct map_iter it;

	for (struct live_alert *a = map_first(&t->by_labels, hash, &it); a != NULL;
		a = map_next(&t->by_labels, &it)) {
		if (labels_eq(a->al.labels, ls))
			return a;
	}
	return NULL;
}

struct live_alert *live_alert_new(struct live_alerts *t, const struct live_alert_source *s)
{
	struct live_alert *a = calloc(1, sizeof *a);
	struct packer k;
	struct label *array;

	ASSERT(a != NULL);
	a->block = malloc(labels_bytes(s->labels) + s->rule.n + s->group.n + s->expr.n + 3);
	ASSERT(a->block != NULL);
	array = a->block;
	k.p = (char *)(array + s->labels.n);
	a->al.labels = pack_labels(&k, array, s->labels);
	a->al.rule = pack_str(&k, s->rule);
	a->al.group = pack_str(&k, s->group);
	a->al.expr = pack_str(&k, s->expr);
	a->al.fingerprint = s->fingerprint;
	a->al.op = "";
	a->al.value = a->al.current = a->al.worst = a->al.threshold = normal_nan();
	live_alert_set_notes(a, s->annotations, s->generator_url);
	a->hash = labels_hash(s->labels);
	a->listed = true;
	map_add(&t->by_labels, a->hash, a);
	metric_set(t->gauge, (double)t->by_labels.n);
	return a;
}

void live_alert_set_notes(struct live_alert *a, struct labels annotations, struct str generator_url)
{
	struct label *array;
	struct packer k;
	void *old = a->notes;

	if (old != NULL && labels_eq(a->al.annotations, annotations) &&
		str_eq(a->generator_url, generator_url))
		return;
	array = malloc(labels_bytes(annotations) + generator_url.n + 1);
	ASSERT(array != NULL);
	k.p = (char *)(array + annotations.n);
	a->al.annotations = pack_labels(&k, array, annotations);
	a->generator_url = pack_str(&k, generator_url);
	a->al.generator_url = a->generator_url;
	a->notes = array;
	free(old);
}

const char *live_alert_op(const char *op)
{
	static const char *const ops[] = {">", ">=", "<", "<=", "==", "!="};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (strcmp(op, ops[i]) == 0)
			return ops[i];
	}
	return "";
}

void live_alert_set_values(struct live_alert *a, const struct alert_event *ev)
{
	a->al.value = ev->value;
	a->al.current = ev->current;
	a->al.worst = ev->worst;
	a->al.threshold = ev->threshold;
	a->al.op = live_alert_op(ev->op);
}

static uint64_t ref_hash(uint64_t ref)
{
	return labels_hash_mix(0, ref, ref);
}

struct live_alert *live_alert_by_ref(const struct live_alerts *t, uint64_t ref)
{
	struct map_iter it;

	for (struct live_alert *a = map_first(&t->by_ref, ref_hash(ref), &it); a != NULL;
		a = map_next(&t->by_ref, &it)) {
		if (a->ref == ref)
			return a;
	}
	return NULL;
}

void live_alert_bind(struct live_alerts *t, struct live_alert *a, uint64_t ref)
{
	if (a->ref == ref)
		return;
	if (a->ref != 0)
		map_remove(&t->by_ref, ref_hash(a->ref), a);
	a->ref = ref;
	if (ref != 0)
		map_add(&t->by_ref, ref_hash(ref), a);
}

void live_alert_mark(struct live_alerts *t, struct live_alert *a)
{
	if (a->dirty)
		return;
	a->dirty = true;
	a->next_dirty = t->dirty;
	t->dirty = a;
}

void live_alert_free(struct live_alerts *t, struct live_alert *a)
{
	ASSERT(a->members == NULL);
	ASSERT(a->expiry.place == 0);
	live_alert_bind(t, a, 0);
	map_remove(&t->by_labels, a->hash, a);
	metric_set(t->gauge, (double)t->by_labels.n);
	a->listed = false;
	if (!a->dirty) /* else its row is to be deleted first: alert rows are freed after the commit
			*/
		destroy(a);
}

void live_alerts_committed(struct live_alerts *t)
{
	struct live_alert *a;

	while ((a = t->dirty) != NULL) {
		t->dirty = a->next_dirty;
		a->dirty = false;
		if (!a->listed)
			destroy(a);
	}
}
