/* SPDX-License-Identifier: Apache-2.0 */
/* api_am_silences - silences in Alertmanager's API v2: listed, made, changed, ended. */
#include "agent/am.h"
#include "agent/am_body.h"
#include "base/clock.h"

static void matcher(struct jsonw *j, const struct silence_matcher *m)
{
	jsonw_object(j);
	jsonw_kv_bool(j, "isEqual", m->is_equal);
	jsonw_kv_bool(j, "isRegex", m->is_regex);
	jsonw_kv_str(j, "name", m->name);
	jsonw_kv_str(j, "value", m->value);
	jsonw_object_end(j);
}

static const char *state_name(enum silence_state s)
{
	switch (s) {
	case SILENCE_ACTIVE: return "active";
	case SILENCE_PENDING: return "pending";
	case SILENCE_EXPIRED: break;
	}
	return "expired";
}

/* beyond: how many alerts it silences, which only belfry tells. */
static void silence(struct jsonw *j, const struct silence_view *s, bool beyond)
{
	jsonw_object(j);
	jsonw_kv_str(j, "id", s->id);
	jsonw_key(j, "status");
	jsonw_object(j);
	jsonw_kv_c(j, "state", state_name(s->state));
	jsonw_object_end(j);
	am_time(j, "updatedAt", s->updated_at_ms);
	jsonw_key(j, "annotations");
	jsonw_labels(j, s->annotations);
	jsonw_kv_str(j, "comment", s->comment);
	jsonw_kv_str(j, "createdBy", s->created_by);
	am_time(j, "endsAt", s->ends_at_ms);
	jsonw_key(j, "matchers");
	jsonw_array(j);
	for (size_t i = 0; i < s->n_matchers; i++)
		matcher(j, &s->matchers[i]);
	jsonw_array_end(j);
	am_time(j, "startsAt", s->starts_at_ms);
	if (beyond) {
		jsonw_kv_str(j, "recurring", s->recurring);
		jsonw_kv_i64(j, "alerts", (int64_t)s->n_alerts);
	}
	jsonw_object_end(j);
}

/* The silence has this very matcher. */
static bool holds(const struct silence_view *s, const struct matcher *m)
{
	bool is_regex = m->op == MATCH_RE || m->op == MATCH_NRE;
	bool is_equal = m->op == MATCH_EQ || m->op == MATCH_RE;

	for (size_t i = 0; i < s->n_matchers; i++) {
		const struct silence_matcher *own = &s->matchers[i];

		if (str_eq(own->name, m->name) && str_eq(own->value, m->value) &&
			own->is_regex == is_regex && own->is_equal == is_equal)
			return true;
	}
	return false;
}

static bool wanted(const struct silence_view *s, const struct am_filter *f, const bool states[3])
{
	if (!states[s->state])
		return false;
	for (size_t i = 0; i < f->n; i++) {
		if (!holds(s, &f->m[i]))
			return false;
	}
	return true;
}

static void list(struct http_req *r, struct app *app, bool beyond)
{
	bool states[3] = {
		[SILENCE_ACTIVE] = am_bool(r, "active", true),
		[SILENCE_PENDING] = am_bool(r, "pending", true),
		[SILENCE_EXPIRED] = am_bool(r, "expired", true),
	};
	struct silence_view *v;
	struct am_filter f;
	struct arena a;
	struct err e = {0};
	struct jsonw j;
	size_t n;

	if (!am_accepts(r) || !am_filter_read(r, &f))
		return;
	arena_init(&a, AM_ANSWER_MEMORY);
	if (notify_silences(app->notify, &a, &v, &n, &e) != 0) {
		am_fail(r, &e);
	} else {
		am_begin(r, &j);
		jsonw_array(&j);
		for (size_t i = 0; i < n; i++) {
			if (wanted(&v[i], &f, states))
				silence(&j, &v[i], beyond);
		}
		jsonw_array_end(&j);
		http_finish(r);
	}
	arena_fini(&a);
	am_filter_free(&f);
}

void api_am_silences(struct http_req *r, void *arg)
{
	list(r, arg, false);
}

void api_belfry_silences(struct http_req *r, void *arg)
{
	list(r, arg, true);
}

static void put(struct http_req *r, struct app *app, const struct silence_view *s)
{
	struct err e = {0};
	struct jsonw j;
	char id[37];

	if (s->starts_at_ms >= s->ends_at_ms && s->ends_at_ms != 0) {
		am_error(r, 400, "Failed to create silence: start time must be before end time");
		return;
	}
	if (s->ends_at_ms < clock_wall_ms()) {
		am_error(r, 400, "Failed to create silence: end time can't be in the past");
		return;
	}
	if (notify_silence_put(app->notify, s, id, &e) != 0) {
		am_fail(r, &e);
		return;
	}
	am_begin(r, &j);
	jsonw_object(&j);
	jsonw_kv_c(&j, "silenceID", id);
	jsonw_object_end(&j);
	http_finish(r);
}

void api_am_post_silence(struct http_req *r, void *arg)
{
	struct silence_view s;
	struct arena a;
	struct err e = {0};

	if (!am_accepts(r) || !am_sends_json(r))
		return;
	arena_init(&a, (size_t)8 << 20);
	if (am_read_silence(&a, http_req_body(r), &s, &e) != 0)
		am_bad_body(r, &e);
	else
		put(r, arg, &s);
	arena_fini(&a);
}

/* The id of the path; else answered. */
static bool the_id(struct http_req *r, struct str *id)
{
	*id = http_req_segment(r);
	if (id->n == 0 || str_find(*id, '/') < id->n) {
		api_am_not_found(r, NULL);
		return false;
	}
	if (am_is_uuid(*id))
		return true;
	am_refuse(r, 422, 601, "silenceID in path must be of type uuid: \"" STR_FMT "\"",
		STR_ARG(*id));
	return false;
}

void api_am_silence(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct silence_view s;
	struct err e = {0};
	struct jsonw j;
	struct str id;

	if (!am_accepts(r) || !the_id(r, &id))
		return;
	if (notify_silence_get(app->notify, id, http_req_arena(r), &s, &e) == 0) {
		am_begin(r, &j);
		silence(&j, &s, false);
		http_finish(r);
	} else if (e.kind == ERR_INPUT) {
		http_reply(r, 404, "application/json", STR(""));
	} else {
		am_fail(r, &e);
	}
}

void api_am_delete_silence(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct err e = {0};
	struct str id;

	if (!am_accepts(r) || !the_id(r, &id))
		return;
	if (notify_silence_expire(app->notify, id, &e) == 0)
		http_reply(r, 200, "application/json", STR(""));
	else if (e.kind == ERR_INPUT && e.code == 404)
		http_reply(r, 404, "application/json", STR(""));
	else
		am_fail(r, &e);
}
