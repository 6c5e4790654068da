/* SPDX-License-Identifier: Apache-2.0 */
/* rw_oracle - see rw_oracle.h. */
#include "tests/lib/rw_oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ingest/rw_decode.h"
#include "agent/ingest/rw_wire.h"
#include "base/limits.h"
#include "base/num.h"
#include "remote1.pb-c.h"
#include "remote2.pb-c.h"

#define TEXT_MAX ((size_t)512 << 20)

static void put_str(struct buf *b, struct str s)
{
	buf_printf(b, "%zu:", s.n);
	buf_str(b, s);
}

static void put_label(struct buf *b, struct str name, struct str value)
{
	buf_ch(b, ' ');
	put_str(b, name);
	buf_ch(b, '=');
	put_str(b, value);
}

static void put_sample(struct buf *b, int64_t t, double v, int64_t start)
{
	buf_printf(b, " F%lld %llx %lld\n", (long long)t, (unsigned long long)f64_bits(v),
		(long long)start);
}

static void put_side(struct buf *b, const struct hist_side *s)
{
	buf_printf(b, " (%u %u", s->n_spans, s->n_counts);
	for (uint32_t i = 0; i < s->n_spans; i++)
		buf_printf(b, " %d+%u", s->spans[i].offset, s->spans[i].length);
	for (uint32_t i = 0; i < s->n_counts; i++)
		buf_printf(b, " %llx", (unsigned long long)f64_bits(s->counts[i]));
	buf_ch(b, ')');
}

static void put_hist(struct buf *b, int64_t t, const struct hist *h, int64_t start)
{
	buf_printf(b, " H%lld %lld s%d r%d i%d %llx %llx %llx %llx", (long long)t, (long long)start,
		h->schema, h->reset, h->is_int, (unsigned long long)f64_bits(h->zero_threshold),
		(unsigned long long)f64_bits(h->zero_count), (unsigned long long)f64_bits(h->count),
		(unsigned long long)f64_bits(h->sum));
	put_side(b, &h->pos);
	put_side(b, &h->neg);
	for (uint32_t i = 0; i < h->n_custom; i++)
		buf_printf(b, " c%llx", (unsigned long long)f64_bits(h->custom[i]));
	buf_ch(b, '\n');
}

static void put_meta(
	struct buf *b, struct str metric, const char *type, struct str help, struct str unit)
{
	put_str(b, metric);
	buf_printf(b, " %s ", type);
	put_str(b, help);
	put_str(b, unit);
	buf_ch(b, '\n');
}

/* --- belfry's way --- */

struct ours {
	struct rw_known *known;
	struct buf *rows, *meta;
	struct buf name, floats, hists; /* of the series at work */
};

static void flush(struct ours *o)
{
	if (o->floats.n + o->hists.n > 0) {
		buf_ch(o->rows, 'S');
		buf_str(o->rows, buf_view(&o->name));
		buf_ch(o->rows, '\n');
		buf_str(o->rows, buf_view(&o->floats));
		buf_str(o->rows, buf_view(&o->hists));
	}
	buf_reset(&o->name);
	buf_reset(&o->floats);
	buf_reset(&o->hists);
}

static void on_id(void *ctx, uint32_t id)
{
	struct ours *o = ctx;

	flush(o);
	if (o->known == NULL || id == 0 || id > o->known->n)
		abort();
	buf_str(&o->name, o->known->names[id - 1]);
}

static uint32_t on_labels(void *ctx, struct label *v, size_t n, size_t rows)
{
	struct ours *o = ctx;
	struct rw_known *k = o->known;

	(void)rows;
	flush(o);
	for (size_t i = 0; i < n; i++)
		put_label(&o->name, v[i].name, v[i].value);
	if (k == NULL)
		return 0;
	for (size_t i = 0; i < k->n; i++) {
		if (str_eq(k->names[i], buf_view(&o->name)))
			return (uint32_t)i + 1;
	}
	if (k->n < k->cap)
		k->names[k->n++] = arena_str(k->a, buf_view(&o->name));
	return 0;
}

static void on_sample(void *ctx, int64_t t, double v, int64_t start)
{
	put_sample(&((struct ours *)ctx)->floats, t, v, start);
}

static void on_hist(void *ctx, int64_t t, const struct hist *h, int64_t start)
{
	put_hist(&((struct ours *)ctx)->hists, t, h, start);
}

static void on_bad_hist(void *ctx, const char *why)
{
	(void)why;
	buf_c(&((struct ours *)ctx)->hists, " bad\n");
}

static void on_exemplars(void *ctx, size_t n)
{
	(void)ctx;
	(void)n;
}

static void on_metadata(
	void *ctx, struct str metric, const char *type, struct str help, struct str unit)
{
	put_meta(((struct ours *)ctx)->meta, metric, type, help, unit);
}

bool rw_text_ours(int version, struct str body, struct rw_cache *cache, struct rw_known *known,
	struct buf *rows, struct buf *meta)
{
	struct ours o = {.known = known, .rows = rows, .meta = meta};
	struct arena scratch;
	struct rw_decoder d = {
		.sink = {&o, on_id, on_labels, on_sample, on_hist, on_bad_hist, on_exemplars,
			on_metadata},
		.cache = cache,
		.scratch = &scratch,
	};
	struct err e = {0};
	int rc;

	arena_init(&scratch, (size_t)256 << 20);
	buf_init(&o.name, TEXT_MAX);
	buf_init(&o.floats, TEXT_MAX);
	buf_init(&o.hists, TEXT_MAX);
	rc = version == 2 ? rw_decode2(&d, body, &e) : rw_decode1(&d, body, &e);
	flush(&o);
	buf_fini(&o.name);
	buf_fini(&o.floats);
	buf_fini(&o.hists);
	arena_fini(&scratch);
	return rc == 0;
}

/* --- protobuf-c's way --- */

static struct str bytes(ProtobufCBinaryData d)
{
	return str_n((const char *)d.data, d.len);
}

/* The histogram messages of both versions have the same members under other names. */
struct oracle_hist {
	struct hist h;
	struct hist_span *spans[2];
	double *counts[2];
	bool overflow;
};

struct oracle_buckets {
	size_t n_deltas;
	const int64_t *deltas;
	size_t n_counts;
	const double *counts;
};

static void oracle_side(
	struct oracle_hist *o, struct hist_side *side, int which, struct oracle_buckets b)
{
	size_t n = o->h.is_int ? b.n_deltas : b.n_counts;
	int64_t sum = 0;

	o->counts[which] = calloc(n + 1, sizeof(double));
	for (size_t i = 0; i < n; i++) {
		if (o->h.is_int && __builtin_add_overflow(sum, b.deltas[i], &sum))
			o->overflow = true;
		o->counts[which][i] = o->h.is_int ? (double)sum : b.counts[i];
	}
	/* running sums of the unused deltas are looked at too */
	sum = 0;
	for (size_t i = 0; i < b.n_deltas; i++)
		o->overflow |= __builtin_add_overflow(sum, b.deltas[i], &sum);
	side->counts = o->counts[which];
	side->n_counts = (uint32_t)n;
}

static bool oracle_sound(const struct oracle_hist *o)
{
	struct err e;

	for (uint32_t i = 0; i < o->h.pos.n_counts; i++) {
		if (o->h.pos.counts[i] < 0)
			return false;
	}
	for (uint32_t i = 0; i < o->h.neg.n_counts; i++) {
		if (o->h.neg.counts[i] < 0)
			return false;
	}
	return !o->overflow && hist_check(&o->h, &e) == 0;
}

#define ORACLE_SPANS(m, field, which, side)                                                        \
	do {                                                                                       \
		o.spans[which] = calloc((m)->n_##field + 1, sizeof(struct hist_span));             \
		for (size_t at_ = 0; at_ < (m)->n_##field; at_++)                                  \
			o.spans[which][at_] = (struct hist_span){                                  \
				(m)->field[at_]->offset, (m)->field[at_]->length};                 \
		(side)->spans = o.spans[which];                                                    \
		(side)->n_spans = (uint32_t)(m)->n_##field;                                        \
	} while (0)

#define ORACLE_HIST(P, Q, m, out, start)                                                           \
	do {                                                                                       \
		struct oracle_hist o = {.h = {.schema = (m)->schema}};                             \
		bool big = (m)->n_positive_deltas > LIMIT_HIST_BUCKETS ||                          \
			   (m)->n_negative_deltas > LIMIT_HIST_BUCKETS ||                          \
			   (m)->n_positive_counts > LIMIT_HIST_BUCKETS ||                          \
			   (m)->n_negative_counts > LIMIT_HIST_BUCKETS ||                          \
			   (m)->n_custom_values > LIMIT_HIST_CUSTOM ||                             \
			   (m)->n_positive_spans > LIMIT_HIST_SPANS ||                             \
			   (m)->n_negative_spans > LIMIT_HIST_SPANS;                               \
                                                                                                   \
		o.h.is_int = (m)->count_case == P##__COUNT_COUNT_INT ||                            \
			     (m)->n_positive_deltas + (m)->n_negative_deltas > 0;                  \
		o.h.count = (m)->count_case == P##__COUNT_COUNT_INT     ? (double)(m)->count_int   \
			    : (m)->count_case == P##__COUNT_COUNT_FLOAT ? (m)->count_float         \
									: 0;                       \
		o.h.zero_count = (m)->zero_count_case == P##__ZERO_COUNT_ZERO_COUNT_INT            \
					 ? (double)(m)->zero_count_int                             \
				 : (m)->zero_count_case == P##__ZERO_COUNT_ZERO_COUNT_FLOAT        \
					 ? (m)->zero_count_float                                   \
					 : 0;                                                      \
		o.h.sum = (m)->sum;                                                                \
		o.h.zero_threshold = (m)->zero_threshold;                                          \
		o.h.reset = (uint32_t)(m)->reset_hint <= 3 ? (uint8_t)(m)->reset_hint : 0;         \
		o.h.custom = (m)->custom_values;                                                   \
		o.h.n_custom = (uint32_t)(m)->n_custom_values;                                     \
		ORACLE_SPANS(m, positive_spans, 0, &o.h.pos);                                      \
		ORACLE_SPANS(m, negative_spans, 1, &o.h.neg);                                      \
		oracle_side(&o, &o.h.pos, 0,                                                       \
			((struct oracle_buckets){(m)->n_positive_deltas, (m)->positive_deltas,     \
				(m)->n_positive_counts, (m)->positive_counts}));                   \
		oracle_side(&o, &o.h.neg, 1,                                                       \
			((struct oracle_buckets){(m)->n_negative_deltas, (m)->negative_deltas,     \
				(m)->n_negative_counts, (m)->negative_counts}));                   \
		if (!big && oracle_sound(&o))                                                      \
			put_hist(out, (m)->timestamp, &o.h, start);                                \
		else                                                                               \
			buf_c(out, " bad\n");                                                      \
		for (int w_ = 0; w_ < 2; w_++) {                                                   \
			free(o.spans[w_]);                                                         \
			free(o.counts[w_]);                                                        \
		}                                                                                  \
	} while (0)

static bool oracle1(struct str body, struct buf *rows, struct buf *meta)
{
	Remote1__WriteRequest *w =
		remote1__write_request__unpack(NULL, body.n, (const uint8_t *)body.p);

	if (w == NULL)
		return false;
	for (size_t i = 0; i < w->n_series; i++) {
		const Remote1__Series *s = w->series[i];

		if (s->n_samples + s->n_histograms == 0)
			continue;
		buf_ch(rows, 'S');
		for (size_t k = 0; k < s->n_labels && k < LIMIT_LABELS + 1; k++)
			put_label(rows, bytes(s->labels[k]->name), bytes(s->labels[k]->value));
		buf_ch(rows, '\n');
		for (size_t k = 0; k < s->n_samples; k++)
			put_sample(rows, s->samples[k]->timestamp, s->samples[k]->value, 0);
		for (size_t k = 0; k < s->n_histograms; k++)
			ORACLE_HIST(REMOTE1__HISTOGRAM, 1, s->histograms[k], rows, 0);
	}
	for (size_t i = 0; i < w->n_metadata; i++) {
		const Remote1__Metadata *m = w->metadata[i];

		put_meta(meta, bytes(m->metric), rw_type_name((uint64_t)(int64_t)m->type),
			bytes(m->help), bytes(m->unit));
	}
	remote1__write_request__free_unpacked(w, NULL);
	return true;
}

static bool refs_sound(const Remote2__Request *w, const Remote2__Series *s)
{
	size_t n = s->n_label_refs;

	for (size_t k = 0; k < n; k++) {
		if (s->label_refs[k] >= w->n_symbols)
			return false;
	}
	if (s->metadata != NULL &&
		(s->metadata->help_ref >= w->n_symbols || s->metadata->unit_ref >= w->n_symbols))
		return false;
	return n % 2 == 0;
}

static void oracle2_meta(const Remote2__Request *w, const Remote2__Series *s, struct buf *meta)
{
	const Remote2__Metadata *m = s->metadata;
	struct str metric = STR(""), help, unit;

	if (m == NULL)
		return;
	help = bytes(w->symbols[m->help_ref]);
	unit = bytes(w->symbols[m->unit_ref]);
	for (size_t k = 0; k + 1 < s->n_label_refs && k < 2 * LIMIT_LABELS + 2; k += 2) {
		if (str_eq(bytes(w->symbols[s->label_refs[k]]), LABEL_NAME))
			metric = bytes(w->symbols[s->label_refs[k + 1]]);
	}
	if (metric.n > 0 && (m->type != 0 || help.n > 0 || unit.n > 0))
		put_meta(meta, metric, rw_type_name((uint64_t)(int64_t)m->type), help, unit);
}

static bool oracle2(struct str body, struct buf *rows, struct buf *meta)
{
	Remote2__Request *w = remote2__request__unpack(NULL, body.n, (const uint8_t *)body.p);
	bool ok = w != NULL;

	for (size_t i = 0; ok && i < w->n_series; i++) {
		const Remote2__Series *s = w->series[i];

		ok = refs_sound(w, s);
		if (!ok)
			break;
		oracle2_meta(w, s, meta);
		if (s->n_samples + s->n_histograms == 0)
			continue;
		buf_ch(rows, 'S');
		for (size_t k = 0; k + 1 < s->n_label_refs && k < 2 * LIMIT_LABELS + 2; k += 2)
			put_label(rows, bytes(w->symbols[s->label_refs[k]]),
				bytes(w->symbols[s->label_refs[k + 1]]));
		buf_ch(rows, '\n');
		for (size_t k = 0; k < s->n_samples; k++)
			put_sample(rows, s->samples[k]->timestamp, s->samples[k]->value,
				s->samples[k]->start_timestamp != 0 ? s->samples[k]->start_timestamp
								    : s->created_timestamp);
		for (size_t k = 0; k < s->n_histograms; k++)
			ORACLE_HIST(REMOTE2__HISTOGRAM, 2, s->histograms[k], rows,
				s->histograms[k]->start_timestamp != 0
					? s->histograms[k]->start_timestamp
					: s->created_timestamp);
	}
	if (w != NULL)
		remote2__request__free_unpacked(w, NULL);
	return ok;
}

bool rw_text_oracle(int version, struct str body, struct buf *rows, struct buf *meta)
{
	return version == 2 ? oracle2(body, rows, meta) : oracle1(body, rows, meta);
}

static void must_equal(const struct buf *a, const struct buf *b, const char *what)
{
	if (str_eq(buf_view(a), buf_view(b)))
		return;
	fprintf(stderr, "%s differ:\nours\n%.*s\noracle\n%.*s\n", what, (int)MIN_OF(a->n, 4000),
		a->p != NULL ? a->p : "", (int)MIN_OF(b->n, 4000), b->p != NULL ? b->p : "");
	abort();
}

bool rw_compare(int version, struct str body)
{
	struct buf b[4];
	struct arena a;
	struct rw_known known = {.a = &a, .cap = 2048};
	struct rw_cache *cache = rw_cache_new(4096);
	bool ok;

	arena_init(&a, (size_t)256 << 20);
	known.names = ARENA_ARRAY(&a, known.cap, struct str);
	for (int i = 0; i < 4; i++)
		buf_init(&b[i], TEXT_MAX);
	ok = rw_text_ours(version, body, NULL, NULL, &b[0], &b[1]);
	if (ok) {
		if (!rw_text_oracle(version, body, &b[2], &b[3])) {
			fprintf(stderr, "the oracle refuses what we take (version %d):", version);
			for (size_t i = 0; i < body.n && i < 2000; i++)
				fprintf(stderr, "%02x", (unsigned char)body.p[i]);
			fprintf(stderr, "\n");
			abort();
		}
		must_equal(&b[0], &b[2], "rows");
		must_equal(&b[1], &b[3], "metadata");
		for (int i = 0; i < 3; i++) {
			buf_reset(&b[0]);
			buf_reset(&b[1]);
			if (!rw_text_ours(version, body, cache, &known, &b[0], &b[1]))
				abort();
			must_equal(&b[0], &b[2], "rows by way of the cache");
		}
	}
	for (int i = 0; i < 4; i++)
		buf_fini(&b[i]);
	rw_cache_free(cache);
	arena_fini(&a);
	return ok;
}
