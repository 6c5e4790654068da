/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_schema - state.db: times are Unix ms, label sets are blobs of (varint length, bytes) pairs
 * in name order.
 */
#include "storage/state_schema.h"

#include "base/num.h"

static const char version_1[] =
	/* last finished slot of a rule group (file;group) */
	"CREATE TABLE rule_group(key TEXT PRIMARY KEY, slot_ms INTEGER NOT NULL) WITHOUT ROWID;"
	/* every pending or firing alert: written at transitions, read at start */
	"CREATE TABLE alert(rule_key TEXT NOT NULL, fingerprint INTEGER NOT NULL, state INTEGER "
	"NOT NULL,"
	" labels BLOB NOT NULL, annotations BLOB NOT NULL, active_at_ms INTEGER NOT NULL,"
	" fired_at_ms INTEGER NOT NULL, keep_firing_since_ms INTEGER NOT NULL, value REAL, current "
	"REAL,"
	" worst REAL, PRIMARY KEY(rule_key, fingerprint)) WITHOUT ROWID;";

const char *const state_migrations[] = {version_1};
const int state_version = (int)ARRAY_LEN(state_migrations);
