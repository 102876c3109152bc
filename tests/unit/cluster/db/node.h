/* SPDX-License-Identifier: Apache-2.0 */
/* A real dqlite node in this process, alone, and the leader's database at it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/db/db.h"
#include "cluster/db/dqnode.h"
#include "tests/unit/base/patience.h"

struct lone_node {
	char dir[64];
	struct dqnode *node;
};

static inline struct stream *no_peer(void *arg, const char *uuid, int64_t deadline, struct err *err)
{
	err_set(err, ERR_UNAVAILABLE, "no peers here");
	return NULL;
}

static inline void lone_node_start(struct lone_node *n)
{
	struct err err = { 0 };

	str_copy(n->dir, sizeof(n->dir), "/tmp/dunlin-test-node-XXXXXX");
	assert_non_null(mkdtemp(n->dir));
	n->node = dqnode_start(&(struct dqnode_opts){ .id = 1,
						      .address = "some-uuid",
						      .dir = n->dir,
						      .latency_ms = 50,
						      .dial = no_peer },
			       &err);
	if (!n->node)
		fail_msg("%s", err.msg);
}

static inline void lone_node_stop(struct lone_node *n)
{
	struct err err;

	if (n->node)
		dqnode_stop(n->node);
	dqnode_unref(take_ptr(n->node));
	io_remove_tree(n->dir, &err);
}

/* Once it has elected itself. */
static inline struct db *lone_node_db(struct lone_node *n)
{
	int64_t deadline = PATIENCE;
	struct err err = { 0 };
	struct db *d;

	while (!(d = db_open(dqnode_socket(n->node), 5000, &err)))
		if (clock_ms() > deadline)
			fail_msg("%s", err.msg);
	return d;
}
