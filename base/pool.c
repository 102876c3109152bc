/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define IDLE_MS 10000
#define STACK_BYTES (512 << 10)

struct item {
	pool_fn fn;
	void *arg;
	uint64_t key;
	struct item *next;
};

struct lane {
	struct pool *pool;
	struct item *head, **tail;
	uint64_t *running; /* keys of running items, one slot a thread; 0 is free */
	int queued, queue_max, threads, idle, max;
	pthread_cond_t wake;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct lane lanes[POOL_LANES];
	bool stopping;
	/* The thread that ended last; it joins the one before it. A thread that still ends when the
	 * process exits would clean up after libraries that are gone. */
	pthread_t last;
	bool any_ended;
};

static void lane_init(struct pool *p, struct lane *l, const struct pool_bound *b)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &attr);
	pthread_condattr_destroy(&attr);
	l->pool = p;
	l->tail = &l->head;
	l->max = b->threads;
	l->queue_max = b->queue;
	l->running = xcalloc(l->max + 1, sizeof(*l->running));
}

struct pool *pool_new(const struct pool_bound bounds[POOL_LANES])
{
	struct pool *p = xnew(struct pool);

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->ended, NULL);
	for (int i = 0; i < POOL_LANES; i++)
		lane_init(p, &p->lanes[i], &bounds[i]);
	return p;
}

static bool key_busy(const struct lane *l, uint64_t key)
{
	for (int i = 0; key && i < l->max; i++) {
		if (l->running[i] == key)
			return true;
	}
	return false;
}

/* The first item whose key is free. */
static struct item *take_item(struct lane *l)
{
	for (struct item **pp = &l->head; *pp; pp = &(*pp)->next) {
		struct item *it = *pp;

		if (key_busy(l, it->key))
			continue;
		*pp = it->next;
		if (!it->next)
			l->tail = pp;
		l->queued--;
		return it;
	}
	return NULL;
}

static int claim_slot(struct lane *l, uint64_t key)
{
	int i = 0;

	while (l->running[i])
		i++;
	assert(i < l->max);
	l->running[i] = key ? key : UINT64_MAX;
	return i;
}

static void run_item(struct lane *l, struct item *it)
{
	int slot = claim_slot(l, it->key);

	pthread_mutex_unlock(&l->pool->lock);
	it->fn(it->arg);
	free(it);
	pthread_mutex_lock(&l->pool->lock);
	l->running[slot] = 0;
	/* Items that waited for this key may run now. */
	if (l->head)
		pthread_cond_broadcast(&l->wake);
}

/* False when the thread should end. */
static bool wait_for_work(struct lane *l)
{
	struct timespec until = deadline_timespec(deadline_in(IDLE_MS));
	int rc;

	l->idle++;
	rc = pthread_cond_timedwait(&l->wake, &l->pool->lock, &until);
	l->idle--;
	return rc == 0 || l->head;
}

/* With the lock held; true when *ret_before is to be joined. */
static bool note_end(struct pool *p, pthread_t *ret_before)
{
	bool any = p->any_ended;

	*ret_before = p->last;
	p->last = pthread_self();
	p->any_ended = true;
	return any;
}

static void *worker(void *arg)
{
	struct lane *l = arg;
	struct pool *p = l->pool;
	struct item *it;
	pthread_t before;
	bool any;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		it = take_item(l);
		if (it)
			run_item(l, it);
		else if ((p->stopping && !l->head) || !wait_for_work(l))
			break;
	}
	any = note_end(p, &before);
	l->threads--;
	pthread_cond_broadcast(&p->ended);
	pthread_mutex_unlock(&p->lock);
	if (any)
		pthread_join(before, NULL);
	return NULL;
}

static bool start_thread(struct lane *l)
{
	pthread_attr_t attr;
	pthread_t t;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&t, &attr, worker, l);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		l->threads++;
	return rc == 0;
}

int pool_submit(struct pool *p, enum pool_lane lane, uint64_t key, pool_fn fn, void *arg,
		struct err *err)
{
	struct lane *l = &p->lanes[lane];
	struct item *it = NULL;
	bool ok;

	assert(fn);
	pthread_mutex_lock(&p->lock);
	ok = l->max && l->queued < l->queue_max && (l->threads > 0 || start_thread(l));
	if (ok) {
		it = xnew(struct item);
		*it = (struct item){ fn, arg, key, NULL };
		*l->tail = it;
		l->tail = &it->next;
		if (++l->queued > l->idle && l->threads < l->max)
			start_thread(l);
		pthread_cond_signal(&l->wake);
	}
	pthread_mutex_unlock(&p->lock);
	return ok ? 0 : err_set(err, ERR_LIMIT, "too much work is queued; try again later");
}

void pool_free(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	assert(!p->stopping);
	p->stopping = true;
	for (int i = 0; i < POOL_LANES; i++) {
		pthread_cond_broadcast(&p->lanes[i].wake);
		while (p->lanes[i].threads)
			pthread_cond_wait(&p->ended, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	if (p->any_ended)
		pthread_join(p->last, NULL);
	for (int i = 0; i < POOL_LANES; i++) {
		pthread_cond_destroy(&p->lanes[i].wake);
		free(p->lanes[i].running);
	}
	pthread_cond_destroy(&p->ended);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

uint64_t pool_key(const char *text)
{
	uint64_t h = 1469598103934665603ULL; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211ULL;
	return h ? h : 1;
}
