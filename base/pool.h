/* SPDX-License-Identifier: Apache-2.0 */
/* base/pool.h - worker threads for code that blocks.
 *
 * Two lanes: POOL_FAST answers requests, POOL_JOB runs operations; each has its own bound on
 * threads and on queued work, so long jobs never starve requests. Threads start on demand and
 * end after some idle seconds. Items with the same non-zero key run one at a time, in submission
 * order.
 */
#pragma once
#include <stdint.h>

#include "base/err.h"

enum pool_lane { POOL_FAST, POOL_JOB, POOL_LANES };

struct pool;
typedef void (*pool_fn)(void *arg);

struct pool *pool_new(int fast_max, int job_max);
/* Waits for running items; queued ones are run too. */
void pool_free(struct pool *p);
/* ERR_LIMIT when the lane's queue is full; never blocks. */
int pool_submit(struct pool *p, enum pool_lane lane, uint64_t key, pool_fn fn, void *arg,
		struct err *err);
uint64_t pool_key(const char *text); /* never 0 */
