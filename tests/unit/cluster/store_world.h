/* SPDX-License-Identifier: Apache-2.0 */
/* A single host's real store in a temporary folder, with a pool: for tests of what stands on it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "cluster/cluster.h"
#include "cluster/store/store.h"
#include "tests/unit/base/box.h"
#include "tests/unit/base/quoted.h"

struct store_world {
	char dir[64];
	struct pool *pool;
	struct cluster *cluster;
	struct store *store;
};

static inline const char *world_location(void *arg)
{
	return cluster_member_name(arg);
}

static inline int world_open(struct store_world *w)
{
	struct cluster_opts o = { .dir = w->dir };
	struct err err = { 0 };

	str_copy(w->dir, sizeof(w->dir), "/tmp/dunlin-test-world-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->pool = pool_new((const struct pool_bound[POOL_LANES]){
		[POOL_FAST] = { 2, 64 }, [POOL_JOB] = { 4, 64 }, [POOL_SLOW] = { 2, 64 } });
	w->cluster = cluster_new(&o, &err);
	if (!w->cluster)
		print_error("%s\n", err.msg);
	assert_non_null(w->cluster);
	w->store = cluster_store(w->cluster);
	return 0;
}

static inline void world_start(struct store_world *w)
{
	struct err err = { 0 };

	assert_int_equal(cluster_start(w->cluster, &err), 0);
}

static inline void world_close(struct store_world *w)
{
	struct err err;

	pool_free(w->pool);
	cluster_free(w->cluster);
	io_remove_tree(w->dir, &err);
}

static inline void world_put(struct store_world *w, enum entity e, const char *key, json_t *own_doc)
{
	_tx_ struct tx *tx = tx_new();
	struct err err = { 0 };

	assert_non_null(own_doc);
	tx_put(tx, e, key, REV_ANY, own_doc);
	json_decref(own_doc);
	if (store_commit(w->store, tx, 0, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Nobody who is made up counts as offline, however long a slow machine takes. */
static inline void world_calm(struct store_world *w)
{
	world_put(w, ENT_CONFIG, "cluster.offline_threshold",
		  json_pack("{s:s}", "value", "3600"));
}
