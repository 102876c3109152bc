/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/stream/pace.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define LOOK_MS 100     /* how old a rate may be */
#define LONG_MS 1000000 /* longer than any debt; rate times this is a number */

struct pace {
	int64_t (*ask)(void *arg);
	void *arg;
	pthread_mutex_t lock; /* taken alone */
	struct bucket bucket;
	int64_t rate, looked_ms;
};

int64_t bucket_take(struct bucket *b, int64_t rate, int64_t bytes, int64_t now_ms)
{
	int64_t burst = rate * PACE_BURST_MS / 1000, since = now_ms - b->at_ms;

	assert(rate >= PACE_RATE_MIN);
	assert(rate <= PACE_RATE_MAX);
	b->level += rate * (since < LONG_MS ? since : LONG_MS) / 1000;
	if (b->level > burst)
		b->level = burst;
	b->at_ms = now_ms;
	b->level -= bytes;
	return b->level < 0 ? (-b->level * 1000 + rate - 1) / rate : 0;
}

struct pace *pace_new(int64_t (*rate)(void *arg), void *arg)
{
	struct pace *p = xnew(struct pace);

	p->ask = rate;
	p->arg = arg;
	p->looked_ms = -LOOK_MS;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void pace_free(struct pace *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static int64_t rate_locked(struct pace *p, int64_t now_ms)
{
	int64_t rate;

	if (now_ms - p->looked_ms < LOOK_MS)
		return p->rate;
	rate = p->ask(p->arg);
	/* What was owed at another rate is no measure for this one. */
	if (rate != p->rate)
		p->bucket = (struct bucket){ .at_ms = now_ms };
	p->rate = rate;
	p->looked_ms = now_ms;
	return rate;
}

int64_t pace_rate(struct pace *p)
{
	int64_t rate;

	pthread_mutex_lock(&p->lock);
	rate = rate_locked(p, clock_ms());
	pthread_mutex_unlock(&p->lock);
	return rate;
}

size_t pace_take(struct pace *p, size_t bytes)
{
	int64_t now = clock_ms(), rate, most, wait = 0;

	pthread_mutex_lock(&p->lock);
	rate = rate_locked(p, now);
	most = rate * PACE_BURST_MS / 1000;
	if (rate && bytes > (size_t)most)
		bytes = (size_t)most;
	if (rate)
		wait = bucket_take(&p->bucket, rate, (int64_t)bytes, now);
	pthread_mutex_unlock(&p->lock);
	if (wait)
		poll(NULL, 0, (int)wait); /* nobody tells but the clock */
	return bytes;
}
