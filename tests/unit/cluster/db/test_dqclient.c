/* SPDX-License-Identifier: Apache-2.0 */
/* The client, the schema and the writer's database against a real dqlite node in this process. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/db/db.h"
#include "cluster/db/dqnode.h"
#include "cluster/store/batch.h"
#include "cluster/store/writer.h"
#include "tests/unit/base/patience.h"

struct world {
	char dir[64];
	struct dqnode *node;
};

static struct stream *no_peer(void *arg, const char *uuid, int64_t deadline, struct err *err)
{
	err_set(err, ERR_UNAVAILABLE, "no peers here");
	return NULL;
}

static void start(struct world *w)
{
	struct dqnode_opts o = {
		.id = 1, .address = "some-uuid", .dir = w->dir, .latency_ms = 50, .dial = no_peer
	};
	struct err err = { 0 };

	w->node = dqnode_start(&o, &err);
	if (!w->node)
		print_error("%s\n", err.msg);
	assert_non_null(w->node);
}

static void stop(struct world *w)
{
	dqnode_stop(w->node);
	dqnode_unref(w->node);
	w->node = NULL;
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);

	str_copy(w->dir, sizeof(w->dir), "/tmp/dunlin-test-dq-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	start(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	if (w->node)
		stop(w);
	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static struct dqclient *client(struct world *w)
{
	struct err err = { 0 };
	struct dqclient *c = dq_connect(dqnode_socket(w->node), 5000, &err);
	struct dq_node leader = { 0 };

	assert_non_null(c);
	while (!leader.id)
		assert_int_equal(dq_leader(c, &leader, &err), 0);
	assert_string_equal(leader.address, "some-uuid");
	return c;
}

static void take_int(void *arg, const struct wire_value *v, size_t columns)
{
	*(int64_t *)arg = v[0].i;
}

static void count(void *arg, const struct wire_value *v, size_t columns)
{
	*(int64_t *)arg += v[0].i;
}

static void test_statements(void **state)
{
	struct dqclient *c = client(*state);
	struct err err = { 0 };
	int64_t n = 0;
	uint32_t st;

	assert_int_equal(dq_open(c, "t", &err), 0);
	assert_int_equal(dq_script(c, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE)", &err),
			 0);
	assert_int_equal(dq_prepare(c, "INSERT INTO t(a, b) VALUES(?, ?)", &st, &err), 0);
	for (int i = 0; i < 3; i++) {
		_free_ char *text = xasprintf("row %d", i);
		struct wire_value v[] = { WIRE_I(i), WIRE_T(text) };

		assert_int_equal(dq_exec(c, st, v, 2, &err), 0);
	}
	assert_int_equal(dq_query_sql(c, "SELECT count(*) FROM t", NULL, 0, take_int, &n, &err), 0);
	assert_int_equal(n, 3);
	/* A broken constraint and a syntax error say so and leave the connection usable. */
	assert_int_equal(dq_exec(c, st, (struct wire_value[]){ WIRE_I(1), WIRE_N }, 2, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(dq_script(c, "no such thing", &err), -1);
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_false(dq_broken(c));
	assert_int_equal(dq_query_sql(c, "SELECT count(*) FROM t", NULL, 0, take_int, &n, &err), 0);
	dq_free(c);
}

/* Many rows come in parts. */
static void test_many_rows(void **state)
{
	struct dqclient *c = client(*state);
	struct err err = { 0 };
	int64_t sum = 0;

	assert_int_equal(dq_open(c, "t", &err), 0);
	assert_int_equal(
		dq_query_sql(c,
			     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
			     " WHERE i < 5000) SELECT i, 'some text beside it' FROM n",
			     NULL, 0, count, &sum, &err),
		0);
	assert_int_equal(sum, 5000 * 5001 / 2);
	dq_free(c);
}

static void test_roles(void **state)
{
	struct dqclient *c = client(*state);
	struct dq_node v[DQ_NODES_MAX];
	struct err err = { 0 };
	size_t n;

	assert_int_equal(dq_nodes(c, v, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(v[0].role, DQ_VOTER);
	assert_int_equal(dq_add(c, 77, "other-uuid", &err), 0);
	assert_int_equal(dq_nodes(c, v, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(v[1].role, DQ_SPARE);
	assert_string_equal(v[1].address, "other-uuid");
	assert_int_equal(dq_remove(c, 77, &err), 0);
	assert_int_equal(dq_nodes(c, v, &n, &err), 0);
	assert_int_equal(n, 1);
	dq_free(c);
}

static void test_end_is_unknown(void **state)
{
	struct world *w = *state;
	struct dqclient *c = client(w);
	struct err err = { 0 };
	struct dq_node n;

	stop(w);
	assert_int_equal(dq_leader(c, &n, &err), -1);
	assert_int_equal(err.kind, ERR_UNKNOWN);
	assert_true(dq_broken(c));
	dq_free(c);
	assert_null(dq_connect("@no-such-socket", 1000, &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
}

/* Only what proves that nothing happened is told as a failure. */
static void test_codes(void **state)
{
	static const struct {
		uint64_t code;
		enum err_kind kind;
	} cases[] = {
		{ 10250, ERR_UNAVAILABLE }, { 8202, ERR_UNAVAILABLE }, { 5, ERR_BUSY },
		{ 517, ERR_BUSY },          { 19, ERR_CONFLICT },      { 1811, ERR_CONFLICT },
		{ 1, ERR_INTERNAL },        { 21, ERR_INTERNAL },      { 10, ERR_UNKNOWN },
		{ 4, ERR_UNKNOWN },         { 516, ERR_UNKNOWN },      { 778, ERR_UNKNOWN },
		{ 1034, ERR_UNKNOWN },      { 10506, ERR_UNKNOWN },    { 8458, ERR_UNKNOWN },
		{ 7, ERR_UNKNOWN },         { 8, ERR_UNKNOWN },        { 11, ERR_UNKNOWN },
		{ 13, ERR_UNKNOWN },        { 18, ERR_UNKNOWN },       { 22, ERR_UNKNOWN },
		{ 0, ERR_UNKNOWN },         { 4711, ERR_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (dq_error_kind(cases[i].code) != cases[i].kind)
			fail_msg("code %llu", (unsigned long long)cases[i].code);
	}
}

/* Children must not inherit the way into the database. */
static void test_listener_closes_on_exec(void **state)
{
	struct world *w = *state;
	int found = 0;

	for (int fd = 3; fd < 1024; fd++) {
		struct sockaddr_un sa = { 0 };
		socklen_t len = sizeof(sa);

		if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 || sa.sun_family != AF_UNIX ||
		    strncmp(sa.sun_path + 1, dqnode_socket(w->node) + 1, 5) != 0)
			continue;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		found++;
	}
	assert_true(found >= 1);
}

static struct db *database(struct world *w)
{
	struct err err = { 0 };
	struct db *d;

	dq_free(client(w));
	d = db_open(dqnode_socket(w->node), 5000, &err);
	if (!d)
		print_error("%s\n", err.msg);
	assert_non_null(d);
	return d;
}

static int commit(struct db *d, struct replica *r, struct tx *t, struct err *err)
{
	struct wire_value params[BATCH_PARAMS];
	struct batch *b = batch_new(r);
	const struct change *v;
	int64_t rev;
	size_t n;
	int rc;

	batch_reset(b);
	assert_int_equal(batch_add(b, t, &rev, err), 0);
	assert_int_equal(batch_params(b, params, err), 0);
	rc = db_batch(d, params, err);
	if (rc == 0) {
		v = batch_changes(b, &n);
		replica_apply(r, v, n, rev);
	}
	batch_free(b);
	return rc;
}

static int put(struct db *d, struct replica *r, const char *key, const char *text)
{
	_tx_ struct tx *t = tx_new();
	_json_ json_t *doc = json_pack("{s:s}", "text", text);
	struct err err = { 0 };

	tx_put(t, ENT_PROFILE, key, REV_ANY, doc);
	return commit(d, r, t, &err);
}

/* What was written by one leader is loaded by the next, from any revision. */
static void test_load(void **state)
{
	struct world *w = *state;
	struct notifier *nt = notifier_new();
	struct err err = { 0 };
	struct replica *a = replica_new(nt, &err), *b = replica_new(nt, &err), *c;
	struct db *d = database(w);
	_tx_ struct tx *gone = tx_new();
	_free_ char *text = NULL;
	int64_t rev;

	assert_int_equal(put(d, a, "p1", "quote \" backslash \\ nul-free \xc3\xa9 \n"), 0);
	assert_int_equal(put(d, a, "p2", "two"), 0);
	assert_int_equal(db_load(d, b, &err), 0);
	assert_int_equal(replica_revision(b), 2);
	/* b is behind now; a's rows are newer. */
	assert_int_equal(put(d, a, "p2", "two again"), 0);
	tx_delete(gone, ENT_PROFILE, "p1", REV_ANY);
	assert_int_equal(commit(d, a, gone, &err), 0);
	/* A writer that missed them is told. */
	assert_int_equal(put(d, b, "p3", "three"), -1);
	assert_int_equal(db_load(d, b, &err), 0);
	assert_int_equal(replica_revision(b), 4);
	assert_int_equal(replica_count(b, ENT_PROFILE, NULL), 1);
	assert_int_equal(put(d, b, "p3", "three"), 0);
	db_close(d);

	stop(w);
	start(w);
	d = database(w);
	c = replica_new(nt, &err);
	assert_int_equal(db_load(d, c, &err), 0);
	assert_int_equal(replica_revision(c), 5);
	text = replica_text(c, ENT_PROFILE, "p2", &rev);
	assert_string_equal(text, "{\"text\":\"two again\"}");
	assert_int_equal(rev, 3);
	db_close(d);
	replica_free(a);
	replica_free(b);
	replica_free(c);
	notifier_free(nt);
}

static void test_many_pages(void **state)
{
	struct notifier *nt = notifier_new();
	struct err err = { 0 };
	struct replica *a = replica_new(nt, &err), *b = replica_new(nt, &err);
	struct db *d = database(*state);
	_json_ json_t *doc = json_pack("{s:s}", "text", "some row among many");
	struct done *done = done_new();
	bool burnt;
	int64_t rev;

	for (int k = 0; k < 5; k++) {
		_tx_ struct tx *t = tx_new();

		for (int i = 0; i < 500; i++) {
			_free_ char *key = xasprintf("row-%d-%d", k, i);

			tx_put(t, ENT_INSTANCE, key, REV_NONE, doc);
		}
		assert_int_equal(commit(d, a, t, &err), 0);
		if (k == 4) {
			assert_int_equal(db_load_done(d, done, &err), 0);
			assert_true(done_find(done, t->id, &rev, &burnt));
			assert_int_equal(rev, 5);
		}
	}
	assert_int_equal(db_load(d, b, &err), 0);
	assert_int_equal(replica_count(b, ENT_INSTANCE, NULL), 2500);
	assert_int_equal(db_prune_done(d, 4, &err), 0);
	assert_int_equal(db_prune_gone(d, 3, &err), 0);
	assert_int_equal(db_load_done(d, done, &err), 0);
	done_free(done);
	db_close(d);
	replica_free(a);
	replica_free(b);
	notifier_free(nt);
}

static void on_committed(void *arg, const struct change *v, size_t n, int64_t before,
			 int64_t revision)
{
}

static enum err_kind ask_writer(struct writer *w, struct db *d, struct wreq *own, int64_t *ret_rev)
{
	struct err err = { 0 }, answer = { 0 };

	writer_submit(w, own);
	assert_int_equal(writer_step(w, d, &err), 0);
	writer_wait(w, own, ret_rev, &answer);
	wreq_unref(own);
	return answer.kind;
}

/* A transaction whose key may be forgotten is neither applied again nor called off. */
static void test_forgotten_keys(void **state)
{
	struct world *world = *state;
	struct notifier *nt = notifier_new();
	struct err err = { 0 };
	struct replica *r = replica_new(nt, &err);
	struct db *d = database(world);
	struct writer_hooks hooks = { world->dir, on_committed, NULL };
	struct writer *w = writer_new(r, &hooks);
	_tx_ struct tx *first = tx_new(), *later = tx_new();
	_json_ json_t *doc = json_pack("{s:s}", "member", "a");
	int64_t rev = 0;

	tx_put(first, ENT_INSTANCE, "c1", REV_ANY, doc);
	tx_put(later, ENT_INSTANCE, "c2", REV_ANY, doc);
	assert_int_equal(writer_load(w, d, &err), 0);
	writer_open(w, true);
	assert_int_equal(ask_writer(w, d, wreq_new(first, PATIENCE), &rev), ERR_NONE);
	assert_int_equal(rev, 1);
	later->base = 1;
	assert_int_equal(ask_writer(w, d, wreq_new(later, PATIENCE), &rev), ERR_NONE);
	assert_int_equal(rev, 2);
	/* Known keys are answered; the next leader knows those that are left. */
	assert_int_equal(ask_writer(w, d, wreq_new(first, PATIENCE), &rev), ERR_NONE);
	assert_int_equal(rev, 1);
	assert_int_equal(db_prune_done(d, 1, &err), 0);
	assert_int_equal(writer_load(w, d, &err), 0);
	assert_int_equal(ask_writer(w, d, wreq_new(first, PATIENCE), &rev), ERR_UNAVAILABLE);
	assert_int_equal(ask_writer(w, d, wreq_burn(first->id, 0, PATIENCE), &rev), ERR_UNKNOWN);
	assert_int_equal(ask_writer(w, d, wreq_new(later, PATIENCE), &rev), ERR_NONE);
	assert_int_equal(rev, 2);
	assert_int_equal(replica_revision(r), 2);
	writer_free(w);
	db_close(d);
	replica_free(r);
	notifier_free(nt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_statements, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_roles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_is_unknown, setup, teardown),
		cmocka_unit_test(test_codes),
		cmocka_unit_test_setup_teardown(test_listener_closes_on_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten_keys, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
