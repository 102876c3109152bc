/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

struct timer {
	uint64_t id;
	int64_t due_ms;
	void (*fn)(void *arg);
	void *arg;
	struct timer *next; /* by due_ms */
};

struct later {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct timer *head;
	uint64_t last_id;
	bool stopping;
};

static void wait_for_head(struct later *l)
{
	struct timespec until;

	if (!l->head) {
		pthread_cond_wait(&l->wake, &l->lock);
		return;
	}
	until = deadline_timespec(l->head->due_ms);
	pthread_cond_timedwait(&l->wake, &l->lock, &until);
}

static void *timer_main(void *arg)
{
	struct later *l = arg;

	pthread_mutex_lock(&l->lock);
	while (!l->stopping) {
		struct timer *t = l->head;

		if (!t || t->due_ms > clock_ms()) {
			wait_for_head(l);
			continue;
		}
		l->head = t->next;
		pthread_mutex_unlock(&l->lock);
		t->fn(t->arg);
		free(t);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

struct later *later_new(void)
{
	struct later *l = xnew(struct later);
	pthread_condattr_t attr;

	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&l->thread, NULL, timer_main, l) != 0)
		abort();
	return l;
}

void later_free(struct later *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	while (l->head) {
		struct timer *t = l->head;

		l->head = t->next;
		t->fn(t->arg);
		free(t);
	}
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

uint64_t later_call(struct later *l, int64_t ms, void (*fn)(void *arg), void *arg)
{
	struct timer *t = xnew(struct timer), **pp;
	uint64_t id;

	assert(fn);
	t->due_ms = clock_ms() + ms;
	t->fn = fn;
	t->arg = arg;
	pthread_mutex_lock(&l->lock);
	if (l->stopping) {
		pthread_mutex_unlock(&l->lock);
		free(t);
		return 0;
	}
	id = t->id = ++l->last_id;
	for (pp = &l->head; *pp && (*pp)->due_ms <= t->due_ms; pp = &(*pp)->next)
		;
	t->next = *pp;
	*pp = t;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	return id;
}

bool later_cancel(struct later *l, uint64_t id)
{
	struct timer **pp, *t;

	pthread_mutex_lock(&l->lock);
	for (pp = &l->head; *pp && (*pp)->id != id; pp = &(*pp)->next)
		;
	t = *pp;
	if (t)
		*pp = t->next;
	pthread_mutex_unlock(&l->lock);
	free(t);
	return t != NULL;
}

/* --- named locks ----------------------------------------------------------------------------- */

struct held {
	char *name;
	struct held *next;
};

struct keylock {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct held *held;
};

struct keylock *keylock_new(void)
{
	struct keylock *k = xnew(struct keylock);

	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->freed, NULL);
	return k;
}

void keylock_free(struct keylock *k)
{
	if (!k)
		return;
	assert(!k->held);
	pthread_cond_destroy(&k->freed);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static struct held **find_held(struct keylock *k, const char *name)
{
	struct held **pp = &k->held;

	while (*pp && !str_eq((*pp)->name, name))
		pp = &(*pp)->next;
	return pp;
}

void keylock_take(struct keylock *k, const char *name)
{
	struct held *h = xnew(struct held);

	h->name = xstrdup(name);
	pthread_mutex_lock(&k->lock);
	while (*find_held(k, name))
		pthread_cond_wait(&k->freed, &k->lock);
	h->next = k->held;
	k->held = h;
	pthread_mutex_unlock(&k->lock);
}

void keylock_drop(struct keylock *k, const char *name)
{
	struct held **pp, *h;

	pthread_mutex_lock(&k->lock);
	pp = find_held(k, name);
	h = *pp;
	assert(h);
	*pp = h->next;
	pthread_cond_broadcast(&k->freed);
	pthread_mutex_unlock(&k->lock);
	free(h->name);
	free(h);
}
