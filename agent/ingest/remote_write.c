/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write - one request: headers, snappy, wire walk into a batch, answer after the commit.
 *
 * Each request at work holds a decoder slot (cache of label blocks, buffer for the decoded body,
 * scratch arena). Slots are taken without a lock, the lowest free one first, so that few senders
 * warm few caches. Ids of new series are learnt when they come the second time, by looking them up
 * in the store: so nothing flows back from the writer to a cache.
 */
#include "agent/ingest/remote_write.h"

#include <snappy-c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/ingest/rw_decode.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "storage/batch.h"

#define SLOTS         16u
#define KEEP_BODY     ((size_t)4 << 20)  /* a larger decode buffer is given back */
#define SCRATCH_BYTES ((size_t)64 << 20) /* symbols and one histogram */

struct slot {
	atomic_flag busy;
	struct rw_cache *cache;
	char *body;
	size_t body_cap;
	struct arena scratch;
	_Atomic size_t entries; /* of the cache, for the metric */
};

struct remote_write {
	struct store *store;
	struct slot slots[SLOTS];
	struct metric *samples, *histograms, *exemplars, *requests1, *requests2, *bytes;
	struct metric *refused[REFUSED_KINDS];
};

/* A request between decoding and commit. */
struct write {
	struct remote_write *rw;
	struct http_req *req;
	struct batch *batch;
	size_t floats, hists;
	bool v2;
};

static const char *const refusal_text[REFUSED_KINDS] = {
	"", "labels", "too_old", "too_new", "duplicate", "series_limit", "histogram"};

static double cache_entries(void *arg)
{
	struct remote_write *rw = arg;
	size_t n = 0;

	for (size_t i = 0; i < SLOTS; i++)
		n += atomic_load(&rw->slots[i].entries);
	return (double)n;
}

static void make_metrics(struct remote_write *rw)
{
	const char *help = "Rows of remote write refused, by reason.";

	rw->samples = metric_counter("belfry_remote_write_samples_total",
		"Float samples decoded from remote write.", NULL);
	rw->histograms = metric_counter("belfry_remote_write_histograms_total",
		"Native histograms decoded from remote write.", NULL);
	rw->exemplars = metric_counter("belfry_remote_write_dropped_total",
		"What was dropped or refused, by reason.", "reason=\"exemplar\"");
	rw->requests1 = metric_counter("belfry_remote_write_requests_total",
		"Remote write requests by version.", "version=\"1.0\"");
	rw->requests2 = metric_counter("belfry_remote_write_requests_total",
		"Remote write requests by version.", "version=\"2.0\"");
	rw->bytes = metric_counter("belfry_remote_write_decoded_bytes_total",
		"Bytes of remote write bodies after snappy.", NULL);
	for (int i = 1; i < REFUSED_KINDS; i++)
		rw->refused[i] = metric_counter_l("belfry_remote_write_refused_samples_total", help,
			"reason", str_c(refusal_text[i]));
	metric_gauge_fn("belfry_remote_write_cache_entries",
		"Label blocks remembered by the decoders.", NULL, cache_entries, rw);
}

int remote_write_new(struct remote_write **out, struct store *store, struct err *e)
{
	struct remote_write *rw = calloc(1, sizeof *rw);

	if (rw == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	rw->store = store;
	for (size_t i = 0; i < SLOTS; i++)
		arena_init(&rw->slots[i].scratch, SCRATCH_BYTES);
	make_metrics(rw);
	*out = rw;
	return 0;
}

void remote_write_free(struct remote_write *rw)
{
	if (rw == NULL)
		return;
	metric_gauge_fn("belfry_remote_write_cache_entries", "", NULL, NULL, NULL);
	for (size_t i = 0; i < SLOTS; i++) {
		rw_cache_free(rw->slots[i].cache);
		free(rw->slots[i].body);
		arena_fini(&rw->slots[i].scratch);
	}
	free(rw);
}

static struct slot *take_slot(struct remote_write *rw)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &rw->slots[i];

		if (!atomic_flag_test_and_set(&s->busy)) {
			if (s->cache == NULL)
				s->cache = rw_cache_new(LIMIT_WRITE_CACHE);
			return s;
		}
	}
	return NULL;
}

static void put_slot(struct slot *s)
{
	arena_reset(&s->scratch);
	if (s->cache != NULL)
		atomic_store(&s->entries, rw_cache_entries(s->cache));
	if (s->body_cap > KEEP_BODY) {
		free(s->body);
		s->body = NULL;
		s->body_cap = 0;
	}
	atomic_flag_clear(&s->busy);
}

/* --- headers --- */

/* "application/x-protobuf;proto=NAME": 1, 2, or 0 for what is not taken. Absent means 1. */
static int version_of(struct str type)
{
	struct str rest = type, part;
	int version = 1;
	bool first = true;

	if (type.n == 0)
		return 1;
	while (str_split(&rest, ';', &part)) {
		part = str_trim(part);
		if (first && !str_eq_nocase(part, STR("application/x-protobuf")))
			return 0;
		first = false;
		if (!str_starts(part, STR("proto=")))
			continue;
		part = str_sub(part, 6, part.n);
		if (str_eq(part, STR("prometheus.WriteRequest")))
			version = 1;
		else if (str_eq(part, STR("io.prometheus.write.v2.Request")))
			version = 2;
		else
			return 0;
	}
	return version;
}

/* --- answers --- */

static void refuse(struct http_req *req, int status, const char *text)
{
	if (status == 503 || status == 429)
		http_resp_header(req, "Retry-After", STR("1"));
	http_reply(req, status, "text/plain; charset=utf-8", str_c(text));
}

static void number_header(struct http_req *req, const char *name, size_t n)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%zu", n);
	http_resp_header(req, name, str_c(text));
}

/* How much was written; stored counts both kinds together, which matters only in a request that
 * mixes them and was refused in part. */
static void written_headers(const struct write *w, size_t stored)
{
	size_t floats = stored < w->floats ? stored : w->floats;

	number_header(w->req, "X-Prometheus-Remote-Write-Samples-Written", floats);
	number_header(w->req, "X-Prometheus-Remote-Write-Histograms-Written", stored - floats);
	number_header(w->req, "X-Prometheus-Remote-Write-Exemplars-Written", 0);
}

/* On the writer thread after the commit: owns the batch. */
static void on_committed(struct batch *b, void *arg)
{
	struct write *w = arg;
	const struct batch_result *res = batch_result(b);
	bool refused = false;

	for (int i = 1; i < REFUSED_KINDS; i++) {
		metric_add(w->rw->refused[i], res->refused[i]);
		refused |= res->refused[i] > 0;
	}
	if (w->v2)
		written_headers(w, res->fail == ERR_NONE ? res->stored : 0);
	if (res->fail == ERR_AGAIN)
		refuse(w->req, 503, "the storage writer is overloaded\n");
	else if (res->fail == ERR_LIMIT)
		refuse(w->req, 503, "the disk is full\n");
	else if (res->fail != ERR_NONE)
		refuse(w->req, 500, "the samples could not be stored\n");
	else if (refused)
		refuse(w->req, 400, res->first_msg);
	else
		http_reply(w->req, 204, NULL, STR(""));
	batch_free(b);
	free(w);
}

/* --- decoding into the batch --- */

static void on_series_id(void *ctx, uint32_t id)
{
	batch_series_id(((struct write *)ctx)->batch, id);
}

static uint32_t on_series_labels(void *ctx, struct label *v, size_t n, size_t rows)
{
	struct write *w = ctx;
	struct labels ls;
	struct err e = {0};
	size_t bad = rows > 0 ? rows : 1; /* a bad series with metadata only is refused as well */
	uint64_t hash;
	uint32_t id;

	for (size_t i = 0; i < n; i++) {
		if (v[i].name.n == 0) { /* labels_sort would drop it when its value is empty too */
			batch_refuse(w->batch, REFUSED_LABELS, bad, "empty label name");
			return RW_REFUSED;
		}
	}
	if (n > LIMIT_LABELS || !labels_sort(v, &n)) {
		batch_refuse(w->batch, REFUSED_LABELS, bad, "series " STR_FMT ": %s",
			STR_ARG(str_sub(labels_get((struct labels){v, n}, LABEL_NAME), 0, 100)),
			n > LIMIT_LABELS ? "too many labels" : "a label name stands twice");
		return RW_REFUSED;
	}
	ls = (struct labels){v, n};
	if (labels_check(ls, true, &e) != 0) {
		batch_refuse(w->batch, REFUSED_LABELS, bad, "series " STR_FMT ": %s",
			STR_ARG(str_sub(labels_get(ls, LABEL_NAME), 0, 100)), e.msg);
		return RW_REFUSED;
	}
	if (rows == 0)
		return 0;
	hash = labels_hash(ls);
	id = store_find_series(w->rw->store, ls, hash);
	if (id != 0)
		batch_series_id(w->batch, id);
	else
		batch_series_labels(w->batch, ls, hash);
	return id;
}

static void on_sample(void *ctx, int64_t t_ms, double v, int64_t start_ms)
{
	struct write *w = ctx;

	w->floats++;
	batch_float(w->batch, t_ms, v, start_ms);
}

static void on_hist(void *ctx, int64_t t_ms, const struct hist *h, int64_t start_ms)
{
	struct write *w = ctx;

	w->hists++;
	batch_hist(w->batch, t_ms, h, start_ms);
}

static void on_bad_hist(void *ctx, const char *why)
{
	batch_refuse(((struct write *)ctx)->batch, REFUSED_HISTOGRAM, 1, "histogram: %s", why);
}

static void on_exemplars(void *ctx, size_t n)
{
	metric_add(((struct write *)ctx)->rw->exemplars, n);
}

static void on_metadata(
	void *ctx, struct str metric, const char *type, struct str help, struct str unit)
{
	if (metric.n > 0 && metric.n <= LIMIT_LABEL_VALUE && str_is_utf8(metric))
		batch_metadata(((struct write *)ctx)->batch, metric, str_c(type),
			str_sub(help, 0, LIMIT_LABEL_VALUE), str_sub(unit, 0, LIMIT_LABEL_NAME));
}

/* Snappy, with the declared size looked at before anything is allocated. 0, or the status. */
static int unpack(struct slot *s, struct str body, struct str *out, const char **why)
{
	size_t n;

	*why = "the body is not snappy\n";
	if (snappy_uncompressed_length(body.p, body.n, &n) != SNAPPY_OK ||
		n > LIMIT_DECODED_RATIO * body.n)
		return 400;
	*why = "the decoded body is over its limit\n";
	if (n > LIMIT_DECODED_BYTES)
		return 413;
	if (n > s->body_cap) {
		free(s->body);
		s->body_cap = n > 65536 ? n : 65536;
		s->body = malloc(s->body_cap);
	}
	*why = "out of memory\n";
	if (s->body == NULL) {
		s->body_cap = 0;
		return 503;
	}
	*why = "the body is not snappy\n";
	if (snappy_uncompress(body.p, body.n, s->body, &n) != SNAPPY_OK)
		return 400;
	*out = str_n(s->body, n);
	return 0;
}

static int decode(struct write *w, struct slot *s, struct str body, struct err *e)
{
	struct rw_decoder d = {
		.sink = {w, on_series_id, on_series_labels, on_sample, on_hist, on_bad_hist,
			on_exemplars, on_metadata},
		.cache = s->cache,
		.scratch = &s->scratch,
	};

	if (d.cache != NULL)
		rw_cache_check(d.cache, store_id_generation(w->rw->store));
	return w->v2 ? rw_decode2(&d, body, e) : rw_decode1(&d, body, e);
}

/* 0: the batch is filled. Else the status to answer with. */
static int fill(struct write *w, struct slot *s, const char **why, struct err *e)
{
	struct str body;
	int status = unpack(s, http_req_body(w->req), &body, why);

	if (status != 0) {
		METRIC_DROP("remote_write", "unreadable", 1);
		return status;
	}
	metric_add(w->rw->bytes, body.n);
	if (decode(w, s, body, e) != 0) {
		METRIC_DROP("remote_write", "undecodable", 1);
		*why = e->msg;
		return 400;
	}
	if (batch_failed(w->batch)) {
		METRIC_LIMIT("batch_samples");
		*why = "more samples than one request may hold\n";
		return 413;
	}
	return 0;
}

static void submit(struct write *w)
{
	struct remote_write *rw = w->rw;
	struct http_req *req = w->req;
	struct err e = {0};

	metric_add(rw->samples, w->floats);
	metric_add(rw->histograms, w->hists);
	if (store_submit(rw->store, w->batch, on_committed, w, &e) == 0)
		return;
	METRIC_DROP("remote_write", "overload", 1);
	batch_free(w->batch);
	free(w);
	refuse(req, 503,
		e.kind == ERR_LIMIT ? "the disk is full\n" : "the storage writer is overloaded\n");
}

void remote_write_handle(struct remote_write *rw, struct http_req *req)
{
	struct str encoding = http_req_header(req, "content-encoding");
	int version = version_of(http_req_header(req, "content-type"));
	struct write *w;
	struct slot *s;
	const char *why = "";
	struct err e = {0};
	int status;

	if (version == 0 || (encoding.n > 0 && !str_eq_nocase(encoding, STR("snappy")))) {
		refuse(req, 415,
			"only snappy-compressed prometheus.WriteRequest and "
			"io.prometheus.write.v2.Request are taken\n");
		return;
	}
	metric_inc(version == 2 ? rw->requests2 : rw->requests1);
	w = calloc(1, sizeof *w);
	s = take_slot(rw);
	if (w != NULL && s != NULL)
		w->batch = batch_new(BATCH_REMOTE_WRITE);
	if (w == NULL || s == NULL || w->batch == NULL) {
		if (s != NULL)
			put_slot(s);
		free(w);
		refuse(req, 503, "too many writes at once\n");
		return;
	}
	w->rw = rw;
	w->req = req;
	w->v2 = version == 2;
	status = fill(w, s, &why, &e);
	put_slot(s);
	if (status == 0) {
		submit(w);
		return;
	}
	batch_free(w->batch);
	free(w);
	refuse(req, status, why);
}
