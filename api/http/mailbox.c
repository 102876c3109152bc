/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/mem.h"

struct mailbox {
	uv_async_t *async;
	pthread_mutex_t lock;
	struct post *head, **tail;
	bool closed;
	atomic_int refs;
};

static void run_posts(struct mailbox *m)
{
	struct post *p;

	pthread_mutex_lock(&m->lock);
	p = m->head;
	m->head = NULL;
	m->tail = &m->head;
	pthread_mutex_unlock(&m->lock);
	while (p) {
		struct post *next = p->next;

		p->fn(p);
		p = next;
	}
}

static void on_async(uv_async_t *a)
{
	run_posts(a->data);
}

struct mailbox *mailbox_new(struct uv_loop_s *loop)
{
	struct mailbox *m = xnew(struct mailbox);

	m->async = xnew(uv_async_t);
	uv_async_init(loop, m->async, on_async);
	m->async->data = m;
	pthread_mutex_init(&m->lock, NULL);
	m->tail = &m->head;
	m->refs = 1;
	return m;
}

struct mailbox *mailbox_ref(struct mailbox *m)
{
	m->refs++;
	return m;
}

void mailbox_unref(struct mailbox *m)
{
	assert(m->refs > 0);
	if (--m->refs > 0)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m);
}

bool mailbox_post(struct mailbox *m, struct post *p)
{
	bool ok;

	assert(p->fn);
	p->next = NULL;
	pthread_mutex_lock(&m->lock);
	ok = !m->closed;
	if (ok) {
		bool first = !m->head;

		*m->tail = p;
		m->tail = &p->next;
		if (first)
			uv_async_send(m->async);
	}
	pthread_mutex_unlock(&m->lock);
	return ok;
}

void mailbox_wake(struct mailbox *m)
{
	uv_async_send(m->async);
}

static void on_closed(uv_handle_t *h)
{
	free(h);
}

void mailbox_close(struct mailbox *m)
{
	assert(!m->closed);
	run_posts(m);
	pthread_mutex_lock(&m->lock);
	m->closed = true;
	pthread_mutex_unlock(&m->lock);
	/* What came between the two is still owed its call. */
	run_posts(m);
	uv_close((uv_handle_t *)m->async, on_closed);
}
