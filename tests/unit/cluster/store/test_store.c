/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a single host: the whole way through a real dqlite node. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/db/db.h"
#include "cluster/db/dqnode.h"
#include "cluster/member/dbnode.h"
#include "cluster/store/tx.h"
#include "tests/unit/base/patience.h"

struct world {
	char dir[64];
	struct cluster *c;
	struct store *s;
};

static void start(struct world *w)
{
	struct cluster_opts o = { .dir = w->dir };
	struct err err = { 0 };

	w->c = cluster_new(&o, &err);
	if (!w->c)
		print_error("%s\n", err.msg);
	assert_non_null(w->c);
	assert_int_equal(cluster_start(w->c, &err), 0);
	w->s = cluster_store(w->c);
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);

	str_copy(w->dir, sizeof(w->dir), "/tmp/dunlin-test-store-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	start(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	cluster_free(w->c);
	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static int put(struct store *s, const char *key, int64_t seen, const char *member, int64_t *ret_rev,
	       struct err *err)
{
	_json_ json_t *doc = json_pack("{s:s}", "member", member);
	_tx_ struct tx *t = tx_new();

	tx_put(t, ENT_INSTANCE, key, seen, doc);
	return store_commit(s, t, 0, ret_rev, err);
}

static void test_put_get(void **state)
{
	struct world *w = *state;
	uint64_t before = store_change_count(w->s);
	_row_ struct row row = { 0 };
	_rows_ struct rows rows = { 0 };
	struct err err = { 0 };
	int64_t rev;

	assert_int_equal(put(w->s, "c1", REV_NONE, "a", &rev, &err), 0);
	assert_int_equal(put(w->s, "c2", REV_NONE, "b", NULL, &err), 0);
	assert_true(store_change_count(w->s) > before);
	assert_int_equal(store_get(w->s, ENT_INSTANCE, "c1", &row, &err), 0);
	assert_int_equal(row.rev, rev);
	assert_string_equal(json_str(row.doc, "member", ""), "a");
	assert_int_equal(store_list(w->s, ENT_INSTANCE, "b", &rows, &err), 0);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.v[0].key, "c2");
	assert_int_equal(store_count(w->s, ENT_INSTANCE, NULL), 2);
	row_free(&row);
	assert_int_equal(store_get(w->s, ENT_INSTANCE, "c3", &row, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "instance \"c3\" not found");
	assert_int_equal(store_get_latest(w->s, ENT_INSTANCE, "c2", &row, 0, &err), 0);
	assert_string_equal(json_str(row.doc, "member", ""), "b");
	/* A single host has a row of its own, as which instances are placed. */
	assert_int_equal(store_count(w->s, ENT_MEMBER, NULL), 1);
}

static void test_conflicts(void **state)
{
	struct world *w = *state;
	_tx_ struct tx *both = tx_new(), *check = tx_new(), *gone = tx_new();
	_json_ json_t *doc = json_pack("{s:s}", "member", "a");
	struct err err = { 0 };
	int64_t rev, next;

	assert_int_equal(put(w->s, "c1", REV_NONE, "a", &rev, &err), 0);
	assert_int_equal(put(w->s, "c1", REV_NONE, "b", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_string_equal(err.msg, "instance \"c1\" already exists");
	assert_int_equal(put(w->s, "c1", rev, "b", &next, &err), 0);
	assert_int_equal(put(w->s, "c1", rev, "c", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	/* All or nothing. */
	tx_put(both, ENT_INSTANCE, "c9", REV_NONE, doc);
	tx_delete(both, ENT_INSTANCE, "c1", rev);
	assert_int_equal(store_commit(w->s, both, 0, NULL, &err), -1);
	assert_int_equal(store_count(w->s, ENT_INSTANCE, NULL), 1);
	tx_check(check, ENT_INSTANCE, "c1", next);
	tx_put(check, ENT_INSTANCE, "c9", REV_NONE, doc);
	assert_int_equal(store_commit(w->s, check, 0, NULL, &err), 0);
	tx_delete(gone, ENT_INSTANCE, "c1", next);
	assert_int_equal(store_commit(w->s, gone, 0, NULL, &err), 0);
	assert_int_equal(put(w->s, "c1", next, "b", NULL, &err), -1);
	assert_string_equal(err.msg, "instance \"c1\" was deleted meanwhile");
}

/* What was decided by looking at all rows of a kind. */
static void test_still(void **state)
{
	struct world *w = *state;
	_tx_ struct tx *late = tx_new(), *other_kind = tx_new(), *in_time = tx_new();
	_json_ json_t *doc = json_pack("{s:s}", "member", "a");
	struct err err = { 0 };
	int64_t before = store_revision(w->s), after;

	assert_int_equal(put(w->s, "s1", REV_NONE, "a", &after, &err), 0);
	tx_put(late, ENT_PROFILE, "p1", REV_NONE, doc);
	tx_check_still(late, ENT_INSTANCE, before);
	assert_int_equal(store_commit(w->s, late, 0, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_string_equal(err.msg, "another instance was made or changed meanwhile");
	assert_int_equal(store_count(w->s, ENT_PROFILE, NULL), 0);
	tx_put(other_kind, ENT_PROFILE, "p1", REV_NONE, doc);
	tx_check_still(other_kind, ENT_NETWORK, before);
	assert_int_equal(store_commit(w->s, other_kind, 0, NULL, &err), 0);
	tx_delete(in_time, ENT_PROFILE, "p1", REV_ANY);
	tx_delete(in_time, ENT_INSTANCE, "s1", REV_ANY);
	tx_check_still(in_time, ENT_INSTANCE, after);
	assert_int_equal(store_commit(w->s, in_time, 0, NULL, &err), 0);
}

static void test_idempotency(void **state)
{
	struct world *w = *state;
	_json_ json_t *doc = json_pack("{s:s}", "member", "a");
	_tx_ struct tx *t = tx_new(), *never = tx_new();
	struct err err = { 0 };
	int64_t first, second;

	tx_put(t, ENT_INSTANCE, "c1", REV_NONE, doc);
	assert_int_equal(store_commit(w->s, t, 0, &first, &err), 0);
	/* The same transaction again is the same commit, over a restart too. */
	assert_int_equal(store_commit(w->s, t, 0, &second, &err), 0);
	assert_int_equal(first, second);
	cluster_free(w->c);
	start(w);
	assert_int_equal(store_commit(w->s, t, 0, &second, &err), 0);
	assert_int_equal(first, second);
	assert_int_equal(store_outcome(w->s, t, 0, &err), 1);
	/* One that is not known is burnt by asking. */
	tx_put(never, ENT_INSTANCE, "c2", REV_NONE, doc);
	assert_int_equal(store_outcome(w->s, never, 0, &err), 0);
	never->fate = TX_OPEN;
	assert_int_equal(store_outcome(w->s, never, 0, &err), 0);
	assert_int_equal(store_commit(w->s, never, 0, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_int_equal(store_count(w->s, ENT_INSTANCE, "a"), 1);
}

struct load {
	struct store *s;
	int id, failed;
};

#define THREADS 64
#define EACH 10

/* Every thread adds to one counter, and only when nobody else did meanwhile. */
static void *add_up(void *arg)
{
	struct load *l = arg;
	struct err err = { 0 };

	for (int done = 0; done < EACH;) {
		_row_ struct row row = { 0 };
		_tx_ struct tx *t = tx_new();
		_json_ json_t *doc = NULL;

		if (store_get(l->s, ENT_CONFIG, "counter", &row, &err) < 0)
			return NULL;
		doc = json_pack("{s:I}", "n", json_int(row.doc, "n", 0) + 1);
		tx_put(t, ENT_CONFIG, "counter", row.rev, doc);
		if (store_commit(l->s, t, 0, NULL, &err) == 0)
			done++;
		else if (err.kind != ERR_PRECONDITION)
			l->failed++;
	}
	return NULL;
}

static void *add_rows(void *arg)
{
	struct load *l = arg;
	struct err err = { 0 };

	for (int i = 0; i < EACH; i++) {
		_free_ char *key = xasprintf("c%d-%d", l->id, i);

		l->failed += put(l->s, key, REV_NONE, "a", NULL, &err) < 0;
	}
	return NULL;
}

static void run_threads(struct world *w, int n, void *(*fn)(void *arg))
{
	struct load l[THREADS];
	pthread_t t[THREADS];

	for (int i = 0; i < n; i++) {
		l[i] = (struct load){ .s = w->s, .id = i };
		assert_int_equal(pthread_create(&t[i], NULL, fn, &l[i]), 0);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(l[i].failed, 0);
	}
}

static void test_threads(void **state)
{
	struct world *w = *state;
	_json_ json_t *zero = json_pack("{s:i}", "n", 0);
	_tx_ struct tx *t = tx_new();
	_row_ struct row row = { 0 };
	struct err err = { 0 };

	run_threads(w, THREADS, add_rows);
	assert_int_equal(store_count(w->s, ENT_INSTANCE, "a"), THREADS * EACH);
	tx_put(t, ENT_CONFIG, "counter", REV_NONE, zero);
	assert_int_equal(store_commit(w->s, t, 0, NULL, &err), 0);
	run_threads(w, 4, add_up);
	assert_int_equal(store_get(w->s, ENT_CONFIG, "counter", &row, &err), 0);
	assert_int_equal(json_int(row.doc, "n", 0), 4 * EACH);
}

static void test_one_daemon_a_folder(void **state)
{
	struct world *w = *state;
	struct cluster_opts o = { .dir = w->dir };
	struct err err = { 0 };

	assert_null(cluster_new(&o, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
}

/* As after some minutes of leading: the next leader starts where this one forgot. */
static void forget_keys(struct world *w, int64_t up_to)
{
	struct dqnode *n = cluster_node(w->c);
	struct err err = { 0 };
	struct db *d = db_open(dqnode_socket(n), 5000, &err);

	assert_non_null(d);
	assert_int_equal(db_prune_done(d, up_to, &err), 0);
	db_close(d);
	dqnode_unref(n);
	cluster_free(w->c);
	start(w);
}

/* A leader that has forgotten the keys of the past still takes all that is new. */
static void test_forgetful_leader(void **state)
{
	struct world *w = *state;
	_tx_ struct tx *old = tx_new();
	_row_ struct row row = { 0 };
	_json_ json_t *doc = json_pack("{s:s}", "member", "late");
	struct err err = { 0 };
	int64_t rev;

	for (int i = 0; i < 3; i++)
		assert_int_equal(put(w->s, "c1", REV_ANY, "a", &rev, &err), 0);
	forget_keys(w, rev - 1);
	if (store_get_latest(w->s, ENT_INSTANCE, "c1", &row, PATIENCE, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(row.rev, rev);
	assert_int_equal(put(w->s, "c2", REV_NONE, "b", &rev, &err), 0);
	/* One that may have been committed before what is remembered is neither made nor denied. */
	tx_put(old, ENT_INSTANCE, "c3", REV_ANY, doc);
	old->fate = TX_OPEN;
	assert_int_equal(store_commit(w->s, old, deadline_in(200), NULL, &err), -1);
	assert_int_equal(err.kind, ERR_UNKNOWN);
	assert_int_equal(store_outcome(w->s, old, deadline_in(200), &err), -1);
	row_free(&row);
	assert_int_equal(store_get(w->s, ENT_INSTANCE, "c3", &row, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* Number 1 on an empty folder would found another database. */
static void test_lost_database(void **state)
{
	struct world *w = *state;
	struct cluster_opts o = { .dir = w->dir };
	_free_ char *db = xasprintf("%s/database", w->dir);
	struct err err = { 0 };

	cluster_free(w->c);
	assert_int_equal(io_remove_tree(db, &err), 0);
	assert_null(cluster_new(&o, &err));
	assert_non_null(strstr(err.msg, "is empty but belongs to a database member"));
	w->c = NULL;
}

static void test_too_large(void **state)
{
	struct world *w = *state;
	_free_ char *big = xcalloc(TX_BYTES_MAX + 1, 1);
	_json_ json_t *doc = NULL;
	_tx_ struct tx *t = tx_new();
	struct err err = { 0 };

	memset(big, 'x', TX_BYTES_MAX);
	doc = json_pack("{s:s}", "text", big);
	tx_put(t, ENT_CONFIG, "big", REV_ANY, doc);
	assert_int_equal(store_commit(w->s, t, 0, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_int_equal(put(w->s, "c1", REV_NONE, "a", NULL, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put_get, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_still, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idempotency, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_daemon_a_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_database, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgetful_leader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
