/* SPDX-License-Identifier: Apache-2.0 */
/* backtest_samples - answers of other servers into batches; see backtest_fetch.h. */
#include <math.h>
#include <snappy-c.h>
#include <stdlib.h>

#include "agent/backtest_fetch.h"
#include "agent/ingest/rw_decode.h"
#include "agent/ingest/rw_wire.h"
#include "base/jsonr.h"
#include "base/limits.h"
#include "base/num.h"
#include "storage/batch.h"

#define DECODED_MAX  ((size_t)512 << 20)
#define RATIO_MAX    64u /* of decoded to received bytes: more is no samples */
#define SCRATCH_MAX  ((size_t)64 << 20)
#define SHORT_ANSWER 65536u

struct into {
	struct batch *b;
	struct labels external;
	size_t hists;
};

/* Names the series; false: its rows are not wanted. */
static bool begin_series(struct into *x, struct label *v, size_t n)
{
	struct labels ls;
	struct err e;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct str outer = labels_get(x->external, v[i].name);

		if (v[i].name.n > 0 && (outer.n == 0 || !str_eq(outer, v[i].value)))
			v[kept++] = v[i];
	}
	if (kept > LIMIT_LABELS || !labels_sort(v, &kept))
		return false;
	ls = (struct labels){v, kept};
	if (labels_check(ls, true, &e) != 0)
		return false;
	batch_series_labels(x->b, ls, labels_hash(ls));
	return true;
}

/* --- remote read --- */

static void on_series_id(void *ctx, uint32_t id)
{
	(void)ctx;
	(void)id; /* there is no cache that would know one */
}

static uint32_t on_series_labels(void *ctx, struct label *v, size_t n, size_t rows)
{
	return rows > 0 && begin_series(ctx, v, n) ? 0 : RW_REFUSED;
}

static void on_sample(void *ctx, int64_t t_ms, double v, int64_t start_ms)
{
	batch_float(((struct into *)ctx)->b, t_ms, v, start_ms);
}

static void on_hist(void *ctx, int64_t t_ms, const struct hist *h, int64_t start_ms)
{
	batch_hist(((struct into *)ctx)->b, t_ms, h, start_ms);
}

static void on_bad_hist(void *ctx, const char *why)
{
	(void)ctx;
	(void)why;
}

static void on_exemplars(void *ctx, size_t n)
{
	(void)ctx;
	(void)n;
}

static void on_metadata(
	void *ctx, struct str metric, const char *type, struct str help, struct str unit)
{
	(void)ctx;
	(void)metric;
	(void)type;
	(void)help;
	(void)unit;
}

/* A QueryResult is, field by field, what a write request is. */
static int read_results(struct rw_decoder *d, struct str body, struct err *e)
{
	struct rd r = rd_of(body);
	uint32_t tag;

	while ((tag = wire_tag(&r)) != 0) {
		struct str result;

		if (tag != WIRE_TAG(1, WIRE_LEN)) {
			wire_other(&r, tag, 1);
			continue;
		}
		result = wire_bytes(&r);
		if (!r.bad && rw_decode1(d, result, e) != 0)
			return -1;
	}
	return r.bad ? err_set(e, ERR_INPUT, 0, "malformed protobuf in a remote read answer") : 0;
}

static int too_much(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "an answer holds too many samples");
}

int bt_samples_read(struct str body, struct labels external, struct batch *b, struct err *e)
{
	struct into x = {.b = b, .external = external};
	struct arena scratch;
	struct rw_decoder d = {.sink = {&x, on_series_id, on_series_labels, on_sample, on_hist,
				       on_bad_hist, on_exemplars, on_metadata},
		.scratch = &scratch,
		.starts = true};
	size_t n;
	char *raw;
	int rc;

	if (snappy_uncompressed_length(body.p, body.n, &n) != SNAPPY_OK)
		return err_set(e, ERR_INPUT, 0, "a remote read answer is not snappy");
	if (n > DECODED_MAX || n > SHORT_ANSWER + RATIO_MAX * body.n)
		return too_much(e);
	raw = malloc(n + 1);
	if (raw == NULL)
		return too_much(e);
	arena_init(&scratch, SCRATCH_MAX);
	if (snappy_uncompress(body.p, body.n, raw, &n) != SNAPPY_OK)
		rc = err_set(e, ERR_INPUT, 0, "a remote read answer is not snappy");
	else
		rc = read_results(&d, str_n(raw, n), e);
	arena_fini(&scratch);
	free(raw);
	return rc == 0 && batch_failed(b) ? too_much(e) : rc;
}

/* --- a matrix in JSON --- */

static void get_labels(struct jsonr *j, struct into *x, bool *wanted)
{
	struct label v[LIMIT_LABELS + 1];
	struct str key;
	size_t n = 0;

	jsonr_object(j);
	while (jsonr_key(j, &key)) {
		struct str value;

		if (jsonr_str(j, &value) && n <= LIMIT_LABELS)
			v[n++] = (struct label){key, value};
	}
	*wanted = !j->failed && begin_series(x, v, n);
}

static void get_point(struct jsonr *j, struct into *x, bool wanted)
{
	struct str text;
	double t = 0, v;

	jsonr_array(j);
	if (!jsonr_item(j) || !jsonr_f64(j, &t) || !jsonr_item(j) || !jsonr_str(j, &text))
		return;
	if (!str_to_f64(text, &v)) {
		jsonr_fail(j, "this is no sample's value");
		return;
	}
	if (wanted)
		batch_float(x->b, num_clamp_i64(round(t * 1000)), v, 0);
	if (jsonr_item(j))
		jsonr_fail(j, "a sample is a time and a value");
}

static void get_series(struct jsonr *j, struct into *x)
{
	struct str key;
	bool wanted = false;

	jsonr_object(j);
	while (jsonr_key(j, &key)) {
		if (str_eq(key, STR("metric"))) {
			get_labels(j, x, &wanted);
		} else if (str_eq(key, STR("values"))) {
			jsonr_array(j);
			while (jsonr_item(j))
				get_point(j, x, wanted);
		} else if (str_eq(key, STR("histograms"))) {
			jsonr_array(j);
			while (jsonr_item(j)) {
				jsonr_skip(j);
				x->hists++;
			}
		} else {
			jsonr_skip(j);
		}
	}
}

static void get_data(struct jsonr *j, struct into *x)
{
	struct str key;

	jsonr_object(j);
	while (jsonr_key(j, &key)) {
		if (!str_eq(key, STR("result"))) {
			jsonr_skip(j);
			continue;
		}
		jsonr_array(j);
		while (jsonr_item(j))
			get_series(j, x);
	}
}

int bt_samples_matrix(
	struct str body, struct labels external, struct batch *b, size_t *hists, struct err *e)
{
	struct into x = {.b = b, .external = external};
	struct arena a;
	struct jsonr j;
	struct str key;
	int rc = 0;

	arena_init(&a, SCRATCH_MAX);
	jsonr_init(&j, body, &a, e);
	jsonr_object(&j);
	while (jsonr_key(&j, &key)) {
		if (str_eq(key, STR("data")))
			get_data(&j, &x);
		else
			jsonr_skip(&j);
	}
	if (!jsonr_end(&j))
		rc = err_wrap(e, "the answer of a query");
	else if (batch_failed(b))
		rc = too_much(e);
	*hists = x.hists;
	arena_fini(&a);
	return rc;
}
