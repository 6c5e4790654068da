/* SPDX-License-Identifier: Apache-2.0 */
/* set - distinct members of a flush interval; see set.h. */
#include "agent/statsd/set.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

#define BITS      12u
#define REGISTERS (1u << BITS)

void set_init(struct set *s)
{
	*s = (struct set){0};
}

void set_fini(struct set *s)
{
	free(s->hashes);
	free(s->registers);
	*s = (struct set){0};
}

void set_clear(struct set *s)
{
	free(s->registers);
	s->registers = NULL;
	s->n = 0;
}

/* The register is chosen by the top bits; its value is the place of the first 1 among the rest. */
static void add_hash(uint8_t *registers, uint64_t h)
{
	uint64_t rest = (h << BITS) | (UINT64_C(1) << (BITS - 1)); /* never 0 */
	uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
	uint8_t *r = &registers[h >> (64 - BITS)];

	if (*r < rank)
		*r = rank;
}

static void go_dense(struct set *s)
{
	s->registers = calloc(REGISTERS, 1);
	ASSERT(s->registers != NULL);
	for (uint32_t i = 0; i < s->n; i++)
		add_hash(s->registers, s->hashes[i]);
}

void set_add(struct set *s, struct str member)
{
	uint64_t h = hash_fixed(member.p, member.n);

	if (s->registers != NULL) {
		add_hash(s->registers, h);
		return;
	}
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->hashes[i] == h)
			return;
	}
	if (s->n == SET_EXACT) {
		go_dense(s);
		add_hash(s->registers, h);
		return;
	}
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 8 : s->cap * 2;
		s->hashes = reallocarray(s->hashes, s->cap, sizeof *s->hashes);
		ASSERT(s->hashes != NULL);
	}
	s->hashes[s->n++] = h;
}

double set_estimate(const struct set *s)
{
	const double alpha = 0.7213 / (1 + 1.079 / REGISTERS);
	double sum = 0, estimate;
	unsigned zeros = 0;

	if (s->registers == NULL)
		return s->n;
	for (unsigned i = 0; i < REGISTERS; i++) {
		sum += ldexp(1, -s->registers[i]);
		zeros += s->registers[i] == 0;
	}
	estimate = alpha * REGISTERS * REGISTERS / sum;
	if (estimate <= 2.5 * REGISTERS && zeros > 0)
		estimate = REGISTERS * log((double)REGISTERS / zeros);
	return round(estimate);
}

size_t set_bytes(const struct set *s)
{
	return sizeof *s + s->cap * sizeof *s->hashes + (s->registers != NULL ? REGISTERS : 0);
}
