/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_chunks - bytes a sample of sealed chunks on recorded scrapes.
 *
 * Reads text with lines "# SCRAPE unix_ms length" before each body from the file in
 * $BELFRY_SCRAPES (or the first argument); without one it says so and ends well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/f64.h"
#include "base/hash.h"
#include "storage/codec.h"
#include "storage/smap.h"

static struct cols *all;
static size_t n_series, cap_series;
static struct smap names;

static struct cols *series_of(struct str name)
{
	const struct smap_entry *x = smap_get(&names, name);

	if (x == NULL) {
		(void)smap_set(&names, name, STR(""));
		if (n_series == cap_series) {
			cap_series = cap_series * 2 + 1024;
			all = realloc(all, cap_series * sizeof *all);
			if (all == NULL)
				exit(1);
		}
		cols_init(&all[n_series++]);
		x = smap_get(&names, name);
	}
	return &all[x - names.v];
}

static void read_line(struct str line, int64_t t)
{
	size_t at = line.n;
	double v;

	while (at > 0 && line.p[at - 1] != ' ')
		at--;
	if (at == 0 || !f64_parse(str_sub(line, at, line.n), &v))
		return;
	cols_push(series_of(str_sub(line, 0, at - 1)), t, v, NULL, 0);
}

struct sum {
	size_t bytes, rows;
};

static void on_chunk(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg)
{
	struct sum *s = arg;

	(void)c;
	s->bytes += chunk.n;
	s->rows += to - from;
}

static void measure(size_t rows)
{
	struct codec k;
	struct sum s = {0, 0};
	int64_t began = clock_real_ns();

	codec_init(&k);
	for (size_t i = 0; i < n_series; i++) {
		for (size_t from = 0; from < all[i].n; from += rows) {
			struct cols part = all[i];

			part.t += from;
			part.v += from;
			part.n = part.n - from < rows ? part.n - from : rows;
			if (codec_encode(&k, &part, on_chunk, &s) != 0)
				exit(1);
		}
	}
	(void)printf(
		"chunk_bytes_per_sample_%zu_rows %.3f B\n", rows, (double)s.bytes / (double)s.rows);
	(void)printf("chunk_encode_%zu_rows %.4f s/M\n", rows,
		(double)(clock_real_ns() - began) / 1e3 / (double)s.rows);
	for (size_t m = 0; m < FLOATS_MODES; m++)
		(void)printf("chunk_mode_%zu_rows_%zu %llu chunks\n", m, rows,
			(unsigned long long)k.chunks[m]);
	codec_fini(&k);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : getenv("BELFRY_SCRAPES");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int64_t t = 0;
	FILE *f;

	hash_init();
	if (path == NULL || (f = fopen(path, "r")) == NULL) {
		(void)printf("# bench_chunks: no recorded scrapes (BELFRY_SCRAPES)\n");
		return 0;
	}
	while ((n = getline(&line, &cap, f)) > 0) {
		struct str s = str_trim(str_n(line, (size_t)n));

		if (str_starts(s, STR("# SCRAPE ")))
			t = strtoll(line + 9, NULL, 10) / 1000 * 1000;
		else if (s.n > 0 && s.p[0] != '#')
			read_line(s, t);
	}
	(void)fclose(f);
	free(line);
	measure(120);
	measure(300);
	measure(100000);
	return 0;
}
