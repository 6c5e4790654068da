/* SPDX-License-Identifier: Apache-2.0 */
/* test_db - pragmas, migrations and refusals of storage/db. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/db.h"
#include "tests/lib/suite.h"

static char dir[64], path[128];
static struct err e;

static void setup(void)
{
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-db-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/x.db", dir);
}

static void teardown(void)
{
	char name[160];

	(void)unlink(path);
	(void)snprintf(name, sizeof name, "%s-wal", path);
	(void)unlink(name);
	(void)snprintf(name, sizeof name, "%s-shm", path);
	(void)unlink(name);
	(void)rmdir(dir);
}

static int64_t get(sqlite3 *db, const char *sql)
{
	int64_t v;

	ck_assert_int_eq(db_get_i64(db, sql, &v, &e), 0);
	return v;
}

static const char *const schema[] = {
	"CREATE TABLE a (x INTEGER)",
	"CREATE TABLE b (y INTEGER); INSERT INTO a VALUES (7)",
};

START_TEST(a_new_file_is_made_with_our_pragmas)
{
	sqlite3 *db;

	ck_assert_int_eq(db_open(&db, path, DB_CREATE | DB_BIG_PAGES, &e), 0);
	ck_assert_int_eq(db_migrate(db, schema, 1, &e), 0);
	ck_assert_int_eq(get(db, "PRAGMA application_id"), DB_APPLICATION_ID);
	ck_assert_int_eq(get(db, "PRAGMA user_version"), 1);
	ck_assert_int_eq(get(db, "PRAGMA page_size"), 16384);
	ck_assert_int_eq(get(db, "PRAGMA secure_delete"), 0);
	ck_assert_int_eq(get(db, "PRAGMA wal_autocheckpoint"), 0);
	ck_assert_int_eq(get(db, "PRAGMA synchronous"), 1);
	ck_assert_int_eq(get(db, "PRAGMA trusted_schema"), 0);
	ck_assert_int_eq(get(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode="
				 "'wal'"),
		1);
	db_close(db);
}
END_TEST

START_TEST(migrations_continue_where_the_file_stands)
{
	sqlite3 *db;

	ck_assert_int_eq(db_open(&db, path, DB_CREATE, &e), 0);
	ck_assert_int_eq(db_migrate(db, schema, 1, &e), 0);
	db_close(db);
	ck_assert_int_eq(db_open(&db, path, DB_FULL_SYNC, &e), 0);
	ck_assert_int_eq(get(db, "PRAGMA synchronous"), 2);
	ck_assert_int_eq(db_migrate(db, schema, 2, &e), 0);
	ck_assert_int_eq(get(db, "SELECT x FROM a"), 7);
	ck_assert_int_eq(db_migrate(db, schema, 2, &e), 0);
	ck_assert_int_eq(get(db, "SELECT count(*) FROM a"), 1);
	db_close(db);
}
END_TEST

START_TEST(a_failing_migration_leaves_nothing_behind)
{
	static const char *const bad[] = {"CREATE TABLE a (x); INSERT INTO nowhere VALUES (1)"};
	sqlite3 *db;
	int version;

	ck_assert_int_eq(db_open(&db, path, DB_CREATE, &e), 0);
	ck_assert_int_eq(db_migrate(db, bad, 1, &e), -1);
	ck_assert_int_eq(db_user_version(db, &version, &e), 0);
	ck_assert_int_eq(version, 0);
	ck_assert_int_eq(get(db, "SELECT count(*) FROM sqlite_schema"), 0);
	db_close(db);
}
END_TEST

START_TEST(a_newer_schema_is_refused_with_its_version)
{
	sqlite3 *db;

	ck_assert_int_eq(db_open(&db, path, DB_CREATE, &e), 0);
	ck_assert_int_eq(db_migrate(db, schema, 2, &e), 0);
	ck_assert_int_eq(db_migrate(db, schema, 1, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "schema version 2"));
	db_close(db);
}
END_TEST

START_TEST(foreign_and_damaged_files_are_corrupt)
{
	sqlite3 *db;
	FILE *f;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_int_eq(db_open(&db, path, DB_CREATE, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CORRUPT);
	ck_assert_ptr_null(db);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_gt(fprintf(f, "this is no database %d\n", i), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(db_open(&db, path, DB_CREATE, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CORRUPT);
}
END_TEST

START_TEST(read_only_needs_a_file_and_writes_nothing)
{
	sqlite3 *db;

	ck_assert_int_eq(db_open(&db, path, DB_READONLY, &e), -1);
	ck_assert_int_eq(db_open(&db, path, DB_CREATE, &e), 0);
	ck_assert_int_eq(db_migrate(db, schema, 2, &e), 0);
	db_close(db);
	ck_assert_int_eq(db_open(&db, path, DB_READONLY, &e), 0);
	ck_assert_int_eq(get(db, "SELECT x FROM a"), 7);
	ck_assert_int_eq(db_exec(db, "INSERT INTO a VALUES (1)", &e), -1);
	db_close(db);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("db");
	TCase *t = tcase_create("db");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_new_file_is_made_with_our_pragmas);
	tcase_add_test(t, migrations_continue_where_the_file_stands);
	tcase_add_test(t, a_failing_migration_leaves_nothing_behind);
	tcase_add_test(t, a_newer_schema_is_refused_with_its_version);
	tcase_add_test(t, foreign_and_damaged_files_are_corrupt);
	tcase_add_test(t, read_only_needs_a_file_and_writes_nothing);
	return suite_run(s);
}
