/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that left the loop: each is a stream in a thread of its own. */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/conn.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define STACK_BYTES (1 << 20)

struct stream_thread {
	struct stream_thread *next;
	struct server *server;
	void (*fn)(void *arg, struct stream *own);
	void *arg;
	struct stream *stream;
	struct cutter *cutter; /* of the stream, which is fn's and may live on after it */
	char fingerprint[SHA256_HEX_SIZE];
};

static void forget(struct stream_thread *t)
{
	struct server *s = t->server;
	struct stream_thread **pp = &s->threads;

	pthread_mutex_lock(&s->lock);
	while (*pp != t)
		pp = &(*pp)->next;
	*pp = t->next;
	cutter_unref(t->cutter);
	free(t);
	pthread_cond_broadcast(&s->thread_ended);
	pthread_mutex_unlock(&s->lock);
}

static void *run(void *arg)
{
	struct stream_thread *t = arg;

	t->fn(t->arg, t->stream);
	forget(t);
	return NULL;
}

static void start(struct stream_thread *t)
{
	struct server *s = t->server;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_mutex_lock(&s->lock);
	t->next = s->threads;
	s->threads = t;
	pthread_mutex_unlock(&s->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&thread, &attr, run, t);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		log_error("no thread for an upgraded connection", "cause", strerror(rc));
		stream_free(t->stream);
		forget(t);
	}
}

static struct stream_thread *thread_new(struct server *s, struct stream *own_stream,
					void (*fn)(void *arg, struct stream *own), void *arg)
{
	struct stream_thread *t = xnew(struct stream_thread);

	assert(own_stream);
	t->server = s;
	t->fn = fn;
	t->arg = arg;
	t->stream = own_stream;
	t->cutter = stream_cutter(own_stream);
	return t;
}

void upgrade_flushed(struct conn *c)
{
	struct req *r = c->req;
	struct stream_thread *t;
	struct stream *stream;
	struct ssl_st *ssl;
	struct sbuf ahead;
	int fd;

	assert(c->state == C_UPGRADE);
	if (link_queued(c->link))
		return;
	ahead = c->in;
	memset(&c->in, 0, sizeof(c->in));
	link_detach(c->link, &fd, &ssl);
	if (ssl)
		stream = stream_from_ssl(ssl, fd, ahead.data, ahead.len);
	else
		stream = stream_from_fd_ahead(fd, ahead.data, ahead.len);
	t = thread_new(c->server, stream, r->reply.fn, r->reply.arg);
	r->reply.kind = REPLY_NONE;
	str_copy(t->fingerprint, sizeof(t->fingerprint), c->peer.fingerprint);
	sbuf_free(&ahead);
	conn_free(c);
	start(t);
}

void upgrade_abandon(struct server *s, void (*fn)(void *arg, struct stream *own), void *arg)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("no socket for an abandoned upgrade", "cause", "out of descriptors");
		return;
	}
	close(pair[1]);
	start(thread_new(s, stream_from_fd(pair[0]), fn, arg));
}

void upgrade_threads_shut(struct server *s, const char *fingerprint)
{
	pthread_mutex_lock(&s->lock);
	for (struct stream_thread *t = s->threads; t; t = t->next) {
		if (!fingerprint || str_eq(t->fingerprint, fingerprint))
			cutter_cut(t->cutter);
	}
	pthread_mutex_unlock(&s->lock);
}

void upgrade_threads_wait(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->threads)
		pthread_cond_wait(&s->thread_ended, &s->lock);
	pthread_mutex_unlock(&s->lock);
}
