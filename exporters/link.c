/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - the tokens in messages' links: HMAC-SHA-256 (RFC 2104) over group key and incident under a
 * random key that is drawn once per state.db. A token opens one incident's page and nothing else.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "exporters/clean.h"
#include "exporters/history_internal.h"
#include "exporters/notify_internal.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

#define LINK_LIFE_MS INT64_C(2592000000) /* 30 days */

static void to_hex(const unsigned char *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(struct str s, unsigned char *out, size_t n)
{
	if (s.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(s.p[2 * i]), lo = hex_digit(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (unsigned char)(hi << 4 | lo);
	}
	return true;
}

int link_load_key(struct history *h, sqlite3 *db, struct err *e)
{
	char hex[2 * sizeof h->key + 1];
	sqlite3_stmt *st;
	bool found = false;
	int rc;

	if (db_prepare(db, &st, "SELECT value FROM notify_meta WHERE key='link_key'", e) != 0)
		return -1;
	rc = db_step_row(st, "read the key of links", e);
	if (rc > 0)
		found = from_hex(db_column_str(st, 0), h->key, sizeof h->key);
	(void)sqlite3_finalize(st);
	if (rc < 0 || found)
		return rc < 0 ? -1 : 0;
	hash_random(h->key, sizeof h->key);
	to_hex(h->key, sizeof h->key, hex);
	if (db_prepare(db, &st, "INSERT OR REPLACE INTO notify_meta VALUES('link_key', ?)", e) != 0)
		return -1;
	db_bind_text(st, 1, str_c(hex));
	rc = db_step_done(st, "store the key of links", e);
	(void)sqlite3_finalize(st);
	OPENSSL_cleanse(hex, sizeof hex);
	return rc;
}

void link_token(struct history *h, struct str group_key, int64_t incident_ms, struct labels labels,
	struct str title, char token[LINK_TOKEN_LEN + 1])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int mac_len = 0;
	struct buf text, blob;
	struct fact *f;

	buf_init(&text, (size_t)2 << 20);
	buf_printf(&text, "%lld ", (long long)incident_ms);
	buf_str(&text, group_key);
	ASSERT(!text.failed);
	ASSERT(HMAC(EVP_sha256(), h->key, (int)sizeof h->key, (const unsigned char *)text.p, text.n,
		       mac, &mac_len) != NULL);
	to_hex(mac, LINK_TOKEN_LEN / 2, token);
	buf_fini(&text);
	buf_init(&blob, (size_t)64 << 10);
	labels_blob_write(&blob, labels);
	f = blob.failed ? NULL : history_add(h, FACT_LINK, group_key, title, buf_view(&blob));
	buf_fini(&blob);
	if (f == NULL)
		return; /* the link will say that it is not known */
	memcpy(f->token, token, sizeof f->token);
	f->incident_ms = incident_ms;
}

static struct str link_url(struct arena *a, struct str base, const char *token, const char *rest)
{
	struct buf b;
	struct str s;

	buf_init(&b, base.n + 256);
	buf_str(&b, base);
	buf_printf(&b, "/l/%s%s", token, rest);
	s = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return s;
}

void link_message(struct history *h, struct message *m, struct arena *a)
{
	struct labels labels = m->group_labels.n > 0 ? m->group_labels : m->common_labels;
	struct str base = m->external_url;
	char token[LINK_TOKEN_LEN + 1];
	struct buf title;

	while (str_ends(base, STR("/")))
		base.n--;
	if (base.n == 0)
		return;
	buf_init(&title, 4096);
	message_subject(m, &title);
	link_token(h, m->group_key, m->incident_ms, labels, buf_view(&title), token);
	buf_fini(&title);
	m->page_url = link_url(a, base, token, "");
	m->ack_url = link_url(a, base, token, "?do=ack");
	if (labels.n > 0) /* a silence that matches everything is never offered */
		m->silence_url = link_url(a, base, token, "?do=silence");
}

static int read_target(sqlite3_stmt *st, struct arena *a, struct link_target *out, struct err *e)
{
	struct str blob = arena_str(a, db_column_str(st, 2));

	out->group_key = arena_str(a, db_column_str(st, 0));
	out->incident_ms = sqlite3_column_int64(st, 1);
	out->title = arena_str(a, db_column_str(st, 3));
	out->created_ms = sqlite3_column_int64(st, 4);
	if (labels_blob_read(blob, a, &out->labels, e) != 0)
		return -1;
	if (a->failed)
		return err_set(e, ERR_LIMIT, 0, "the incident is too large");
	if (out->created_ms < clock_wall_ms() - LINK_LIFE_MS)
		return err_set(e, ERR_INPUT, 404, "this link is older than 30 days");
	return 0;
}

int link_resolve(
	struct state *s, struct str token, struct arena *a, struct link_target *out, struct err *e)
{
	unsigned char bytes[LINK_TOKEN_LEN / 2];
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	int rc;

	if (!from_hex(token, bytes, sizeof bytes))
		return err_set(e, ERR_INPUT, 404, "this is not a link of belfry's");
	if (state_reader(s, &db, e) != 0)
		return -1;
	rc = db_prepare(db, &st,
		"SELECT group_key,incident_ms,labels,title,created_ms FROM link WHERE token=?", e);
	if (rc == 0) {
		db_bind_text(st, 1, token);
		rc = db_step_row(st, "look a link up", e);
		if (rc == 0)
			rc = err_set(e, ERR_INPUT, 404, "this link is not known, or too old");
		else if (rc > 0)
			rc = read_target(st, a, out, e);
	}
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	return rc;
}

/* --- marks --- */

struct mark_job {
	struct state_job job;
	struct str group_key, what, who, note;
	int64_t incident_ms;
};

static int run_mark(struct state_job *job, sqlite3 *db, struct err *e)
{
	const struct mark_job *m = job->arg;
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "INSERT INTO mark(at_ms,group_key,incident_ms,what,who,note) "
		    "VALUES(?,?,?,?,?,?)",
		    e) != 0)
		return -1;
	(void)sqlite3_bind_int64(st, 1, clock_wall_ms());
	db_bind_text(st, 2, m->group_key);
	(void)sqlite3_bind_int64(st, 3, m->incident_ms);
	db_bind_text(st, 4, m->what);
	db_bind_text(st, 5, m->who);
	db_bind_text(st, 6, m->note);
	rc = db_step_done(st, "store a mark", e);
	(void)sqlite3_finalize(st);
	return rc;
}

int history_mark(struct state *s, struct str group_key, int64_t incident_ms, struct str what,
	struct str who, struct str note, struct err *e)
{
	struct mark_job m = {.group_key = group_key, .what = what, .incident_ms = incident_ms};
	struct buf clean_who, clean_note;
	int rc;

	if (who.n > 200 || note.n > 2000)
		return err_set(e, ERR_INPUT, 400, "a name has at most 200 bytes, a note 2,000");
	buf_init(&clean_who, 1024);
	buf_init(&clean_note, 8192);
	clean_text(&clean_who, who, 1000, CLEAN_ONE_LINE); /* U+FFFD may stand for every byte */
	clean_text(&clean_note, note, 8000, CLEAN_LINES);
	m.who = buf_view(&clean_who);
	m.note = buf_view(&clean_note);
	m.job.run = run_mark;
	m.job.arg = &m;
	rc = state_call(s, &m.job, e);
	buf_fini(&clean_who);
	buf_fini(&clean_note);
	return rc;
}
