/* SPDX-License-Identifier: Apache-2.0 */
/* base/pool.h - worker threads for code that blocks.
 *
 * Each lane has its own bound on threads and on queued work, so what is long or comes from
 * strangers never starves the rest. Threads start on demand and end after some idle seconds. Items
 * with the same non-zero key run one at a time, in submission order.
 */
#pragma once
#include <stdint.h>

#include "base/err.h"

enum pool_lane {
	POOL_FAST,	  /* requests that wait for a commit at most */
	POOL_JOB,	  /* operations */
	POOL_SLOW,	  /* requests that wait for other members, containers or large files */
	POOL_MEMBER,	  /* what other members' commits need */
	POOL_GUEST,	  /* requests of strangers */
	POOL_GUEST_SLOW,  /* those that wait long */
	POOL_LANES
};

struct pool_bound {
	int threads, queue;
};

struct pool;
typedef void (*pool_fn)(void *arg);

/* A lane without threads takes nothing. */
struct pool *pool_new(const struct pool_bound bounds[POOL_LANES]);
/* Waits for running items; queued ones are run too. */
void pool_free(struct pool *p);
/* ERR_LIMIT when the lane's queue is full; never blocks. */
int pool_submit(struct pool *p, enum pool_lane lane, uint64_t key, pool_fn fn, void *arg,
		struct err *err);
uint64_t pool_key(const char *text); /* never 0 */
