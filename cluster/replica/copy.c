/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of the replica for others, a piece at a time. */
#include <sqlite3.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/model/schema.h"
#include "cluster/replica/sqlite.h"

/* --- rows ------------------------------------------------------------------------------------- */

/* One table, or the tombstones (e is ENT_MAX), in the order of revisions. */
struct cursor {
	struct slot *slot;
	sqlite3_stmt *st;
	enum entity e;
	bool on; /* change is what comes next */
	struct change change;
};

static void cursor_next(struct cursor *k)
{
	k->on = false;
	while (!k->on && stmt_row(k->st)) {
		bool gone = k->e == ENT_MAX;
		int col = gone ? 1 : 0;

		k->change = (struct change){ gone ? entity_by_table(stmt_str(k->st, 0)) : k->e,
					     stmt_str(k->st, col),
					     sqlite3_column_int64(k->st, col + 1),
					     gone ? NULL : stmt_str(k->st, 2) };
		k->on = k->change.e != ENT_MAX;
	}
}

static void cursor_open(struct replica *r, struct cursor *k, int e, int64_t rev)
{
	k->e = (enum entity)e;
	k->slot = e == ENT_MAX ? &r->plain[P_GONE_SINCE] : &r->rows[e][Q_SINCE];
	k->st = stmt_get(r, k->slot);
	sqlite3_bind_int64(k->st, 1, rev);
	cursor_next(k);
}

static struct cursor *lowest(struct cursor *v, size_t n)
{
	struct cursor *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (v[i].on && (!best || v[i].change.rev < best->change.rev))
			best = &v[i];
	}
	return best;
}

static size_t size_of(const char *key, const char *text)
{
	return strlen(key) + (text ? strlen(text) : 0);
}

bool replica_since(struct replica *r, int64_t *rev, size_t bytes, replica_change_fn cb, void *arg)
{
	struct cursor v[ENT_MAX + 1], *k;
	int64_t at = *rev;
	size_t size = 0;

	replica_lock(r);
	for (int e = 0; e <= ENT_MAX; e++)
		cursor_open(r, &v[e], e, *rev);
	while ((k = lowest(v, ARRAY_SIZE(v))) && (size < bytes || k->change.rev == at)) {
		at = k->change.rev;
		size += size_of(k->change.key, k->change.text);
		cb(arg, &k->change);
		cursor_next(k);
	}
	for (int e = 0; e <= ENT_MAX; e++)
		stmt_put(v[e].slot, v[e].st);
	*rev = k ? at : replica_revision(r);
	replica_unlock(r);
	return k != NULL;
}

/* --- facts ------------------------------------------------------------------------------------ */

bool replica_facts_since(struct replica *r, const char *member, int64_t *seq, size_t bytes,
			 replica_fact_fn cb, void *arg)
{
	struct slot *s = &r->plain[P_FACT_SINCE];
	sqlite3_stmt *st;
	size_t size = 0;
	bool more;

	replica_lock(r);
	st = stmt_get(r, s);
	sqlite3_bind_int64(st, 1, *seq);
	while ((more = stmt_row(st)) && size < bytes) {
		const char *key = stmt_str(st, 1), *of = stmt_str(st, 2), *text = stmt_str(st, 3);

		*seq = sqlite3_column_int64(st, 4);
		if (member && strcmp(of, member) != 0)
			continue;
		size += size_of(key, text);
		cb(arg, (enum fact)sqlite3_column_int(st, 0), key, of, text);
	}
	stmt_put(s, st);
	replica_unlock(r);
	return more;
}

static void forget_dirty(struct replica *r, int kind, const char *key)
{
	struct slot *s = &r->plain[P_DIRTY_DELETE];
	sqlite3_stmt *st = stmt_get(r, s);

	sqlite3_bind_int(st, 1, kind);
	stmt_text(st, 2, key);
	stmt_run(r, s, st);
}

struct taken {
	int kind;
	char *key;
};

/* Forgotten only after all were read: a table is not changed while it is read. */
bool replica_take_dirty(struct replica *r, const char *self, size_t bytes, replica_fact_fn cb,
			void *arg)
{
	struct slot *s = &r->plain[P_DIRTY_LIST];
	struct taken *v = NULL;
	sqlite3_stmt *st;
	size_t n = 0, size = 0;

	replica_lock(r);
	st = stmt_get(r, s);
	stmt_text(st, 1, self);
	while (size < bytes && stmt_row(st)) {
		const char *key = stmt_str(st, 1), *text = stmt_str(st, 2);
		int kind = sqlite3_column_int(st, 0);

		if (!(n & (n + 1)))
			v = xrealloc(v, (2 * n + 1) * sizeof(*v));
		v[n++] = (struct taken){ kind, xstrdup(key) };
		size += size_of(key, text);
		cb(arg, (enum fact)kind, key, self, text);
	}
	stmt_put(s, st);
	for (size_t i = 0; i < n; i++) {
		forget_dirty(r, v[i].kind, v[i].key);
		free(v[i].key);
	}
	free(v);
	replica_unlock(r);
	return n > 0;
}

void replica_drop_dirty(struct replica *r)
{
	struct slot *s = &r->plain[P_DIRTY_CLEAR];

	replica_lock(r);
	stmt_run(r, s, stmt_get(r, s));
	replica_unlock(r);
}
