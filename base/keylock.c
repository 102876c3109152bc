/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keylock.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

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
