/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PromQL parser on any bytes: it answers with a tree or one error with a place inside the
 * text, and what it prints parses again to the same text.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "rules/promql/ast.h"

static void count(const struct matcher *m, size_t n, void *arg)
{
	for (size_t i = 0; i < n; i++)
		*(size_t *)arg += matcher_matches(&m[i], STR("abc"));
}

static void check_tree(const struct pq_expr *x)
{
	const struct pq_expr *c;

	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++) {
		ASSERT(c->id < x->id);
		ASSERT(c->height < x->height);
		ASSERT(c->off >= x->off);
		ASSERT(c->off + c->len <= x->off + x->len);
		check_tree(c);
	}
}

static void round_trip(const struct pq_expr *x)
{
	struct arena a;
	struct buf one, two;
	struct err e = {.kind = ERR_NONE};
	const struct pq_expr *y;

	arena_init(&a, (size_t)16 << 20);
	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	pq_expr_print(&one, x);
	ASSERT(!one.failed);
	y = pq_parse(&a, buf_view(&one), true, &e);
	/* Escapes may make the text longer than the limit. */
	ASSERT(y != NULL || e.kind == ERR_LIMIT);
	if (y != NULL) {
		pq_expr_print(&two, y);
		/* Upstream's "+Inf" may come back as a sign before a power: Inf ^ 2 is +(Inf ^ 2).
		 */
		if (!str_has(buf_view(&one), STR("+Inf")))
			ASSERT(str_eq(buf_view(&one), buf_view(&two)));
	}
	buf_fini(&two);
	buf_fini(&one);
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct err e = {.kind = ERR_NONE};
	const struct pq_expr *x;
	struct matcher *m;
	struct arena a;
	size_t n = 0;

	arena_init(&a, (size_t)16 << 20);
	x = pq_parse(&a, text, true, &e);
	if (x != NULL) {
		check_tree(x);
		pq_expr_selectors(x, count, &n);
		round_trip(x);
	} else {
		ASSERT(e.kind == ERR_INPUT || e.kind == ERR_LIMIT);
		ASSERT(e.off <= size);
		ASSERT(e.msg[0] != '\0');
	}
	arena_reset(&a);
	(void)pq_parse_selector(&a, text, &m, &n, &e);
	arena_fini(&a);
	return 0;
}
