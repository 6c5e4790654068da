/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_result - a query's result as Prometheus's JSON: scalars and strings as [t, "v"], vectors with
 * "value" or "histogram", matrices with "values" and "histograms".
 */
#include <math.h>

#include "agent/api.h"
#include "base/f64.h"
#include "base/stop.h"
#include "base/uninit.h"

/* [t,"v"] in one piece: most of a result's bytes are these. */
static void point(struct jsonw *j, int64_t t_ms, double v)
{
	char UNINIT text[F64_TIME_TEXT + F64_TEXT + 5];
	char *p = text;

	*p++ = '[';
	p += f64_time_text(p, t_ms);
	*p++ = ',';
	*p++ = '"';
	p += f64_text(p, v);
	*p++ = '"';
	*p++ = ']';
	jsonw_raw(j, str_n(text, (size_t)(p - text)));
}

struct bucket {
	double lower, upper, count;
	bool lower_in, upper_in;
};

static void bucket(struct jsonw *j, const struct bucket *b)
{
	int rule = b->lower_in && b->upper_in ? 3 : b->lower_in ? 1 : b->upper_in ? 0 : 2;

	jsonw_array(j);
	jsonw_i64(j, rule);
	jsonw_f64_str(j, b->lower);
	jsonw_f64_str(j, b->upper);
	jsonw_f64_str(j, b->count);
	jsonw_array_end(j);
}

/* Calls back for each bucket of a side, by ascending index, or descending for the negative one. */
struct walk {
	struct jsonw *j;
	const struct hist *h;
	bool any;
};

static void side_bucket(struct walk *w, int32_t index, double count, bool positive)
{
	const struct hist *h = w->h;
	double hi = hist_bound(h, index), lo = hist_bound(h, index - (index > INT32_MIN));
	struct bucket b = {.lower = positive ? lo : -hi, .upper = positive ? hi : -lo};

	if (count == 0)
		return;
	b.count = count;
	if (h->schema == HIST_SCHEMA_CUSTOM) {
		b.lower_in = index == 0;
		b.upper_in = true;
	} else {
		b.lower_in = b.lower < 0;
		b.upper_in = b.upper > 0;
	}
	if (b.upper < 0 && b.upper > -h->zero_threshold) /* what overlaps the zero bucket is its */
		b.upper = -h->zero_threshold;
	else if (b.lower > 0 && b.lower < h->zero_threshold)
		b.lower = h->zero_threshold;
	if (!w->any) {
		jsonw_key(w->j, "buckets");
		jsonw_array(w->j);
		w->any = true;
	}
	bucket(w->j, &b);
}

static void side(struct walk *w, const struct hist_side *s, bool positive)
{
	int64_t index = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < s->n_spans; i++) {
		index += s->spans[i].offset;
		for (uint32_t k = 0; k < s->spans[i].length && at < s->n_counts; k++, index++)
			side_bucket(w, (int32_t)index, s->counts[at++], positive);
	}
}

/* The negative side from its largest index to its smallest. */
static void side_reversed(struct walk *w, const struct hist_side *s)
{
	int64_t index = 0;
	uint32_t at = s->n_counts;

	for (uint32_t i = 0; i < s->n_spans; i++)
		index += (int64_t)s->spans[i].offset + s->spans[i].length;
	for (uint32_t i = s->n_spans; i-- > 0;) {
		for (uint32_t k = 0; k < s->spans[i].length && at > 0; k++) {
			index--;
			side_bucket(w, (int32_t)index, s->counts[--at], false);
		}
		index -= s->spans[i].offset;
	}
}

static void zero_bucket(struct walk *w)
{
	const struct hist *h = w->h;
	struct bucket b = {-h->zero_threshold, h->zero_threshold, h->zero_count, true, true};

	if (!(h->zero_count > 0) ||
		h->schema == HIST_SCHEMA_CUSTOM) /* as upstream: never negative */
		return;
	if (!w->any) {
		jsonw_key(w->j, "buckets");
		jsonw_array(w->j);
		w->any = true;
	}
	bucket(w->j, &b);
}

static void histogram(struct jsonw *j, int64_t t_ms, const struct hist *h)
{
	struct walk w = {j, h, false};

	jsonw_array(j);
	jsonw_time(j, t_ms);
	jsonw_object(j);
	jsonw_key(j, "count");
	jsonw_f64_str(j, h->count);
	jsonw_key(j, "sum");
	jsonw_f64_str(j, h->sum);
	side_reversed(&w, &h->neg);
	zero_bucket(&w);
	side(&w, &h->pos, true);
	if (w.any)
		jsonw_array_end(j);
	jsonw_object_end(j);
	jsonw_array_end(j);
}

static void vector_item(struct jsonw *j, const struct pq_series *s)
{
	jsonw_object(j);
	jsonw_key(j, "metric");
	jsonw_labels(j, s->labels);
	if (s->h != NULL && s->h[0] != NULL) {
		jsonw_key(j, "histogram");
		histogram(j, s->t[0], s->h[0]);
	} else {
		jsonw_key(j, "value");
		point(j, s->t[0], s->v[0]);
	}
	jsonw_object_end(j);
}

static void matrix_item(struct jsonw *j, const struct pq_series *s)
{
	size_t hists = 0;

	for (size_t i = 0; s->h != NULL && i < s->n; i++)
		hists += s->h[i] != NULL;
	jsonw_object(j);
	jsonw_key(j, "metric");
	jsonw_labels(j, s->labels);
	if (hists < s->n) {
		jsonw_key(j, "values");
		jsonw_array(j);
		for (size_t i = 0; i < s->n; i++) {
			if (s->h == NULL || s->h[i] == NULL)
				point(j, s->t[i], s->v[i]);
		}
		jsonw_array_end(j);
	}
	if (hists > 0) {
		jsonw_key(j, "histograms");
		jsonw_array(j);
		for (size_t i = 0; i < s->n; i++) {
			if (s->h[i] != NULL)
				histogram(j, s->t[i], s->h[i]);
		}
		jsonw_array_end(j);
	}
	jsonw_object_end(j);
}

/* Scalars never use an exponent. */
static void scalar(struct jsonw *j, int64_t t_ms, double v)
{
	struct buf text;

	buf_init(&text, 1024);
	buf_ch(&text, '"');
	if (isfinite(v))
		f64_print_plain(&text, v);
	else
		f64_print(&text, v);
	buf_ch(&text, '"');
	jsonw_array(j);
	jsonw_f64(j, (double)t_ms / 1000);
	jsonw_raw(j, buf_view(&text));
	jsonw_array_end(j);
	buf_fini(&text);
}

static void result_of(struct jsonw *j, const struct pq_result *res, int64_t t_ms, size_t limit)
{
	size_t n = limit > 0 && limit < res->n ? limit : res->n;

	switch (res->type) {
	case PQ_SCALAR: scalar(j, t_ms, res->scalar); return;
	case PQ_STRING:
		jsonw_array(j);
		jsonw_f64(j, (double)t_ms / 1000);
		jsonw_str(j, res->string);
		jsonw_array_end(j);
		return;
	case PQ_VECTOR:
	case PQ_MATRIX:
		jsonw_array(j);
		for (size_t i = 0; i < n && !stop_asked(); i++) {
			if (res->series[i].n == 0)
				continue;
			if (res->type == PQ_VECTOR)
				vector_item(j, &res->series[i]);
			else
				matrix_item(j, &res->series[i]);
		}
		jsonw_array_end(j);
		return;
	}
}

void api_result(struct jsonw *j, const struct pq_result *res, int64_t t_ms, size_t limit)
{
	static const char *const names[] = {[PQ_SCALAR] = "scalar",
		[PQ_VECTOR] = "vector",
		[PQ_MATRIX] = "matrix",
		[PQ_STRING] = "string"};

	jsonw_kv_c(j, "resultType", names[res->type]);
	jsonw_key(j, "result");
	result_of(j, res, t_ms, limit);
}
