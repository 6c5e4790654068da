/* SPDX-License-Identifier: Apache-2.0 */
/* promqltest_load - the load commands, with start timestamps and custom-bucket histograms made of
 * classic ones; see promqltest.h. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "tests/lib/promqltest.h"

struct str pt_word(struct str *s)
{
	size_t i = 0;
	struct str w;

	while (i < s->n && s->p[i] != ' ' && s->p[i] != '\t')
		i++;
	w = str_sub(*s, 0, i);
	*s = str_trim(str_sub(*s, i, s->n));
	return w;
}

static bool start_times(struct arena *a, struct str text, int64_t **out, size_t *n)
{
	struct str part;

	*out = ARENA_ARRAY(a, 4096, int64_t);
	*n = 0;
	while (*out != NULL && str_split(&text, ' ', &part)) {
		size_t x = str_find(part, 'x'), sign = 1;
		int64_t cur = 0, inc = 0;
		long long times = 0;
		struct str val = str_sub(part, 0, x);
		bool blank = str_starts(val, STR("_"));

		if (part.n == 0)
			continue;
		if (x < part.n && !str_to_i64(str_sub(part, x + 1, part.n), &times))
			return false;
		while (sign < val.n && val.p[sign] != '+' && val.p[sign] != '-')
			sign++;
		if (!blank &&
			(!pt_duration(str_sub(val, 0, sign), &cur) ||
				(sign < val.n && !pt_duration(str_sub(val, sign, val.n), &inc))))
			return false;
		if (blank)
			times = times > 0 ? times - 1 : 0;
		for (long long i = 0; i <= times && *n < 4096; i++, cur += inc)
			(*out)[(*n)++] = blank ? INT64_MIN : cur;
	}
	return true;
}

static void load_series(struct arena *a, struct mem_source *src, const struct pt_series *s,
	int64_t gap, const int64_t *starts, size_t n_starts)
{
	struct mem_series *m = mem_source_series(src, s->labels);
	static const struct hist none;

	for (size_t i = 0; i < s->n; i++) {
		const struct pt_value *v = &s->v[i];
		int64_t t = (int64_t)i * gap, start = 0;
		bool hist_before = i > 0 && s->v[i - 1].kind == PT_HIST;
		struct hist *stale;

		if (v->kind == PT_NONE)
			continue;
		if (i < n_starts && starts[i] != INT64_MIN)
			start = t + starts[i];
		if (v->kind != PT_STALE) {
			mem_series_add(src, m, t, v->v, v->kind == PT_HIST ? v->h : NULL, start);
			continue;
		}
		stale = hist_before ? hist_copy(a, &none) : NULL;
		if (stale != NULL)
			stale->sum = stale_nan();
		mem_series_add(src, m, t, stale_nan(), stale, start);
	}
}

/* --- load_with_nhcb: classic histograms as custom-bucket ones too --- */

struct cell {
	double le[64], count[64], total, sum;
	size_t n;
	bool has_total, any;
};

static bool nhcb_part(struct str name, struct str *base, char *kind)
{
	static const struct {
		struct str suffix;
		char kind;
	} parts[] = {{{"_bucket", 7}, 'b'}, {{"_count", 6}, 'c'}, {{"_sum", 4}, 's'}};

	for (size_t i = 0; i < 3; i++) {
		if (str_ends(name, parts[i].suffix)) {
			*base = str_sub(name, 0, name.n - parts[i].suffix.n);
			*kind = parts[i].kind;
			return true;
		}
	}
	return false;
}

static struct labels nhcb_labels(struct arena *a, struct labels ls, struct str base)
{
	struct labels_builder b;

	labels_builder_init(&b, a, ls);
	labels_builder_del(&b, STR("le"));
	labels_builder_set(&b, LABEL_NAME, base);
	return labels_builder_done(&b);
}

static const struct hist *nhcb_hist(struct arena *a, struct cell *c)
{
	struct hist *h = ARENA_NEW(a, struct hist);
	double *bounds = ARENA_ARRAY(a, 65, double), *counts = ARENA_ARRAY(a, 65, double);
	struct hist_span *span = ARENA_NEW(a, struct hist_span);
	double total = c->has_total ? c->total : c->n > 0 ? c->count[c->n - 1] : 0, prev = 0;

	if (a->failed)
		return NULL;
	if (c->n == 0 || c->le[c->n - 1] != INFINITY) {
		c->le[c->n] = INFINITY;
		c->count[c->n++] = total;
	}
	for (size_t i = 0; i < c->n; i++) {
		bounds[i] = c->le[i];
		counts[i] = c->count[i] - prev;
		prev = c->count[i];
	}
	*span = (struct hist_span){0, (uint32_t)c->n};
	*h = (struct hist){.schema = HIST_SCHEMA_CUSTOM,
		.count = total,
		.sum = c->sum,
		.custom = bounds,
		.n_custom = (uint32_t)c->n - 1,
		.pos = {span, counts, 1, (uint32_t)c->n}};
	return h;
}

static void cell_add(struct cell *c, double le, double count)
{
	size_t at = c->n;

	for (size_t i = 0; i < c->n; i++) {
		if (c->le[i] == le)
			return;
	}
	if (c->n == 63)
		return;
	for (; at > 0 && c->le[at - 1] > le; at--) {
		c->le[at] = c->le[at - 1];
		c->count[at] = c->count[at - 1];
	}
	c->le[at] = le;
	c->count[at] = count;
	c->n++;
}

static void nhcb_cell(struct arena *a, const struct pt_series *all, size_t n, struct labels key,
	size_t t, struct cell *c)
{
	*c = (struct cell){0};
	for (size_t i = 0; i < n; i++) {
		struct str base;
		char kind;
		double le;

		if (t >= all[i].n || all[i].v[t].kind != PT_FLOAT ||
			!nhcb_part(labels_get(all[i].labels, LABEL_NAME), &base, &kind) ||
			!labels_eq(nhcb_labels(a, all[i].labels, base), key))
			continue;
		if (kind == 'b' && !pt_number(labels_get(all[i].labels, STR("le")), &le))
			continue;
		c->any = true;
		if (kind == 'b') {
			cell_add(c, le, all[i].v[t].v);
		} else if (kind == 'c') {
			c->total = all[i].v[t].v;
			c->has_total = true;
		} else {
			c->sum = all[i].v[t].v;
		}
	}
}

static void load_nhcb(
	struct arena *a, struct mem_source *src, const struct pt_series *all, size_t n, int64_t gap)
{
	for (size_t i = 0; i < n; i++) {
		struct str base;
		char kind;
		struct labels key;
		struct cell c;

		if (!nhcb_part(labels_get(all[i].labels, LABEL_NAME), &base, &kind))
			continue;
		key = nhcb_labels(a, all[i].labels, base);
		for (size_t t = 0; t < all[i].n; t++) {
			nhcb_cell(a, all, n, key, t, &c);
			if (c.any)
				mem_series_add(src, mem_source_series(src, key), (int64_t)t * gap,
					0, nhcb_hist(a, &c), 0);
		}
	}
}

bool pt_load(struct arena *a, struct mem_source *src, const struct str *lines, size_t n_lines,
	size_t *at)
{
	struct str line = lines[*at], cmd = pt_word(&line);
	struct pt_series *all = ARENA_ARRAY(a, 2048, struct pt_series);
	int64_t gap, *starts = NULL;
	size_t n = 0, n_starts = 0;

	if (all == NULL || !pt_duration(line, &gap))
		return false;
	while (*at + 1 < n_lines && lines[*at + 1].n > 0) {
		struct str s = lines[++*at], rest = s, head = pt_word(&rest);

		if (str_ends(head, STR("@st"))) {
			if (!start_times(a, rest, &starts, &n_starts))
				return false;
			continue;
		}
		if (n == 2048 || !pt_series(a, s, &all[n]))
			return false;
		load_series(a, src, &all[n++], gap, starts, n_starts);
		n_starts = 0;
	}
	if (str_ends(cmd, STR("_with_nhcb")))
		load_nhcb(a, src, all, n, gap);
	return true;
}
