/* SPDX-License-Identifier: Apache-2.0 */
/* The database's folder and node, as the identity says and the leader orders. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cluster/db/dqnode.h"
#include "cluster/member/dbnode.h"
#include "tests/unit/cluster/store_world.h"
#include "tests/unit/base/patience.h"

static struct store_world world;

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", world.dir, name);
}

static bool there(const char *name)
{
	_free_ char *path = path_of(name);

	return io_exists(path);
}

static void put_file(const char *name)
{
	_free_ char *path = path_of(name);
	struct err err;

	assert_int_equal(io_write_file(path, "x", 1, 0600, &err), 0);
}

static void drop(const char *name)
{
	_free_ char *path = path_of(name);
	struct err err;

	assert_int_equal(io_remove_tree(path, &err), 0);
}

static struct identity self(void)
{
	struct identity id;

	cluster_self(world.cluster, &id);
	return id;
}

struct wish {
	uint64_t raft_id;
	enum db_state db;
};

static void set_wish(struct identity *id, void *arg)
{
	const struct wish *w = arg;

	id->raft_id = w->raft_id;
	id->db = w->db;
}

static void wish(uint64_t raft_id, enum db_state db)
{
	struct wish w = { raft_id, db };
	struct err err;

	assert_int_equal(cluster_edit_identity(world.cluster, set_wish, &w, &err), 0);
}

static bool runs(void)
{
	struct dqnode *n = cluster_node(world.cluster);

	dqnode_unref(n);
	return n;
}

/* Stopped, and nobody takes this member for the leader any more. */
static void stop_node(void)
{
	int64_t deadline = PATIENCE;

	cluster_node_stop(world.cluster);
	assert_false(runs());
	while (cluster_is_leader(world.cluster)) {
		assert_true(clock_ms() < deadline);
		poll(NULL, 0, 5);
	}
}

static int open_world(void **state)
{
	world_open(&world);
	world_start(&world);
	return 0;
}

static int close_world(void **state)
{
	world_close(&world);
	return 0;
}

static void a_node_that_runs_is_relied_on(void **state)
{
	assert_true(runs());
	assert_int_equal(self().db, DB_READY);
	assert_int_equal(self().raft_id, 1);
	assert_true(there("database"));
}

static unsigned latency_now(void)
{
	struct dqnode *n = cluster_node(world.cluster);
	unsigned ms = dqnode_latency_ms(n);

	dqnode_unref(n);
	return ms;
}

/* The key counts at the daemon's next start: Raft's deadlines do not change under a node that
 * runs. What was set is known then without asking anybody. */
static void a_latency_counts_from_the_next_start(void **state)
{
	struct cluster_opts o = { .dir = world.dir };
	int64_t deadline = PATIENCE;
	struct err err = { 0 };

	assert_int_equal(latency_now(), 50);
	world_put(&world, ENT_CONFIG, "cluster.raft_latency_ms",
		  json_pack("{s:s}", "value", "120"));
	while (self().latency_ms != 120) {
		assert_true(clock_ms() < deadline);
		poll(NULL, 0, 5);
	}
	assert_int_equal(latency_now(), 50);
	cluster_free(world.cluster);
	world.cluster = cluster_new(&o, &err);
	if (!world.cluster)
		fail_msg("%s", err.msg);
	world.store = cluster_store(world.cluster);
	world_start(&world);
	assert_int_equal(latency_now(), 120);
}

/* A node that came up without its log could vote twice; number 1 would found another cluster. */
static void a_lost_folder_is_not_made_anew(void **state)
{
	struct err err = { 0 };

	stop_node();
	stop_node(); /* harmless */
	assert_int_equal(cluster_node_set_aside(world.cluster, &err), 0);
	assert_false(there("database"));
	assert_true(there("database.old"));
	assert_int_equal(cluster_node_start(world.cluster, &err), -1);
	assert_non_null(strstr(err.msg, "is empty but belongs to a database member"));
	assert_false(runs());
	/* what a file system brings along is nothing either */
	{
		_free_ char *path = path_of("database/lost+found");

		assert_int_equal(io_mkdirs(path, 0700, &err), 0);
	}
	put_file("database/.hidden");
	assert_int_equal(cluster_node_start(world.cluster, &err), -1);
	assert_true(there("database/.hidden"));
}

/* What an earlier role left is kept aside, until the next one goes the same way. */
static void a_fresh_role_begins_with_nothing(void **state)
{
	struct err err = { 0 };

	drop("database");
	drop("database.old");
	assert_int_equal(cluster_node_set_aside(world.cluster, &err), 0); /* nothing there */
	assert_false(there("database.old"));
	for (int i = 0; i < 2; i++) {
		_free_ char *folder = path_of("database");
		_free_ char *name = xasprintf("database/of-role-%d", i);
		_free_ char *kept = xasprintf("database.old/of-role-%d", i);

		assert_int_equal(io_mkdirs(folder, 0700, &err), 0);
		put_file(name);
		wish(7, DB_FRESH);
		if (cluster_node_start(world.cluster, &err) < 0)
			fail_msg("%s", err.msg);
		assert_true(runs());
		assert_false(there(name));
		assert_true(there(kept));
		stop_node();
	}
	assert_false(there("database.old/of-role-0"));
}

static void without_a_role_there_is_no_node(void **state)
{
	_free_ char *folder = path_of("database");
	struct err err = { 0 };

	assert_int_equal(io_mkdirs(folder, 0700, &err), 0);
	put_file("database/left");
	wish(0, DB_NONE);
	assert_int_equal(cluster_node_start(world.cluster, &err), 0);
	assert_false(runs());
	assert_int_equal(io_is_empty(folder, &err), 1);
	assert_true(there("database.old/left"));
}

/* --- as the leader orders --------------------------------------------------------------------- */

static int order(const char *action, const char *id, struct err *err)
{
	_json_ json_t *body = json_pack("{s:s,s:s}", "action", action, "id", id);
	_json_ json_t *answer = cluster_serve_raft(world.cluster, body, err);

	return answer ? 0 : -1;
}

static void a_role_is_given_and_taken(void **state)
{
	struct dqnode *first, *again;
	struct err err = { 0 };

	if (order("start", "4711", &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(runs());
	assert_int_equal(self().raft_id, 4711);
	assert_int_equal(self().db, DB_READY);
	/* ordered twice is done once */
	first = cluster_node(world.cluster);
	assert_int_equal(order("start", "4711", &err), 0);
	again = cluster_node(world.cluster);
	assert_ptr_equal(first, again);
	dqnode_unref(first);
	dqnode_unref(again);
	/* another number is another node, which has nothing of the first */
	put_file("database/of-4711");
	assert_int_equal(order("start", "4712", &err), 0);
	assert_int_equal(self().raft_id, 4712);
	assert_false(there("database/of-4711"));
	assert_true(there("database.old/of-4711"));
	put_file("database/of-4712");
	assert_int_equal(order("stop", "4712", &err), 0);
	assert_false(runs());
	assert_int_equal(self().raft_id, 0);
	assert_int_equal(self().db, DB_NONE);
	assert_true(there("database.old/of-4712"));
	assert_int_equal(order("stop", "4712", &err), 0);
	assert_true(there("database.old/of-4712"));
}

/* This member's own fact says whether a node runs: the leader stops strays by it. */
static void the_fact_says_whether_a_node_runs(void **state)
{
	static const char *const actions[] = { "start", "stop" };

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		_json_ json_t *fact = NULL;
		struct err err = { 0 };

		assert_int_equal(order(actions[i], "99", &err), 0);
		fact = store_fact_get(world.store, FACT_MEMBER, "none", NULL);
		assert_int_equal(json_bool(fact, "raft", i != 0), i == 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_that_runs_is_relied_on),
		cmocka_unit_test(a_latency_counts_from_the_next_start),
		cmocka_unit_test(a_lost_folder_is_not_made_anew),
		cmocka_unit_test(a_fresh_role_begins_with_nothing),
		cmocka_unit_test(without_a_role_there_is_no_node),
		cmocka_unit_test(a_role_is_given_and_taken),
		cmocka_unit_test(the_fact_says_whether_a_node_runs),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
