/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_noise - which rules page whom for nothing: per rule its firings, messages, short ones,
 * flaps, what people said of it, and the threshold that would have kept it quieter.
 *
 * The suggestion: of the firings that people did not call useful, the worst values are put in
 * order; a threshold beyond three quarters of them would have spared three of four. None is made
 * from fewer than four firings, none when the direction of the comparison is not known.
 */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/num.h"
#include "exporters/history.h"
#include "exporters/message.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

#define RULES_MAX    5000u
#define FIRINGS_KEPT 500u   /* worst values of a rule that are looked at */
#define SHORT_MS     300000 /* over within 5 min: nobody could have done anything */
#define FLAP_MS      600000 /* fired again within 10 min of its end */

struct rule {
	struct rule *next;
	char *name; /* "group / rule" */
	char op[3];
	double threshold;
	uint64_t firings, short_ones, flaps, pages, acknowledged, false_positives, useful;
	int64_t firing_ms;
	double worst[FIRINGS_KEPT];
	size_t n_worst;
};

/* An alert while the events are walked through in order. */
struct story {
	struct rule *rule;
	int64_t fp, fired_ms, ended_ms;
};

struct walk {
	struct map rules, stories, groups; /* groups: of an alert's group key, for the marks */
	struct arena arena;
};

static struct rule *rule_named(struct walk *w, struct str name)
{
	struct map_iter it;
	struct rule *r;

	for (r = map_first(&w->rules, hash_str(name), &it); r != NULL;
		r = map_next(&w->rules, &it)) {
		if (str_eq(str_c(r->name), name))
			return r;
	}
	if (w->rules.n >= RULES_MAX)
		return NULL;
	r = ARENA_NEW(&w->arena, struct rule);
	if (r == NULL)
		return NULL;
	*r = (struct rule){.threshold = NAN};
	r->name = (char *)(uintptr_t)arena_str(&w->arena, name).p;
	map_add(&w->rules, hash_str(name), r);
	return r;
}

static struct story *story_of(struct walk *w, int64_t fp)
{
	uint64_t hash = (uint64_t)fp * UINT64_C(0x9e3779b97f4a7c15);
	struct map_iter it;
	struct story *s;

	for (s = map_first(&w->stories, hash, &it); s != NULL; s = map_next(&w->stories, &it)) {
		if (s->fp == fp)
			return s;
	}
	s = ARENA_NEW(&w->arena, struct story);
	if (s == NULL)
		return NULL;
	*s = (struct story){.fp = fp};
	map_add(&w->stories, hash, s);
	return s;
}

/* Which rules page under a group's key: the first alert that joined names it. */
struct group_rule {
	struct str key;
	struct rule *rule;
};

static struct group_rule *group_named(struct walk *w, struct str key)
{
	struct map_iter it;
	struct group_rule *g;

	for (g = map_first(&w->groups, hash_str(key), &it); g != NULL;
		g = map_next(&w->groups, &it)) {
		if (str_eq(g->key, key))
			return g;
	}
	return NULL;
}

static void join_group(struct walk *w, struct str key, struct rule *r)
{
	struct group_rule *g;

	if (r == NULL || group_named(w, key) != NULL)
		return;
	g = ARENA_NEW(&w->arena, struct group_rule);
	if (g == NULL)
		return;
	g->key = arena_str(&w->arena, key);
	g->rule = r;
	map_add(&w->groups, hash_str(key), g);
}

static void on_firing(struct walk *w, struct story *s, sqlite3_stmt *st, int64_t at)
{
	s->rule = rule_named(w, db_column_str(st, 3));
	if (s->rule == NULL)
		return;
	s->rule->firings++;
	if (s->ended_ms != 0 && at - s->ended_ms < FLAP_MS)
		s->rule->flaps++;
	s->fired_ms = at;
}

static void on_resolved(struct story *s, sqlite3_stmt *st, int64_t at)
{
	struct rule *r = s->rule;
	struct str op = db_column_str(st, 6);

	s->ended_ms = at;
	if (r == NULL || s->fired_ms == 0)
		return;
	r->firing_ms += at - s->fired_ms;
	r->short_ones += at - s->fired_ms < SHORT_MS;
	s->fired_ms = 0;
	if (sqlite3_column_type(st, 4) == SQLITE_NULL || r->n_worst == FIRINGS_KEPT ||
		op.n >= sizeof r->op)
		return;
	r->worst[r->n_worst++] = sqlite3_column_double(st, 4);
	memcpy(r->op, op.p, op.n);
	r->op[op.n] = '\0';
	if (sqlite3_column_type(st, 5) != SQLITE_NULL)
		r->threshold = sqlite3_column_double(st, 5);
}

/* A message that all is over wakes nobody. */
static bool tells_the_end(struct str told)
{
	return str_ends(told, str_c(message_reason_text(REASON_ALL_RESOLVED)));
}

/* Columns: 0 at, 1 fingerprint, 2 kind, 3 detail, 4 worst, 5 threshold, 6 op. */
static int walk_events(struct walk *w, sqlite3 *db, int64_t from_ms, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT at_ms,fingerprint,kind,detail,worst,threshold,op FROM history WHERE "
		    "at_ms >= ? ORDER BY id",
		    e) != 0)
		return -1;
	(void)sqlite3_bind_int64(st, 1, from_ms);
	while ((rc = db_step_row(st, "read the history", e)) > 0) {
		struct story *s = story_of(w, sqlite3_column_int64(st, 1));
		int64_t at = sqlite3_column_int64(st, 0);

		if (s == NULL) {
			rc = err_set(e, ERR_LIMIT, 0, "too much history for one report");
			break;
		}
		switch (sqlite3_column_int(st, 2)) {
		case HISTORY_FIRING: on_firing(w, s, st, at); break;
		case HISTORY_RESOLVED: on_resolved(s, st, at); break;
		case HISTORY_GROUPED: join_group(w, db_column_str(st, 3), s->rule); break;
		case HISTORY_TOLD:
			if (s->rule != NULL && !tells_the_end(db_column_str(st, 3)))
				s->rule->pages++;
			break;
		case HISTORY_ACKNOWLEDGED:
			if (s->rule != NULL)
				s->rule->acknowledged++;
			break;
		default: break;
		}
	}
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static int walk_marks(struct walk *w, sqlite3 *db, int64_t from_ms, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT group_key,what,count(DISTINCT incident_ms) FROM mark WHERE at_ms >= ? "
		    "GROUP BY 1,2",
		    e) != 0)
		return -1;
	(void)sqlite3_bind_int64(st, 1, from_ms);
	while ((rc = db_step_row(st, "read marks", e)) > 0) {
		struct group_rule *g = group_named(w, db_column_str(st, 0));
		struct str what = db_column_str(st, 1);
		uint64_t n = (uint64_t)sqlite3_column_int64(st, 2);

		if (g == NULL)
			continue;
		if (str_eq(what, STR("false_positive")))
			g->rule->false_positives += n;
		else if (str_eq(what, STR("useful")))
			g->rule->useful += n;
	}
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static int by_value(const void *va, const void *vb)
{
	const double *a = va, *b = vb;

	return *a < *b ? -1 : *a > *b;
}

/* NaN: none. */
static double suggestion(struct rule *r)
{
	bool above = r->op[0] == '>', below = r->op[0] == '<';
	double v;

	if ((!above && !below) || r->n_worst < 4 || isnan(r->threshold))
		return NAN;
	qsort(r->worst, r->n_worst, sizeof *r->worst, by_value);
	v = above ? r->worst[r->n_worst * 3 / 4] : r->worst[r->n_worst / 4];
	return (above && v > r->threshold) || (below && v < r->threshold) ? v : NAN;
}

static int noisiest_first(const void *va, const void *vb)
{
	const struct rule *const *pa = va, *const *pb = vb;
	const struct rule *a = *pa, *b = *pb;
	uint64_t na = a->pages + a->false_positives * 10, nb = b->pages + b->false_positives * 10;

	if (na != nb)
		return na > nb ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void write_rule(struct jsonw *j, struct rule *r)
{
	double better = suggestion(r);
	/* an incident is often acknowledged first and judged later */
	uint64_t judged = MAX_OF(r->false_positives + r->useful, r->acknowledged);

	jsonw_object(j);
	jsonw_kv_c(j, "rule", r->name);
	jsonw_kv_i64(j, "firings", (int64_t)r->firings);
	jsonw_kv_i64(j, "pages", (int64_t)r->pages);
	jsonw_kv_i64(j, "acknowledged", (int64_t)r->acknowledged);
	jsonw_kv_i64(j, "useful", (int64_t)r->useful);
	jsonw_kv_i64(j, "false_positives", (int64_t)r->false_positives);
	if (judged > 0)
		jsonw_kv_f64(j, "false_positive_rate", (double)r->false_positives / (double)judged);
	jsonw_kv_i64(j, "shorter_than_5m", (int64_t)r->short_ones);
	jsonw_kv_i64(j, "flaps", (int64_t)r->flaps);
	jsonw_kv_f64(j, "firing_seconds", (double)r->firing_ms / 1000);
	if (!isnan(r->threshold)) {
		jsonw_kv_c(j, "comparison", r->op);
		jsonw_kv_f64(j, "threshold", r->threshold);
	}
	if (!isnan(better))
		jsonw_kv_f64(j, "suggested_threshold", better);
	jsonw_object_end(j);
}

static void write_rules(struct walk *w, struct jsonw *j)
{
	struct rule **v = ARENA_ARRAY(&w->arena, w->rules.n + 1, struct rule *), *r;
	size_t n = 0, pos = 0;

	jsonw_object(j);
	jsonw_key(j, "rules");
	jsonw_array(j);
	while (v != NULL && (r = map_each(&w->rules, &pos)) != NULL)
		v[n++] = r;
	if (v != NULL)
		qsort(v, n, sizeof(struct rule *), noisiest_first);
	for (size_t i = 0; i < n; i++)
		write_rule(j, v[i]);
	jsonw_array_end(j);
	jsonw_object_end(j);
}

int history_noise_json(struct state *s, int64_t from_ms, struct buf *out, struct err *e)
{
	struct walk w;
	struct jsonw j;
	sqlite3 *db;
	int rc;

	if (state_reader(s, &db, e) != 0)
		return -1;
	arena_init(&w.arena, (size_t)256 << 20);
	map_init(&w.rules);
	map_init(&w.stories);
	map_init(&w.groups);
	rc = walk_events(&w, db, from_ms, e);
	if (rc == 0)
		rc = walk_marks(&w, db, from_ms, e);
	(void)sqlite3_close(db);
	if (rc == 0) {
		jsonw_init(&j, out);
		write_rules(&w, &j);
	}
	map_fini(&w.rules);
	map_fini(&w.stories);
	map_fini(&w.groups);
	arena_fini(&w.arena);
	return rc;
}
