/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/replica/notify.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

#define WATCHES_MAX 16
#define EVENTS_MAX 10000

enum notice_kind { ROW, FACT, EVENT };

struct notice {
	struct notice *next;
	enum notice_kind kind;
	int what; /* entity or fact */
	int64_t rev;
	char *key, *member, *text;
};

struct notifier {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct notice *head, **tail;
	struct store_watch watches[WATCHES_MAX];
	int n_watches, events;
	bool open, started, stopping;
	pthread_t thread;
};

struct notifier *notifier_new(void)
{
	struct notifier *n = xnew(struct notifier);

	pthread_mutex_init(&n->lock, NULL);
	cond_init(&n->wake);
	n->tail = &n->head;
	return n;
}

void notifier_watch(struct notifier *n, const struct store_watch *w)
{
	pthread_mutex_lock(&n->lock);
	assert(!n->started);
	if (n->n_watches == WATCHES_MAX)
		abort(); /* a fixed set registers at start */
	n->watches[n->n_watches++] = *w;
	pthread_mutex_unlock(&n->lock);
}

void notifier_open(struct notifier *n)
{
	pthread_mutex_lock(&n->lock);
	n->open = true;
	pthread_mutex_unlock(&n->lock);
}

static void deliver(const struct store_watch *w, const struct notice *m)
{
	switch (m->kind) {
	case ROW:
		if (w->row)
			w->row(w->arg, (enum entity)m->what, m->key, m->rev, m->text);
		return;
	case FACT:
		if (w->fact)
			w->fact(w->arg, (enum fact)m->what, m->key, m->member, m->text);
		return;
	case EVENT:
		if (w->event)
			w->event(w->arg, m->text);
		return;
	}
}

static void notice_free(struct notice *m)
{
	free(m->key);
	free(m->member);
	free(m->text);
	free(m);
}

static struct notice *take(struct notifier *n)
{
	struct notice *m;

	pthread_mutex_lock(&n->lock);
	while (!n->head && !n->stopping)
		pthread_cond_wait(&n->wake, &n->lock);
	m = n->stopping ? NULL : n->head;
	if (m) {
		n->head = m->next;
		if (!n->head)
			n->tail = &n->head;
		n->events -= m->kind == EVENT;
	}
	pthread_mutex_unlock(&n->lock);
	return m;
}

static void *run(void *arg)
{
	struct notifier *n = arg;
	struct notice *m;

	while ((m = take(n))) {
		for (int i = 0; i < n->n_watches; i++)
			deliver(&n->watches[i], m);
		notice_free(m);
	}
	return NULL;
}

int notifier_start(struct notifier *n, struct err *err)
{
	if (thread_start(&n->thread, "notify", run, n, err) < 0)
		return -1;
	n->started = true;
	return 0;
}

void notifier_stop(struct notifier *n)
{
	pthread_mutex_lock(&n->lock);
	n->stopping = true;
	n->open = false;
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->lock);
	if (n->started)
		pthread_join(n->thread, NULL);
	n->started = false;
}

void notifier_free(struct notifier *n)
{
	notifier_stop(n);
	assert(!n->started);
	while (n->head) {
		struct notice *m = n->head;

		n->head = m->next;
		notice_free(m);
	}
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->wake);
	free(n);
}

static void push(struct notifier *n, const struct notice *what)
{
	struct notice *m;

	pthread_mutex_lock(&n->lock);
	if (n->open && !(what->kind == EVENT && n->events >= EVENTS_MAX)) {
		m = xnew(struct notice);
		*m = *what;
		m->key = xstrdup(what->key);
		m->member = xstrdup(what->member);
		m->text = xstrdup(what->text);
		*n->tail = m;
		n->tail = &m->next;
		n->events += m->kind == EVENT;
		pthread_cond_signal(&n->wake);
	}
	pthread_mutex_unlock(&n->lock);
}

void notify_row(struct notifier *n, enum entity e, const char *key, int64_t rev, const char *text)
{
	push(n, &(struct notice){ .kind = ROW,
				  .what = (int)e,
				  .rev = rev,
				  .key = (char *)key,
				  .text = (char *)text });
}

void notify_fact(struct notifier *n, enum fact f, const char *key, const char *member,
		 const char *text)
{
	push(n, &(struct notice){ .kind = FACT,
				  .what = (int)f,
				  .key = (char *)key,
				  .member = (char *)member,
				  .text = (char *)text });
}

void notify_event(struct notifier *n, const char *text)
{
	push(n, &(struct notice){ .kind = EVENT, .text = (char *)text });
}
