/* SPDX-License-Identifier: Apache-2.0 */
/* The replica's copy on disk. */
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/model/schema.h"
#include "cluster/replica/sqlite.h"

static int sql_error(sqlite3 *db, const char *path, struct err *err)
{
	return err_set(err, ERR_INTERNAL, "replica file %s: %s", path, sqlite3_errmsg(db));
}

static int copy_to(struct replica *r, sqlite3 *file, const char *path, struct err *err)
{
	sqlite3_backup *b;
	int rc;

	/* A torn file is found at load; the truth is in dqlite. */
	sqlite3_exec(file, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	b = sqlite3_backup_init(file, "main", r->db, "main");
	if (!b)
		return sql_error(file, path, err);
	replica_lock(r);
	rc = sqlite3_backup_step(b, -1);
	replica_unlock(r);
	sqlite3_backup_finish(b);
	return rc == SQLITE_DONE ? 0 : sql_error(file, path, err);
}

int replica_save(struct replica *r, const char *path, struct err *err)
{
	_free_ char *tmp = xasprintf("%s.new", path);
	sqlite3 *file = NULL;
	int rc = -1;

	unlink(tmp);
	if (sqlite3_open(tmp, &file) == SQLITE_OK)
		rc = copy_to(r, file, tmp, err);
	else
		sql_error(file, tmp, err);
	sqlite3_close(file);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = err_sys(err, "rename %s", tmp);
	if (rc < 0)
		unlink(tmp);
	return rc;
}

static int run(struct replica *r, const char *sql, const char *path, struct err *err)
{
	if (sqlite3_exec(r->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sql_error(r->db, path, err);
	return 0;
}

static int attach(struct replica *r, const char *path, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (sqlite3_prepare_v2(r->db, "ATTACH ?1 AS disk", -1, &st, NULL) != SQLITE_OK)
		return sql_error(r->db, path, err);
	stmt_text(st, 1, path);
	rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : sql_error(r->db, path, err);
}

static int quick_check(struct replica *r, const char *path, struct err *err)
{
	sqlite3_stmt *st = NULL;
	bool ok;

	if (sqlite3_prepare_v2(r->db, "PRAGMA disk.quick_check(1)", -1, &st, NULL) != SQLITE_OK)
		return sql_error(r->db, path, err);
	ok = sqlite3_step(st) == SQLITE_ROW && sqlite3_stricmp(stmt_str(st, 0), "ok") == 0;
	sqlite3_finalize(st);
	return ok ? 0 : err_set(err, ERR_INTERNAL, "replica file %s: damaged", path);
}

static int copy_tables(struct replica *r, const char *path, struct err *err)
{
	for (int e = 0; e < ENT_MAX; e++) {
		const char *t = entity_table((enum entity)e);
		_free_ char *sql = xasprintf("INSERT INTO main.%s(key, rev, doc)"
					     " SELECT key, rev, doc FROM disk.%s",
					     t, t);

		if (run(r, sql, path, err) < 0)
			return -1;
	}
	return run(r,
		   "INSERT INTO main.gone SELECT kind, key, rev FROM disk.gone;"
		   "UPDATE main.meta SET (revision, floor) ="
		   " (SELECT revision, floor FROM disk.meta WHERE id = 1)",
		   path, err);
}

static void clear_tables(struct replica *r)
{
	struct err ignored;

	for (int e = 0; e < ENT_MAX; e++) {
		_free_ char *sql = xasprintf("DELETE FROM main.%s", entity_table((enum entity)e));

		run(r, sql, "", &ignored);
	}
	run(r, "DELETE FROM main.gone; UPDATE main.meta SET revision = 0, floor = 0", "", &ignored);
}

static void take_revision(struct replica *r)
{
	sqlite3_stmt *st = NULL;

	sqlite3_prepare_v2(r->db, "SELECT revision, floor FROM main.meta", -1, &st, NULL);
	if (sqlite3_step(st) == SQLITE_ROW) {
		r->revision = sqlite3_column_int64(st, 0);
		r->floor = sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	replica_touch(r);
}

int replica_load(struct replica *r, const char *path, struct err *err)
{
	int rc;

	if (access(path, R_OK) < 0)
		return err_sys(err, "replica file %s", path);
	replica_lock(r);
	rc = attach(r, path, err);
	if (rc == 0) {
		rc = quick_check(r, path, err);
		if (rc == 0)
			rc = copy_tables(r, path, err);
		if (rc < 0)
			clear_tables(r);
		sqlite3_exec(r->db, "DETACH disk", NULL, NULL, NULL);
	}
	take_revision(r);
	replica_unlock(r);
	return rc;
}
