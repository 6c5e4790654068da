/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find - which series match a set of matchers and may have samples in a range.
 *
 * Takes the store's read lock in slices, so that the writer never waits long for a large search,
 * and ends with ERR_CANCEL when the thread is asked to stop (base/stop.h).
 */
#ifndef BELFRY_STORAGE_FIND_H
#define BELFRY_STORAGE_FIND_H

#include "storage/store_int.h"

struct id_list {
	uint32_t *v; /* ascending; free() */
	size_t n, cap;
	bool failed;
};

int find_series(struct store *st, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct id_list *out, struct err *e) MUST_CHECK;

#endif
