/* SPDX-License-Identifier: Apache-2.0 */
/* backtest_past - what people did in the time that is replayed; see exporters/past.h. */
#include <stdio.h>
#include <unistd.h>

#include "agent/backtest.h"
#include "storage/db.h"

int bt_past_read(const char *dir, int64_t from_ms, int64_t to_ms, struct arena *a, struct past *out,
	bool *found, struct err *e)
{
	struct str path = arena_printf(a, "%s/state.db", dir);
	sqlite3 *db;
	int rc;

	*out = (struct past){.silences = NULL};
	if (path.p == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	*found = access(path.p, F_OK) == 0;
	if (!*found)
		return 0;
	if (db_open(&db, path.p, DB_READONLY, e) != 0)
		return -1;
	rc = past_read(db, from_ms, to_ms, a, out, e);
	db_close(db);
	return rc;
}

/* An acknowledgement is noted for each alert of its incident. */
static size_t acknowledgements(const struct past *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_acks; i++)
		n += !p->acks[i].taken_back && (i == 0 || p->acks[i].at_ms != p->acks[i - 1].at_ms);
	return n;
}

void bt_past_print(struct buf *out, const struct past *p)
{
	size_t acks = acknowledgements(p);

	if (p->n_silences == 0 && acks == 0)
		return;
	buf_c(out, "with ");
	if (p->n_silences > 0)
		buf_printf(out, "%zu silence%s", p->n_silences, p->n_silences == 1 ? "" : "s");
	if (p->n_silences > 0 && acks > 0)
		buf_c(out, " and ");
	if (acks > 0)
		buf_printf(out, "%zu acknowledgement%s", acks, acks == 1 ? "" : "s");
	buf_c(out, " of that time");
}
