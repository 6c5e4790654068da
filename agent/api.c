/* SPDX-License-Identifier: Apache-2.0 */
/* api - envelope, parameters and errors of the HTTP API; see api.h. */
#include "agent/api.h"

#include <math.h>

#include "base/clock.h"
#include "base/dur.h"
#include "base/limits.h"
#include "base/num.h"

void api_begin(struct http_req *r, struct jsonw *j)
{
	http_resp_header(r, "Content-Type", STR("application/json"));
	jsonw_init(j, http_resp_body(r));
	jsonw_object(j);
	jsonw_kv_c(j, "status", "success");
	jsonw_key(j, "data");
}

static void texts(
	struct jsonw *j, const char *key, const struct str *v, size_t n, const struct str more[2])
{
	if (n == 0 && more[0].n == 0 && more[1].n == 0)
		return;
	jsonw_key(j, key);
	jsonw_array(j);
	for (size_t i = 0; i < n; i++)
		jsonw_str(j, v[i]);
	for (size_t i = 0; i < 2; i++) {
		if (more[i].n > 0)
			jsonw_str(j, more[i]);
	}
	jsonw_array_end(j);
}

void api_end(struct http_req *r, struct jsonw *j, const struct api_notes *notes)
{
	if (notes != NULL) {
		const struct str none[2] = {STR_NULL, STR_NULL};
		const struct str more[2] = {
			notes->truncated ? STR("results truncated due to limit") : STR_NULL,
			notes->warning};

		texts(j, "warnings", notes->warnings, notes->n_warnings, more);
		texts(j, "infos", notes->infos, notes->n_infos, none);
	}
	jsonw_object_end(j);
	http_finish(r);
}

bool api_parse_time(struct str s, int64_t *ms)
{
	double v, whole, part;

	if (str_to_f64(s, &v) && !isnan(v) && memchr(s.p, 'x', s.n) == NULL) {
		part = modf(v, &whole);
		*ms = num_clamp_i64(whole * 1000 + round(part * 1000));
		*ms = MIN_OF(MAX_OF(*ms, API_MINT), API_MAXT);
		return true;
	}
	/* what client libraries send for the ends of time */
	if (str_eq(s, STR("-292273086-05-16T16:47:06Z"))) {
		*ms = API_MINT;
		return true;
	}
	if (str_eq(s, STR("292277025-08-18T07:12:54.999999999Z"))) {
		*ms = API_MAXT;
		return true;
	}
	return time_parse_rfc3339(s, ms);
}

bool api_parse_duration(struct str s, int64_t *ms)
{
	struct err e;
	double v;

	if (str_to_f64(s, &v) && memchr(s.p, 'x', s.n) == NULL) {
		if (isnan(v) || fabs(v) > 9223372036.0) /* as nanoseconds it must fit 63 bits */
			return false;
		*ms = num_clamp_i64(round(v * 1000));
		if (*ms == 0 && v > 0)
			*ms = 1;
		return true;
	}
	return dur_parse(s, ms, &e) == 0;
}

bool api_time(struct http_req *r, const char *name, int64_t missing, int64_t *ms)
{
	struct str s = http_req_param(r, name);

	*ms = missing;
	if (s.n == 0 || api_parse_time(s, ms))
		return true;
	http_reply_error(r, "bad_data",
		"invalid parameter \"%s\": cannot parse \"" STR_FMT "\" to a valid timestamp", name,
		STR_ARG(s));
	return false;
}

bool api_duration(struct http_req *r, const char *name, int64_t missing, int64_t *ms)
{
	struct str s = http_req_param(r, name);

	*ms = missing;
	if (s.n == 0 || api_parse_duration(s, ms))
		return true;
	http_reply_error(r, "bad_data",
		"invalid parameter \"%s\": cannot parse \"" STR_FMT "\" to a valid duration", name,
		STR_ARG(s));
	return false;
}

bool api_limit(struct http_req *r, const char *name, size_t *limit)
{
	struct str s = http_req_param(r, name);
	long long v = 0;

	*limit = 0;
	if (s.n == 0)
		return true;
	if (!str_to_i64(s, &v)) {
		http_reply_error(r, "bad_data",
			"invalid parameter \"%s\": cannot parse \"" STR_FMT "\" to a valid number",
			name, STR_ARG(s));
		return false;
	}
	if (v < 0) {
		http_reply_error(r, "bad_data",
			"invalid parameter \"%s\": limit must be non-negative", name);
		return false;
	}
	*limit = (size_t)v;
	return true;
}

bool api_range(struct http_req *r, int64_t *mint, int64_t *maxt)
{
	if (!api_time(r, "start", API_MINT, mint) || !api_time(r, "end", API_MAXT, maxt))
		return false;
	if (*maxt >= *mint)
		return true;
	http_reply_error(r, "bad_data",
		"invalid parameter \"end\": end timestamp must not be before start time");
	return false;
}

bool api_selectors(struct http_req *r, struct arena *a, struct api_selectors *out)
{
	struct str *texts_v;
	size_t n = http_req_params(r, "match[]", &texts_v);
	struct err e = {0};

	out->n = 0;
	out->v = arena_alloc(a, n + 1, sizeof *out->v);
	for (size_t i = 0; out->v != NULL && i < n; i++) {
		if (pq_parse_selector(a, texts_v[i], &out->v[i].m, &out->v[i].n, &e) != 0) {
			const char *why = e.msg;

			if (str_has(str_c(why), STR("non-empty matcher")))
				why = "match[] must contain at least one non-empty matcher";
			http_reply_error(r, "bad_data", "invalid parameter \"match[]\": %s", why);
			return false;
		}
		out->n++;
	}
	if (out->v != NULL)
		return true;
	http_reply_error(r, "internal", "out of memory");
	return false;
}

struct stop api_stop(struct http_req *r, struct app *app)
{
	const struct config *c = app_config_get(app);
	struct stop s = {http_req_cancelled(r), i64_add_sat(clock_mono_ms(), c->query_timeout_ms)};

	app_config_put(app, c);
	return s;
}

void api_fail(struct http_req *r, const struct err *e)
{
	switch (e->kind) {
	case ERR_INPUT:
	case ERR_LIMIT: http_reply_error(r, "execution", "%s", e->msg); return;
	case ERR_CANCEL:
		if (atomic_load(http_req_cancelled(r)))
			http_reply_error(r, "canceled", "query was canceled");
		else
			http_reply_error(r, "timeout", "%s", e->msg);
		return;
	case ERR_AGAIN: http_reply_error(r, "unavailable", "%s", e->msg); return;
	case ERR_NONE:
	case ERR_IO:
	case ERR_CORRUPT: http_reply_error(r, "internal", "%s", e->msg); return;
	}
}
