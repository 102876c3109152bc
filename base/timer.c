/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

struct timer {
	uint64_t id;
	int64_t due_ms;
	void (*fn)(void *arg);
	void *arg;
	struct timer *next; /* by due_ms */
};

struct timers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct timer *head;
	uint64_t last_id;
	bool stopping;
};

static void *timer_main(void *arg)
{
	struct timers *all = arg;

	pthread_mutex_lock(&all->lock);
	while (!all->stopping) {
		struct timer *t = all->head;

		if (!t || t->due_ms > clock_ms()) {
			cond_wait_until(&all->wake, &all->lock, t ? t->due_ms : 0);
			continue;
		}
		all->head = t->next;
		pthread_mutex_unlock(&all->lock);
		t->fn(t->arg);
		free(t);
		pthread_mutex_lock(&all->lock);
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

struct timers *timers_new(void)
{
	struct timers *all = xnew(struct timers);

	pthread_mutex_init(&all->lock, NULL);
	cond_init(&all->wake);
	if (pthread_create(&all->thread, NULL, timer_main, all) != 0)
		abort();
	return all;
}

void timers_free(struct timers *all)
{
	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	all->stopping = true;
	pthread_cond_signal(&all->wake);
	pthread_mutex_unlock(&all->lock);
	pthread_join(all->thread, NULL);
	while (all->head) {
		struct timer *t = all->head;

		all->head = t->next;
		t->fn(t->arg);
		free(t);
	}
	pthread_cond_destroy(&all->wake);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

uint64_t timer_start(struct timers *all, int64_t ms, void (*fn)(void *arg), void *arg)
{
	struct timer *t = xnew(struct timer), **pp;
	uint64_t id;

	assert(fn);
	t->due_ms = clock_ms() + ms;
	t->fn = fn;
	t->arg = arg;
	pthread_mutex_lock(&all->lock);
	if (all->stopping) {
		pthread_mutex_unlock(&all->lock);
		free(t);
		return 0;
	}
	id = t->id = ++all->last_id;
	for (pp = &all->head; *pp && (*pp)->due_ms <= t->due_ms; pp = &(*pp)->next)
		;
	t->next = *pp;
	*pp = t;
	pthread_cond_signal(&all->wake);
	pthread_mutex_unlock(&all->lock);
	return id;
}

bool timer_cancel(struct timers *all, uint64_t id)
{
	struct timer **pp, *t;

	pthread_mutex_lock(&all->lock);
	for (pp = &all->head; *pp && (*pp)->id != id; pp = &(*pp)->next)
		;
	t = *pp;
	if (t)
		*pp = t->next;
	pthread_mutex_unlock(&all->lock);
	free(t);
	return t != NULL;
}
