/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/db/db.h"

#include "base/mem.h"
#include "base/str.h"

/* A page of rows holds dqlite's only thread for a millisecond or two. */
#define PAGE_ROWS 1000

enum statement { S_BATCH, S_META, S_DONE, S_ROWS, S_PRUNE_DONE, S_FLOOR, S_PRUNE_GONE, S_MAX };

static const char *const texts[S_MAX] = {
	[S_META] = "SELECT (SELECT coalesce(max(revision), 0) FROM done),"
		   " (SELECT coalesce(max(rev), 0) FROM rows WHERE kind = '' AND key = 'floor')",
	[S_DONE] = "SELECT revision, id, burnt FROM done WHERE revision > ? ORDER BY revision"
		   " LIMIT ?",
	[S_ROWS] = "SELECT kind, key, rev, CASE WHEN rev > ? THEN doc END FROM rows"
		   " WHERE (kind, key) > (?, ?) ORDER BY kind, key LIMIT ?",
	[S_PRUNE_DONE] = "DELETE FROM done WHERE revision <= ?",
	[S_FLOOR] = "REPLACE INTO rows(kind, key, rev) VALUES('', 'floor', ?)",
	[S_PRUNE_GONE] = "DELETE FROM rows WHERE doc IS NULL AND rev <= ? AND kind <> ''",
};

struct db {
	struct dqclient *c;
	uint32_t st[S_MAX];
	char view[SCHEMA_NAME_SIZE];
};

static void count_row(void *arg, const struct wire_value *v, size_t columns)
{
	*(int64_t *)arg = v[0].i;
}

static int ensure_schema(struct db *d, struct err *err)
{
	_free_ char *sql = schema_dqlite(d->view);
	int64_t present = 0;

	if (dq_query_sql(d->c, "SELECT count(*) FROM sqlite_master WHERE name = ?",
			 &WIRE_T(d->view), 1, count_row, &present, err) < 0)
		return -1;
	return present ? 0 : dq_script(d->c, sql, err);
}

static int prepare_all(struct db *d, struct err *err)
{
	_free_ char *batch = schema_batch_insert(d->view);

	for (int s = 0; s < S_MAX; s++) {
		if (dq_prepare(d->c, s == S_BATCH ? batch : texts[s], &d->st[s], err) < 0)
			return -1;
	}
	return 0;
}

struct db *db_open(const char *socket, int timeout_ms, struct err *err)
{
	struct dqclient *c = dq_connect(socket, timeout_ms, err);
	struct db *d;

	if (!c)
		return NULL;
	d = xnew(struct db);
	d->c = c;
	if (dq_open(c, SCHEMA_DB, err) < 0 || ensure_schema(d, err) < 0 ||
	    prepare_all(d, err) < 0) {
		db_close(d);
		return NULL;
	}
	return d;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	dq_free(d->c);
	free(d);
}

int db_batch(struct db *d, const struct wire_value *params, struct err *err)
{
	return dq_exec(d->c, d->st[S_BATCH], params, BATCH_PARAMS, err);
}

struct pair {
	int64_t a, b;
};

static void pair_row(void *arg, const struct wire_value *v, size_t columns)
{
	if (columns == 2)
		*(struct pair *)arg = (struct pair){ v[0].i, v[1].i };
}

int db_prune_done(struct db *d, int64_t up_to, struct err *err)
{
	return dq_exec(d->c, d->st[S_PRUNE_DONE], &WIRE_I(up_to), 1, err);
}

/* The floor first: tombstones below it are never relied on. */
int db_prune_gone(struct db *d, int64_t floor, struct err *err)
{
	if (dq_exec(d->c, d->st[S_FLOOR], &WIRE_I(floor), 1, err) < 0)
		return -1;
	return dq_exec(d->c, d->st[S_PRUNE_GONE], &WIRE_I(floor), 1, err);
}

/* --- loading ---------------------------------------------------------------------------------- */

struct done_page {
	struct done *done;
	int64_t last;
	size_t got;
};

static void done_row(void *arg, const struct wire_value *v, size_t columns)
{
	struct done_page *p = arg;

	if (columns != 3 || !v[1].text)
		return;
	p->last = v[0].i;
	p->got++;
	done_add(p->done, v[1].text, v[0].i, v[2].i != 0);
}

int db_load_done(struct db *d, struct done *done, struct err *err)
{
	struct done_page p = { .done = done };

	done_clear(done);
	do {
		struct wire_value params[] = { WIRE_I(p.last), WIRE_I(PAGE_ROWS) };

		p.got = 0;
		if (dq_query(d->c, d->st[S_DONE], params, ARRAY_SIZE(params), done_row, &p, err) <
		    0)
			return -1;
	} while (p.got == PAGE_ROWS);
	return 0;
}

/* Changes copied out of an answer. */
struct page {
	int64_t since;
	struct change v[PAGE_ROWS];
	size_t n, got;
	char *last_kind, *last_key;
};

static void page_row(void *arg, const struct wire_value *v, size_t columns)
{
	struct page *p = arg;
	enum entity e;

	if (columns != 4 || !v[0].text || !v[1].text || p->got == PAGE_ROWS)
		return;
	p->got++;
	free(p->last_kind);
	free(p->last_key);
	p->last_kind = xstrdup(v[0].text);
	p->last_key = xstrdup(v[1].text);
	e = entity_by_table(v[0].text);
	/* A row that is not newer comes without its doc; so does a tombstone. */
	if (e == ENT_MAX || v[2].i <= p->since)
		return;
	p->v[p->n++] = (struct change){ e, xstrdup(v[1].text), v[2].i,
					v[3].type == WIRE_TEXT ? xstrdup(v[3].text) : NULL };
}

static void page_apply(struct page *p, struct replica *r, bool full)
{
	if (full)
		replica_full_rows(r, p->v, p->n);
	else
		replica_apply(r, p->v, p->n, 0);
	for (size_t i = 0; i < p->n; i++) {
		free((char *)p->v[i].key);
		free((char *)p->v[i].text);
	}
	p->n = 0;
}

static int load_page(struct db *d, struct page *p, struct replica *r, bool full, struct err *err)
{
	_free_ char *kind = take_ptr(p->last_kind), *key = take_ptr(p->last_key);
	struct wire_value params[] = { WIRE_I(p->since), WIRE_T(kind), WIRE_T(key),
				       WIRE_I(PAGE_ROWS) };
	int rc;

	p->got = 0;
	rc = dq_query(d->c, d->st[S_ROWS], params, ARRAY_SIZE(params), page_row, p, err);
	page_apply(p, r, full);
	return rc;
}

static int load_rows(struct db *d, struct replica *r, int64_t since, bool full, struct err *err)
{
	struct page *p = xnew(struct page);
	int rc;

	p->since = since;
	p->last_kind = xstrdup("");
	p->last_key = xstrdup("");
	do {
		rc = load_page(d, p, r, full, err);
	} while (rc == 0 && p->got == PAGE_ROWS);
	free(p->last_kind);
	free(p->last_key);
	free(p);
	return rc;
}

int db_load(struct db *d, struct replica *r, struct err *err)
{
	int64_t have = replica_revision(r);
	struct pair meta = { 0 };
	bool full;

	if (dq_query(d->c, d->st[S_META], NULL, 0, pair_row, &meta, err) < 0)
		return -1;
	if (have == meta.a)
		return 0;
	full = have > meta.a || have < meta.b || have == 0;
	if (full)
		replica_full_begin(r);
	if (load_rows(d, r, full ? -1 : have, full, err) < 0)
		return -1;
	if (full)
		replica_full_end(r, meta.a, meta.a);
	else
		replica_apply(r, NULL, 0, meta.a);
	return 0;
}
