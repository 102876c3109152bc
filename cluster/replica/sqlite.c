/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/replica/sqlite.h"

#include <assert.h>
#include <sqlite3.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cluster/model/schema.h"

/* %t is the table. */
static const char *const row_sql[Q_ROW_MAX] = {
	[Q_GET] = "SELECT rev, doc FROM %t WHERE key = ?1",
	[Q_REV] = "SELECT rev FROM %t WHERE key = ?1",
	[Q_NEWEST] = "SELECT coalesce(max(rev), 0) FROM %t",
	[Q_LIST] = "SELECT key, rev, doc FROM %t ORDER BY key",
	[Q_LIST_BY] = "SELECT key, rev, doc FROM %t WHERE idx = ?1 ORDER BY key",
	[Q_INDEX] = "SELECT key, rev, idx FROM %t", /* out of the index alone */
	[Q_COUNT] = "SELECT count(*) FROM %t",
	[Q_COUNT_BY] = "SELECT count(*) FROM %t WHERE idx = ?1",
	[Q_PUT] = "INSERT INTO %t(key, rev, doc) VALUES(?1, ?2, ?3) ON CONFLICT(key) DO UPDATE"
		  " SET rev = excluded.rev, doc = excluded.doc WHERE excluded.rev > rev",
	[Q_PUT_FULL] = "INSERT INTO %t(key, rev, doc) VALUES(?1, ?2, ?3) ON CONFLICT(key) DO UPDATE"
		       " SET rev = excluded.rev, doc = excluded.doc"
		       " WHERE excluded.rev <> rev OR excluded.doc <> doc",
	[Q_DELETE] = "DELETE FROM %t WHERE key = ?1 AND rev < ?2",
	[Q_SINCE] = "SELECT key, rev, doc FROM %t WHERE rev > ?1 ORDER BY rev",
	[Q_UNSEEN] = "SELECT key FROM %t WHERE key NOT IN"
		     " (SELECT key FROM seen WHERE kind = ?1)",
};

static const char *const plain_sql[P_MAX] = {
	[P_REVISION] = "UPDATE meta SET revision = ?1, floor = ?2 WHERE id = 1",
	[P_GONE_PUT] = "REPLACE INTO gone(kind, key, rev) VALUES(?1, ?2, ?3)",
	[P_GONE_SINCE] = "SELECT kind, key, rev FROM gone WHERE rev > ?1 ORDER BY rev",
	[P_GONE_TRIM] = "DELETE FROM gone WHERE rev <= ?1",
	[P_SEEN_PUT] = "INSERT OR IGNORE INTO seen(kind, key) VALUES(?1, ?2)",
	[P_SEEN_CLEAR] = "DELETE FROM seen",
	[P_FACT_PUT] =
		"REPLACE INTO facts(kind, key, member, text, seq) VALUES(?1, ?2, ?3, ?4, ?5)",
	[P_FACT_DELETE] = "DELETE FROM facts WHERE kind = ?1 AND key = ?2 AND member = ?3",
	[P_FACT_TOP] = "SELECT member, text FROM facts WHERE kind = ?1 AND key = ?2"
		       " ORDER BY seq DESC LIMIT 1",
	[P_FACT_EACH] =
		"SELECT key, member, text, max(seq) FROM facts WHERE kind = ?1 GROUP BY key",
	[P_FACT_MEMBER] = "SELECT kind, key, member, text FROM facts WHERE member = ?1",
	[P_FACT_ALL] = "SELECT kind, key, member, text FROM facts ORDER BY seq",
	[P_FACT_SINCE] = "SELECT kind, key, member, text, seq FROM facts WHERE seq > ?1"
			 " ORDER BY seq",
	[P_FACT_RENAME] = "UPDATE OR REPLACE facts SET member = ?2 WHERE member = ?1",
	[P_DIRTY_PUT] = "INSERT OR IGNORE INTO dirty(kind, key) VALUES(?1, ?2)",
	[P_DIRTY_LIST] = "SELECT d.kind, d.key, f.text FROM dirty d LEFT JOIN facts f"
			 " ON f.kind = d.kind AND f.key = d.key AND f.member = ?1",
	[P_DIRTY_DELETE] = "DELETE FROM dirty WHERE kind = ?1 AND key = ?2",
	[P_DIRTY_CLEAR] = "DELETE FROM dirty",
};

static char *with_table(const char *sql, const char *table)
{
	struct sbuf b = SBUF(4096);

	for (; *sql; sql++) {
		if (sql[0] == '%' && sql[1] == 't') {
			sbuf_puts(&b, table);
			sql++;
		} else {
			sbuf_putc(&b, *sql);
		}
	}
	return sbuf_take(&b);
}

static void fill_slots(struct replica *r)
{
	for (int e = 0; e < ENT_MAX; e++) {
		for (int q = 0; q < Q_ROW_MAX; q++)
			r->rows[e][q].sql = with_table(row_sql[q], entity_table((enum entity)e));
	}
	for (int p = 0; p < P_MAX; p++)
		r->plain[p].sql = xstrdup(plain_sql[p]);
}

sqlite3_stmt *stmt_get(struct replica *r, struct slot *s)
{
	sqlite3_stmt *st = NULL;

	if (s->st && !sqlite3_stmt_busy(s->st))
		return s->st;
	if (sqlite3_prepare_v2(r->db, s->sql, -1, &st, NULL) != SQLITE_OK) {
		log_error("replica statement", "sql", s->sql, "why", sqlite3_errmsg(r->db));
		abort(); /* our own text against our own tables */
	}
	if (!s->st)
		s->st = st;
	return st;
}

void stmt_put(struct slot *s, sqlite3_stmt *st)
{
	assert(st);
	if (st != s->st) {
		sqlite3_finalize(st);
		return;
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

void stmt_text(sqlite3_stmt *st, int index, const char *text)
{
	sqlite3_bind_text(st, index, text, -1, SQLITE_STATIC);
}

bool stmt_row(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		log_error("replica", "why", sqlite3_errmsg(sqlite3_db_handle(st)));
	return rc == SQLITE_ROW;
}

const char *stmt_str(sqlite3_stmt *st, int column)
{
	return (const char *)sqlite3_column_text(st, column);
}

int stmt_run(struct replica *r, struct slot *s, sqlite3_stmt *st)
{
	int before = sqlite3_total_changes(r->db), n;

	stmt_row(st);
	n = sqlite3_total_changes(r->db) - before;
	stmt_put(s, st);
	return n;
}

static int open_db(struct replica *r, struct err *err)
{
	_free_ char *sql = schema_replica();

	if (sqlite3_open_v2(":memory:", &r->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    sqlite3_exec(r->db, "PRAGMA journal_mode = OFF", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(r->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return err_set(err, ERR_INTERNAL, "open the replica: %s", sqlite3_errmsg(r->db));
	return 0;
}

struct replica *replica_new(struct notifier *borrowed, struct err *err)
{
	struct replica *r = xnew(struct replica);
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&r->lock, &a);
	pthread_mutexattr_destroy(&a);
	pthread_mutex_init(&r->wait_lock, NULL);
	cond_init(&r->reached);
	r->notifier = borrowed;
	fill_slots(r);
	if (open_db(r, err) < 0) {
		replica_free(r);
		return NULL;
	}
	return r;
}

static void free_slots(struct slot *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sqlite3_finalize(v[i].st);
		free(v[i].sql);
	}
}

void replica_free(struct replica *r)
{
	if (!r)
		return;
	for (int e = 0; e < ENT_MAX; e++)
		free_slots(r->rows[e], Q_ROW_MAX);
	free_slots(r->plain, P_MAX);
	sqlite3_close(r->db);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->wait_lock);
	pthread_cond_destroy(&r->reached);
	free(r);
}

void replica_lock(struct replica *r)
{
	pthread_mutex_lock(&r->lock);
}

void replica_unlock(struct replica *r)
{
	pthread_mutex_unlock(&r->lock);
}

void replica_touch(struct replica *r)
{
	__atomic_add_fetch(&r->changes, 1, __ATOMIC_RELEASE);
}

uint64_t replica_changes(struct replica *r)
{
	return __atomic_load_n(&r->changes, __ATOMIC_ACQUIRE);
}
