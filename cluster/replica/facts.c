/* SPDX-License-Identifier: Apache-2.0 */
/* The facts of the replica: claims of members on keys, of which the latest shows. */
#include <assert.h>
#include <sqlite3.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/replica/sqlite.h"

#define MEMBER_SIZE 64

static char *top(struct replica *r, enum fact f, const char *key, char member[MEMBER_SIZE])
{
	struct slot *s = &r->plain[P_FACT_TOP];
	sqlite3_stmt *st = stmt_get(r, s);
	char *text = NULL;

	sqlite3_bind_int(st, 1, (int)f);
	stmt_text(st, 2, key);
	member[0] = '\0';
	if (stmt_row(st)) {
		str_copy(member, MEMBER_SIZE, stmt_str(st, 0));
		text = xstrdup(stmt_str(st, 1));
	}
	stmt_put(s, st);
	return text;
}

/* False when there is no such claim to withdraw. */
static bool store_claim(struct replica *r, enum fact f, const char *key, const char *member,
			const char *text)
{
	struct slot *s = &r->plain[text ? P_FACT_PUT : P_FACT_DELETE];
	sqlite3_stmt *st = stmt_get(r, s);

	sqlite3_bind_int(st, 1, (int)f);
	stmt_text(st, 2, key);
	stmt_text(st, 3, member);
	if (text) {
		stmt_text(st, 4, text);
		sqlite3_bind_int64(st, 5, ++r->seq);
	}
	return stmt_run(r, s, st) > 0;
}

static void mark_dirty(struct replica *r, enum fact f, const char *key)
{
	sqlite3_stmt *st = stmt_get(r, &r->plain[P_DIRTY_PUT]);

	sqlite3_bind_int(st, 1, (int)f);
	stmt_text(st, 2, key);
	stmt_run(r, &r->plain[P_DIRTY_PUT], st);
	if (r->dirty_cb)
		r->dirty_cb(r->dirty_arg);
}

bool replica_fact_put(struct replica *r, enum fact f, const char *key, const char *member,
		      const char *text, bool own)
{
	char was_member[MEMBER_SIZE], is_member[MEMBER_SIZE];
	_free_ char *was = NULL, *is = NULL;
	bool changed;

	assert(f < FACT_KINDS);
	replica_lock(r);
	was = top(r, f, key, was_member);
	changed = !(text && str_eq(was, text) && str_eq(was_member, member)) &&
		  store_claim(r, f, key, member, text);
	if (changed) {
		is = top(r, f, key, is_member);
		if (!str_eq(was, is) || !str_eq(was_member, is_member)) {
			replica_touch(r);
			notify_fact(r->notifier, f, key, is ? is_member : member, is);
		}
		if (own)
			mark_dirty(r, f, key);
	}
	replica_unlock(r);
	return changed;
}

char *replica_fact(struct replica *r, enum fact f, const char *key, char *ret_member)
{
	char member[MEMBER_SIZE];
	char *text;

	replica_lock(r);
	text = top(r, f, key, member);
	replica_unlock(r);
	if (text && ret_member)
		memcpy(ret_member, member, sizeof(member));
	return text;
}

void replica_each_fact(struct replica *r, enum fact f, replica_fact_fn cb, void *arg)
{
	struct slot *s = &r->plain[P_FACT_EACH];
	sqlite3_stmt *st;

	replica_lock(r);
	st = stmt_get(r, s);
	sqlite3_bind_int(st, 1, (int)f);
	while (stmt_row(st))
		cb(arg, f, stmt_str(st, 0), stmt_str(st, 1), stmt_str(st, 2));
	stmt_put(s, st);
	replica_unlock(r);
}

void replica_member_facts(struct replica *r, const char *member, replica_fact_fn cb, void *arg)
{
	struct slot *s = &r->plain[member ? P_FACT_MEMBER : P_FACT_ALL];
	sqlite3_stmt *st;

	replica_lock(r);
	st = stmt_get(r, s);
	if (member)
		stmt_text(st, 1, member);
	while (stmt_row(st))
		cb(arg, (enum fact)sqlite3_column_int(st, 0), stmt_str(st, 1), stmt_str(st, 2),
		   stmt_str(st, 3));
	stmt_put(s, st);
	replica_unlock(r);
}

void replica_facts_rename(struct replica *r, const char *from, const char *to)
{
	struct slot *s = &r->plain[P_FACT_RENAME];
	sqlite3_stmt *st;

	replica_lock(r);
	st = stmt_get(r, s);
	stmt_text(st, 1, from);
	stmt_text(st, 2, to);
	stmt_run(r, s, st);
	replica_touch(r);
	replica_unlock(r);
}

void replica_on_dirty(struct replica *r, void (*cb)(void *arg), void *arg)
{
	replica_lock(r);
	r->dirty_cb = cb;
	r->dirty_arg = arg;
	replica_unlock(r);
}
