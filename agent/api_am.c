/* SPDX-License-Identifier: Apache-2.0 */
/* api_am - Alertmanager's API v2: status, receivers, and what its handlers share; see am.h. */
#include <stdio.h>

#include "agent/am.h"
#include "agent/am_body.h"
#include "agent/run.h"
#include "base/dur.h"
#include "base/matcher_parse.h"
#include "base/num.h"

#define JSON_TYPE      "application/json"
#define SPEAKS_LIKE_AM "0.33.0" /* amtool compares it with its own */
#define CONFIG_BYTES   ((size_t)16 << 20)
#define FILTER_BYTES   ((size_t)4 << 20)
#define FILTERS_MAX    64u

/* ---- answers ---- */

void am_begin(struct http_req *r, struct jsonw *j)
{
	http_resp_header(r, "Content-Type", STR(JSON_TYPE));
	http_resp_header(r, "Cache-Control", STR("no-store"));
	jsonw_init(j, http_resp_body(r));
}

void am_error(struct http_req *r, int status, const char *fmt, ...)
{
	char text[2 * ERR_MSG_MAX];
	struct jsonw j;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	http_resp_status(r, status);
	am_begin(r, &j);
	jsonw_c(&j, text);
	buf_ch(http_resp_body(r), '\n');
	http_finish(r);
}

void am_refuse(struct http_req *r, int status, int code, const char *fmt, ...)
{
	char text[2 * ERR_MSG_MAX];
	struct jsonw j;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	http_resp_status(r, status);
	am_begin(r, &j);
	jsonw_object(&j);
	jsonw_kv_i64(&j, "code", code);
	jsonw_kv_c(&j, "message", text);
	jsonw_object_end(&j);
	http_finish(r);
}

void am_fail(struct http_req *r, const struct err *e)
{
	switch (e->kind) {
	case ERR_INPUT: am_error(r, e->code == 404 ? 404 : 400, "%s", e->msg); return;
	case ERR_LIMIT: am_error(r, 400, "%s", e->msg); return;
	case ERR_AGAIN:
	case ERR_CANCEL:
		http_resp_header(r, "Retry-After", STR("1"));
		am_error(r, 503, "%s", e->msg);
		return;
	case ERR_NONE:
	case ERR_IO:
	case ERR_CORRUPT: am_error(r, 500, "%s", e->msg); return;
	}
}

void am_bad_body(struct http_req *r, const struct err *e)
{
	am_refuse(r, e->code == AM_BAD_JSON ? 400 : 422, e->code, "%s", e->msg);
}

bool am_accepts(struct http_req *r)
{
	struct str accept = http_req_header(r, "accept"), part;
	bool any = accept.n == 0;

	while (!any && str_split(&accept, ',', &part)) {
		part = str_trim(str_sub(part, 0, str_find(part, ';')));
		any = str_eq_nocase(part, STR(JSON_TYPE)) || str_eq(part, STR("*/*")) ||
		      str_eq_nocase(part, STR("application/*"));
	}
	if (!any)
		am_refuse(r, 406, 406,
			"unsupported media type requested, only [application/json] are available");
	return any;
}

bool am_sends_json(struct http_req *r)
{
	struct str type = http_req_header(r, "content-type");

	type = str_trim(str_sub(type, 0, str_find(type, ';')));
	if (str_eq_nocase(type, STR(JSON_TYPE)))
		return true;
	if (type.n == 0)
		type = STR("application/octet-stream");
	am_refuse(r, 415, 415,
		"unsupported media type \"" STR_FMT "\", only [application/json] are allowed",
		STR_ARG(type));
	return false;
}

void am_time(struct jsonw *j, const char *key, int64_t ms)
{
	struct buf b;

	buf_init(&b, 64);
	time_print_ms(&b, ms);
	jsonw_kv_str(j, key, buf_view(&b));
	buf_fini(&b);
}

/* ---- parameters ---- */

bool am_bool(struct http_req *r, const char *name, bool missing)
{
	struct str s = http_req_param(r, name);

	return s.n > 0 ? am_truth(s) : missing;
}

static bool matchers(struct http_req *r, struct arena *a, const char *name, const char *what,
	struct matcher **out, size_t *n)
{
	struct str *texts;
	size_t count = http_req_params(r, name, &texts);
	struct err e = {0};

	*n = 0;
	*out = ARENA_ARRAY(a, count, struct matcher);
	if (*out == NULL || count > FILTERS_MAX) {
		am_error(r, 400, "more than %u matchers", FILTERS_MAX);
		return false;
	}
	for (; *n < count; (*n)++) {
		if (matcher_parse_one(a, texts[*n], &(*out)[*n], &e) != 0) {
			am_error(r, 400, "%s%s", what, e.msg);
			return false;
		}
	}
	return true;
}

bool am_filter_read(struct http_req *r, struct am_filter *f)
{
	struct str receiver = http_req_param(r, "receiver");
	struct err e = {0};

	*f = (struct am_filter){0};
	arena_init(&f->arena, FILTER_BYTES);
	if (!matchers(r, &f->arena, "filter", "", &f->m, &f->n) ||
		!matchers(r, &f->arena, "receiver_matchers",
			"failed to parse receiver_matchers param: ", &f->receiver_m,
			&f->n_receiver_m)) {
		am_filter_free(f);
		return false;
	}
	if (receiver.n == 0)
		return true;
	f->receiver = regex_new(receiver, &e);
	if (f->receiver != NULL)
		return true;
	am_filter_free(f);
	am_error(r, 400, "failed to parse receiver param: %s", e.msg);
	return false;
}

void am_filter_free(struct am_filter *f)
{
	for (size_t i = 0; i < f->n; i++)
		matcher_fini(&f->m[i]);
	for (size_t i = 0; i < f->n_receiver_m; i++)
		matcher_fini(&f->receiver_m[i]);
	regex_free(f->receiver);
	arena_fini(&f->arena);
	*f = (struct am_filter){0};
}

bool am_filter_receiver(const struct am_filter *f, struct str name)
{
	struct label own = {STR("name"), name};

	return matchers_match(f->receiver_m, f->n_receiver_m, (struct labels){&own, 1});
}

/* ---- what is no place, and no method of one ---- */

void api_am_not_found(struct http_req *r, void *arg)
{
	struct str path = http_req_path(r);

	(void)arg;
	am_refuse(r, 404, 404, "path " STR_FMT " was not found", STR_ARG(path));
}

static const char *method_name(enum http_method m)
{
	switch (m) {
	case HTTP_GET: return "GET";
	case HTTP_POST: return "POST";
	case HTTP_PUT: return "PUT";
	case HTTP_DELETE: return "DELETE";
	case HTTP_HEAD: return "HEAD";
	case HTTP_OPTIONS: return "OPTIONS";
	}
	return "this";
}

void api_am_not_allowed(struct http_req *r, void *arg)
{
	struct str path = http_req_path(r);
	const char *known =
		str_eq(path, STR("/api/v2/alerts")) || str_eq(path, STR("/api/v2/silences"))
			? "GET,POST"
		: str_starts(path, STR("/api/v2/silence/")) ? "GET,DELETE"
							    : "GET";

	(void)arg;
	am_refuse(r, 405, 405, "method %s is not allowed, but [%s] are",
		method_name(http_req_method(r)), known);
}

/* ---- status, receivers ---- */

static void version_info(struct jsonw *j)
{
	jsonw_key(j, "versionInfo");
	jsonw_object(j);
	jsonw_kv_c(j, "branch", "belfry");
	jsonw_kv_c(j, "buildDate", "");
	jsonw_kv_c(j, "buildUser", "");
	jsonw_kv_c(j, "goVersion", "");
	jsonw_kv_c(j, "revision", run_version);
	jsonw_kv_c(j, "version", SPEAKS_LIKE_AM);
	jsonw_object_end(j);
}

void api_am_status(struct http_req *r, void *arg)
{
	struct app *app = arg;
	const struct config *c;
	struct jsonw j;
	struct buf yaml;

	if (!am_accepts(r))
		return;
	buf_init(&yaml, CONFIG_BYTES);
	c = app_config_get(app);
	am_config_print(&c->notify, &yaml);
	app_config_put(app, c);
	if (yaml.failed) {
		am_error(r, 500, "the configuration is too large to be shown");
	} else {
		am_begin(r, &j);
		jsonw_object(&j);
		jsonw_key(&j, "cluster");
		jsonw_raw(&j, STR("{\"peers\":[],\"status\":\"disabled\"}"));
		jsonw_key(&j, "config");
		jsonw_object(&j);
		jsonw_kv_str(&j, "original", buf_view(&yaml));
		jsonw_object_end(&j);
		am_time(&j, "uptime", app->start_wall_ms);
		version_info(&j);
		jsonw_object_end(&j);
		http_finish(r);
	}
	buf_fini(&yaml);
}

void api_am_receivers(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct am_filter f;
	struct str *names;
	struct err e = {0};
	struct jsonw j;
	size_t n;

	if (!am_accepts(r) || !am_filter_read(r, &f))
		return;
	if (notify_receivers(app->notify, http_req_arena(r), &names, &n, &e) != 0) {
		am_fail(r, &e);
	} else {
		am_begin(r, &j);
		jsonw_array(&j);
		for (size_t i = 0; i < n; i++) {
			if (!am_filter_receiver(&f, names[i]))
				continue;
			jsonw_object(&j);
			jsonw_key(&j, "labels");
			jsonw_object(&j);
			jsonw_kv_str(&j, "name", names[i]);
			jsonw_object_end(&j);
			jsonw_kv_str(&j, "name", names[i]);
			jsonw_object_end(&j);
		}
		jsonw_array_end(&j);
		http_finish(r);
	}
	am_filter_free(&f);
}
