/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_storage - the store alone: appending, memory a series, bytes a sample, recovery, reading.
 *
 * Prints "name value unit" lines. Arguments: [series [rounds]]; the data goes below $TMPDIR.
 */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "storage/store_int.h"

static char dir[256];
static struct err e;
static struct store *st;
static int64_t t0;

static void die(const char *what)
{
	(void)fprintf(stderr, "bench_storage: %s: %s\n", what, e.msg);
	exit(1);
}

static double cpu(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Of the threads other than the caller's. */
static double cpu_behind(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return cpu() - (double)ts.tv_sec - (double)ts.tv_nsec / 1e9;
}

static double wall(void)
{
	return (double)clock_real_ns() / 1e9;
}

static double rss(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0, resident = 0;

	if (f == NULL || fscanf(f, "%ld %ld", &pages, &resident) != 2)
		resident = 0;
	if (f != NULL)
		(void)fclose(f);
	return (double)resident * 4096;
}

static void say(const char *name, double v, const char *unit)
{
	(void)printf("storage_%s %.4g %s\n", name, v, unit);
	(void)fflush(stdout);
}

static void open_store(void)
{
	struct store_opts o = {.dir = dir,
		.ooo_window_ms = 3600000,
		.max_series = 5000000,
		.min_free = 1,
		.commit_ms = 100};

	if (store_open(&st, &o, &e) != 0)
		die("open");
}

/* Ten labels, as a node_exporter series behind a service discovery has them. */
static struct labels labels_of(struct arena *a, unsigned i)
{
	struct label *v = ARENA_ARRAY(a, 10, struct label);

	v[0] = (struct label){LABEL_NAME, arena_printf(a, "metric_name_%u_total", i % 500)};
	v[1] = (struct label){STR("cluster"), STR("production")};
	v[2] = (struct label){STR("cpu"), arena_printf(a, "%u", i / 500 % 16)};
	v[3] = (struct label){STR("datacenter"), STR("fra1")};
	v[4] = (struct label){STR("device"), arena_printf(a, "sd%u", i / 500 % 4)};
	v[5] = (struct label){STR("env"), STR("prod")};
	v[6] = (struct label){STR("instance"),
		arena_printf(a, "10.0.%u.%u:9100", i / 8000 / 250, i / 8000 % 250)};
	v[7] = (struct label){STR("job"), STR("node")};
	v[8] = (struct label){STR("mode"), arena_printf(a, "mode%u", i / 500 % 8)};
	v[9] = (struct label){STR("rack"), arena_printf(a, "r%u", i / 80000)};
	return (struct labels){v, 10};
}

static uint64_t rnd_state = 1;
static uint32_t rnd(void)
{
	rnd_state = rnd_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(rnd_state >> 33);
}

static double value_of(unsigned i, unsigned round)
{
	switch (i % 5) {
	case 0: return 1;                                  /* constant */
	case 1: return (double)round * 15 + rnd() % 3;     /* counter */
	case 2: return (double)(rnd() % 4096) * 4096.0;    /* memory gauge */
	case 3: return round * 0.25 + rnd() % 100 / 100.0; /* seconds */
	default: return (double)rnd() / 1e3;
	}
}

static uint32_t *ids;

static void on_done(struct batch *b, void *arg)
{
	_Atomic unsigned *left = arg;

	if (batch_result(b)->fail != ERR_NONE || batch_result(b)->first != REFUSED_NONE) {
		(void)fprintf(stderr, "refused: %s\n", batch_result(b)->first_msg);
		exit(1);
	}
	batch_free(b);
	(void)atomic_fetch_sub(left, 1);
}

static void create(unsigned n)
{
	double c = cpu(), w = wall();

	ids = calloc(n, sizeof *ids);
	for (unsigned i = 0; i < n;) {
		struct batch *b = batch_new(BATCH_REMOTE_WRITE);
		unsigned from = i, to = MIN_OF(i + 5000, n);
		struct arena a;

		arena_init(&a, (size_t)64 << 20);
		for (; i < to; i++) {
			struct labels ls = labels_of(&a, i);

			batch_series_labels(b, ls, labels_hash(ls));
			batch_float(b, t0, value_of(i, 0), 0);
		}
		arena_fini(&a);
		if (store_submit_wait(st, b, &e) != 0)
			die("submit");
		for (unsigned k = from; k < to; k++)
			ids[k] = batch_series_result_id(b, k - from);
		batch_free(b);
	}
	say("create_series_cpu", (cpu() - c) / n * 1e6, "s/M");
	say("create_series_wall", (wall() - w) / n * 1e6, "s/M");
}

static unsigned round_now;

static void append(unsigned n, unsigned rounds)
{
	_Atomic unsigned left = 0;
	double c = cpu_behind(), w;

	w = wall();
	for (unsigned k = 0; k < rounds; k++) {
		unsigned r = ++round_now;

		for (unsigned i = 0; i < n;) {
			struct batch *b = batch_new(BATCH_REMOTE_WRITE);
			unsigned to = MIN_OF(i + 2000, n);

			for (; i < to; i++) {
				batch_series_id(b, ids[i]);
				batch_float(b, t0 + (int64_t)r * 15000, value_of(i, r), 0);
			}
			(void)atomic_fetch_add(&left, 1);
			while (store_submit(st, b, on_done, &left, &e) != 0)
				(void)usleep(1000);
		}
		if (t0 + (int64_t)r * 15000 > clock_wall_ms() + 400000)
			clock_inject(t0 + (int64_t)r * 15000, 1);
	}
	while (atomic_load(&left) > 0)
		(void)usleep(1000);
	say("append_writer_cpu", (cpu_behind() - c) / n / rounds * 1e6, "s/M");
	say("append_wall", (wall() - w) / n / rounds * 1e6, "s/M");
}

static void read_all(const char *what)
{
	struct matcher m;
	struct store_sel *sel;
	struct arena a;
	size_t rows = 0, series;
	double c, w;

	arena_init(&a, (size_t)4 << 30);
	if (matcher_init(&m, MATCH_RE, LABEL_NAME, STR("metric_name_1.*_total"), &e) != 0)
		die("matcher");
	c = cpu();
	w = wall();
	if (store_select(st, &m, 1, INT64_MIN, INT64_MAX, &a, &sel, &e) != 0)
		die("select");
	series = store_sel_count(sel);
	(void)printf(
		"storage_select_%s %.4g us/series\n", what, (wall() - w) / (double)series * 1e6);
	c = cpu();
	for (size_t i = 0; i < series; i++) {
		struct store_cols cols;

		if (store_sel_fetch(sel, i, INT64_MIN, INT64_MAX, &cols, &e) != 0)
			die("fetch");
		rows += cols.n;
	}
	(void)printf("storage_fetch_%s %.4g s/M\n", what, (cpu() - c) / (double)rows * 1e6);
	(void)printf("storage_fetch_%s_series %.4g us\n", what, (cpu() - c) / (double)series * 1e6);
	store_sel_close(sel);
	matcher_fini(&m);
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 100;
	const char *tmp = getenv("TMPDIR");
	struct store_stats s;
	char cmd[300];
	double before, w;

	log_init(LOG_WARN, LOG_LOGFMT);
	(void)snprintf(dir, sizeof dir, "%s/belfry-bench-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		die("mkdtemp");
	t0 = clock_wall_ms() / 15000 * 15000;
	open_store();
	before = rss();
	create(n);
	append(n, rounds);
	(void)malloc_trim(0);
	say("resident_per_series", (rss() - before) / n, "B");
	store_stats(st, &s);
	say("accounted_per_series", (double)s.head_bytes / n, "B");
	say("index_per_series", (double)index_memory(&st->index) / n, "B");
	say("head_per_series", (double)(st->head.n * sizeof(struct head_series)) / n, "B");
	say("open_strips_per_series", (double)cells_memory(&st->head.cells) / n, "B");
	say("closed_strips_per_series", (double)st->head.closed_bytes / n, "B");
	read_all("head");
	w = wall();
	store_close(st);
	say("close", wall() - w, "s");
	w = wall();
	open_store();
	say("open_after_close", wall() - w, "s");
	append(n, 20);
	(void)fflush(stdout);
	if (fork() == 0) { /* the child leaves the journal as a crash would */
		_exit(0);
	}
	(void)wait(NULL);
	w = wall();
	if (store_flush(st, &e) != 0)
		die("flush");
	say("flush_all", wall() - w, "s");
	usleep(1200000);
	store_stats(st, &s);
	say("disk_per_sample", (double)s.disk_bytes / n / (rounds + 21), "B");
	read_all("partition");
	store_close(st);
	(void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	free(ids);
	return system(cmd) == 0 ? 0 : 1;
}
