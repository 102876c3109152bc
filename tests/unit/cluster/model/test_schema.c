/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/schema.h"

static void every_kind_has_a_table_of_its_own(void **state)
{
	char title[ENTITY_TITLE_SIZE];

	for (int e = 0; e < ENT_MAX; e++) {
		const char *table = entity_table(e);

		assert_true(strlen(table) > 2);
		for (const char *p = table; *p; p++)
			assert_true(islower((unsigned char)*p) || *p == '_');
		assert_int_equal(entity_by_table(table), e);
		assert_true(strlen(entity_name(e)) > 2);
		assert_non_null(entity_index(e));
		assert_true(entity_scope(e) == SCOPE_GLOBAL || entity_scope(e) == SCOPE_PROJECT);
		for (int o = e + 1; o < ENT_MAX; o++) {
			assert_string_not_equal(table, entity_table(o));
			assert_string_not_equal(entity_name(e), entity_name(o));
		}
	}
	assert_string_equal(entity_title(ENT_POOL, title), "Storage pool");
	assert_int_equal(entity_by_table("nonsense"), ENT_MAX);
	assert_int_equal(entity_by_table(""), ENT_MAX);
	assert_int_equal(entity_by_table(NULL), ENT_MAX);
	assert_int_equal(entity_by_table("Instances"), ENT_MAX);
}

static void every_fact_has_a_name(void **state)
{
	for (int f = 0; f < FACT_KINDS; f++)
		assert_int_equal(fact_by_name(fact_kind_name(f)), f);
	assert_int_equal(fact_by_name("nonsense"), FACT_KINDS);
	assert_int_equal(fact_by_name(NULL), FACT_KINDS);
}

/* --- as SQLite takes it ----------------------------------------------------------------------- */

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static char *ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	char *text = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(st) == SQLITE_ROW)
		text = xstrdup((const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	return text;
}

static void expect(sqlite3 *db, const char *sql, const char *want)
{
	_free_ char *got = ask(db, sql);

	if (!str_eq(got, want))
		fail_msg("%s: %s, not %s", sql, got ? got : "NULL", want ? want : "NULL");
}

static void every_table_is_looked_up_by_its_index(void **state)
{
	_free_ char *sql = schema_replica();
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	run(db, sql);
	expect(db, "SELECT revision + floor FROM meta", "0");
	for (int e = 0; e < ENT_MAX; e++) {
		const char *t = entity_table(e), *index = entity_index(e);
		_free_ char *add = NULL, *by = NULL, *plan = NULL, *used = NULL;

		add = xasprintf("INSERT INTO %s(key, rev, doc) VALUES('k', 1, "
				"'{\"%s\": \"value\"}')",
				t, *index ? index : "x");
		run(db, add);
		if (!*index)
			continue;
		by = xasprintf("SELECT key FROM %s WHERE idx = 'value'", t);
		expect(db, by, "k");
		plan = xasprintf("SELECT count(*) FROM pragma_index_list('%s')"
				 " WHERE name LIKE '%s_idx'",
				 t, t);
		expect(db, plan, "1");
	}
	sqlite3_close(db);
}

/* --- the batch view --------------------------------------------------------------------------- */

struct view {
	sqlite3 *db;
	sqlite3_stmt *insert;
};

static void view_open(struct view *v)
{
	char name[SCHEMA_NAME_SIZE];
	_free_ char *sql = schema_dqlite(name);
	_free_ char *insert = schema_batch_insert(name);

	assert_int_equal(sqlite3_open(":memory:", &v->db), SQLITE_OK);
	run(v->db, sql);
	run(v->db, sql); /* what is there stays */
	assert_true(str_starts(name, "batch_"));
	assert_int_equal(sqlite3_prepare_v2(v->db, insert, -1, &v->insert, NULL), SQLITE_OK);
}

static int batch(struct view *v, int64_t base, const char *done, const char *rows)
{
	int rc;

	sqlite3_bind_int64(v->insert, 1 + BATCH_BASE, base);
	sqlite3_bind_text(v->insert, 1 + BATCH_DONE, done, -1, SQLITE_STATIC);
	sqlite3_bind_text(v->insert, 1 + BATCH_ROWS, rows, -1, SQLITE_STATIC);
	rc = sqlite3_step(v->insert);
	sqlite3_reset(v->insert);
	return rc;
}

static void view_close(struct view *v)
{
	sqlite3_finalize(v->insert);
	sqlite3_close(v->db);
}

static void a_batch_is_applied_whole(void **state)
{
	struct view v;

	view_open(&v);
	assert_int_equal(
		batch(&v, 0, "[[1,\"a\",0],[2,\"b\",1]]",
		      "[[\"profiles\",\"p\",1,\"{\\\"x\\\":1}\"],[\"pools\",\"p\",1,\"{}\"]]"),
		SQLITE_DONE);
	expect(v.db, "SELECT count(*) FROM rows", "2");
	expect(v.db, "SELECT doc FROM rows WHERE kind = 'profiles' AND key = 'p'", "{\"x\":1}");
	expect(v.db, "SELECT burnt FROM done WHERE id = 'b'", "1");
	/* a change in place, a tombstone, and no rows at all */
	assert_int_equal(
		batch(&v, 2, "[[3,\"c\",0]]",
		      "[[\"profiles\",\"p\",3,null],[\"pools\",\"p\",3,\"{\\\"y\\\":2}\"]]"),
		SQLITE_DONE);
	expect(v.db, "SELECT count(*) FROM rows", "2");
	expect(v.db, "SELECT rev FROM rows WHERE doc IS NULL", "3");
	assert_int_equal(batch(&v, 3, "[[4,\"d\",1]]", NULL), SQLITE_DONE);
	expect(v.db, "SELECT max(revision) FROM done", "4");
	view_close(&v);
}

static void another_base_is_refused_and_changes_nothing(void **state)
{
	static const int64_t bases[] = { 0, 2, -1, INT64_MAX };
	struct view v;

	view_open(&v);
	assert_int_equal(batch(&v, 0, "[[1,\"a\",0]]", "[[\"pools\",\"p\",1,\"{}\"]]"),
			 SQLITE_DONE);
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		assert_int_equal(batch(&v, bases[i], "[[2,\"b\",0]]",
				       "[[\"pools\",\"q\",2,\"{}\"]]"),
				 SQLITE_CONSTRAINT);
		assert_string_equal(sqlite3_errmsg(v.db), "stale revision");
	}
	/* a revision that is taken already takes the rows back with it */
	assert_int_equal(batch(&v, 1, "[[2,\"b\",0],[2,\"c\",0]]", "[[\"pools\",\"q\",2,\"{}\"]]"),
			 SQLITE_CONSTRAINT);
	expect(v.db, "SELECT count(*) FROM rows", "1");
	expect(v.db, "SELECT count(*) FROM done", "1");
	view_close(&v);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void rows_are_freed_and_empty(void **state)
{
	struct rows rows = { xcalloc(2, sizeof(struct row)), 2 };
	struct row none = { 0 };

	for (size_t i = 0; i < rows.n; i++)
		rows.v[i] = (struct row){ xstrdup("key"), 7, json_object() };
	rows_free(&rows);
	assert_null(rows.v);
	assert_int_equal(rows.n, 0);
	rows_free(&rows);
	row_free(&none);
	assert_int_equal(none.rev, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_a_table_of_its_own),
		cmocka_unit_test(every_fact_has_a_name),
		cmocka_unit_test(every_table_is_looked_up_by_its_index),
		cmocka_unit_test(a_batch_is_applied_whole),
		cmocka_unit_test(another_base_is_refused_and_changes_nothing),
		cmocka_unit_test(rows_are_freed_and_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
