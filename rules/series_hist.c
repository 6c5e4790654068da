/* SPDX-License-Identifier: Apache-2.0 */
/* series_hist - native histograms in the notation of tests: {{schema:1 sum:2 buckets:[1 2]}}. */
#include "base/limits.h"
#include "base/num.h"
#include "rules/series_notation.h"

#define MAX_LIST 1000u /* buckets of one side: tests write them by hand */

enum key {
	KEY_SCHEMA,
	KEY_SUM,
	KEY_COUNT,
	KEY_ZERO,
	KEY_ZERO_WIDTH,
	KEY_CUSTOM,
	KEY_BUCKETS,
	KEY_OFFSET,
	KEY_N_BUCKETS,
	KEY_N_OFFSET,
	KEY_HINT,
	KEYS
};

static const struct str keys[KEYS] = {{"schema", 6}, {"sum", 3}, {"count", 5}, {"z_bucket", 8},
	{"z_bucket_w", 10}, {"custom_values", 13}, {"buckets", 7}, {"offset", 6}, {"n_buckets", 9},
	{"n_offset", 8}, {"counter_reset_hint", 18}};

struct list {
	const double *v;
	uint32_t n;
};

struct parser {
	struct arena *a;
	struct str s;
	size_t pos;
	struct err *e;
	double number[KEYS];
	struct list list[KEYS];
	bool seen[KEYS];
	uint8_t hint;
};

static bool fail(struct parser *p, const char *what)
{
	(void)err_set_at(p->e, ERR_INPUT, MIN_OF(p->pos, p->s.n), "histogram: %s", what);
	return false;
}

static char at(const struct parser *p)
{
	return p->pos < p->s.n ? p->s.p[p->pos] : '\0';
}

static void skip_blanks(struct parser *p)
{
	while (at(p) == ' ' || at(p) == '\t' || at(p) == '\n')
		p->pos++;
}

static struct str word(struct parser *p)
{
	size_t start = p->pos;

	while ((at(p) >= 'a' && at(p) <= 'z') || at(p) == '_')
		p->pos++;
	return str_sub(p->s, start, p->pos);
}

static bool read_list(struct parser *p, struct list *out)
{
	double v[MAX_LIST], *copy;
	uint32_t n = 0;

	if (at(p) != '[')
		return fail(p, "expected a list in [ ]");
	p->pos++;
	for (skip_blanks(p); at(p) != ']'; skip_blanks(p)) {
		if (n == MAX_LIST)
			return fail(p, "too many buckets");
		if (!series_number(p->s, &p->pos, &v[n]))
			return fail(p, "expected a number");
		n++;
	}
	p->pos++;
	copy = ARENA_ARRAY(p->a, n, double);
	if (copy == NULL)
		return fail(p, "out of memory");
	memcpy(copy, v, n * sizeof *v);
	*out = (struct list){copy, n};
	return true;
}

static bool read_hint(struct parser *p)
{
	static const struct str hints[] = {
		{"unknown", 7}, {"reset", 5}, {"not_reset", 9}, {"gauge", 5}};
	static const uint8_t values[] = {
		HIST_RESET_UNKNOWN, HIST_RESET_YES, HIST_RESET_NO, HIST_RESET_GAUGE};
	struct str w = word(p);

	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		if (str_eq(w, hints[i])) {
			p->hint = values[i];
			return true;
		}
	}
	return fail(p, "expected unknown, reset, not_reset or gauge");
}

static bool read_pair(struct parser *p)
{
	size_t start = p->pos;
	struct str w = word(p);
	unsigned k = 0;

	while (k < KEYS && !str_eq(w, keys[k]))
		k++;
	if (k == KEYS || at(p) != ':' || p->seen[k]) {
		p->pos = start;
		return fail(p, k == KEYS                     ? "unknown key"
			       : at(p) != ':' && !p->seen[k] ? "expected : after the key"
							     : "a key stands twice");
	}
	p->seen[k] = true;
	p->pos++;
	if (k == KEY_HINT)
		return read_hint(p);
	if (k == KEY_BUCKETS || k == KEY_N_BUCKETS || k == KEY_CUSTOM)
		return read_list(p, &p->list[k]);
	if (!series_number(p->s, &p->pos, &p->number[k]))
		return fail(p, "expected a number");
	if ((k == KEY_SCHEMA || k == KEY_OFFSET || k == KEY_N_OFFSET) &&
		(p->number[k] != floor(p->number[k]) || fabs(p->number[k]) > 1e6))
		return fail(p, "expected a whole number");
	return true;
}

static bool side(struct parser *p, enum key buckets, enum key offset, struct hist_side *out)
{
	struct hist_span *span = ARENA_NEW(p->a, struct hist_span);

	if (p->list[buckets].n == 0)
		return true;
	if (span == NULL)
		return fail(p, "out of memory");
	*span = (struct hist_span){(int32_t)p->number[offset], p->list[buckets].n};
	*out = (struct hist_side){span, p->list[buckets].v, 1, p->list[buckets].n};
	return true;
}

static const double *magnitudes(struct parser *p, struct list l)
{
	double *v = ARENA_ARRAY(p->a, l.n, double);

	for (uint32_t i = 0; v != NULL && i < l.n; i++)
		v[i] = fabs(l.v[i]);
	return v;
}

/* Sound in shape; counts may be negative: what a test expects of a difference may be. */
static bool shape_ok(struct parser *p, const struct hist *h)
{
	struct hist m = *h;
	struct err why;

	m.count = fabs(h->count);
	m.zero_count = fabs(h->zero_count);
	m.pos.counts = magnitudes(p, p->list[KEY_BUCKETS]);
	m.neg.counts = magnitudes(p, p->list[KEY_N_BUCKETS]);
	if (m.pos.counts == NULL || m.neg.counts == NULL)
		return fail(p, "out of memory");
	return hist_check(&m, &why) == 0 || fail(p, why.msg);
}

const struct hist *series_hist_parse(struct arena *a, struct str s, size_t *pos, struct err *e)
{
	struct parser p = {.a = a, .s = s, .pos = *pos, .e = e};
	struct hist *h = ARENA_NEW(a, struct hist);

	if (h == NULL) {
		(void)fail(&p, "out of memory");
		return NULL;
	}
	if (!str_starts(str_sub(s, p.pos, s.n), STR("{{"))) {
		(void)fail(&p, "expected {{");
		return NULL;
	}
	p.pos += 2;
	for (skip_blanks(&p); at(&p) != '}'; skip_blanks(&p)) {
		if (!read_pair(&p))
			return NULL;
	}
	if (!str_starts(str_sub(s, p.pos, s.n), STR("}}"))) {
		(void)fail(&p, "expected }}");
		return NULL;
	}
	*h = (struct hist){.schema = (int32_t)p.number[KEY_SCHEMA],
		.reset = p.hint,
		.zero_threshold = p.number[KEY_ZERO_WIDTH],
		.zero_count = p.number[KEY_ZERO],
		.count = p.number[KEY_COUNT],
		.sum = p.number[KEY_SUM],
		.custom = p.list[KEY_CUSTOM].v,
		.n_custom = p.list[KEY_CUSTOM].n};
	if (!side(&p, KEY_BUCKETS, KEY_OFFSET, &h->pos) ||
		!side(&p, KEY_N_BUCKETS, KEY_N_OFFSET, &h->neg) || !shape_ok(&p, h))
		return NULL;
	p.pos += 2;
	*pos = p.pos;
	return h;
}
