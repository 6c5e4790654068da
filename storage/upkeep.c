/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep - what the storage writer does between commits: closed strips and checkpoints when due,
 * free disk space, series that fell quiet, retention.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "storage/store_int.h"

#define DISK_EVERY_MS   500
#define RETRY_MS        3000 /* a checkpoint that failed writes much each time */
#define UPKEEP_EVERY_MS 1000
#define FLUSH_SLICE     16384u /* strips written in one turn */
#define QUIET_S         1800u  /* a series without samples for this long leaves memory */
#define IDLE_MS         5000
#define WAL_BYTES       (INT64_C(16) << 20)
#define EVICT_SLICE     8192u /* heads looked at in one turn */

/* Look at the free space; leaving full-disk mode needs a checkpoint that works. */
void upkeep_disk(struct store *st)
{
	int64_t mono = clock_mono_ms();
	uint64_t free_bytes = 0, total = 0, want = atomic_load(&st->min_free);
	struct err e;
	bool full;

	if (mono < st->disk_next_ms)
		return;
	st->disk_next_ms = mono + DISK_EVERY_MS;
	if (fd_disk_space(st->dir, &free_bytes, &total, &e) != 0)
		return;
	if (want == 0)
		want = MAX_OF(UINT64_C(100) << 20, total / 50);
	full = free_bytes < want;
	if (full && !atomic_load(&st->disk_full))
		log_error("storage",
			"msg=\"disk full: remote writes are refused, scrapes and StatsD live in "
			"memory only\" free=%llu min_free=%llu",
			(unsigned long long)free_bytes, (unsigned long long)want);
	if (full) {
		atomic_store(&st->disk_full, true);
		return;
	}
	if (!atomic_load(&st->disk_full) || st->n_items > 0)
		return;
	if (checkpoint_write(st, &e) != 0) {
		log_warn("storage", "msg=\"the disk still refuses\" err=\"%s\"", e.msg);
		st->disk_next_ms = mono + RETRY_MS;
		return;
	}
	atomic_store(&st->disk_full, false);
	log_info("storage", "msg=\"disk has space again\" free=%llu",
		(unsigned long long)free_bytes);
}

/* --- rows that only memory has: a file says so, for the start after a crash --- */

static void gap_path(const struct store *st, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/volatile", st->dir);
}

void upkeep_gap_begin(struct store *st)
{
	char path[sizeof st->dir + 16];
	int fd;

	st->volatile_rows = true;
	gap_path(st, path, sizeof path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		log_warn("storage", "msg=\"a gap would not be noticed\" path=%s", path);
	fd_close(fd);
}

void upkeep_gap_end(struct store *st)
{
	char path[sizeof st->dir + 16];

	if (!st->volatile_rows)
		return;
	st->volatile_rows = false;
	gap_path(st, path, sizeof path);
	(void)unlink(path);
}

void upkeep_gap_report(struct store *st)
{
	struct metric *gaps = metric_counter("belfry_storage_gaps_total",
		"Starts that found samples of a full disk lost.", NULL);
	char path[sizeof st->dir + 16];
	struct stat sb;

	gap_path(st, path, sizeof path);
	if (stat(path, &sb) != 0)
		return;
	metric_inc(gaps);
	log_error("storage",
		"msg=\"samples since the disk was full are lost: they lived in memory only\" "
		"since_unix=%lld",
		(long long)sb.st_mtime);
	(void)unlink(path);
}

int upkeep_flush_all(struct store *st, struct err *e)
{
	store_wrlock(st);
	st->head.now = clock_wall_ms();
	for (uint32_t i = 0; i < st->head.n; i++) {
		head_close_open(&st->head, st->head.v[i]);
		head_close_late(&st->head, st->head.v[i]);
	}
	store_unlock(st);
	if (flush_closed(st, 0, e) != 0)
		return -1;
	return checkpoint_write(st, e);
}

static void evict_quiet(struct store *st)
{
	uint32_t now = (uint32_t)(clock_mono_ms() / 1000), n = MIN_OF(st->head.n, EVICT_SLICE);

	if (st->head.n == 0)
		return;
	store_wrlock(st);
	for (; n > 0 && st->head.n > 0; n--) {
		struct head_series *hd;

		if (st->evict_at >= st->head.n)
			st->evict_at = 0;
		hd = st->head.v[st->evict_at];
		if (now - hd->seen_s < QUIET_S) {
			st->evict_at++;
			continue;
		}
		head_close_open(&st->head, hd);
		head_close_late(&st->head, hd);
		if (hd->closed != NULL) {
			st->evict_at++;
			continue;
		}
		catalog_touch(&st->catalog, hd->id);
		head_evict(&st->head, hd);
	}
	store_unlock(st);
}

/* Move WALs of partitions into their files: large ones at once, all when nothing is written. */
static void settle_idle(struct store *st)
{
	int64_t now = clock_wall_ms();
	struct err e;

	for (size_t i = 0; i < st->parts.n; i++) {
		struct part *p = st->parts.v[i];
		bool idle = now - p->written_ms > IDLE_MS;

		if (p->wal_bytes == 0 || (p->wal_bytes < WAL_BYTES && !idle))
			continue;
		if (part_settle(p, idle, &e) != 0)
			log_warn("storage", "msg=\"wal checkpoint\" file=%s err=\"%s\"", p->path,
				e.msg);
	}
}

static void report(const char *what, const struct err *e)
{
	static struct metric *_Atomic failures;

	if (failures == NULL)
		failures = metric_counter("belfry_storage_upkeep_failures_total",
			"Flushes and checkpoints that failed and are tried again.", NULL);
	metric_inc(failures);
	log_error("storage", "msg=\"%s failed\" err=\"%s\"", what, e->msg);
}

void upkeep_run(struct store *st)
{
	int64_t mono = clock_mono_ms();
	struct err e;

	upkeep_disk(st);
	if (atomic_load(&st->disk_full))
		return;
	/* once begun, a flush goes on in slices until its strips are written */
	if ((st->head.closed_bytes >= atomic_load(&st->closed_bytes) ||
		    st->head.sorted_closed > st->head.first_closed) &&
		flush_closed(st, FLUSH_SLICE, &e) != 0)
		report("writing chunks", &e);
	if ((st->journal.bytes >= atomic_load(&st->segment_bytes) ||
		    st->journal.frames >= STORE_SEGMENT_FRAMES) &&
		checkpoint_write(st, &e) != 0)
		report("checkpoint", &e);
	if (mono < st->upkeep_next_ms)
		return;
	st->upkeep_next_ms = mono + UPKEEP_EVERY_MS;
	evict_quiet(st);
	retention_run(st);
	rewrite_run(st);
	settle_idle(st);
	atomic_store(
		&st->disk_bytes, parts_disk_bytes(&st->parts) + journal_disk_bytes(&st->journal));
	atomic_store(&st->wal_bytes, journal_disk_bytes(&st->journal));
}
