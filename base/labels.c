/* SPDX-License-Identifier: Apache-2.0 */
/* labels - comparing, hashing, printing and checking label sets; see labels.h. */
#include "base/labels.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"

struct str labels_get(struct labels ls, struct str name)
{
	for (size_t i = 0; i < ls.n; i++) {
		if (str_eq(ls.v[i].name, name))
			return ls.v[i].value;
	}
	return (struct str){"", 0};
}

bool labels_eq(struct labels a, struct labels b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (!str_eq(a.v[i].name, b.v[i].name) || !str_eq(a.v[i].value, b.v[i].value))
			return false;
	}
	return true;
}

/* Of strings that are kept once the bytes need not be looked at. */
static inline int cmp_part(struct str a, struct str b)
{
	return a.p == b.p && a.n == b.n ? 0 : str_cmp(a, b);
}

int labels_cmp(struct labels a, struct labels b)
{
	size_t n = MIN_OF(a.n, b.n);

	for (size_t i = 0; i < n; i++) {
		int c = cmp_part(a.v[i].name, b.v[i].name);

		if (c == 0)
			c = cmp_part(a.v[i].value, b.v[i].value);
		if (c != 0)
			return c;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

/* One label's contribution: order matters, so that sets hash alike however they are cut. */
static uint64_t mix(uint64_t h, const struct label *l)
{
	return labels_hash_mix(h, hash_str(l->name), hash_str(l->value));
}

uint64_t labels_hash(struct labels ls)
{
	uint64_t h = 0;

	for (size_t i = 0; i < ls.n; i++)
		h = mix(h, &ls.v[i]);
	return h;
}

static bool name_in(struct str name, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(name, names[i]))
			return true;
	}
	return false;
}

uint64_t labels_hash_on(struct labels ls, const struct str *names, size_t n)
{
	uint64_t h = 0;

	for (size_t i = 0; i < ls.n; i++) {
		if (name_in(ls.v[i].name, names, n))
			h = mix(h, &ls.v[i]);
	}
	return h;
}

uint64_t labels_hash_without(struct labels ls, const struct str *names, size_t n)
{
	uint64_t h = 0;

	for (size_t i = 0; i < ls.n; i++) {
		if (!name_in(ls.v[i].name, names, n))
			h = mix(h, &ls.v[i]);
	}
	return h;
}

static uint64_t fnv1a(uint64_t h, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
	return (h ^ 0xff) * UINT64_C(1099511628211);
}

uint64_t labels_fingerprint(struct labels ls)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < ls.n; i++) {
		h = fnv1a(h, ls.v[i].name);
		h = fnv1a(h, ls.v[i].value);
	}
	return h;
}

struct labels labels_copy(struct arena *a, struct labels ls)
{
	struct label *v = ARENA_ARRAY(a, ls.n, struct label);

	if (v == NULL)
		return (struct labels){NULL, 0};
	for (size_t i = 0; i < ls.n; i++) {
		v[i].name = arena_str(a, ls.v[i].name);
		v[i].value = arena_str(a, ls.v[i].value);
	}
	return a->failed ? (struct labels){NULL, 0} : (struct labels){v, ls.n};
}

struct labels labels_clone(struct labels ls)
{
	size_t bytes = 0;
	struct label *v;
	char *p;

	for (size_t i = 0; i < ls.n; i++)
		bytes += ls.v[i].name.n + ls.v[i].value.n + 2;
	v = malloc(ls.n * sizeof *v + bytes + 1);
	ASSERT(v != NULL);
	p = (char *)(v + ls.n);
	for (size_t i = 0; i < 2 * ls.n; i++) {
		const struct label *from = &ls.v[i / 2];
		struct str s = i % 2 == 0 ? from->name : from->value;

		if (s.n > 0)
			memcpy(p, s.p, s.n);
		p[s.n] = '\0';
		if (i % 2 == 0)
			v[i / 2].name = str_n(p, s.n);
		else
			v[i / 2].value = str_n(p, s.n);
		p += s.n + 1;
	}
	return (struct labels){v, ls.n};
}

void labels_unclone(struct labels ls)
{
	void *block;

	memcpy(&block, &ls.v, sizeof block); /* the view is const, its block is ours */
	free(block);
}

static int by_name(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

bool labels_sort(struct label *v, size_t *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		if (v[i].value.n > 0)
			v[kept++] = v[i];
	}
	*n = kept;
	for (size_t i = 1; i < kept; i++) {
		if (str_cmp(v[i - 1].name, v[i].name) > 0) {
			qsort(v, kept, sizeof *v, by_name);
			break;
		}
	}
	for (size_t i = 1; i < kept; i++) {
		if (str_eq(v[i - 1].name, v[i].name))
			return false;
	}
	return true;
}

void labels_print_value(struct buf *b, struct str v)
{
	buf_ch(b, '"');
	for (size_t i = 0; i < v.n; i++) {
		switch (v.p[i]) {
		case '\\': buf_c(b, "\\\\"); break;
		case '"': buf_c(b, "\\\""); break;
		case '\n': buf_c(b, "\\n"); break;
		default: buf_ch(b, v.p[i]); break;
		}
	}
	buf_ch(b, '"');
}

void labels_print(struct buf *b, struct labels ls, bool metric_name)
{
	struct str name = metric_name ? labels_get(ls, LABEL_NAME) : STR_NULL;
	bool outside = name.n > 0 && metric_name_is_legacy(name);
	bool first = true;

	if (outside) {
		buf_str(b, name);
		if (ls.n == 1)
			return;
	}
	buf_ch(b, '{');
	if (name.n > 0 && !outside) {
		labels_print_value(b, name);
		first = false;
	}
	for (size_t i = 0; i < ls.n; i++) {
		if (name.n > 0 && str_eq(ls.v[i].name, LABEL_NAME))
			continue;
		if (!first)
			buf_c(b, ", ");
		first = false;
		if (label_name_is_legacy(ls.v[i].name))
			buf_str(b, ls.v[i].name);
		else
			labels_print_value(b, ls.v[i].name);
		buf_ch(b, '=');
		labels_print_value(b, ls.v[i].value);
	}
	buf_ch(b, '}');
}

static bool name_chars(struct str s, bool colon)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
			(colon && c == ':') || (i > 0 && c >= '0' && c <= '9'))
			continue;
		return false;
	}
	return s.n > 0;
}

bool label_name_is_legacy(struct str s)
{
	return name_chars(s, false);
}

bool metric_name_is_legacy(struct str s)
{
	return name_chars(s, true);
}

int labels_check(struct labels ls, bool need_name, struct err *e)
{
	bool named = false;

	if (ls.n > LIMIT_LABELS)
		return err_set(
			e, ERR_LIMIT, 0, "%zu labels, at most %u are taken", ls.n, LIMIT_LABELS);
	for (size_t i = 0; i < ls.n; i++) {
		const struct label *l = &ls.v[i];

		if (l->name.n == 0)
			return err_set(e, ERR_INPUT, 0, "empty label name");
		if (l->name.n > LIMIT_LABEL_NAME || l->value.n > LIMIT_LABEL_VALUE)
			return err_set(e, ERR_LIMIT, 0, "label " STR_FMT ": name or value too long",
				STR_ARG(str_sub(l->name, 0, 60)));
		if (!str_is_utf8(l->name) || !str_is_utf8(l->value))
			return err_set(e, ERR_INPUT, 0, "label %zu is not valid UTF-8", i + 1);
		if (i > 0 && str_cmp(ls.v[i - 1].name, l->name) >= 0) {
			bool twice = str_eq(ls.v[i - 1].name, l->name);

			return err_set(e, ERR_INPUT, 0, "label " STR_FMT " %s",
				STR_ARG(str_sub(l->name, 0, 60)),
				twice ? "stands twice" : "is out of order");
		}
		if (str_eq(l->name, LABEL_NAME))
			named = l->value.n > 0;
	}
	if (need_name && !named)
		return err_set(e, ERR_INPUT, 0, "series without a metric name");
	return 0;
}

void labels_builder_init(struct labels_builder *b, struct arena *a, struct labels base)
{
	*b = (struct labels_builder){.a = a, .cap = base.n + 8};
	b->v = ARENA_ARRAY(a, b->cap, struct label);
	if (b->v == NULL)
		return;
	for (size_t i = 0; i < base.n; i++)
		b->v[b->n++] = base.v[i];
}

void labels_builder_set(struct labels_builder *b, struct str name, struct str value)
{
	if (b->v == NULL)
		return;
	for (size_t i = 0; i < b->n; i++) {
		if (str_eq(b->v[i].name, name)) {
			b->v[i].value = value;
			return;
		}
	}
	if (b->n == b->cap) {
		struct label *v = ARENA_ARRAY(b->a, b->cap * 2, struct label);

		if (v == NULL) {
			b->v = NULL;
			return;
		}
		memcpy(v, b->v, b->n * sizeof *v);
		b->v = v;
		b->cap *= 2;
	}
	b->v[b->n++] = (struct label){name, value};
}

void labels_builder_del(struct labels_builder *b, struct str name)
{
	for (size_t i = 0; b->v != NULL && i < b->n; i++) {
		if (str_eq(b->v[i].name, name)) {
			b->v[i] = b->v[--b->n];
			return;
		}
	}
}

struct str labels_builder_get(const struct labels_builder *b, struct str name)
{
	return labels_get((struct labels){b->v, b->v != NULL ? b->n : 0}, name);
}

struct labels labels_builder_done(struct labels_builder *b)
{
	if (b->v == NULL)
		return (struct labels){NULL, 0};
	if (!labels_sort(b->v, &b->n))
		ASSERT(!"the builder holds each name once");
	return (struct labels){b->v, b->n};
}
