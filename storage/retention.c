/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retention - whole partition files are unlinked by age or by size; series without samples left
 * are forgotten.
 *
 * Age is measured against the wall clock. A clock that jumped by more than a day since the last
 * run (also while belfry was not running) stops retention for an hour, so that one wrong time
 * server does not delete a history.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/seam.h"
#include "storage/store_int.h"

#define EVERY_MS 60000
#define JUMP_MS  86400000
#define HOLD_MS  3600000

static bool clock_jumped(struct store *st, int64_t wall, int64_t mono)
{
	int64_t before = st->retention_wall_ms, passed = mono - st->retention_mono_ms, moved;
	struct err e;

	if (before == 0) { /* the first run of this process: compare with the last of another */
		if (catalog_get_info(&st->catalog, "retention_wall", &before, &e) != 0)
			before = 0;
		passed = 0;
	}
	st->retention_wall_ms = wall;
	st->retention_mono_ms = mono;
	if (catalog_set_info(&st->catalog, "retention_wall", wall, &e) != 0)
		log_warn("storage", "msg=\"retention\" err=\"%s\"", e.msg);
	if (before == 0)
		return false;
	moved = i64_sub_sat(i64_sub_sat(wall, before), passed);
	if (moved < JUMP_MS && moved > -JUMP_MS)
		return false;
	log_warn("storage",
		"msg=\"the clock jumped: retention waits an hour\" before_ms=%lld now_ms=%lld",
		(long long)before, (long long)wall);
	return true;
}

static void remove_part(struct store *st, struct part *p, const char *why)
{
	static struct metric *_Atomic removed;

	if (removed == NULL)
		removed = metric_counter("belfry_storage_partitions_removed_total",
			"Partition files removed by retention.", NULL);
	log_info("storage", "msg=\"partition removed\" why=%s file=%s", why, p->path);
	store_wrlock(st);
	parts_remove(&st->parts, p);
	store_unlock(st);
	part_unlink(p);
	part_unref(p);
	metric_inc(removed);
	SEAM_CRASH("partition.unlinked");
}

static size_t remove_old(struct store *st, int64_t cutoff)
{
	size_t n = 0;

	for (size_t i = 0; i < st->parts.n;) {
		struct part *p = st->parts.v[i];

		if (p->end > cutoff || p->in_rewrite) {
			i++;
			continue;
		}
		remove_part(st, p, "age");
		n++;
	}
	return n;
}

static size_t remove_excess(struct store *st, uint64_t limit)
{
	uint64_t have = parts_disk_bytes(&st->parts);
	size_t n = 0;

	/* the newest partition stays: it is being written */
	while (have > limit && st->parts.n > 1 && !st->parts.v[0]->in_rewrite) {
		have -= MIN_OF(have, part_disk_bytes(st->parts.v[0]));
		remove_part(st, st->parts.v[0], "size");
		n++;
	}
	return n;
}

static bool is_dead(const struct series *s, void *arg)
{
	const int64_t *oldest = arg;

	return s->maxt < *oldest;
}

/* Forget series whose samples are all gone, in memory and in the catalog. */
static void drop_series(struct store *st, int64_t cutoff)
{
	int64_t oldest = st->parts.n > 0 ? st->parts.v[0]->start : cutoff;
	uint32_t n;
	struct err e;

	store_wrlock(st);
	n = index_drop(&st->index, is_dead, &oldest);
	store_unlock(st);
	if (n == 0)
		return;
	(void)atomic_fetch_add(&st->id_generation, 1);
	st->catalog.rewrite = true;
	log_info("storage", "msg=\"series forgotten\" n=%u left=%u", n, st->index.n_series);
	if (checkpoint_write(st, &e) != 0)
		log_error("storage", "msg=\"checkpoint failed\" err=\"%s\"", e.msg);
}

void retention_run(struct store *st)
{
	int64_t wall = clock_wall_ms(), mono = clock_mono_ms(), keep, cutoff = INT64_MIN;
	uint64_t limit = atomic_load(&st->retention_size);
	size_t removed = 0;

	if (mono < st->retention_next_ms)
		return;
	st->retention_next_ms = mono + EVERY_MS;
	if (clock_jumped(st, wall, mono))
		st->retention_hold_ms = mono + HOLD_MS;
	if (mono < st->retention_hold_ms)
		return;
	keep = atomic_load(&st->retention_ms);
	if (keep > 0) {
		cutoff = i64_sub_sat(wall, keep);
		removed += remove_old(st, cutoff);
	}
	if (limit > 0)
		removed += remove_excess(st, limit);
	if (removed > 0)
		drop_series(st, cutoff);
}
