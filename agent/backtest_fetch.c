/* SPDX-License-Identifier: Apache-2.0 */
/* backtest_fetch - which selectors, in which stretches of time; see backtest_fetch.h. */
#include "agent/backtest_fetch.h"

#include <ftw.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/backtest_stop.h"
#include "agent/cli.h"
#include "agent/ingest/rw_encode.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "rules/promql/reach.h"
#include "rules/rule_plan.h"
#include "storage/batch.h"

#define LOOKBACK_MS   300000
#define UNKNOWN_REACH INT64_C(2678400000) /* 31 days, for what names a fixed time */
#define FIRST_MS      INT64_C(7200000)    /* of the first stretch */
#define LONGEST_MS    INT64_C(2678400000)
#define SHORTEST_MS   INT64_C(60000)
#define FEW_SAMPLES   300000u
#define MANY_SAMPLES  1200000u
#define MAX_SERIES    5000000u
#define REQUEST_BYTES ((size_t)4 << 20)
#define MAX_TIMEOUTS  2 /* one after the other */

struct want { /* a selector, or several of one metric: what they have in common */
	const struct matcher **m;
	size_t n;
	int64_t from_ms, to_ms;
};

struct fetch {
	const struct bt_fetch_opts *o;
	struct bt_fetched *out;
	struct bt_http *http;
	struct arena a;
	struct labels external;
	struct want *v;
	size_t n, cap;
	/* while the rules are walked */
	int64_t reach_ms;
	/* while it is asked */
	bool asked, no_remote_read;
	size_t hists; /* that JSON cannot give */
	int64_t told_ns;
};

/* --- what is wanted --- */

static const struct matcher *name_of(const struct want *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (str_eq(w->m[i]->name, LABEL_NAME) && w->m[i]->op == MATCH_EQ)
			return w->m[i];
	}
	return NULL;
}

static bool same(const struct matcher *a, const struct matcher *b)
{
	return a->op == b->op && str_eq(a->name, b->name) && str_eq(a->value, b->value);
}

static bool has(const struct want *w, const struct matcher *m)
{
	for (size_t i = 0; i < w->n; i++) {
		if (same(w->m[i], m))
			return true;
	}
	return false;
}

/* w becomes what both select, and perhaps more. */
static void join(struct want *w, const struct want *other)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (has(other, w->m[i]))
			w->m[kept++] = w->m[i];
	}
	w->n = kept;
	w->from_ms = MIN_OF(w->from_ms, other->from_ms);
	w->to_ms = MAX_OF(w->to_ms, other->to_ms);
}

static bool is_the_same(const struct want *a, const struct want *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!has(b, a->m[i]))
			return false;
	}
	return true;
}

/* Rules write it: of the time that is replayed the recording is not read. */
static bool is_written(const struct bt_fetch_opts *o, const struct matcher *name)
{
	struct matcher m;

	if (name == NULL)
		return false;
	m = (struct matcher){.op = MATCH_EQ, .name = LABEL_NAME, .value = name->value};
	for (size_t s = 0; s < 2; s++) {
		const struct rule_set *rs = o->sets[s];
		bool writes = false;

		for (size_t g = 0; rs != NULL && g < rs->n; g++) {
			for (size_t i = 0; i < rs->groups[g].n && !writes; i++)
				writes = rule_writes_what(&rs->groups[g].rules[i], &m, 1);
		}
		if (rs != NULL && !writes)
			return false; /* the other set reads it */
	}
	return true;
}

static void on_selector(const struct matcher *m, size_t n, void *arg)
{
	struct fetch *f = arg;
	struct want w = {.m = ARENA_ARRAY(&f->a, n, const struct matcher *), .n = n};
	const struct matcher *name;

	if (w.m == NULL)
		return; /* the arena remembers */
	for (size_t i = 0; i < n; i++)
		w.m[i] = &m[i];
	name = name_of(&w);
	w.from_ms = i64_sub_sat(f->o->begin_ms, f->reach_ms);
	w.to_ms = is_written(f->o, name) ? f->o->begin_ms : f->o->to_ms;
	for (size_t i = 0; i < f->n; i++) {
		const struct matcher *other = name_of(&f->v[i]);

		if (name != NULL ? other != NULL && str_eq(name->value, other->value)
				 : other == NULL && is_the_same(&f->v[i], &w)) {
			join(&f->v[i], &w);
			return;
		}
	}
	if (f->n == f->cap) {
		f->cap = f->cap * 2 + 64;
		f->v = realloc(f->v, f->cap * sizeof *f->v);
		ASSERT(f->v != NULL);
	}
	f->v[f->n++] = w;
}

static int64_t reach_of(const struct pq_expr *x)
{
	int64_t ms = x != NULL ? pq_expr_reach(x, LOOKBACK_MS) : 0;

	return ms == INT64_MAX ? UNKNOWN_REACH : ms;
}

static int find_wants(struct fetch *f, struct err *e)
{
	for (size_t s = 0; s < 2; s++) {
		const struct rule_set *rs = f->o->sets[s];

		for (size_t g = 0; rs != NULL && g < rs->n; g++) {
			for (size_t i = 0; i < rs->groups[g].n; i++) {
				const struct rule_def *d = &rs->groups[g].rules[i];

				/* + a lookback: what a series had before a stretch begins */
				f->reach_ms =
					MAX_OF(reach_of(d->expr), reach_of(d->clear)) + LOOKBACK_MS;
				rule_def_selectors(d, on_selector, f);
			}
		}
	}
	return f->a.failed ? err_set(e, ERR_LIMIT, 0, "too many selectors") : 0;
}

/* --- one request --- */

static int ask_remote_read(struct fetch *f, const struct want *w, int64_t from_ms, int64_t to_ms,
	struct bt_answer *out, struct err *e)
{
	static const uint64_t types[] = {
		[MATCH_EQ] = 0, [MATCH_NE] = 1, [MATCH_RE] = 2, [MATCH_NRE] = 3};
	struct buf msg, query, part;
	char *packed;
	size_t n;
	int rc = -1;

	buf_init(&msg, REQUEST_BYTES);
	buf_init(&query, REQUEST_BYTES);
	buf_init(&part, REQUEST_BYTES);
	rw_encode_varint(&query, 1, (uint64_t)from_ms);
	rw_encode_varint(&query, 2, (uint64_t)to_ms);
	for (size_t i = 0; i < w->n; i++) {
		buf_reset(&part);
		rw_encode_varint(&part, 1, types[w->m[i]->op]);
		rw_encode_bytes(&part, 2, w->m[i]->name);
		rw_encode_bytes(&part, 3, w->m[i]->value);
		rw_encode_bytes(&query, 3, buf_view(&part));
	}
	rw_encode_bytes(&msg, 1, buf_view(&query));
	n = snappy_max_compressed_length(msg.n);
	packed = malloc(n);
	if (packed == NULL || msg.failed || query.failed ||
		snappy_compress(msg.p, msg.n, packed, &n) != SNAPPY_OK)
		(void)err_set(e, ERR_LIMIT, 0, "a request needs too much memory");
	else
		rc = bt_http_ask(f->http, "/api/v1/read", "application/x-protobuf",
			str_n(packed, n), out, e);
	free(packed);
	buf_fini(&part);
	buf_fini(&query);
	buf_fini(&msg);
	return rc;
}

/* A range selector's window is open on the left. */
static int ask_query(struct fetch *f, const struct want *w, int64_t from_ms, int64_t to_ms,
	struct bt_answer *out, struct err *e)
{
	struct buf expr, form;
	int64_t window = to_ms - from_ms + 1;
	int rc;

	buf_init(&expr, REQUEST_BYTES);
	buf_init(&form, REQUEST_BYTES);
	buf_ch(&expr, '{');
	for (size_t i = 0; i < w->n; i++) {
		buf_c(&expr, i > 0 ? "," : "");
		matcher_print(&expr, w->m[i]);
	}
	buf_printf(&expr, "}[%lldms]", (long long)window);
	buf_c(&form, "query=");
	cli_encode(&form, buf_view(&expr));
	buf_printf(&form, "&time=%lld.%03lld", (long long)i64_floor_div(to_ms, 1000),
		(long long)(to_ms - i64_floor_div(to_ms, 1000) * 1000));
	rc = form.failed ? err_set(e, ERR_LIMIT, 0, "a request needs too much memory")
			 : bt_http_ask(f->http, "/api/v1/query",
				   "application/x-www-form-urlencoded", buf_view(&form), out, e);
	buf_fini(&form);
	buf_fini(&expr);
	return rc;
}

/* A server that does not know remote read. */
static bool is_unknown(const struct bt_answer *a)
{
	return a->status == 404 || a->status == 405 || a->status == 501 ||
	       (a->status == 400 && str_has(buf_view(&a->body), STR("unsupported path")));
}

static int ask(struct fetch *f, const struct want *w, int64_t from_ms, int64_t to_ms,
	struct bt_answer *out, struct err *e)
{
	if (!f->no_remote_read) {
		if (ask_remote_read(f, w, from_ms, to_ms, out, e) != 0)
			return -1;
		if (f->asked || !is_unknown(out)) {
			f->asked = true;
			return 0;
		}
		buf_fini(&out->body);
		f->no_remote_read = true;
	}
	return ask_query(f, w, from_ms, to_ms, out, e);
}

/* --- a stretch --- */

static int store_batch(struct fetch *f, struct batch *b, size_t *rows, struct err *e)
{
	const struct batch_result *res;

	*rows = batch_rows(b);
	if (*rows == 0)
		return 0;
	if (store_submit_wait(f->out->store, b, e) != 0)
		return -1;
	res = batch_result(b);
	if (res->fail == ERR_LIMIT)
		return err_set(e, ERR_IO, 0, "the disk of %s is full (TMPDIR names another place)",
			f->out->dir);
	if (res->fail != ERR_NONE || res->refused[REFUSED_SERIES_LIMIT] > 0)
		return err_set(e, ERR_IO, 0, "cannot keep what was fetched: %s", res->first_msg);
	f->out->samples += *rows;
	return 0;
}

/* What servers answer to who asks for more than they give, or than their memory or time allows. */
static bool may_be_too_much(long status)
{
	return status == 400 || status == 413 || status == 422 || status == 500 || status == 503 ||
	       status == 504;
}

/* ERR_LIMIT: less time may help. ERR_AGAIN: likewise, no answer came in time. */
static int fetch_stretch(struct fetch *f, const struct want *w, int64_t from_ms, int64_t to_ms,
	size_t *rows, struct err *e)
{
	struct bt_answer answer = {0};
	struct batch *b;
	size_t hists = 0;
	int rc;

	if (ask(f, w, from_ms, to_ms, &answer, e) != 0)
		return -1;
	if (answer.status != 200) {
		(void)bt_http_refused(&answer, e);
		if (may_be_too_much(answer.status))
			e->kind = ERR_LIMIT;
		buf_fini(&answer.body);
		return -1;
	}
	b = batch_new(BATCH_IMPORT);
	rc = f->no_remote_read
		     ? bt_samples_matrix(buf_view(&answer.body), f->external, b, &hists, e)
		     : bt_samples_read(buf_view(&answer.body), f->external, b, e);
	buf_fini(&answer.body);
	if (rc == 0)
		rc = store_batch(f, b, rows, e);
	f->hists += hists;
	batch_free(b);
	return rc;
}

static void tell(struct fetch *f, size_t i, int64_t at_ms)
{
	const struct want *w = &f->v[i];
	double part = (double)(at_ms - w->from_ms) / (double)MAX_OF(w->to_ms - w->from_ms, 1);
	int64_t now = clock_real_ns();

	if (!f->o->progress || now - f->told_ns < 500000000)
		return;
	f->told_ns = now;
	(void)fprintf(stderr, "\rfetching %3d %%, %llu samples",
		(int)(100 * ((double)i + part) / (double)f->n),
		(unsigned long long)f->out->samples);
	(void)fflush(stderr);
}

static int too_slow(int64_t span_ms, struct err *e)
{
	struct err last = *e;

	return err_set(e, ERR_IO, 0, "no answer in time, twice, the last to %lld s of samples: %s",
		(long long)(span_ms / 1000), last.msg);
}

static int fetch_want(struct fetch *f, size_t i, int64_t *span_ms, struct err *e)
{
	const struct want *w = &f->v[i];
	int64_t at = w->from_ms;
	unsigned timeouts = 0;

	while (at <= w->to_ms) {
		int64_t until = MIN_OF(i64_add_sat(at, *span_ms - 1), w->to_ms);
		size_t rows = 0;

		if (bt_stop_check(e) != 0)
			return -1;
		if (fetch_stretch(f, w, at, until, &rows, e) == 0) {
			at = i64_add_sat(until, 1);
			timeouts = 0;
			tell(f, i, at);
			if (rows < FEW_SAMPLES)
				*span_ms = MIN_OF(*span_ms * 2, LONGEST_MS);
			else if (rows > MANY_SAMPLES)
				*span_ms = MAX_OF(*span_ms / 2, SHORTEST_MS);
			continue;
		}
		if (e->kind == ERR_AGAIN && ++timeouts == MAX_TIMEOUTS)
			return too_slow(*span_ms, e);
		if ((e->kind != ERR_LIMIT && e->kind != ERR_AGAIN) || *span_ms <= SHORTEST_MS)
			return -1;
		*span_ms = MAX_OF(*span_ms / 2, SHORTEST_MS);
	}
	return 0;
}

/* --- the place for it --- */

static int make_place(struct bt_fetched *out, struct err *e)
{
	const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
	struct store_opts so = {.dir = out->dir,
		.ooo_window_ms = INT64_MAX,
		.max_series = MAX_SERIES,
		.commit_ms = 100};
	int n = snprintf(out->dir, sizeof out->dir, "%s/belfry-backtest.XXXXXX",
		tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");

	if (n < 0 || (size_t)n >= sizeof out->dir || mkdtemp(out->dir) == NULL) {
		out->dir[0] = '\0';
		return err_set(e, ERR_IO, 0, "cannot make a directory below %s",
			tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
	}
	return store_open(&out->store, &so, e);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void bt_fetched_fini(struct bt_fetched *f)
{
	if (f->store != NULL)
		store_close(f->store);
	if (f->dir[0] != '\0')
		(void)nftw(
			f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* what stays is in /tmp */
	f->store = NULL;
	f->dir[0] = '\0';
}

/* --- */

int bt_fetch(struct bt_fetched *out, const struct bt_fetch_opts *o, struct err *e)
{
	struct fetch f = {.o = o, .out = out};
	int64_t span = FIRST_MS;
	int rc;

	*out = (struct bt_fetched){.store = NULL};
	arena_init(&f.a, (size_t)64 << 20);
	f.http = bt_http_new(o->url);
	f.external = (struct labels){NULL, 0};
	if (!bt_http_is_belfry(f.http) && !bt_http_external(f.http, &f.a, &f.external))
		f.external = o->external;
	rc = make_place(out, e);
	if (rc == 0)
		rc = find_wants(&f, e);
	for (size_t i = 0; i < f.n && rc == 0; i++)
		rc = fetch_want(&f, i, &span, e);
	if (o->progress)
		(void)fputs("\r                                              \r", stderr);
	out->exact = !f.no_remote_read;
	if (rc == 0 && f.hists > 0)
		(void)fprintf(stderr,
			"belfry backtest: %zu native histograms were left out: this server gives "
			"them "
			"by remote read only\n",
			f.hists);
	bt_http_free(f.http);
	free(f.v);
	arena_fini(&f.a);
	return rc;
}

int bt_past_fetch(const char *url, int64_t from_ms, int64_t to_ms, struct arena *a,
	struct past *out, bool *found, struct err *e)
{
	struct bt_http *http = bt_http_new(url);
	struct bt_answer answer = {0};
	char path[128];
	int rc;

	*out = (struct past){.silences = NULL};
	from_ms = MAX_OF(from_ms, 0);
	to_ms = MAX_OF(to_ms, from_ms);
	(void)snprintf(path, sizeof path, "/api/belfry/v1/past?start=%lld.%03lld&end=%lld.%03lld",
		(long long)(from_ms / 1000), (long long)(from_ms % 1000), (long long)(to_ms / 1000),
		(long long)(to_ms % 1000));
	rc = bt_http_ask(http, path, NULL, STR(""), &answer, e);
	bt_http_free(http);
	if (rc != 0)
		return -1;
	*found = answer.status == 200;
	if (*found) { /* what is read points into the text */
		struct str text = arena_str(a, buf_view(&answer.body));

		rc = text.p == NULL ? err_set(e, ERR_LIMIT, 0, "an answer is too large")
				    : past_parse(text, a, out, e);
	} else if (answer.status != 404 && answer.status != 400 && answer.status != 405) {
		rc = bt_http_refused(&answer, e);
	}
	buf_fini(&answer.body);
	return rc;
}
