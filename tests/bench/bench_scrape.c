/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_scrape - CPU of a scraped page, per sample: reading alone (first time and with hints), and
 * with the store behind it until the commit. The page is like a node_exporter's: 1,000 series, two
 * to three labels, HELP and TYPE every ten series.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/scrape/page.h"
#include "base/assert.h"
#include "base/buf.h"
#include "tests/lib/test_store.h"

#define SERIES 1000u
#define PAGES  300u

static double cpu_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void make_page(struct buf *b, unsigned round)
{
	buf_reset(b);
	for (unsigned i = 0; i < SERIES; i++) {
		if (i % 10 == 0)
			buf_printf(b,
				"# HELP node_thing_%u_total A thing that is counted on this "
				"machine.\n# TYPE node_thing_%u_total counter\n",
				i / 10, i / 10);
		buf_printf(b, "node_thing_%u_total{device=\"sd%c%u\",mode=\"%s\"} %u.%02u\n",
			i / 10, (int)('a' + i % 10), i % 3, i % 2 != 0 ? "read" : "write",
			1000 * i + round * (i % 7), (round * i) % 100);
	}
	ASSERT(!b->failed);
}

static void bench_reader(void)
{
	static struct str series[SERIES];
	struct buf b;
	double start, first, hinted;
	static struct expo x;

	buf_init(&b, 1 << 20);
	make_page(&b, 1);
	for (int hints = 0; hints < 2; hints++) {
		start = cpu_seconds();
		for (unsigned k = 0; k < PAGES; k++) {
			unsigned n = 0;
			enum expo_entry e;

			expo_init(&x, EXPO_TEXT, buf_view(&b));
			for (;;) {
				x.hint = hints != 0 && n < SERIES ? series[n] : STR_NULL;
				e = expo_next(&x);
				if (e == EXPO_END)
					break;
				ASSERT(e != EXPO_ERROR);
				if (e == EXPO_SAMPLE)
					series[n++] = x.series;
			}
			ASSERT(n == SERIES);
			expo_fini(&x);
		}
		*(hints != 0 ? &hinted : &first) = (cpu_seconds() - start) * 1e9 / PAGES / SERIES;
	}
	printf("scrape_read_new_series %.1f ns\n", first);
	printf("scrape_read_known_series %.1f ns\n", hinted);
	printf("scrape_page_bytes_per_sample %.0f bytes\n", (double)b.n / SERIES);
	buf_fini(&b);
}

static void bench_store(void)
{
	struct label v[] = {{STR("instance"), STR("127.0.0.1:9100")}, {STR("job"), STR("node")}};
	struct page *p = page_new((struct labels){v, 2});
	struct store *s = test_store_open();
	struct page_conf conf = {.honor_timestamps = true};
	struct buf b;
	double start = 0, spent = 0, pages = 0;

	buf_init(&b, 1 << 20);
	for (unsigned k = 0; k < PAGES; k++) {
		struct page_counts counts = {0};
		struct batch *batch = batch_new(BATCH_SCRAPE);
		struct page_input in = {&conf, EXPO_TEXT, STR_NULL, TEST_NOW + (int64_t)k * 1000};
		struct err e;
		int rc;

		make_page(&b, k);
		in.body = buf_view(&b);
		start = cpu_seconds();
		rc = page_parse(p, &in, batch, &counts, &e);
		ASSERT(rc == 0);
		rc = store_submit_wait(s, batch, &e);
		ASSERT(rc == 0);
		page_absorb(p, batch);
		batch_free(batch);
		if (k > 0) { /* the first makes the series */
			spent += cpu_seconds() - start;
			pages++;
		}
	}
	printf("scrape_stored_sample %.1f ns\n", spent * 1e9 / pages / SERIES);
	page_free(p);
	test_store_close(s);
	buf_fini(&b);
}

int main(void)
{
	bench_reader();
	bench_store();
	return 0;
}
