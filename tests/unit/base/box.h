/* SPDX-License-Identifier: Apache-2.0 */
/* A box that threads put texts into and a test waits for. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"

struct box {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int count;
	char last[2048];
};

static inline void box_init(struct box *b)
{
	*b = (struct box){ 0 };
	pthread_mutex_init(&b->lock, NULL);
	cond_init(&b->changed);
}

static inline void box_put(struct box *b, const char *text)
{
	pthread_mutex_lock(&b->lock);
	b->count++;
	str_copy(b->last, sizeof(b->last), text);
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static inline bool box_wait(struct box *b, int count, int64_t ms)
{
	int64_t deadline = deadline_in(ms);
	bool ok;

	pthread_mutex_lock(&b->lock);
	while (b->count < count && cond_wait_until(&b->changed, &b->lock, deadline))
		;
	ok = b->count >= count;
	pthread_mutex_unlock(&b->lock);
	return ok;
}
