/* SPDX-License-Identifier: Apache-2.0 */
/* hash - seeded XXH3; see hash.h. */
#include "base/hash.h"

#include <pthread.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/assert.h"

static uint64_t seed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

void hash_random(void *p, size_t n)
{
	unsigned char *q = p;

	while (n > 0) {
		ssize_t got = getrandom(q, n, 0);

		if (got < 0)
			continue; /* EINTR: the only error for these arguments */
		q += got;
		n -= (size_t)got;
	}
}

static void draw(void)
{
	hash_random(&seed, sizeof seed);
}

void hash_init(void)
{
	(void)pthread_once(&once, draw);
}

uint64_t hash_bytes(const void *p, size_t n)
{
	return XXH3_64bits_withSeed(p, n, seed);
}

uint64_t hash_str(struct str s)
{
	return XXH3_64bits_withSeed(s.p, s.n, seed);
}

uint64_t hash_fixed(const void *p, size_t n)
{
	return XXH3_64bits(p, n);
}
