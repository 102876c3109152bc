/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/replica/replica.h"

#include <assert.h>
#include <sqlite3.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cluster/model/schema.h"
#include "cluster/replica/sqlite.h"

/* --- reading ---------------------------------------------------------------------------------- */

char *replica_text(struct replica *r, enum entity e, const char *key, int64_t *ret_rev)
{
	struct slot *s = &r->rows[e][Q_GET];
	char *text = NULL;
	sqlite3_stmt *st;

	replica_lock(r);
	st = stmt_get(r, s);
	stmt_text(st, 1, key);
	if (stmt_row(st)) {
		*ret_rev = sqlite3_column_int64(st, 0);
		text = xstrdup(stmt_str(st, 1));
	}
	stmt_put(s, st);
	replica_unlock(r);
	return text;
}

int64_t replica_row_rev(struct replica *r, enum entity e, const char *key)
{
	struct slot *s = &r->rows[e][Q_REV];
	sqlite3_stmt *st;
	int64_t rev;

	replica_lock(r);
	st = stmt_get(r, s);
	stmt_text(st, 1, key);
	rev = stmt_row(st) ? sqlite3_column_int64(st, 0) : 0;
	stmt_put(s, st);
	replica_unlock(r);
	return rev;
}

int64_t replica_newest_rev(struct replica *r, enum entity e)
{
	struct slot *s = &r->rows[e][Q_NEWEST];
	sqlite3_stmt *st;
	int64_t rev;

	replica_lock(r);
	st = stmt_get(r, s);
	rev = stmt_row(st) ? sqlite3_column_int64(st, 0) : 0;
	stmt_put(s, st);
	replica_unlock(r);
	return rev;
}

void replica_each(struct replica *r, enum entity e, const char *value, replica_row_fn cb, void *arg)
{
	struct slot *s = &r->rows[e][value ? Q_LIST_BY : Q_LIST];
	sqlite3_stmt *st;

	if (value && !*entity_index(e))
		return;
	replica_lock(r);
	st = stmt_get(r, s);
	if (value)
		stmt_text(st, 1, value);
	while (stmt_row(st))
		cb(arg, stmt_str(st, 0), sqlite3_column_int64(st, 1), stmt_str(st, 2));
	stmt_put(s, st);
	replica_unlock(r);
}

void replica_each_index(struct replica *r, enum entity e, replica_row_fn cb, void *arg)
{
	struct slot *s = &r->rows[e][Q_INDEX];
	sqlite3_stmt *st;

	assert(*entity_index(e));
	replica_lock(r);
	st = stmt_get(r, s);
	while (stmt_row(st)) {
		const char *value = stmt_str(st, 2);

		cb(arg, stmt_str(st, 0), sqlite3_column_int64(st, 1), value ? value : "");
	}
	stmt_put(s, st);
	replica_unlock(r);
}

int64_t replica_count(struct replica *r, enum entity e, const char *value)
{
	struct slot *s = &r->rows[e][value ? Q_COUNT_BY : Q_COUNT];
	sqlite3_stmt *st;
	int64_t n;

	if (value && !*entity_index(e))
		return 0;
	replica_lock(r);
	st = stmt_get(r, s);
	if (value)
		stmt_text(st, 1, value);
	n = stmt_row(st) ? sqlite3_column_int64(st, 0) : 0;
	stmt_put(s, st);
	replica_unlock(r);
	return n;
}

int64_t replica_revision(struct replica *r)
{
	return __atomic_load_n(&r->revision, __ATOMIC_ACQUIRE);
}

int64_t replica_floor(struct replica *r)
{
	return __atomic_load_n(&r->floor, __ATOMIC_ACQUIRE);
}

bool replica_wait(struct replica *r, int64_t revision, int64_t deadline)
{
	bool ok = replica_revision(r) >= revision;

	if (ok)
		return true;
	pthread_mutex_lock(&r->wait_lock);
	while (!(ok = replica_revision(r) >= revision)) {
		if (!cond_wait_until(&r->reached, &r->wait_lock, deadline) &&
		    clock_ms() >= deadline)
			break;
	}
	pthread_mutex_unlock(&r->wait_lock);
	return ok;
}

/* --- changing --------------------------------------------------------------------------------- */

static void set_revision(struct replica *r, int64_t revision, int64_t floor)
{
	sqlite3_stmt *st = stmt_get(r, &r->plain[P_REVISION]);

	sqlite3_bind_int64(st, 1, revision);
	sqlite3_bind_int64(st, 2, floor);
	stmt_run(r, &r->plain[P_REVISION], st);
	pthread_mutex_lock(&r->wait_lock);
	__atomic_store_n(&r->revision, revision, __ATOMIC_RELEASE);
	__atomic_store_n(&r->floor, floor, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&r->reached);
	pthread_mutex_unlock(&r->wait_lock);
}

static void put_row(struct replica *r, const struct change *c, bool full)
{
	struct slot *s = &r->rows[c->e][full ? Q_PUT_FULL : Q_PUT];
	sqlite3_stmt *st = stmt_get(r, s);

	stmt_text(st, 1, c->key);
	sqlite3_bind_int64(st, 2, c->rev);
	stmt_text(st, 3, c->text);
	if (stmt_run(r, s, st) == 0)
		return;
	replica_touch(r);
	notify_row(r->notifier, c->e, c->key, c->rev, c->text);
}

static void put_gone(struct replica *r, const struct change *c)
{
	sqlite3_stmt *st = stmt_get(r, &r->plain[P_GONE_PUT]);

	stmt_text(st, 1, entity_table(c->e));
	stmt_text(st, 2, c->key);
	sqlite3_bind_int64(st, 3, c->rev);
	stmt_run(r, &r->plain[P_GONE_PUT], st);
}

static void delete_row(struct replica *r, const struct change *c)
{
	struct slot *s = &r->rows[c->e][Q_DELETE];
	sqlite3_stmt *st = stmt_get(r, s);

	stmt_text(st, 1, c->key);
	sqlite3_bind_int64(st, 2, c->rev);
	if (stmt_run(r, s, st) == 0)
		return;
	replica_touch(r);
	notify_row(r->notifier, c->e, c->key, c->rev, NULL);
}

void replica_apply(struct replica *r, const struct change *v, size_t n, int64_t revision)
{
	replica_lock(r);
	for (size_t i = 0; i < n; i++) {
		if (v[i].text) {
			put_row(r, &v[i], false);
		} else {
			delete_row(r, &v[i]);
			put_gone(r, &v[i]);
		}
	}
	if (revision > r->revision)
		set_revision(r, revision, r->floor);
	replica_unlock(r);
}

static void run_plain(struct replica *r, enum plain_query q)
{
	stmt_run(r, &r->plain[q], stmt_get(r, &r->plain[q]));
}

void replica_full_begin(struct replica *r)
{
	replica_lock(r);
	run_plain(r, P_SEEN_CLEAR);
	replica_unlock(r);
}

static void mark_seen(struct replica *r, const struct change *c)
{
	sqlite3_stmt *st = stmt_get(r, &r->plain[P_SEEN_PUT]);

	sqlite3_bind_int(st, 1, (int)c->e);
	stmt_text(st, 2, c->key);
	stmt_run(r, &r->plain[P_SEEN_PUT], st);
}

void replica_full_rows(struct replica *r, const struct change *v, size_t n)
{
	replica_lock(r);
	for (size_t i = 0; i < n; i++) {
		if (!v[i].text) {
			delete_row(r, &v[i]);
			continue;
		}
		put_row(r, &v[i], true);
		mark_seen(r, &v[i]);
	}
	replica_unlock(r);
}

/* Collected first: a table is not changed while it is read. */
static void delete_unseen(struct replica *r, enum entity e)
{
	struct slot *s = &r->rows[e][Q_UNSEEN];
	sqlite3_stmt *st = stmt_get(r, s);
	char **keys = NULL;
	size_t n = 0;

	sqlite3_bind_int(st, 1, (int)e);
	while (stmt_row(st)) {
		keys = xrealloc(keys, (n + 1) * sizeof(*keys));
		keys[n++] = xstrdup(stmt_str(st, 0));
	}
	stmt_put(s, st);
	for (size_t i = 0; i < n; i++) {
		delete_row(r, &(struct change){ e, keys[i], INT64_MAX, NULL });
		free(keys[i]);
	}
	free(keys);
}

void replica_full_end(struct replica *r, int64_t revision, int64_t floor)
{
	replica_lock(r);
	for (int e = 0; e < ENT_MAX; e++)
		delete_unseen(r, (enum entity)e);
	run_plain(r, P_SEEN_CLEAR);
	set_revision(r, revision, floor);
	replica_unlock(r);
}

void replica_forget(struct replica *r)
{
	replica_lock(r);
	set_revision(r, 0, 0);
	replica_unlock(r);
}

void replica_forget_gone(struct replica *r, int64_t floor)
{
	sqlite3_stmt *st;

	replica_lock(r);
	if (floor > r->floor) {
		st = stmt_get(r, &r->plain[P_GONE_TRIM]);
		sqlite3_bind_int64(st, 1, floor);
		stmt_run(r, &r->plain[P_GONE_TRIM], st);
		set_revision(r, r->revision, floor);
	}
	replica_unlock(r);
}
