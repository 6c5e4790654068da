/* SPDX-License-Identifier: Apache-2.0 */
/* silence - making, editing and ending silences, and which work on an alert; see silence.h. */
#include "exporters/silence.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/num.h"
#include "exporters/silence_private.h"

#define ARENA_MAX          ((size_t)1 << 20) /* of one silence, its time zone and expressions included */
#define MINUTE_MS          60000
#define SILENCES_PER_ALERT 64u /* that an alert is shown with: one suffices to silence it */

void silence_set_init(struct silence_set *s)
{
	*s = (struct silence_set){.due_wall_ms = INT64_MAX};
	map_init(&s->by_id);
	matcher_index_init(&s->index);
	s->gauge = metric_gauge("belfry_notify_silences", "Silences kept.", NULL);
	metric_set(
		metric_gauge("belfry_notify_silences_limit", "Most silences that are kept.", NULL),
		LIMIT_SILENCES);
}

void silence_free(struct silence *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; i < x->n; i++)
		matcher_fini(&x->matchers[i]);
	arena_fini(&x->arena);
	free(x);
}

void silence_set_fini(struct silence_set *s)
{
	struct silence *x;
	size_t pos = 0;

	while ((x = s->dirty) != NULL) {
		s->dirty = x->next_dirty;
		if (x->gone)
			silence_free(x);
	}
	while ((x = map_each(&s->by_id, &pos)) != NULL)
		silence_free(x);
	map_fini(&s->by_id);
	matcher_index_fini(&s->index);
}

struct silence *silence_find(const struct silence_set *s, struct str id)
{
	struct map_iter it;

	for (struct silence *x = map_first(&s->by_id, hash_str(id), &it); x != NULL;
		x = map_next(&s->by_id, &it)) {
		if (str_eq(str_c(x->id), id))
			return x;
	}
	return NULL;
}

static enum silence_state state_by_bounds(const struct silence *x, int64_t now_ms)
{
	if (x->ends_ms <= now_ms)
		return SILENCE_EXPIRED;
	/* one that began when it was made does not begin again where the clock is set back */
	return x->starts_ms > MAX_OF(now_ms, x->updated_ms) ? SILENCE_PENDING : SILENCE_ACTIVE;
}

enum silence_state silence_state_at(const struct silence *x, int64_t now_ms)
{
	enum silence_state st = state_by_bounds(x, now_ms);

	if (st == SILENCE_ACTIVE && x->n_intervals > 0 &&
		!time_intervals_contain(x->intervals, x->n_intervals, now_ms))
		return SILENCE_PENDING;
	return st;
}

static void mark(struct silence_set *s, struct silence *x)
{
	if (x->dirty)
		return;
	x->dirty = true;
	x->next_dirty = s->dirty;
	s->dirty = x;
}

/* --- what a silence consists of --- */

static int refuse(struct err *e, const char *what, const char *why)
{
	return err_set(e, ERR_INPUT, 400, "%s: %s", what, why);
}

static int check_sizes(const struct silence_view *v, struct err *e)
{
	size_t bytes = v->created_by.n + v->comment.n + v->recurring.n;

	if (v->n_matchers == 0)
		return refuse(e, "invalid silence", "at least one matcher required");
	if (v->n_matchers > MATCHERS_PER_SILENCE || v->annotations.n > MATCHERS_PER_SILENCE)
		return refuse(e, "invalid silence", "too many matchers or annotations");
	for (size_t i = 0; i < v->n_matchers; i++) {
		bytes += v->matchers[i].name.n + v->matchers[i].value.n;
		if (v->matchers[i].name.n == 0 || !str_is_utf8(v->matchers[i].name) ||
			!str_is_utf8(v->matchers[i].value))
			return err_set(e, ERR_INPUT, 400,
				"invalid silence: invalid label matcher %zu: invalid label name or "
				"value",
				i);
	}
	for (size_t i = 0; i < v->annotations.n; i++)
		bytes += v->annotations.v[i].name.n + v->annotations.v[i].value.n;
	if (bytes > LIMIT_SILENCE_BYTES) {
		METRIC_LIMIT("silence_bytes");
		return err_set(e, ERR_INPUT, 400,
			"invalid silence: %zu bytes are more than the limit of %u", bytes,
			LIMIT_SILENCE_BYTES);
	}
	return 0;
}

static int copy_matchers(struct silence *x, const struct silence_view *v, struct err *e)
{
	struct silence_matcher *given =
		ARENA_ARRAY(&x->arena, v->n_matchers, struct silence_matcher);
	bool useful = false;

	x->matchers = ARENA_ARRAY(&x->arena, v->n_matchers, struct matcher);
	if (given == NULL || x->matchers == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory for a silence");
	for (size_t i = 0; i < v->n_matchers; i++) {
		const struct silence_matcher *m = &v->matchers[i];
		enum matcher_op op = m->is_regex ? (m->is_equal ? MATCH_RE : MATCH_NRE)
						 : (m->is_equal ? MATCH_EQ : MATCH_NE);
		struct err why;

		given[i] = (struct silence_matcher){arena_str(&x->arena, m->name),
			arena_str(&x->arena, m->value), m->is_regex, m->is_equal};
		if (matcher_init(&x->matchers[i], op, given[i].name, given[i].value, &why) != 0)
			return err_set(e, ERR_INPUT, 400,
				"invalid silence: invalid label matcher %zu: %s", i, why.msg);
		x->n = i + 1; /* silence_free ends these */
		/* != and !~ count, as in Alertmanager, whatever they match */
		useful = useful || !m->is_equal || !matcher_matches(&x->matchers[i], STR(""));
	}
	x->given = given;
	if (!useful)
		return refuse(e, "invalid silence",
			"at least one matcher must not match the empty string");
	return 0;
}

static int copy_annotations(struct silence *x, const struct silence_view *v, struct err *e)
{
	struct label *copy = ARENA_ARRAY(&x->arena, v->annotations.n, struct label);
	struct time_interval *intervals;
	struct err why;

	if (copy == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory for a silence");
	x->recurring = arena_str(&x->arena, v->recurring);
	for (size_t i = 0; i < v->annotations.n; i++) {
		copy[i].name = arena_str(&x->arena, v->annotations.v[i].name);
		copy[i].value = arena_str(&x->arena, v->annotations.v[i].value);
		if (x->recurring.n == 0 && str_eq(copy[i].name, STR("belfry_recurring")))
			x->recurring = copy[i].value;
	}
	x->annotations = (struct labels){copy, v->annotations.n};
	if (str_trim(x->recurring).n == 0)
		return 0;
	if (time_intervals_parse(&x->arena, x->recurring, &intervals, &x->n_intervals, &why) != 0)
		return refuse(e, "invalid silence: recurring", why.msg);
	x->intervals = intervals;
	return 0;
}

int silence_make(struct silence **out, const struct silence_view *v, struct err *e)
{
	struct silence *x;

	if (check_sizes(v, e) != 0)
		return -1;
	x = calloc(1, sizeof *x);
	if (x == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory for a silence");
	arena_init(&x->arena, ARENA_MAX);
	x->starts_ms = v->starts_at_ms;
	x->ends_ms = v->ends_at_ms;
	x->created_by = arena_str(&x->arena, v->created_by);
	x->comment = arena_str(&x->arena, v->comment);
	if (copy_matchers(x, v, e) != 0 || copy_annotations(x, v, e) != 0)
		goto fail;
	if (!x->arena.failed) {
		*out = x;
		return 0;
	}
	(void)err_set(e, ERR_LIMIT, 0, "no memory for a silence");
fail:
	silence_free(x);
	return -1;
}

/* --- putting and ending --- */

static bool same_matcher(const struct silence_matcher *a, const struct silence_matcher *b)
{
	return str_eq(a->name, b->name) && str_eq(a->value, b->value) &&
	       a->is_regex == b->is_regex && a->is_equal == b->is_equal;
}

static bool has_matcher(const struct silence *x, const struct silence_matcher *m)
{
	for (size_t i = 0; i < x->n; i++) {
		if (same_matcher(&x->given[i], m))
			return true;
	}
	return false;
}

static bool same_matchers(const struct silence *a, const struct silence *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = has_matcher(b, &a->given[i]) && has_matcher(a, &b->given[i]);
	return same;
}

static bool may_edit(const struct silence *was, const struct silence *want, int64_t now_ms)
{
	if (!same_matchers(was, want))
		return false;
	switch (state_by_bounds(was, now_ms)) {
	case SILENCE_ACTIVE:
		return want->starts_ms / 1000 == was->starts_ms / 1000 && want->ends_ms >= now_ms;
	case SILENCE_PENDING: return want->starts_ms >= now_ms;
	case SILENCE_EXPIRED: break;
	}
	return false;
}

static void new_id(char *id)
{
	unsigned char r[16];

	hash_random(r, sizeof r);
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
	for (size_t i = 0, at = 0; i < sizeof r; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			id[at++] = '-';
		(void)snprintf(id + at, 3, "%02x", r[i]);
		at += 2;
	}
}

static void finish(struct silence_set *s, struct silence *x, int64_t now_ms)
{
	if (state_by_bounds(x, now_ms) == SILENCE_PENDING)
		x->starts_ms = now_ms;
	x->ends_ms = now_ms;
	x->updated_ms = now_ms;
	s->due_wall_ms = now_ms;
	mark(s, x);
}

void silence_add(struct silence_set *s, struct silence *take)
{
	map_add(&s->by_id, hash_str(str_c(take->id)), take);
	metric_set(s->gauge, (double)s->by_id.n);
}

/* Takes what may change over from `want`, which is freed. Alerts hold pointers to x: it stays. */
static void edit(struct silence_set *s, struct silence *x, struct silence *want, int64_t now_ms)
{
	struct silence old = *x;

	matcher_index_fini(&s->index); /* it points to the old matchers; refresh fills it */
	s->index_stale = true;
	*x = *want;
	memcpy(x->id, old.id, sizeof x->id);
	x->working = old.working;
	x->dirty = old.dirty;
	x->n_alerts = old.n_alerts;
	x->next_dirty = old.next_dirty;
	x->updated_ms = now_ms;
	for (size_t i = 0; i < old.n; i++)
		matcher_fini(&old.matchers[i]);
	arena_fini(&old.arena);
	free(want);
	s->due_wall_ms = now_ms;
	mark(s, x);
}

static void forget(struct silence_set *s, struct silence *x)
{
	ASSERT(!x->working);
	map_remove(&s->by_id, hash_str(str_c(x->id)), x);
	metric_set(s->gauge, (double)s->by_id.n);
	x->gone = true;
	mark(s, x); /* freed after the commit */
}

/* Room for one more: the one that has been over for longest goes before its five days are, else
 * whoever makes many short silences could make none for days. */
static bool make_room(struct silence_set *s, int64_t now_ms)
{
	struct silence *oldest = NULL, *x;
	size_t pos = 0;

	if (s->by_id.n < LIMIT_SILENCES)
		return true;
	METRIC_LIMIT("silences");
	while ((x = map_each(&s->by_id, &pos)) != NULL) {
		if (!x->working && state_by_bounds(x, now_ms) == SILENCE_EXPIRED &&
			(oldest == NULL || x->ends_ms < oldest->ends_ms))
			oldest = x;
	}
	if (oldest != NULL)
		forget(s, oldest);
	return oldest != NULL;
}

int silence_put(struct silence_set *s, const struct silence_view *v, int64_t now_ms, char *id,
	struct err *e)
{
	struct silence_view given = *v;
	struct silence *was = NULL, *x = NULL;

	if (given.starts_at_ms == 0)
		given.starts_at_ms = now_ms;
	if (given.starts_at_ms >= given.ends_at_ms)
		return refuse(e, "Failed to create silence", "start time must be before end time");
	if (given.ends_at_ms < now_ms)
		return refuse(e, "Failed to create silence", "end time can't be in the past");
	if (given.id.n > 0 && (was = silence_find(s, given.id)) == NULL)
		return err_set(e, ERR_INPUT, 404, "silence not found");
	if (silence_make(&x, &given, e) != 0)
		return -1;
	ASSERT(x != NULL);
	if (was != NULL && may_edit(was, x, now_ms)) {
		edit(s, was, x, now_ms);
		memcpy(id, was->id, sizeof was->id);
		return 0;
	}
	if (!make_room(s, now_ms)) {
		silence_free(x);
		return err_set(e, ERR_INPUT, 400,
			"Failed to create silence: there are %u silences, which is the limit",
			LIMIT_SILENCES);
	}
	if (was != NULL && state_by_bounds(was, now_ms) != SILENCE_EXPIRED)
		finish(s, was, now_ms);
	x->starts_ms = MAX_OF(x->starts_ms, now_ms);
	x->updated_ms = now_ms;
	new_id(x->id);
	silence_add(s, x);
	s->due_wall_ms = now_ms;
	mark(s, x);
	memcpy(id, x->id, sizeof x->id);
	return 0;
}

int silence_end(struct silence_set *s, struct str id, int64_t now_ms, struct err *e)
{
	struct silence *x = silence_find(s, id);

	if (x == NULL)
		return err_set(e, ERR_INPUT, 404, "silence not found");
	if (state_by_bounds(x, now_ms) != SILENCE_EXPIRED)
		finish(s, x, now_ms);
	return 0;
}

/* --- following the clock --- */

static int64_t next_change(const struct silence *x, int64_t now_ms)
{
	int64_t minute = (i64_floor_div(now_ms, MINUTE_MS) + 1) * MINUTE_MS;

	switch (state_by_bounds(x, now_ms)) {
	case SILENCE_PENDING: return x->starts_ms;
	case SILENCE_ACTIVE: return x->n_intervals > 0 ? MIN_OF(minute, x->ends_ms) : x->ends_ms;
	case SILENCE_EXPIRED: break;
	}
	return i64_add_sat(x->ends_ms, LIMIT_SILENCE_KEEP_MS + 1);
}

static void fill_index(struct silence_set *s)
{
	struct silence *x;
	size_t pos = 0;

	matcher_index_fini(&s->index);
	while ((x = map_each(&s->by_id, &pos)) != NULL) {
		if (x->working)
			matcher_index_add(&s->index, x->matchers, x->n, x);
	}
}

static void forget_old(struct silence_set *s, int64_t now_ms)
{
	struct silence *old[64], *x;
	size_t n;

	do { /* the map must not change under the walk */
		size_t pos = 0;

		n = 0;
		while (n < ARRAY_LEN(old) && (x = map_each(&s->by_id, &pos)) != NULL) {
			if (x->ends_ms < i64_sub_sat(now_ms, LIMIT_SILENCE_KEEP_MS))
				old[n++] = x;
		}
		for (size_t i = 0; i < n; i++)
			forget(s, old[i]);
	} while (n == ARRAY_LEN(old));
}

bool silence_refresh(struct silence_set *s, int64_t now_ms)
{
	struct silence *x;
	size_t pos = 0;

	s->n_flipped = 0;
	s->due_wall_ms = INT64_MAX;
	while ((x = map_each(&s->by_id, &pos)) != NULL) {
		bool working = silence_state_at(x, now_ms) == SILENCE_ACTIVE;

		if (working != x->working && s->n_flipped++ < SILENCE_FLIPS)
			s->flipped[s->n_flipped - 1] = x;
		x->working = working;
		s->due_wall_ms = MIN_OF(s->due_wall_ms, next_change(x, now_ms));
	}
	forget_old(s, now_ms);
	if (s->n_flipped > 0 || s->index_stale)
		fill_index(s);
	s->index_stale = false;
	return s->n_flipped > 0;
}

/* --- alerts --- */

struct found {
	struct silence *v[SILENCES_PER_ALERT];
	size_t n;
};

static void on_found(void *item, void *arg)
{
	struct found *f = arg;

	if (f->n < SILENCES_PER_ALERT)
		f->v[f->n++] = item;
}

void silence_release(struct live_alert *a)
{
	for (size_t i = 0; i < a->n_silences; i++)
		a->silences[i]->n_alerts--;
	free(a->silences);
	a->silences = NULL;
	a->n_silences = 0;
}

bool silence_touched(const struct silence_set *s, const struct live_alert *a)
{
	if (s->n_flipped > SILENCE_FLIPS)
		return true;
	for (size_t i = 0; i < s->n_flipped; i++) {
		const struct silence *x = s->flipped[i];

		if (x->working && matchers_match(x->matchers, x->n, a->al.labels))
			return true;
		for (size_t k = 0; !x->working && k < a->n_silences; k++) {
			if (a->silences[k] == x)
				return true;
		}
	}
	return false;
}

bool silence_of(struct silence_set *s, struct live_alert *a)
{
	struct found f = {.n = 0};
	bool same;

	ASSERT(!s->index_stale);
	matcher_index_find(&s->index, a->al.labels, on_found, &f);
	same = f.n == a->n_silences;
	for (size_t i = 0; same && i < f.n; i++)
		same = f.v[i] == a->silences[i];
	if (same)
		return false;
	silence_release(a);
	if (f.n == 0)
		return true;
	a->silences = malloc(f.n * sizeof f.v[0]);
	ASSERT(a->silences != NULL);
	memcpy(a->silences, f.v, f.n * sizeof f.v[0]);
	a->n_silences = f.n;
	for (size_t i = 0; i < f.n; i++)
		f.v[i]->n_alerts++;
	return true;
}
