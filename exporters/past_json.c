/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past_json - past.h as JSON between a running belfry and a replay elsewhere:
 *
 *   "silences": [{"id", "matchers": [{"name", "value", "isRegex", "isEqual"}], "startsAt",
 *     "endsAt", "recurring"}],
 *   "acknowledgements": [{"time", "fingerprint", "by", "takenBack"}]
 */
#include <stdio.h>

#include "base/dur.h"
#include "base/jsonr.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/past.h"
#include "exporters/silence_private.h"

#define ACKS_MAX 1000000u

/* --- writing --- */

static void put_time(struct jsonw *j, const char *key, int64_t ms)
{
	jsonw_key(j, key);
	jsonw_rfc3339(j, ms);
}

static void put_silence(struct jsonw *j, const struct silence_view *v)
{
	jsonw_object(j);
	jsonw_kv_str(j, "id", v->id);
	jsonw_key(j, "matchers");
	jsonw_array(j);
	for (size_t i = 0; i < v->n_matchers; i++) {
		jsonw_object(j);
		jsonw_kv_str(j, "name", v->matchers[i].name);
		jsonw_kv_str(j, "value", v->matchers[i].value);
		jsonw_kv_bool(j, "isRegex", v->matchers[i].is_regex);
		jsonw_kv_bool(j, "isEqual", v->matchers[i].is_equal);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	put_time(j, "startsAt", v->starts_at_ms);
	put_time(j, "endsAt", v->ends_at_ms);
	jsonw_kv_str(j, "recurring", v->recurring);
	jsonw_object_end(j);
}

void past_json(struct jsonw *j, const struct past *p)
{
	jsonw_key(j, "silences");
	jsonw_array(j);
	for (size_t i = 0; i < p->n_silences; i++)
		put_silence(j, &p->silences[i]);
	jsonw_array_end(j);
	jsonw_kv_i64(j, "rebuilt", (int64_t)p->n_rebuilt);
	jsonw_key(j, "acknowledgements");
	jsonw_array(j);
	for (size_t i = 0; i < p->n_acks; i++) {
		char fp[17];

		(void)snprintf(
			fp, sizeof fp, "%016llx", (unsigned long long)p->acks[i].fingerprint);
		jsonw_object(j);
		put_time(j, "time", p->acks[i].at_ms);
		jsonw_kv_c(j, "fingerprint", fp);
		jsonw_kv_str(j, "by", p->acks[i].who);
		jsonw_kv_bool(j, "takenBack", p->acks[i].taken_back);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

/* --- reading --- */

struct reader {
	struct jsonr j;
	struct arena *a;
	struct past *p;
	size_t cap_silences, cap_acks;
};

static void *room(struct reader *r, void *old, size_t n, size_t *cap, size_t elem)
{
	void *p;

	if (n < *cap)
		return old;
	*cap = *cap * 2 + 16;
	p = arena_alloc(r->a, *cap, elem);
	if (p == NULL)
		jsonr_fail(&r->j, "too much for the memory");
	else if (n > 0)
		memcpy(p, old, n * elem);
	return p;
}

static void get_time(struct jsonr *j, int64_t *ms)
{
	struct str s;

	if (jsonr_str(j, &s) && !time_parse_rfc3339(s, ms))
		jsonr_fail(j, "this is no time");
}

static void get_matchers(struct reader *r, struct silence_view *v)
{
	struct jsonr *j = &r->j;
	struct silence_matcher *m = ARENA_ARRAY(r->a, MATCHERS_PER_SILENCE, struct silence_matcher);
	struct str key;

	if (m == NULL)
		jsonr_fail(j, "too much for the memory");
	jsonr_array(j);
	while (m != NULL && jsonr_item(j)) {
		if (v->n_matchers == MATCHERS_PER_SILENCE) {
			jsonr_fail(j, "more than %u matchers", MATCHERS_PER_SILENCE);
			return;
		}
		jsonr_object(j);
		while (jsonr_key(j, &key)) {
			if (str_eq(key, STR("name")))
				jsonr_str(j, &m[v->n_matchers].name);
			else if (str_eq(key, STR("value")))
				jsonr_str(j, &m[v->n_matchers].value);
			else if (str_eq(key, STR("isRegex")))
				jsonr_bool(j, &m[v->n_matchers].is_regex);
			else if (str_eq(key, STR("isEqual")))
				jsonr_bool(j, &m[v->n_matchers].is_equal);
			else
				jsonr_skip(j);
		}
		v->n_matchers++;
	}
	v->matchers = m;
}

static void get_silence(struct reader *r)
{
	struct jsonr *j = &r->j;
	struct silence_view v = {.id = STR(""), .recurring = STR("")};
	struct str key;

	jsonr_object(j);
	while (jsonr_key(j, &key)) {
		if (str_eq(key, STR("id")))
			jsonr_str(j, &v.id);
		else if (str_eq(key, STR("matchers")))
			get_matchers(r, &v);
		else if (str_eq(key, STR("startsAt")))
			get_time(j, &v.starts_at_ms);
		else if (str_eq(key, STR("endsAt")))
			get_time(j, &v.ends_at_ms);
		else if (str_eq(key, STR("recurring")))
			jsonr_str(j, &v.recurring);
		else
			jsonr_skip(j);
	}
	if (!j->failed && v.id.n != SILENCE_ID_LEN)
		jsonr_fail(j, "a silence without an id");
	if (!j->failed && r->p->n_silences == LIMIT_SILENCES)
		jsonr_fail(j, "more than %u silences", LIMIT_SILENCES);
	if (j->failed)
		return;
	r->p->silences =
		room(r, r->p->silences, r->p->n_silences, &r->cap_silences, sizeof *r->p->silences);
	if (r->p->silences != NULL)
		r->p->silences[r->p->n_silences++] = v;
}

static void get_fingerprint(struct jsonr *j, uint64_t *fp)
{
	struct str s;

	*fp = 0;
	if (!jsonr_str(j, &s))
		return;
	for (size_t i = 0; i < s.n; i++) {
		static const char hex[] = "0123456789abcdef";
		const char *at = s.p[i] != '\0' ? strchr(hex, s.p[i]) : NULL;

		if (at == NULL || s.n != 16) {
			jsonr_fail(j, "a fingerprint has 16 hex digits");
			return;
		}
		*fp = *fp << 4 | (uint64_t)(at - hex);
	}
}

static void get_ack(struct reader *r)
{
	struct jsonr *j = &r->j;
	struct past_ack ack = {.who = STR("")};
	struct str key;

	jsonr_object(j);
	while (jsonr_key(j, &key)) {
		if (str_eq(key, STR("time")))
			get_time(j, &ack.at_ms);
		else if (str_eq(key, STR("fingerprint")))
			get_fingerprint(j, &ack.fingerprint);
		else if (str_eq(key, STR("by")))
			jsonr_str(j, &ack.who);
		else if (str_eq(key, STR("takenBack")))
			jsonr_bool(j, &ack.taken_back);
		else
			jsonr_skip(j);
	}
	if (!j->failed && r->p->n_acks == ACKS_MAX)
		jsonr_fail(j, "more than %u acknowledgements", ACKS_MAX);
	if (j->failed)
		return;
	r->p->acks = room(r, r->p->acks, r->p->n_acks, &r->cap_acks, sizeof *r->p->acks);
	if (r->p->acks != NULL)
		r->p->acks[r->p->n_acks++] = ack;
}

static void get_past(struct reader *r)
{
	struct jsonr *j = &r->j;
	struct str key;
	double rebuilt = 0;

	jsonr_object(j);
	while (jsonr_key(j, &key)) {
		if (str_eq(key, STR("silences"))) {
			jsonr_array(j);
			while (jsonr_item(j))
				get_silence(r);
		} else if (str_eq(key, STR("acknowledgements"))) {
			jsonr_array(j);
			while (jsonr_item(j))
				get_ack(r);
		} else if (str_eq(key, STR("rebuilt"))) {
			jsonr_f64(j, &rebuilt);
		} else {
			jsonr_skip(j);
		}
	}
	r->p->n_rebuilt = rebuilt > 0 && rebuilt < 1e9 ? (size_t)rebuilt : 0;
}

int past_parse(struct str json, struct arena *a, struct past *out, struct err *e)
{
	struct reader r = {.a = a, .p = out};
	struct str key;

	*out = (struct past){.silences = NULL};
	jsonr_init(&r.j, json, a, e);
	jsonr_object(&r.j);
	while (jsonr_key(&r.j, &key)) {
		if (str_eq(key, STR("data")))
			get_past(&r);
		else
			jsonr_skip(&r.j);
	}
	if (!jsonr_end(&r.j))
		return err_wrap(e, "silences and acknowledgements");
	for (size_t i = 1; i < out->n_acks; i++) {
		if (out->acks[i - 1].at_ms > out->acks[i].at_ms)
			return err_set(e, ERR_INPUT, 0,
				"silences and acknowledgements: not in the order of time");
	}
	return 0;
}
