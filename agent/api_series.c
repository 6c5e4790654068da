/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_series - which series, label names, label values and metadata there are. On a query worker.
 * Several match[] selectors give the union of what each finds.
 */
#include <stdlib.h>

#include "agent/api.h"
#include "base/limits.h"
#include "base/num.h"

#define ANSWER_BYTES ((size_t)256 << 20) /* arena of one answer */

/* One store_label_names or store_label_values call. */
struct lookup {
	struct store *store;
	struct str name; /* values of this label; p NULL: names */
	int64_t mint, maxt;
	size_t limit;
};

struct list {
	struct str *v;
	size_t n;
};

static int look_up(const struct lookup *l, const struct matcher *m, size_t n_m, struct arena *a,
	struct list *out, struct err *e)
{
	if (l->name.p != NULL)
		return store_label_values(l->store, l->name, m, n_m, l->mint, l->maxt, l->limit, a,
			&out->v, &out->n, e);
	return store_label_names(
		l->store, m, n_m, l->mint, l->maxt, l->limit, a, &out->v, &out->n, e);
}

/* Merges two sorted distinct lists. */
static struct list merge(struct arena *a, struct list x, struct list y)
{
	struct list out = {ARENA_ARRAY(a, x.n + y.n, struct str), 0};
	size_t i = 0, k = 0;

	while (out.v != NULL && (i < x.n || k < y.n)) {
		int c = i == x.n ? 1 : k == y.n ? -1 : str_cmp(x.v[i], y.v[k]);

		out.v[out.n++] = c <= 0 ? x.v[i] : y.v[k];
		i += c <= 0;
		k += c >= 0;
	}
	return out;
}

static void answer_strings(struct http_req *r, const struct str *v, size_t n, size_t limit)
{
	struct api_notes notes = {.truncated = limit > 0 && n > limit};
	struct jsonw j;

	api_begin(r, &j);
	jsonw_array(&j);
	for (size_t i = 0; i < n && (limit == 0 || i < limit) && !stop_asked(); i++)
		jsonw_str(&j, v[i]);
	jsonw_array_end(&j);
	api_end(r, &j, &notes);
}

/* The union over the selectors (none: everything). */
static int all_strings(const struct lookup *l, const struct api_selectors *s, struct arena *a,
	struct list *out, struct err *e)
{
	struct list some;

	if (s->n == 0 && look_up(l, NULL, 0, a, out, e) != 0)
		return -1;
	for (size_t i = 0; i < s->n; i++) {
		if (look_up(l, s->v[i].m, s->v[i].n, a, &some, e) != 0)
			return -1;
		*out = merge(a, *out, some);
	}
	return a->failed ? err_set(e, ERR_LIMIT, 0, "the answer is too large") : 0;
}

static void names_or_values(struct http_req *r, struct app *app, struct str name)
{
	struct lookup l = {.store = app->store, .name = name};
	const struct stop stop = api_stop(r, app), *before;
	struct list all = {NULL, 0};
	struct api_selectors s = {0};
	struct err e = {0};
	struct arena a;
	size_t limit;
	int rc;

	arena_init(&a, ANSWER_BYTES);
	if (api_limit(r, "limit", &limit) && api_range(r, &l.mint, &l.maxt) &&
		api_selectors(r, &a, &s)) {
		l.limit = limit > 0 ? limit + 1 : 0; /* one more tells that there are more */
		before = stop_begin(&stop);
		rc = all_strings(&l, &s, &a, &all, &e);
		stop_end(before);
		if (rc == 0)
			answer_strings(r, all.v, all.n, limit);
		else
			api_fail(r, &e);
	}
	arena_fini(&a);
}

void api_labels(struct http_req *r, void *arg)
{
	names_or_values(r, arg, STR_NULL);
}

static void put_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_ch(b, (char)c);
	} else if (c < 0x800) {
		buf_ch(b, (char)(0xc0 | (c >> 6)));
		buf_ch(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_ch(b, (char)(0xe0 | (c >> 12)));
		buf_ch(b, (char)(0x80 | ((c >> 6) & 0x3f)));
		buf_ch(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_ch(b, (char)(0xf0 | (c >> 18)));
		buf_ch(b, (char)(0x80 | ((c >> 12) & 0x3f)));
		buf_ch(b, (char)(0x80 | ((c >> 6) & 0x3f)));
		buf_ch(b, (char)(0x80 | (c & 0x3f)));
	}
}

/* After "_": "_" for itself, or the hex number of a character and "_". Bytes used, 0: malformed. */
static size_t unescape_one(struct str s, struct buf *b)
{
	uint32_t c = 0;

	if (s.n > 0 && s.p[0] == '_') {
		buf_ch(b, '_');
		return 1;
	}
	for (size_t i = 0; i < s.n && i < 7; i++) {
		char x = s.p[i];

		if (x == '_' && i > 0 && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff)) {
			put_utf8(b, c);
			return i + 1;
		}
		if (x >= '0' && x <= '9')
			c = c * 16 + (uint32_t)(x - '0');
		else if ((x | 0x20) >= 'a' && (x | 0x20) <= 'f')
			c = c * 16 + (uint32_t)((x | 0x20) - 'a') + 10;
		else
			return 0;
	}
	return 0;
}

/* "U__http_2e_code" stands for "http.code" (Prometheus's value encoding); other names and malformed
 * ones stand for themselves. */
static struct str unescape_name(struct arena *a, struct str name)
{
	struct str out = name;
	struct buf b;

	if (!str_starts(name, STR("U__")))
		return name;
	buf_init(&b, LIMIT_LABEL_NAME);
	for (size_t i = 3; i < name.n;) {
		size_t used = 1;

		if (name.p[i] != '_')
			buf_ch(&b, name.p[i]);
		else
			used = unescape_one(str_sub(name, i + 1, name.n), &b) + 1;
		if (name.p[i] == '_' && used == 1) {
			buf_fini(&b);
			return name;
		}
		i += used;
	}
	if (!b.failed)
		out = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

void api_label_values(struct http_req *r, void *arg)
{
	struct str name = unescape_name(http_req_arena(r), http_req_segment(r));

	if (name.p == NULL || name.n == 0 || name.n > LIMIT_LABEL_NAME || !str_is_utf8(name)) {
		http_reply_error(r, "bad_data", "invalid label name: \"" STR_FMT "\"",
			STR_ARG(http_req_segment(r)));
		return;
	}
	names_or_values(r, arg, name);
}

/* --- series --- */

struct found {
	struct labels *v;
	size_t n;
};

/* Where series are looked for. */
struct scope {
	struct store *store;
	struct arena *a;
	int64_t mint, maxt;
};

static int find_series(const struct scope *sc, const struct matcher *m, size_t n_m,
	struct found *out, struct err *e)
{
	struct store_sel *sel;
	size_t n;

	if (store_select(sc->store, m, n_m, sc->mint, sc->maxt, sc->a, &sel, e) != 0)
		return -1;
	n = store_sel_count(sel);
	out->v = ARENA_ARRAY(sc->a, n, struct labels);
	for (size_t i = 0; out->v != NULL && i < n; i++)
		out->v[i] = store_sel_labels(sel, i);
	out->n = n;
	store_sel_close(sel);
	if (out->v == NULL || n > LIMIT_SERIES_ANSWER)
		return err_set(e, ERR_LIMIT, 0, "more than %u series match", LIMIT_SERIES_ANSWER);
	return 0;
}

static int by_labels(const void *x, const void *y)
{
	return labels_cmp(*(const struct labels *)x, *(const struct labels *)y);
}

/* Union, sorted, each once. */
static int all_series(
	const struct scope *sc, const struct api_selectors *s, struct found *out, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct found some;
		struct labels *both;

		if (find_series(sc, s->v[i].m, s->v[i].n, &some, e) != 0)
			return -1;
		if (i == 0) {
			*out = some;
			continue;
		}
		both = ARENA_ARRAY(sc->a, out->n + some.n, struct labels);
		if (both == NULL)
			return err_set(e, ERR_LIMIT, 0, "the answer is too large");
		memcpy(both, out->v, out->n * sizeof *both);
		memcpy(both + out->n, some.v, some.n * sizeof *both);
		out->v = both;
		out->n += some.n;
		stop_sort(out->v, out->n, sizeof *out->v, by_labels);
	}
	return stop_check(e);
}

static void answer_series(struct http_req *r, const struct found *f, size_t limit)
{
	struct api_notes notes = {.truncated = false};
	struct jsonw j;
	size_t written = 0;

	api_begin(r, &j);
	jsonw_array(&j);
	for (size_t i = 0; i < f->n && !stop_asked(); i++) {
		if (i > 0 && labels_eq(f->v[i - 1], f->v[i]))
			continue;
		if (limit > 0 && written == limit) {
			notes.truncated = true;
			break;
		}
		jsonw_labels(&j, f->v[i]);
		written++;
	}
	jsonw_array_end(&j);
	api_end(r, &j, &notes);
}

void api_series(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct api_selectors s = {0};
	struct found f = {NULL, 0};
	struct err e = {0};
	struct arena a;
	struct scope sc = {.store = app->store, .a = &a};
	const struct stop stop = api_stop(r, app), *before;
	size_t limit;
	int rc;

	if (!http_req_has(r, "match[]")) {
		http_reply_error(r, "bad_data", "no match[] parameter provided");
		return;
	}
	arena_init(&a, ANSWER_BYTES);
	if (api_limit(r, "limit", &limit) && api_range(r, &sc.mint, &sc.maxt) &&
		api_selectors(r, &a, &s)) {
		before = stop_begin(&stop);
		rc = all_series(&sc, &s, &f, &e);
		stop_end(before);
		if (rc == 0)
			answer_series(r, &f, limit);
		else
			api_fail(r, &e);
	}
	arena_fini(&a);
}

/* --- metadata --- */

static int by_metric(const void *x, const void *y)
{
	return str_cmp(((const struct store_metadata *)x)->metric,
		((const struct store_metadata *)y)->metric);
}

static void answer_metadata(
	struct http_req *r, struct store_metadata *v, size_t n, const size_t limits[2])
{
	size_t metrics = 0;
	struct jsonw j;

	if (n > 1)
		qsort(v, n, sizeof *v, by_metric);
	api_begin(r, &j);
	jsonw_object(&j);
	for (size_t i = 0; i < n;) {
		size_t same = 0;

		if (limits[0] > 0 && metrics++ == limits[0])
			break;
		jsonw_key_str(&j, v[i].metric);
		jsonw_array(&j);
		for (; i + same < n && str_eq(v[i + same].metric, v[i].metric); same++) {
			if (limits[1] > 0 && same >= limits[1])
				continue;
			jsonw_object(&j);
			jsonw_kv_str(&j, "type", v[i + same].type);
			jsonw_kv_str(&j, "help", v[i + same].help);
			jsonw_kv_str(&j, "unit", v[i + same].unit);
			jsonw_object_end(&j);
		}
		jsonw_array_end(&j);
		i += same;
	}
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
}

/* As upstream, here a negative number means no limit. */
static bool metadata_limit(struct http_req *r, const char *name, size_t *limit)
{
	long long v;

	*limit = 0;
	if (str_to_i64(http_req_param(r, name), &v) && v < 0)
		return true;
	return api_limit(r, name, limit);
}

void api_metadata(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct store_metadata *v;
	struct err e = {0};
	struct arena a;
	size_t n, limits[2];

	if (!metadata_limit(r, "limit", &limits[0]) ||
		!metadata_limit(r, "limit_per_metric", &limits[1]))
		return;
	arena_init(&a, ANSWER_BYTES);
	if (store_metadata(app->store, http_req_param(r, "metric"), &a, &v, &n, &e) == 0)
		answer_metadata(r, v, n, limits);
	else
		api_fail(r, &e);
	arena_fini(&a);
}
