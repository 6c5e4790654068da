/* SPDX-License-Identifier: Apache-2.0 */
/* inhibit - buckets of sources and targets; see inhibit.h. */
#include "exporters/inhibit.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

#define LOOK_MAX 1000u /* sources looked at to name some of them */

/* One alert's part in one rule. */
struct inhibit_link {
	const struct inhibit_rule *rule;
	struct live_alert *alert;
	struct inhibit_bucket *bucket;
	bool target, source; /* matches that side */
	bool active;         /* counted as a source: it fires */
	struct inhibit_link *next_source, **prev_source;
	struct inhibit_link *next_target, **prev_target;
};

/* Alerts of one rule with the same values of its `equal` labels. */
struct inhibit_bucket {
	const struct inhibit_rule *rule;
	uint64_t hash;
	struct inhibit_link *sources, *targets;
	size_t n_sources;   /* active ones */
	size_t n_one_sided; /* of them: those that do not match the target side */
	size_t n_links;
	struct label *values; /* owned copy of the equal labels' values, in the rule's order */
	void *text;
};

void inhibit_init(struct inhibitor *x, const struct inhibit_rule *rules, size_t n,
	void (*changed)(struct live_alert *a, void *arg), void *arg)
{
	*x = (struct inhibitor){.rules = rules, .n_rules = n, .changed = changed, .arg = arg};
	matcher_index_init(&x->sources);
	matcher_index_init(&x->targets);
	map_init(&x->buckets);
	for (size_t i = 0; i < n; i++) {
		void *item = (void *)(uintptr_t)&rules[i]; /* the index keeps it, nobody writes */

		matcher_index_add(&x->sources, rules[i].source, rules[i].n_source, item);
		matcher_index_add(&x->targets, rules[i].target, rules[i].n_target, item);
	}
}

void inhibit_fini(struct inhibitor *x)
{
	ASSERT(x->buckets.n == 0);
	matcher_index_fini(&x->sources);
	matcher_index_fini(&x->targets);
	map_fini(&x->buckets);
}

/* --- buckets --- */

static uint64_t equal_hash(const struct inhibit_rule *r, struct labels ls)
{
	uint64_t h = hash_bytes(&r, sizeof(struct inhibit_rule *));

	for (size_t i = 0; i < r->n_equal; i++)
		h = labels_hash_mix(h, i, hash_str(labels_get(ls, r->equal[i])));
	return h;
}

static bool bucket_fits(
	const struct inhibit_bucket *b, const struct inhibit_rule *r, struct labels ls)
{
	if (b->rule != r)
		return false;
	for (size_t i = 0; i < r->n_equal; i++) {
		if (!str_eq(b->values[i].value, labels_get(ls, r->equal[i])))
			return false;
	}
	return true;
}

static struct inhibit_bucket *bucket_new(
	struct inhibitor *x, const struct inhibit_rule *r, struct labels ls, uint64_t hash)
{
	struct inhibit_bucket *b = calloc(1, sizeof *b);
	size_t bytes = 1;
	char *p;

	for (size_t i = 0; i < r->n_equal; i++)
		bytes += labels_get(ls, r->equal[i]).n;
	p = malloc(bytes);
	ASSERT(b != NULL && p != NULL);
	b->rule = r;
	b->hash = hash;
	b->text = p;
	b->values = calloc(r->n_equal + 1, sizeof *b->values);
	ASSERT(b->values != NULL);
	for (size_t i = 0; i < r->n_equal; i++) {
		struct str v = labels_get(ls, r->equal[i]);

		if (v.n > 0)
			memcpy(p, v.p, v.n);
		b->values[i] = (struct label){r->equal[i], str_n(p, v.n)};
		p += v.n;
	}
	map_add(&x->buckets, hash, b);
	return b;
}

static struct inhibit_bucket *bucket_of(
	struct inhibitor *x, const struct inhibit_rule *r, struct labels ls)
{
	uint64_t hash = equal_hash(r, ls);
	struct map_iter it;

	for (struct inhibit_bucket *b = map_first(&x->buckets, hash, &it); b != NULL;
		b = map_next(&x->buckets, &it)) {
		if (bucket_fits(b, r, ls))
			return b;
	}
	return bucket_new(x, r, ls, hash);
}

static void bucket_drop(struct inhibitor *x, struct inhibit_bucket *b)
{
	if (--b->n_links > 0)
		return;
	map_remove(&x->buckets, b->hash, b);
	free(b->values);
	free(b->text);
	free(b);
}

/* --- an alert's verdict --- */

static bool link_inhibits(const struct inhibit_link *l)
{
	if (!l->target)
		return false;
	return l->source ? l->bucket->n_one_sided > 0 : l->bucket->n_sources > 0;
}

static bool verdict(const struct live_alert *a)
{
	for (size_t i = 0; i < a->n_links; i++) {
		if (link_inhibits(&a->links[i]))
			return true;
	}
	return false;
}

static void count_source(struct inhibitor *x, struct inhibit_link *l, bool on)
{
	struct inhibit_bucket *b = l->bucket;
	bool any = b->n_sources > 0, one_sided = b->n_one_sided > 0;

	ASSERT(l->source && l->active != on);
	l->active = on;
	b->n_sources = on ? b->n_sources + 1 : b->n_sources - 1;
	if (!l->target)
		b->n_one_sided = on ? b->n_one_sided + 1 : b->n_one_sided - 1;
	if (any == (b->n_sources > 0) && one_sided == (b->n_one_sided > 0))
		return;
	for (struct inhibit_link *t = b->targets; t != NULL; t = t->next_target) {
		bool now = verdict(t->alert);

		if (now == t->alert->inhibited)
			continue;
		t->alert->inhibited = now;
		x->changed(t->alert, x->arg);
	}
}

/* --- alerts --- */

struct collect {
	struct inhibit_link *v; /* room for n_max */
	size_t n, n_max;
	bool target;
};

static void on_rule(void *item, void *arg)
{
	const struct inhibit_rule *r = item;
	struct collect *c = arg;
	size_t i = 0;

	while (i < c->n && c->v[i].rule != r)
		i++;
	if (i == c->n) {
		if (c->n == c->n_max) {
			c->n_max = c->n_max > 0 ? c->n_max * 2 : 4;
			c->v = reallocarray(c->v, c->n_max, sizeof *c->v);
			ASSERT(c->v != NULL);
		}
		c->v[c->n++] = (struct inhibit_link){.rule = r};
	}
	if (c->target)
		c->v[i].target = true;
	else
		c->v[i].source = true;
}

static void link_in(struct inhibit_link *l)
{
	struct inhibit_bucket *b = l->bucket;

	if (l->source) {
		l->next_source = b->sources;
		l->prev_source = &b->sources;
		if (b->sources != NULL)
			b->sources->prev_source = &l->next_source;
		b->sources = l;
	}
	if (l->target) {
		l->next_target = b->targets;
		l->prev_target = &b->targets;
		if (b->targets != NULL)
			b->targets->prev_target = &l->next_target;
		b->targets = l;
	}
}

static void link_out(struct inhibit_link *l)
{
	if (l->source) {
		*l->prev_source = l->next_source;
		if (l->next_source != NULL)
			l->next_source->prev_source = l->prev_source;
	}
	if (l->target) {
		*l->prev_target = l->next_target;
		if (l->next_target != NULL)
			l->next_target->prev_target = l->prev_target;
	}
}

void inhibit_add(struct inhibitor *x, struct live_alert *a)
{
	struct collect c = {.target = true};

	ASSERT(a->links == NULL);
	matcher_index_find(&x->targets, a->al.labels, on_rule, &c);
	c.target = false;
	matcher_index_find(&x->sources, a->al.labels, on_rule, &c);
	a->links = c.v;
	a->n_links = c.n;
	for (size_t i = 0; i < c.n; i++) {
		struct inhibit_link *l = &c.v[i];

		l->alert = a;
		l->bucket = bucket_of(x, l->rule, a->al.labels);
		l->bucket->n_links++;
		link_in(l);
	}
	a->inhibited = verdict(a);
}

void inhibit_source(struct inhibitor *x, struct live_alert *a, bool firing)
{
	for (size_t i = 0; i < a->n_links; i++) {
		if (a->links[i].source && a->links[i].active != firing)
			count_source(x, &a->links[i], firing);
	}
}

void inhibit_remove(struct inhibitor *x, struct live_alert *a)
{
	inhibit_source(x, a, false);
	for (size_t i = 0; i < a->n_links; i++) {
		link_out(&a->links[i]);
		bucket_drop(x, a->links[i].bucket);
	}
	free(a->links);
	a->links = NULL;
	a->n_links = 0;
	a->inhibited = false;
}

bool inhibit_is_target(const struct live_alert *a)
{
	for (size_t i = 0; i < a->n_links; i++) {
		if (a->links[i].target)
			return true;
	}
	return false;
}

size_t inhibit_sources_of(const struct live_alert *a, uint64_t *fps, size_t max)
{
	size_t n = 0, looked = 0;

	for (size_t i = 0; i < a->n_links; i++) {
		const struct inhibit_link *t = &a->links[i];

		if (!link_inhibits(t))
			continue;
		for (const struct inhibit_link *s = t->bucket->sources;
			s != NULL && n < max && looked++ < LOOK_MAX; s = s->next_source) {
			bool seen = !s->active || (t->source && s->target);

			for (size_t k = 0; k < n; k++)
				seen = seen || fps[k] == s->alert->al.fingerprint;
			if (!seen)
				fps[n++] = s->alert->al.fingerprint;
		}
	}
	return n;
}
