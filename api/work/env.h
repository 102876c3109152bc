/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/env.h - what handlers and jobs may reach; filled once by the daemon. */
#pragma once
#include "base/pool.h"
#include "cluster/cluster.h"
#include "cluster/op/event.h"
#include "cluster/op/operation.h"
#include "cluster/store/store.h"
#include "node/node.h"

struct server;
struct mover;
struct api_state; /* caches and background work of the handlers: api/work/state.h */

struct api_env {
	const char *dir; /* DUNLIN_DIR */
	struct cluster *cluster;
	struct store *store;
	struct ops *ops;
	struct events *events;
	struct node *node;
	struct pool *pool;
	struct server *server;
	struct mover *mover;
	struct api_state *state;     /* made by api_init() */
	void (*shutdown)(void *arg); /* asks the daemon for a clean stop */
	void *shutdown_arg;
};
