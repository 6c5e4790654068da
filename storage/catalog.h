/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog - metrics/catalog.db: strings, series, their time ranges, metadata and facts.
 *
 * It follows the journal: a checkpoint brings it up to date before its segment is complete, and
 * everything in it may be written again. Strings and series are packed into large blobs in order
 * of their numbers, so that a start reads them at once. Storage writer only, but for
 * catalog_each_fact, which opens a connection of its own.
 */
#ifndef BELFRY_STORAGE_CATALOG_H
#define BELFRY_STORAGE_CATALOG_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "storage/index.h"
#include "storage/smap.h"

struct catalog {
	sqlite3 *db;
	char path[512];
	uint32_t n_strings; /* symbols below are stored */
	uint32_t next_id;   /* series below are stored */
	int64_t gen;        /* the checkpoint it was written for */
	bool rewrite;       /* series were dropped: the next save writes all of them anew */
	uint8_t *dirty;     /* by block of SERIES_BLOCK ids: ranges changed */
	uint32_t n_dirty;
};

int catalog_open(struct catalog *c, const char *dir, unsigned db_flags, struct err *e) MUST_CHECK;
/* For reading what another process may be writing. */
int catalog_open_view(struct catalog *c, const char *dir, struct err *e) MUST_CHECK;
void catalog_close(struct catalog *c);
/* Fill index and metadata (key metric, value as catalog_pack_meta makes it). */
int catalog_load(struct catalog *c, struct index *x, struct smap *meta, struct err *e) MUST_CHECK;
/* The range of this series is to be stored. */
void catalog_touch(struct catalog *c, uint32_t id);
/* Write what is new since the last time, in one transaction. */
int catalog_save(struct catalog *c, const struct index *x, struct smap *meta,
	const struct smap *facts, int64_t gen, bool sync, struct err *e) MUST_CHECK;
int catalog_get_info(struct catalog *c, const char *key, int64_t *out, struct err *e) MUST_CHECK;
int catalog_set_info(struct catalog *c, const char *key, int64_t v, struct err *e) MUST_CHECK;
int catalog_each_fact(const char *path, struct str prefix,
	void (*fn)(struct str key, struct str value, void *arg), void *arg,
	struct err *e) MUST_CHECK;

#endif
