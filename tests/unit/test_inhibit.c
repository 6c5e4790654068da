/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher index and the inhibitor against the slow way: every matcher list and every pair of
 * alerts tried, over thousands of alerts that come, cease and go.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/num.h"
#include "exporters/inhibit.h"
#include "tests/lib/suite.h"

#define ALERTS 120u
#define RULES  6u

static unsigned seed;

static unsigned draw(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 12) % n;
}

static const char *const names[] = {"a", "b", "c"};
static const char *const values[] = {"", "x", "y", "z"};
static const char *const patterns[] = {"x", "x|y", "x.*", ".*", "(x|y|z)", ".+"};

static struct matcher draw_matcher(void)
{
	enum matcher_op op = (enum matcher_op)draw(4);
	struct str value =
		str_c(op == MATCH_EQ || op == MATCH_NE ? values[draw(4)] : patterns[draw(6)]);
	struct matcher m;
	struct err e;

	ck_assert_int_eq(matcher_init(&m, op, str_c(names[draw(3)]), value, &e), 0);
	return m;
}

static struct labels draw_labels(struct label *v)
{
	size_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		const char *value = values[draw(4)];

		if (value[0] != '\0')
			v[n++] = (struct label){str_c(names[i]), str_c(value)};
	}
	return (struct labels){v, n};
}

struct hits {
	const void *v[64];
	size_t n;
};

static void on_hit(void *item, void *arg)
{
	struct hits *h = arg;

	ck_assert_uint_lt(h->n, 64);
	for (size_t i = 0; i < h->n; i++)
		ck_assert_ptr_ne(h->v[i], item); /* none twice */
	h->v[h->n++] = item;
}

START_TEST(the_index_finds_what_trying_all_finds)
{
	struct matcher m[40][3];
	size_t n[40];
	struct matcher_index x;

	hash_init();
	seed = 7;
	matcher_index_init(&x);
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		n[i] = draw(4);
		for (size_t k = 0; k < n[i]; k++)
			m[i][k] = draw_matcher();
		matcher_index_add(&x, m[i], n[i], &n[i]);
	}
	for (int round = 0; round < 2000; round++) {
		struct label v[3];
		struct labels ls = draw_labels(v);
		struct hits h = {.n = 0};
		size_t want = 0;

		matcher_index_find(&x, ls, on_hit, &h);
		for (size_t i = 0; i < ARRAY_LEN(m); i++)
			want += matchers_match(m[i], n[i], ls);
		ck_assert_uint_eq(h.n, want);
	}
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		for (size_t k = 0; k < n[i]; k++)
			matcher_fini(&m[i][k]);
	}
	matcher_index_fini(&x);
}
END_TEST

struct world {
	struct inhibitor x;
	struct inhibit_rule rules[RULES];
	struct matcher source[RULES][2], target[RULES][2];
	struct str equal[RULES][2];
	struct live_alert alerts[ALERTS];
	struct label labels[ALERTS][3];
	bool in[ALERTS], heard[ALERTS]; /* heard: the verdict as the callback told it */
};

static void on_changed(struct live_alert *a, void *arg)
{
	struct world *w = arg;
	size_t i = (size_t)(a - w->alerts);

	ck_assert_int_ne(w->heard[i], a->inhibited); /* only changes are told */
	w->heard[i] = a->inhibited;
}

static bool both(const struct inhibit_rule *r, struct labels ls)
{
	return matchers_match(r->source, r->n_source, ls) &&
	       matchers_match(r->target, r->n_target, ls);
}

/* D13, literally. */
static bool inhibits(const struct inhibit_rule *r, struct labels source, struct labels target)
{
	if (!matchers_match(r->target, r->n_target, target) ||
		!matchers_match(r->source, r->n_source, source))
		return false;
	for (size_t i = 0; i < r->n_equal; i++) {
		if (!str_eq(labels_get(source, r->equal[i]), labels_get(target, r->equal[i])))
			return false;
	}
	return !(both(r, target) && both(r, source));
}

static void compare(const struct world *w)
{
	for (size_t t = 0; t < ALERTS; t++) {
		bool want = false;

		for (size_t s = 0; s < ALERTS && w->in[t]; s++) {
			for (size_t r = 0; r < RULES && w->in[s] && w->alerts[s].al.firing; r++)
				want = want || inhibits(&w->rules[r], w->alerts[s].al.labels,
						       w->alerts[t].al.labels);
		}
		if (!w->in[t])
			continue;
		ck_assert_int_eq(w->alerts[t].inhibited, want);
		ck_assert_int_eq(w->heard[t], want);
		ck_assert_int_eq(inhibit_sources_of(&w->alerts[t], (uint64_t[8]){0}, 8) > 0, want);
	}
}

static void make_rules(struct world *w)
{
	for (size_t i = 0; i < RULES; i++) {
		struct inhibit_rule *r = &w->rules[i];

		for (size_t k = 0; k < 2; k++) {
			w->source[i][k] = draw_matcher();
			w->target[i][k] = draw_matcher();
			w->equal[i][k] = str_c(names[draw(3)]);
		}
		*r = (struct inhibit_rule){.source = w->source[i],
			.n_source = 1 + draw(2),
			.target = w->target[i],
			.n_target = 1 + draw(2),
			.equal = w->equal[i],
			.n_equal = draw(3)};
	}
}

static void step(struct world *w)
{
	size_t i = draw(ALERTS);
	struct live_alert *a = &w->alerts[i];

	if (!w->in[i]) {
		memset(a, 0, sizeof *a);
		a->al.labels = draw_labels(w->labels[i]);
		a->al.fingerprint = i + 1;
		inhibit_add(&w->x, a);
		w->in[i] = true;
		w->heard[i] = a->inhibited;
		a->al.firing = true;
		inhibit_source(&w->x, a, true);
	} else if (a->al.firing || draw(2) == 0) {
		a->al.firing = !a->al.firing;
		inhibit_source(&w->x, a, a->al.firing);
	} else {
		inhibit_remove(&w->x, a);
		w->in[i] = false;
	}
}

START_TEST(the_inhibitor_agrees_with_trying_all_pairs)
{
	struct world *w = calloc(1, sizeof *w);

	ck_assert_ptr_nonnull(w);
	hash_init();
	for (unsigned world = 1; world <= 8; world++) {
		seed = world;
		make_rules(w);
		inhibit_init(&w->x, w->rules, RULES, on_changed, w);
		for (int i = 0; i < 1500; i++) {
			step(w);
			if (i % 25 == 0)
				compare(w);
		}
		compare(w);
		for (size_t i = 0; i < ALERTS; i++) {
			if (w->in[i])
				inhibit_remove(&w->x, &w->alerts[i]);
			w->in[i] = false;
		}
		inhibit_fini(&w->x);
		for (size_t i = 0; i < RULES; i++) {
			for (size_t k = 0; k < 2; k++) {
				matcher_fini(&w->source[i][k]);
				matcher_fini(&w->target[i][k]);
			}
		}
	}
	free(w);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		the_index_finds_what_trying_all_finds, the_inhibitor_agrees_with_trying_all_pairs};
	Suite *s = suite_create("inhibition");
	TCase *tc = tcase_create("inhibition");

	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
