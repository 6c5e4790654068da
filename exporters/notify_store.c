/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_store - the notifier's rows in state.db: writes what is dirty, loads everything at start.
 *
 * notify_store_write may run more than once for the same changes (a commit that failed): it only
 * upserts and deletes by key, and clears nothing; notify_store_committed clears.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/rd.h"
#include "exporters/notify_internal.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

enum statement {
	ST_GROUP_PUT,
	ST_GROUP_DEL,
	ST_MEMBERS_DEL,
	ST_MEMBER_PUT,
	ST_MEMBER_DEL,
	ST_META_PUT,
	ST_COUNT
};

static const char *const sql[ST_COUNT] = {
	[ST_GROUP_PUT] =
		"INSERT OR REPLACE INTO "
		"notify_group(key,route,labels,incident_ms,flushed_ms,due_ms,sent,receiver,told) "
		"VALUES(?,?,?,?,?,?,?,?,?)",
	[ST_GROUP_DEL] = "DELETE FROM notify_group WHERE key=?",
	[ST_MEMBERS_DEL] = "DELETE FROM notify_member WHERE group_key=?",
	[ST_MEMBER_PUT] =
		"INSERT OR REPLACE INTO notify_member VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_MEMBER_DEL] =
		"DELETE FROM notify_member WHERE group_key=? AND fingerprint=? AND labels=?",
	[ST_META_PUT] = "INSERT OR REPLACE INTO notify_meta VALUES(?,?)",
};

static sqlite3_stmt *statement(const struct notify *n, enum statement which)
{
	ASSERT(n->st[which] != NULL);
	return n->st[which];
}

void notify_store_close(struct notify *n)
{
	for (size_t i = 0; i < ARRAY_LEN(n->st); i++) {
		(void)sqlite3_finalize(n->st[i]); /* repeats the last step's error, told already */
		n->st[i] = NULL;
	}
	outbox_store_close(n);
	incident_store_close(n);
}

static int64_t to_wall(int64_t mono_ms)
{
	if (mono_ms == INT64_MAX)
		return 0;
	return i64_add_sat(clock_wall_ms(), mono_ms - clock_mono_ms());
}

/* Back after a restart; never further away than a day, should the wall clock have jumped. */
static int64_t to_mono(int64_t wall_ms)
{
	int64_t in = wall_ms - clock_wall_ms();

	if (wall_ms == 0)
		return INT64_MAX;
	return clock_mono_ms() + MIN_OF(MAX_OF(in, 0), INT64_C(86400000));
}

/* When a group is due, and was told last: a clock that was set back meanwhile would keep it silent
 * until it has caught up. How long it stood still nobody knows: as if not at all. */
static void load_times(struct notify *n, struct group *g, int64_t flushed_ms, int64_t due_ms)
{
	int64_t now = clock_wall_ms();

	if (due_ms != 0 && flushed_ms > now)
		due_ms -= flushed_ms - now;
	g->flushed_wall_ms = MIN_OF(flushed_ms, now);
	group_due_at(n, g, to_mono(due_ms));
}

/* --- writing --- */

static void write_fps(struct buf *b, const uint64_t *v, size_t n)
{
	buf_varint(b, n);
	buf_add(b, v, n * sizeof *v);
}

static int put_group(const struct notify *n, const struct group *g, struct err *e)
{
	sqlite3_stmt *st = statement(n, ST_GROUP_PUT);
	struct buf labels, sent, told;
	int rc;

	buf_init(&told, 4096);
	buf_init(&labels, (size_t)1 << 20);
	buf_init(&sent, (size_t)256 << 20);
	labels_blob_write(&labels, g->labels);
	for (size_t i = 0; i < g->n_sent; i++) {
		buf_varint(&sent, g->sent[i].any);
		buf_varint(&sent, (uint64_t)g->sent[i].at_ms);
		write_fps(&sent, g->sent[i].firing, g->sent[i].n_firing);
		write_fps(&sent, g->sent[i].resolved, g->sent[i].n_resolved);
	}
	for (size_t i = 0; i < g->n_sent; i++) /* since version 3 */
		write_fps(&sent, g->sent[i].held, g->sent[i].n_held);
	buf_varint(&sent, g->name);
	for (size_t i = 0; i < g->n_sent; i++)
		buf_varint(&sent, g->sent[i].apart);
	db_bind_text(st, 1, g->key);
	db_bind_text(st, 2, g->route != ROUTE_NONE ? n->routes.v[g->route].key : STR(""));
	db_bind_blob(st, 3, buf_view(&labels));
	(void)sqlite3_bind_int64(st, 4, g->incident_ms);
	(void)sqlite3_bind_int64(st, 5, g->flushed_wall_ms);
	(void)sqlite3_bind_int64(st, 6, to_wall(group_due_ms(g)));
	db_bind_blob(st, 7, buf_view(&sent));
	db_bind_text(st, 8, str_c(g->receiver));
	for (size_t i = 0; i < g->n_sent; i++)
		buf_printf(&told, "%s%d/%zu", i > 0 ? " " : "", (int)g->sent[i].kind,
			g->sent[i].index);
	db_bind_text(st, 9, buf_view(&told));
	rc = db_step_done(st, "store a group", e);
	buf_fini(&told);
	buf_fini(&sent);
	buf_fini(&labels);
	return rc;
}

static int put_member(
	const struct notify *n, const struct group *g, const struct member *m, struct err *e)
{
	sqlite3_stmt *st = statement(n, m->gone ? ST_MEMBER_DEL : ST_MEMBER_PUT);
	const struct message_alert *al = &m->a->al;
	struct buf labels, annotations;
	int rc;

	buf_init(&labels, (size_t)4 << 20);
	buf_init(&annotations, (size_t)16 << 20);
	labels_blob_write(&labels, al->labels);
	labels_blob_write(&annotations, al->annotations);
	db_bind_text(st, 1, g->key);
	(void)sqlite3_bind_int64(st, 2, (int64_t)al->fingerprint);
	db_bind_blob(st, 3, buf_view(&labels));
	if (!m->gone) {
		db_bind_blob(st, 4, buf_view(&annotations));
		(void)sqlite3_bind_int(st, 5, al->firing);
		(void)sqlite3_bind_int64(st, 6, al->starts_at_ms);
		(void)sqlite3_bind_int64(st, 7, al->ends_at_ms);
		(void)sqlite3_bind_double(st, 8, al->value); /* NaN is stored as NULL */
		(void)sqlite3_bind_double(st, 9, al->current);
		(void)sqlite3_bind_double(st, 10, al->worst);
		(void)sqlite3_bind_double(st, 11, al->threshold);
		db_bind_text(st, 12, str_c(al->op));
		db_bind_text(st, 13, al->rule);
		db_bind_text(st, 14, al->group);
		db_bind_text(st, 15, al->expr);
	}
	rc = db_step_done(st, "store an alert of a group", e);
	buf_fini(&annotations);
	buf_fini(&labels);
	return rc;
}

static int write_group(const struct notify *n, const struct group *g, struct err *e)
{
	sqlite3_stmt *st;
	struct member *m;
	size_t pos = 0;

	if (g->dead) {
		st = statement(n, ST_GROUP_DEL);
		db_bind_text(st, 1, g->key);
		if (db_step_done(st, "delete a group", e) != 0)
			return -1;
		st = statement(n, ST_MEMBERS_DEL);
		db_bind_text(st, 1, g->key);
		return db_step_done(st, "delete a group's alerts", e);
	}
	if (put_group(n, g, e) != 0)
		return -1;
	/* who left first: an alert may have joined again */
	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (m->dirty && m->gone && put_member(n, g, m, e) != 0)
			return -1;
	}
	pos = 0;
	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (m->dirty && !m->gone && put_member(n, g, m, e) != 0)
			return -1;
	}
	return 0;
}

static int put_meta(const struct notify *n, const char *key, struct str value, struct err *e)
{
	sqlite3_stmt *st = statement(n, ST_META_PUT);

	db_bind_text(st, 1, str_c(key));
	db_bind_text(st, 2, value);
	return db_step_done(st, "store the notifier's ids", e);
}

int notify_store_write(struct notify *n, sqlite3 *db, struct err *e)
{
	char seq[24];

	/* the dead first: a new group may bear the same key */
	for (const struct group *g = n->dirty_groups; g != NULL; g = g->next_dirty) {
		if (g->dead && write_group(n, g, e) != 0)
			return -1;
	}
	for (const struct group *g = n->dirty_groups; g != NULL; g = g->next_dirty) {
		if (!g->dead && write_group(n, g, e) != 0)
			return -1;
	}
	if (outbox_store_write(n, db, e) != 0 || incident_store_write(n, e) != 0)
		return -1;
	if (history_write(n->history, db, e) != 0 || silence_write(&n->silences, db, e) != 0 ||
		external_write(n, db, e) != 0)
		return -1;
	if (!n->seq_dirty)
		return 0;
	(void)snprintf(seq, sizeof seq, "%llu", (unsigned long long)n->seq);
	return put_meta(n, "seq", str_c(seq), e);
}

static void clean_members(struct notify *n, struct group *g)
{
	struct member *m, **gone = NULL;
	size_t pos = 0, n_gone = 0;

	/* the map must not change under the walk: gather, then remove */
	while ((m = map_each(&g->members, &pos)) != NULL) {
		m->dirty = false;
		if (!m->gone)
			continue;
		if (gone == NULL)
			gone = malloc(g->members.n * sizeof(struct member *));
		ASSERT(gone != NULL);
		gone[n_gone++] = m;
	}
	for (size_t i = 0; i < n_gone; i++)
		group_forget(n, g, gone[i]);
	free(gone);
}

void notify_store_committed(struct notify *n)
{
	struct group *g;

	n->seq_dirty = false;
	history_committed(n->history);
	silence_committed(&n->silences);
	while ((g = n->dirty_groups) != NULL) {
		n->dirty_groups = g->next_dirty;
		g->dirty = false;
		if (g->dead)
			group_free(n, g);
		else
			clean_members(n, g);
	}
	external_committed(n);
	outbox_store_committed(n);
	incident_store_committed(n);
}

/* --- loading --- */

static int load_meta(struct notify *n, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *st;
	unsigned char random[8];
	unsigned long long seq;
	int rc;

	if (db_prepare(db, &st, "SELECT key, value FROM notify_meta", e) != 0)
		return -1;
	while ((rc = db_step_row(st, "read the notifier's ids", e)) > 0) {
		struct str key = db_column_str(st, 0), value = db_column_str(st, 1);

		if (str_eq(key, STR("seq")) && str_to_u64(value, &seq))
			n->seq = seq;
		else if (str_eq(key, STR("instance")) && value.n == sizeof n->instance - 1)
			memcpy(n->instance, value.p, value.n);
	}
	(void)sqlite3_finalize(st);
	if (rc < 0 || n->instance[0] != '\0')
		return rc < 0 ? -1 : 0;
	hash_random(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		(void)snprintf(n->instance + 2 * i, 3, "%02x", random[i]);
	return put_meta(n, "instance", str_c(n->instance), e);
}

static bool read_fps(struct rd *r, uint64_t **out, size_t *n)
{
	uint64_t count = rd_varint(r);
	struct str bytes;

	if (count > rd_left(r) / sizeof **out)
		return false;
	bytes = rd_bytes(r, count * sizeof **out);
	*out = malloc(bytes.n + sizeof **out);
	ASSERT(*out != NULL);
	if (bytes.n > 0)
		memcpy(*out, bytes.p, bytes.n);
	*n = count;
	return true;
}

/* The row's last part; older rows end before it. One that is cut off, or that speaks of more
 * integrations than are known here, is not to be taken for a name. */
static void load_name(struct group *g, struct rd *r)
{
	bool apart[INTEGRATIONS_MAX];
	uint64_t name;

	if (!rd_more(r))
		return;
	name = rd_varint(r);
	for (size_t i = 0; i < g->n_sent; i++)
		apart[i] = rd_varint(r) != 0;
	if (r->bad || rd_more(r))
		return;
	g->name = name;
	for (size_t i = 0; i < g->n_sent; i++)
		g->sent[i].apart = apart[i];
}

static void load_sent(struct group *g, struct str blob)
{
	struct rd r = rd_of(blob);

	for (size_t i = 0; i < g->n_sent && rd_more(&r); i++) {
		struct sent *s = &g->sent[i];

		s->any = rd_varint(&r) != 0;
		s->at_ms = (int64_t)rd_varint(&r);
		s->at_ms = MIN_OF(s->at_ms, clock_wall_ms());
		if (!read_fps(&r, &s->firing, &s->n_firing) ||
			!read_fps(&r, &s->resolved, &s->n_resolved))
			return;
	}
	for (size_t i = 0; i < g->n_sent && rd_more(&r); i++) {
		if (!read_fps(&r, &g->sent[i].held, &g->sent[i].n_held))
			return;
	}
	load_name(g, &r);
}

/* "0/0 0/1 2/0": kind and index of each integration. */
static size_t read_told(struct str told, struct integration *v, size_t max)
{
	struct str one, kind;
	size_t n = 0;

	while (n < max && str_split(&told, ' ', &one)) {
		unsigned long long k, index;

		if (!str_split(&one, '/', &kind) || !str_to_u64(kind, &k) ||
			!str_to_u64(one, &index) || k >= INTEGRATION_KINDS)
			return 0;
		v[n].kind = (enum integration_kind)k;
		v[n++].index = (size_t)index;
	}
	return n;
}

/* Rows of version 2 counted instead: first Slack, then mail, then webhooks. */
static size_t read_counts(sqlite3_stmt *st, struct integration *v, size_t max)
{
	size_t slack = (size_t)sqlite3_column_int64(st, 8);
	size_t email = (size_t)sqlite3_column_int64(st, 9);
	size_t all = (size_t)sqlite3_column_int64(st, 10);

	if (all > max || slack > all || email > all - slack)
		return 0;
	for (size_t i = 0; i < all; i++) {
		bool is_slack = i < slack, is_email = !is_slack && i < slack + email;

		v[i].kind = is_slack ? INT_SLACK : is_email ? INT_EMAIL : INT_WEBHOOK;
		v[i].index = is_slack ? i : is_email ? i - slack : i - slack - email;
	}
	return all;
}

/* The receiver as it was then; rows of version 1 speak of the one of today. */
static void load_told_by(struct group *g, sqlite3_stmt *st)
{
	struct integration v[INTEGRATIONS_MAX];
	struct receiver_config then = {.name = db_column_str(st, 7), .v = v};

	memset(v, 0, sizeof v);
	if (then.name.n == 0)
		return;
	if (sqlite3_column_type(st, 11) == SQLITE_NULL)
		then.n = read_counts(st, v, ARRAY_LEN(v));
	else
		then.n = read_told(db_column_str(st, 11), v, ARRAY_LEN(v));
	group_told_by(g, &then);
}

static int load_groups(struct notify *n, sqlite3 *db, struct err *e)
{
	struct arena scratch;
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT key,route,labels,incident_ms,flushed_ms,due_ms,sent,receiver,n_slack,"
		    "n_email,n_sent,told FROM notify_group",
		    e) != 0)
		return -1;
	arena_init(&scratch, (size_t)64 << 20);
	while ((rc = db_step_row(st, "read groups", e)) > 0) {
		size_t route = route_find(&n->routes, db_column_str(st, 1));
		struct labels labels;
		struct group *g;

		arena_reset(&scratch);
		if (labels_blob_read(db_column_str(st, 2), &scratch, &labels, e) != 0) {
			rc = -1;
			break;
		}
		/* its route is gone: group_reroute finds its alerts another place */
		g = group_new(
			n, db_column_str(st, 0), labels, route < n->routes.n ? route : ROUTE_NONE);
		g->incident_ms = sqlite3_column_int64(st, 3);
		load_times(n, g, sqlite3_column_int64(st, 4), sqlite3_column_int64(st, 5));
		load_told_by(g, st);
		load_sent(g, db_column_str(st, 6));
	}
	arena_fini(&scratch);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static struct group *group_by_key(const struct notify *n, struct str key)
{
	struct map_iter it;

	for (struct group *g = map_first(&n->groups, hash_str(key), &it); g != NULL;
		g = map_next(&n->groups, &it)) {
		if (str_eq(g->key, key))
			return g;
	}
	return NULL;
}

static double column_f64(sqlite3_stmt *st, int col)
{
	return sqlite3_column_type(st, col) == SQLITE_NULL ? normal_nan()
							   : sqlite3_column_double(st, col);
}

static void load_member(struct notify *n, struct group *g, sqlite3_stmt *st, struct labels labels,
	struct labels annotations)
{
	struct live_alert_source source = {.labels = labels,
		.annotations = annotations,
		.fingerprint = (uint64_t)sqlite3_column_int64(st, 1),
		.rule = db_column_str(st, 12),
		.group = db_column_str(st, 13),
		.expr = db_column_str(st, 14)};
	struct str op = db_column_str(st, 11);
	struct live_alert *a = live_alert_find(&n->alerts, labels);
	char text[3] = "";

	if (a == NULL) {
		a = live_alert_new(&n->alerts, &source);
		a->al.firing = sqlite3_column_int(st, 4) != 0;
		a->al.starts_at_ms = sqlite3_column_int64(st, 5);
		a->al.ends_at_ms = sqlite3_column_int64(st, 6);
		a->al.value = column_f64(st, 7);
		a->al.current = column_f64(st, 8);
		a->al.worst = column_f64(st, 9);
		a->al.threshold = column_f64(st, 10);
		memcpy(text, op.p, MIN_OF(op.n, sizeof text - 1));
		a->al.op = live_alert_op(text);
		a->from_rule = a->al.firing && source.rule.n > 0;
		a->updated_ms = clock_wall_ms();
	}
	if (group_member(g, a) == NULL)
		(void)group_join(g, a);
}

static int load_members(struct notify *n, sqlite3 *db, struct err *e)
{
	struct arena scratch;
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT "
		    "group_key,fingerprint,labels,annotations,firing,starts_ms,ends_ms,value,"
		    "current,"
		    "worst,threshold,op,rule,rule_group,expr FROM notify_member",
		    e) != 0)
		return -1;
	arena_init(&scratch, (size_t)64 << 20);
	while ((rc = db_step_row(st, "read alerts of groups", e)) > 0) {
		struct group *g = group_by_key(n, db_column_str(st, 0));
		struct labels labels, annotations;

		arena_reset(&scratch);
		if (g == NULL)
			continue;
		if (labels_blob_read(db_column_str(st, 2), &scratch, &labels, e) != 0 ||
			labels_blob_read(db_column_str(st, 3), &scratch, &annotations, e) != 0) {
			rc = -1;
			break;
		}
		load_member(n, g, st, labels, annotations);
	}
	arena_fini(&scratch);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

int notify_store_load(struct notify *n, struct err *e)
{
	sqlite3 *db = state_db(n->state);

	for (size_t i = 0; i < ST_COUNT; i++) {
		if (db_prepare(db, &n->st[i], sql[i], e) != 0)
			return -1;
	}
	if (load_meta(n, db, e) != 0)
		return -1;
	if (n->routes.n > 0) {
		if (load_groups(n, db, e) != 0 || load_members(n, db, e) != 0 ||
			incident_store_load(n, db, e) != 0)
			return -1;
	}
	if (external_load(n, e) != 0 || silence_load(&n->silences, db, e) != 0)
		return -1;
	return outbox_store_load(n, db, e);
}
