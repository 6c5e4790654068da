/* SPDX-License-Identifier: Apache-2.0 */
/* state_schema - the tables of state.db, all in one place, and the migrations between versions. */
#ifndef BELFRY_STORAGE_STATE_SCHEMA_H
#define BELFRY_STORAGE_STATE_SCHEMA_H

/* state_migrations[i] brings the file from version i to i + 1. */
extern const char *const state_migrations[];
extern const int state_version;

#endif
