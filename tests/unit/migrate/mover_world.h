/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/migrate/mover_world.h - a mover of a single host with a real store and a real node, on
 * which nothing runs: what it keeps of a move is put there by the tests.
 *
 * A test's main is mover_world_main: helpers are this program again.
 */
#pragma once
#include "tests/unit/cluster/store_world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "cluster/store/tx.h"
#include "migrate/move_int.h"
#include "node/daemon/host.h"
#include "node/helper/verbs.h"
#include "node/host/cgroup.h"
#include "node/storage/storage.h"
#include "tests/unit/base/patience.h"

struct mover_world {
	struct store_world w;
	struct node *node;
	struct mover *m;
	char node_dir[100], cgroup[40];
	const char *closed; /* why nothing may come here or start; NULL: it may */
	int asked;          /* how often that was looked at */
};

static inline json_t *world_pool(void)
{
	return json_pack("{ss,ss,s{}}", "name", "default", "driver", "dir", "config");
}

/* What the container is like on this member. */
static inline json_t *world_spec(const char *name)
{
	return json_pack("{ss,ss,s{},sb,s{si,si},s[]}", "name", name, "uuid", "u-1", "config",
			 "privileged", 0, "idmap", "base", 1000000, "size", 65536, "devices");
}

static inline json_t *spec_of(void *arg, const json_t *instance, void *view, json_t **ret_pool,
			      struct err *err)
{
	*ret_pool = world_pool();
	return world_spec(json_str(instance, "name", "?"));
}

static inline int no_image(void *arg, const char *fingerprint, struct op *op, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "no image is needed");
}

static inline int all_networks(void *arg, const json_t *spec, struct err *err)
{
	return 0;
}

static inline int takes_all(void *arg, struct err *err)
{
	struct mover_world *t = arg;

	t->asked++;
	return t->closed ? err_set(err, ERR_UNAVAILABLE, "%s", t->closed) : 0;
}

static inline void mover_world_open(struct mover_world *t)
{
	struct mover_opts o = { .spec = spec_of,
				.need_image = no_image,
				.need_networks = all_networks,
				.takes = takes_all,
				.arg = t };
	struct node_opts n = { .dir = t->node_dir, .cgroup_name = t->cgroup };
	struct err err = { 0 };
	char hex[16];

	world_open(&t->w);
	snprintf(t->node_dir, sizeof(t->node_dir), "%s/node", t->w.dir);
	snprintf(t->cgroup, sizeof(t->cgroup), "dunlin-test-%s", rng_hex(hex, 4));
	n.pool = t->w.pool;
	t->node = node_new(&n, &err);
	if (!t->node)
		fail_msg("%s", err.msg);
	o.cluster = t->w.cluster;
	o.node = t->node;
	t->m = mover_new(&o);
	world_start(&t->w);
}

static inline void mover_world_close(struct mover_world *t)
{
	struct err err;

	io_remove_tree(t->m->shm, &err);
	mover_free(t->m);
	node_stop(t->node);
	pool_free(take_ptr(t->w.pool));
	node_free(t->node);
	cgroup_remove(t->cgroup, "");
	cluster_free(t->w.cluster);
	io_remove_tree(t->w.dir, &err);
}

static inline int setup(void **state)
{
	struct mover_world *t = xnew(struct mover_world);

	mover_world_open(t);
	*state = t;
	return 0;
}

static inline int teardown(void **state)
{
	struct mover_world *t = *state;

	mover_world_close(t);
	free(t);
	return 0;
}

/* From m1 to m2; neither is this host. */
static inline struct move a_move(void)
{
	struct move mv = { .id = { .source = true, .name = "c1", .epoch = 3 },
			   .source = "m1",
			   .target = "m2",
			   .live = true };

	rng_uuid(mv.id.op);
	return mv;
}

static inline void put_instance(struct mover_world *t, const char *name, const char *member,
				int64_t epoch)
{
	world_put(&t->w, ENT_INSTANCE, name,
		  json_pack("{ss,ss,sI,ss}", "name", name, "member", member, "epoch",
			    (json_int_t)epoch, "uuid", "u-1"));
}

static inline void world_drop(struct mover_world *t, enum entity e, const char *key)
{
	_tx_ struct tx *tx = tx_new();
	struct err err = { 0 };

	tx_delete(tx, e, key, REV_ANY);
	if (store_commit(t->w.store, tx, 0, NULL, &err) < 0 && err.kind != ERR_NOT_FOUND)
		fail_msg("%s", err.msg);
}

static inline void assert_owner(struct mover_world *t, const char *member, int64_t epoch)
{
	_row_ struct row row = { 0 };
	struct err err = { 0 };

	assert_int_equal(store_get(t->w.store, ENT_INSTANCE, "c1", &row, &err), 0);
	assert_string_equal(json_str(row.doc, "member", ""), member);
	assert_int_equal(json_int(row.doc, "epoch", 0), epoch);
}

/* The phase of its row; "" when there is none. */
static inline const char *phase_of(struct mover_world *t, const struct move *mv, char buf[32])
{
	_row_ struct row row = { 0 };
	struct err err;

	buf[0] = '\0';
	if (store_get(t->w.store, ENT_MIGRATION, mv->id.op, &row, &err) == 0)
		str_copy(buf, 32, json_str(row.doc, "phase", "?"));
	return buf;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#define mover_world_main(argc, argv, tests)                                 \
	({                                                                  \
		int rc_ = helper_main(helper_verbs, argc, argv);            \
                                                                            \
		rc_ >= 0 ? rc_ : cmocka_run_group_tests(tests, NULL, NULL); \
	})
