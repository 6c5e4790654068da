/* SPDX-License-Identifier: Apache-2.0 */
/* notify_view - see notify_view.h. Sorted by pointers first, then copied in order. */
#include "exporters/notify_view.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"

#define RULE_LIFE_MS 300000 /* a rule's alert is shown to end this long after its last word */

static int too_large(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "the answer is too large");
}

/* --- silences --- */

static struct labels copy_annotations(struct arena *a, struct labels ls)
{
	struct label *v = ARENA_ARRAY(a, ls.n, struct label);

	for (size_t i = 0; v != NULL && i < ls.n; i++)
		v[i] = (struct label){arena_str(a, ls.v[i].name), arena_str(a, ls.v[i].value)};
	return (struct labels){v, v != NULL ? ls.n : 0};
}

void view_silence(
	struct arena *a, const struct silence *x, int64_t now_ms, struct silence_view *out)
{
	struct silence_matcher *m = ARENA_ARRAY(a, x->n, struct silence_matcher);

	for (size_t i = 0; m != NULL && i < x->n; i++) {
		m[i] = x->given[i];
		m[i].name = arena_str(a, x->given[i].name);
		m[i].value = arena_str(a, x->given[i].value);
	}
	*out = (struct silence_view){.id = arena_str(a, str_c(x->id)),
		.matchers = m,
		.n_matchers = x->n,
		.starts_at_ms = x->starts_ms,
		.ends_at_ms = x->ends_ms,
		.created_by = arena_str(a, x->created_by),
		.comment = arena_str(a, x->comment),
		.annotations = copy_annotations(a, x->annotations),
		.recurring = arena_str(a, x->recurring),
		.updated_at_ms = x->updated_ms,
		.state = silence_state_at(x, now_ms),
		.n_alerts = x->n_alerts};
}

/* Active by end, pending by start, expired with the latest first. */
static int by_state(const void *pa, const void *pb)
{
	const struct silence_view *a = pa, *b = pb;
	int64_t x = a->ends_at_ms, y = b->ends_at_ms;

	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	if (a->state == SILENCE_PENDING) {
		x = a->starts_at_ms;
		y = b->starts_at_ms;
	} else if (a->state == SILENCE_EXPIRED) {
		x = b->ends_at_ms;
		y = a->ends_at_ms;
	}
	if (x != y)
		return x < y ? -1 : 1;
	return str_cmp(a->id, b->id);
}

int view_silences(
	struct notify *n, struct arena *a, struct silence_view **out, size_t *count, struct err *e)
{
	const struct map *all = &n->silences.by_id;
	int64_t now = clock_wall_ms();
	const struct silence *x;
	size_t pos = 0, i = 0;

	*out = ARENA_ARRAY(a, all->n, struct silence_view);
	if (*out == NULL)
		return too_large(e);
	while ((x = map_each(all, &pos)) != NULL && !a->failed)
		view_silence(a, x, now, &(*out)[i++]);
	*count = i;
	qsort(*out, i, sizeof **out, by_state);
	return 0;
}

/* --- alerts --- */

static bool has_receiver(const struct live_alert *a, const struct regex *re)
{
	for (const struct member *m = a->members; m != NULL; m = m->next_of_alert) {
		if (!m->gone && m->group->route != ROUTE_NONE &&
			regex_match(re, str_c(m->group->receiver)))
			return true;
	}
	return false;
}

static bool is_asked_for(const struct alert_query *q, const struct live_alert *a)
{
	if (!a->al.firing || (!q->silenced && a->n_silences > 0) || (!q->inhibited && a->inhibited))
		return false;
	if (!q->active && !live_alert_suppressed(a))
		return false;
	return matchers_match(q->matchers, q->n_matchers, a->al.labels);
}

static void view_receivers(struct arena *ar, const struct live_alert *a, struct alert_view *out)
{
	struct str *v;
	size_t n = 0;

	for (const struct member *m = a->members; m != NULL; m = m->next_of_alert)
		n++;
	v = ARENA_ARRAY(ar, n, struct str);
	if (v == NULL)
		return;
	n = 0;
	for (const struct member *m = a->members; m != NULL; m = m->next_of_alert) {
		struct str name = str_c(m->group->receiver);
		bool seen = m->gone || m->group->route == ROUTE_NONE;

		for (size_t i = 0; i < n && !seen; i++)
			seen = str_eq(v[i], name);
		if (!seen)
			v[n++] = arena_str(ar, name);
	}
	out->receivers = v;
	out->n_receivers = n;
}

static void view_suppression(struct arena *ar, const struct live_alert *a, struct alert_view *out)
{
	uint64_t fps[LIMIT_INHIBITED_BY];
	size_t n = inhibit_sources_of(a, fps, LIMIT_INHIBITED_BY);
	struct str *ids = ARENA_ARRAY(ar, a->n_silences, struct str);
	struct str *by = ARENA_ARRAY(ar, n, struct str);

	if (ids == NULL || by == NULL)
		return;
	for (size_t i = 0; i < a->n_silences; i++)
		ids[i] = arena_str(ar, str_c(a->silences[i]->id));
	for (size_t i = 0; i < n; i++)
		by[i] = arena_printf(ar, "%016llx", (unsigned long long)fps[i]);
	out->silenced_by = ids;
	out->n_silenced_by = a->n_silences;
	out->inhibited_by = by;
	out->n_inhibited_by = n;
}

static struct str *copy_names(struct arena *ar, const struct route_mute *mute)
{
	struct str *v = ARENA_ARRAY(ar, mute->n_names, struct str);

	for (size_t i = 0; v != NULL && i < mute->n_names; i++)
		v[i] = arena_str(ar, mute->names[i]);
	return v;
}

/* Muted when all of its groups are: the first one's intervals are named. */
static void view_mutes(const struct notify *n, struct arena *ar, const struct live_alert *a,
	const struct group *of, struct alert_view *out)
{
	const struct route_mute *mute = NULL;
	static const struct str none = {"", 0};

	out->muted_by = &none;
	for (const struct member *m = a->members; m != NULL; m = m->next_of_alert) {
		if (m->gone || m->group->route == ROUTE_NONE || (of != NULL && m->group != of))
			continue;
		if (!n->mutes[m->group->route].muted)
			return;
		mute = &n->mutes[m->group->route];
	}
	if (mute == NULL)
		return;
	out->muted_by = copy_names(ar, mute);
	out->n_muted_by = mute->n_names;
}

static void view_generator(const struct notify *n, struct arena *ar, const struct live_alert *a,
	struct alert_view *out)
{
	struct message m = {.external_url = n->cfg->external_url};
	struct buf url;

	if (a->generator_url.n > 0 || a->al.expr.n == 0) {
		out->generator_url = arena_str(ar, a->generator_url);
		return;
	}
	buf_init(&url, (size_t)64 << 10);
	message_graph_url(&m, &a->al, &url);
	out->generator_url = arena_str(ar, buf_view(&url));
	buf_fini(&url);
}

static void view_alert(const struct notify *n, struct arena *ar, const struct live_alert *a,
	const struct group *of, struct alert_view *out)
{
	*out = (struct alert_view){.fingerprint = a->al.fingerprint,
		.labels = labels_copy(ar, a->al.labels),
		.annotations = copy_annotations(ar, a->al.annotations),
		.starts_at_ms = a->al.starts_at_ms,
		.updated_at_ms = a->updated_ms,
		.ends_at_ms = a->external ? a->external_ends_ms
					  : i64_add_sat(a->updated_ms, RULE_LIFE_MS),
		.firing = a->al.firing,
		.value = a->al.value,
		.current = a->al.current,
		.worst = a->al.worst,
		.threshold = a->al.threshold,
		.rule = arena_str(ar, a->al.rule),
		.rule_group = arena_str(ar, a->al.group),
		.expr = arena_str(ar, a->al.expr),
		.external = a->external};
	view_generator(n, ar, a, out);
	view_receivers(ar, a, out);
	view_suppression(ar, a, out);
	view_mutes(n, ar, a, of, out);
}

static int by_fingerprint(const void *pa, const void *pb)
{
	const struct live_alert *const *a = pa, *const *b = pb;
	uint64_t x = (*a)->al.fingerprint, y = (*b)->al.fingerprint;

	if (x != y)
		return x < y ? -1 : 1;
	return labels_cmp((*a)->al.labels, (*b)->al.labels);
}

int view_alerts(struct notify *n, const struct alert_query *q, struct arena *a,
	struct alert_view **out, size_t *count, struct err *e)
{
	struct live_alert **v = malloc((n->alerts.by_labels.n + 1) * sizeof(struct live_alert *)),
			  *al;
	size_t pos = 0, found = 0, max = q->max > 0 ? q->max : LIMIT_API_ALERTS;

	ASSERT(v != NULL);
	while ((al = map_each(&n->alerts.by_labels, &pos)) != NULL) {
		if (is_asked_for(q, al) && (q->receiver == NULL || has_receiver(al, q->receiver)))
			v[found++] = al;
	}
	qsort(v, found, sizeof(struct live_alert *), by_fingerprint);
	found = MIN_OF(found, max);
	*out = ARENA_ARRAY(a, found, struct alert_view);
	for (size_t i = 0; *out != NULL && i < found && !a->failed; i++)
		view_alert(n, a, v[i], NULL, &(*out)[i]);
	*count = found;
	free(v);
	return *out != NULL && !a->failed ? 0 : too_large(e);
}

/* --- groups --- */

static int by_labels(const void *pa, const void *pb)
{
	const struct group *const *a = pa, *const *b = pb;
	int c = labels_cmp((*a)->labels, (*b)->labels);

	if (c != 0)
		return c;
	c = str_cmp(str_c((*a)->receiver), str_c((*b)->receiver));
	return c != 0 ? c : str_cmp((*a)->key, (*b)->key);
}

/* False when nothing of it is asked for. */
static bool view_group(const struct notify *n, const struct alert_query *q, struct arena *a,
	const struct group *g, struct group_view *out)
{
	struct live_alert **v = malloc((g->members.n + 1) * sizeof(struct live_alert *));
	struct alert_view *alerts;
	const struct member *m;
	size_t pos = 0, found = 0;

	ASSERT(v != NULL);
	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (!m->gone && is_asked_for(q, m->a))
			v[found++] = m->a;
	}
	qsort(v, found, sizeof(struct live_alert *), by_fingerprint);
	alerts = found > 0 ? ARENA_ARRAY(a, found, struct alert_view) : NULL;
	for (size_t i = 0; alerts != NULL && i < found && !a->failed; i++)
		view_alert(n, a, v[i], g, &alerts[i]);
	free(v);
	if (alerts == NULL)
		return false;
	*out = (struct group_view){.labels = labels_copy(a, g->labels),
		.route_labels = labels_copy(a, group_route(n, g)->labels),
		.receiver = arena_str(a, str_c(g->receiver)),
		.key = arena_str(a, g->key),
		.alerts = alerts,
		.n_alerts = found};
	return true;
}

static bool group_asked_for(
	const struct notify *n, const struct alert_query *q, const struct group *g)
{
	if (g->dead || g->route == ROUTE_NONE || g->n_firing == 0)
		return false;
	if (!q->muted && n->mutes[g->route].muted)
		return false;
	return q->receiver == NULL || regex_match(q->receiver, str_c(g->receiver));
}

int view_groups(struct notify *n, const struct alert_query *q, struct arena *a,
	struct group_view **out, size_t *count, struct err *e)
{
	struct group **v = malloc((n->groups.n + 1) * sizeof(struct group *)), *g;
	size_t pos = 0, found = 0, alerts = 0, max = q->max > 0 ? q->max : LIMIT_API_ALERTS;

	ASSERT(v != NULL);
	while ((g = map_each(&n->groups, &pos)) != NULL) {
		if (group_asked_for(n, q, g))
			v[found++] = g;
	}
	qsort(v, found, sizeof(struct group *), by_labels);
	*out = ARENA_ARRAY(a, found, struct group_view);
	*count = 0;
	for (size_t i = 0; *out != NULL && i < found && !a->failed && alerts < max; i++) {
		if (!view_group(n, q, a, v[i], &(*out)[*count]))
			continue;
		alerts += (*out)[*count].n_alerts;
		(*count)++;
	}
	free(v);
	return *out != NULL && !a->failed ? 0 : too_large(e);
}
