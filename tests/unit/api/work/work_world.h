/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/api/work/work_world.h - what the checks and jobs of api/work reach, on a real store
 * and with a node that runs nothing. Before rows are put the store is started: world_start(). */
#pragma once
#include "tests/unit/cluster/store_world.h"

#include "api/work/address.h"
#include "api/work/background.h"
#include "api/work/icache.h"
#include "api/work/state.h"
#include "base/keylock.h"
#include "base/thread.h"
#include "base/timer.h"
#include "node/daemon/host.h"

struct work_world {
	struct store_world w;
	struct api_env env;
};

static inline void work_world_open(struct work_world *t)
{
	struct node_opts o = { .cgroup_name = "dunlin-test-work" };
	struct err err = { 0 };

	world_open(&t->w);
	o.dir = t->w.dir;
	o.pool = t->w.pool;
	t->env = (struct api_env){
		.dir = t->w.dir, .cluster = t->w.cluster, .store = t->w.store, .pool = t->w.pool
	};
	t->env.node = node_new(&o, &err);
	assert_non_null(t->env.node);
	t->env.state = xnew(struct api_state);
	state_give_tables(t->env.state);
	t->env.state->addresses = address_book_new();
	t->env.state->instances = icache_new();
}

/* After all that works with it has ended. */
static inline void work_world_close(struct work_world *t)
{
	node_free(t->env.node);
	address_book_free(t->env.state->addresses);
	icache_free(t->env.state->instances);
	free(t->env.state);
	world_close(&t->w);
}

/* Jobs, background tasks and timers as well; its store is started and has the pool "default". */
static inline void work_world_open_jobs(struct work_world *t)
{
	work_world_open(t);
	t->env.events = events_new(t->w.store, world_location, t->w.cluster);
	t->env.state->timers = timers_new();
	t->env.state->locks = keylock_new();
	pthread_mutex_init(&t->env.state->lock, NULL);
	cond_init(&t->env.state->idle);
	world_start(&t->w);
	world_put(&t->w, ENT_POOL, "default", json_pack("{s:s, s:{}}", "driver", "dir", "config"));
}

static inline void work_world_close_jobs(struct work_world *t)
{
	background_stop(&t->env);
	timers_free(t->env.state->timers);
	keylock_free(t->env.state->locks);
	events_free(t->env.events);
	work_world_close(t);
}
