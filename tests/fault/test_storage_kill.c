/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_storage_kill - SIGKILL at random moments and at every crash point of the store; afterwards
 * each acknowledged sample is there bit for bit, none twice, none of another batch.
 *
 * A child writes numbered batches and tells the parent after each acknowledgement; it dies; the
 * next child opens the same directory, checks everything against the model and goes on. A batch
 * is all there or not at all, and its fact says the same.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/seam.h"
#include "storage/store_int.h"
#include "tests/lib/suite.h"

#define SERIES 60u
#define T0     INT64_C(1700000000000)

static char dir[64];
static struct err e;
static unsigned died; /* children that ended by SIGKILL */

static void die(const char *what)
{
	(void)fprintf(stderr, "child: %s: %s\n", what, e.msg);
	_exit(3);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 31)) * UINT64_C(0x9e3779b97f4a7c15);
	return x ^ (x >> 29);
}

static double value(unsigned s, unsigned k)
{
	uint64_t x = mix(s * 1000003u + k);

	if (s % 3 == 0)
		return k;
	if (s % 3 == 1)
		return (double)(x % 1000) / 10;
	return f64_from_bits(x);
}

static int64_t row_time(unsigned s, unsigned k)
{
	return T0 + (int64_t)k * 1000 + s % 5;
}

/* Batch k also holds a late row of some series: half a second after row k - 5. */
static bool has_late(unsigned s, unsigned k)
{
	return k >= 5 && s % 7 == k % 7;
}

static struct labels labels_of(struct arena *a, unsigned s)
{
	struct label *v = ARENA_ARRAY(a, 2, struct label);

	v[0] = (struct label){LABEL_NAME, STR("kill")};
	v[1] = (struct label){STR("s"), arena_printf(a, "%03u", s)};
	return (struct labels){v, 2};
}

static struct batch *make_batch(unsigned k)
{
	struct batch *b = batch_new(BATCH_REMOTE_WRITE);
	struct arena a;

	arena_init(&a, 1u << 20);
	/* a new series now and then */
	for (unsigned s = 0; s < MIN_OF(SERIES, 10 + k / 3); s++) {
		struct labels ls = labels_of(&a, s);

		batch_series_labels(b, ls, labels_hash(ls));
		batch_float(b, row_time(s, k), value(s, k), s % 4 == 0 ? T0 - 1 : 0);
		if (has_late(s, k))
			batch_float(b, row_time(s, k - 5) + 500, value(s, k), 0);
	}
	batch_state(b, STR("last"), arena_printf(&a, "%u", k));
	arena_fini(&a);
	return b;
}

static bool series_in(unsigned s, unsigned k)
{
	return s < MIN_OF(SERIES, 10 + k / 3);
}

static void on_fact(struct str key, struct str value_, void *arg)
{
	long long k;

	if (str_eq(key, STR("last")) && str_to_i64(value_, &k))
		*(long long *)arg = k;
}

/* Which rows series s has when batches 0..last are there. */
static void check_series(struct store_sel *sel, size_t i, long long last)
{
	struct store_cols c;
	long long s;
	size_t n = 0;

	if (!str_to_i64(labels_get(store_sel_labels(sel, i), STR("s")), &s))
		die("labels");
	if (store_sel_fetch(sel, i, INT64_MIN, INT64_MAX, &c, &e) != 0)
		die("fetch");
	for (unsigned k = 0; (long long)k <= last; k++) {
		unsigned u = (unsigned)s;

		if (series_in(u, k)) {
			if (n >= c.n || c.t[n] != row_time(u, k) ||
				f64_bits(c.v[n]) != f64_bits(value(u, k))) {
				(void)snprintf(e.msg, sizeof e.msg,
					"series %lld batch %u of %lld row %zu of %zu", s, k, last,
					n, c.n);
				die("a sample is missing or wrong");
			}
			n++;
		}
		if ((long long)k + 5 <= last && series_in(u, k + 5) && has_late(u, k + 5)) {
			if (n >= c.n || c.t[n] != row_time(u, k) + 500 ||
				f64_bits(c.v[n]) != f64_bits(value(u, k + 5)))
				die("a late sample is missing or wrong");
			n++;
		}
	}
	if (n != c.n)
		die("samples that nobody wrote");
}

static long long verify(struct store *st, long long acked)
{
	struct matcher m;
	struct store_sel *sel;
	struct arena a;
	long long last = -1;

	arena_init(&a, 1u << 24);
	if (store_state_each(st, STR(""), on_fact, &last, &e) != 0)
		die("facts");
	if (last < acked || last > acked + 1) {
		(void)snprintf(e.msg, sizeof e.msg, "acked %lld, fact %lld", acked, last);
		die("the fact is behind or ahead");
	}
	if (matcher_init(&m, MATCH_EQ, LABEL_NAME, STR("kill"), &e) != 0 ||
		store_select(st, &m, 1, INT64_MIN, INT64_MAX, &a, &sel, &e) != 0)
		die("select");
	if (store_sel_count(sel) != (last < 0 ? 0 : MIN_OF(SERIES, 10 + (unsigned)last / 3)))
		die("series are missing");
	for (size_t i = 0; i < store_sel_count(sel); i++)
		check_series(sel, i, last);
	store_sel_close(sel);
	matcher_fini(&m);
	arena_fini(&a);
	store_rdlock(st); /* the writer may be tidying up */
	index_check(&st->index);
	head_check(&st->head);
	store_unlock(st);
	return last;
}

static struct store *open_store(void)
{
	struct store_opts o = {
		.dir = dir, .ooo_window_ms = INT64_MAX, .max_series = 1000, .min_free = 1};
	struct store *st;

	if (store_open(&st, &o, &e) != 0)
		die("open");
	return st;
}

/* Checks, then writes until it is killed or has written `count` batches. */
static void child(int out, long long acked, unsigned count, const char *crash_at)
{
	struct store *st;
	long long k;

	if (crash_at != NULL) {
		(void)setenv("BELFRY_TEST", "1", 1);
		(void)setenv("BELFRY_CRASH_AT", crash_at, 1);
		seam_init();
	}
	log_init(LOG_WARN, LOG_LOGFMT);
	clock_inject(T0, 0);
	st = open_store();
	atomic_store(&st->segment_bytes, 60000);
	atomic_store(&st->closed_bytes, 20000);
	k = verify(st, acked);
	if (k >= 0 && write(out, &k, sizeof k) != sizeof k)
		_exit(4);
	for (unsigned n = 0; n < count; n++) {
		struct batch *b = make_batch((unsigned)++k);

		if (store_submit_wait(st, b, &e) != 0)
			die("submit");
		if (batch_result(b)->fail != ERR_NONE || batch_result(b)->first != REFUSED_NONE) {
			(void)snprintf(e.msg, sizeof e.msg, "%s", batch_result(b)->first_msg);
			die("refused");
		}
		batch_free(b);
		if (write(out, &k, sizeof k) != sizeof k)
			_exit(4);
		if (k % 97 == 96 && store_flush(st, &e) != 0)
			die("flush");
	}
	store_close(st);
	_exit(0);
}

/* One life of a writer; the number of the last acknowledged batch. */
static long long life(long long acked, unsigned count, const char *crash_at, unsigned kill_us)
{
	int fd[2], status;
	pid_t pid;
	long long k;

	ck_assert_int_eq(pipe(fd), 0);
	(void)fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)close(fd[0]);
		child(fd[1], acked, count, crash_at);
	}
	(void)close(fd[1]);
	if (kill_us > 0) {
		(void)usleep(kill_us);
		(void)kill(pid, SIGKILL);
	}
	while (read(fd[0], &k, sizeof k) == (ssize_t)sizeof k)
		acked = k;
	(void)close(fd[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		ck_assert_int_eq(WEXITSTATUS(status), 0);
	else
		ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	died += WIFSIGNALED(status);
	return acked;
}

static void setup(void)
{
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-kill-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char cmd[128];

	(void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(acknowledged_samples_survive_sigkill_at_random_moments)
{
	const char *more = getenv("KILLS");
	int kills = more != NULL ? atoi(more) : 25; /* KILLS=1000 for a night */
	unsigned seed = (unsigned)getpid();
	long long acked = -1, began = -1;

	for (int i = 0; i < kills; i++) {
		acked = life(acked, 100000, NULL, 20000 + (unsigned)rand_r(&seed) % 150000);
		ck_assert_int_ge(acked, began);
	}
	acked = life(acked, 10, NULL, 0);
	ck_assert_int_gt(acked, began + 10);
	acked = life(acked, 0, NULL, 0);
}
END_TEST

static const char *const points[] = {"journal.committed", "journal.committed:40", "chunk.sealed",
	"chunk.sealed:30", "chunk.committed", "chunk.committed:2", "catalog.written",
	"catalog.written:2", "checkpoint.written", "checkpoint.written:2", "segment.unlinked",
	"segment.unlinked:2"};

START_TEST(acknowledged_samples_survive_a_crash_at_every_point)
{
	long long acked = -1;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(points); i++)
			acked = life(acked, 150, points[i], 0);
	}
	ck_assert_uint_ge(died, 2 * ARRAY_LEN(points) - 2);
	acked = life(acked, 5, NULL, 0);
	ck_assert_int_gt(acked, 100);
	(void)life(acked, 0, NULL, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("storage_kill");
	TCase *t = tcase_create("storage_kill");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 240);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, acknowledged_samples_survive_sigkill_at_random_moments);
	tcase_add_test(t, acknowledged_samples_survive_a_crash_at_every_point);
	return suite_run(s);
}
