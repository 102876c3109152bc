/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "api/http/link.h"
#include "api/http/mailbox.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/rng.h"
#include "tests/unit/base/net/tls_pair.h"

/* A loop with one link; the other end is a blocking stream in a thread. */
struct world {
	uv_loop_t loop;
	uv_prepare_t prepare;
	uv_idle_t idle;
	struct link_set set;
	struct link *link;
	struct tls_ctx *server, *client;
	int peer_fd;
	bool established, ended, closed, echo;
	size_t received, paused_at;
	struct err why;
	pthread_t thread;
	int rc; /* of the thread */
};

static void on_idle(uv_idle_t *i)
{
}

static void on_prepare(uv_prepare_t *p)
{
	struct world *w = p->data;

	if (link_set_turn(&w->set))
		uv_idle_start(&w->idle, on_idle);
	else
		uv_idle_stop(&w->idle);
}

static void on_established(void *arg)
{
	((struct world *)arg)->established = true;
}

static void on_readable(void *arg)
{
	struct world *w = arg;
	char buf[10000];
	ssize_t n;

	while ((n = link_read(w->link, buf, sizeof(buf))) > 0) {
		w->received += n;
		if (w->echo)
			link_send(w->link, buf, n);
		if (link_queued(w->link) > LINK_HIGH) {
			w->paused_at = link_queued(w->link);
			link_pause(w->link, true);
			return;
		}
	}
	if (n < 0 && !link_is_closed(w->link)) {
		w->ended = true;
		link_end_write(w->link);
	}
}

static void on_flushed(void *arg)
{
	struct world *w = arg;

	if (link_queued(w->link) < LINK_LOW)
		link_pause(w->link, false);
	if (w->ended && link_write_ended(w->link))
		link_close(w->link, NULL);
}

static void on_closed(void *arg, const struct err *why)
{
	struct world *w = arg;

	w->closed = true;
	w->why = *why;
	uv_stop(&w->loop);
}

static const struct link_ops ops = {
	.established = on_established,
	.readable = on_readable,
	.flushed = on_flushed,
	.closed = on_closed,
};

static struct world *world_new(bool tls, void *(*peer)(void *arg))
{
	struct world *w = xnew(struct world);
	struct ssl_st *ssl = NULL;
	_free_ char *cert = NULL;
	_free_ char *key = NULL;
	struct err err;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	io_set_nonblock(pair[0], true);
	uv_loop_init(&w->loop);
	uv_prepare_init(&w->loop, &w->prepare);
	uv_idle_init(&w->loop, &w->idle);
	w->prepare.data = w;
	uv_prepare_start(&w->prepare, on_prepare);
	w->set.loop = &w->loop;
	w->peer_fd = pair[1];
	if (tls) {
		assert_int_equal(x509_make("n1", &cert, &key, &err), 0);
		w->server = tls_server_new(cert, key, &err);
		w->client = tls_client_new(cert, key, &err);
		ssl = tls_session_new(w->server, pair[0], true);
	}
	w->link = link_new(&w->set, pair[0], ssl, false, &ops, w);
	pthread_create(&w->thread, NULL, peer, w);
	return w;
}

static void world_run(struct world *w)
{
	while (!w->closed)
		uv_run(&w->loop, UV_RUN_ONCE);
}

static void world_free(struct world *w)
{
	pthread_join(w->thread, NULL);
	uv_close((uv_handle_t *)&w->prepare, NULL);
	uv_close((uv_handle_t *)&w->idle, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	tls_unref(w->server);
	tls_unref(w->client);
	free(w);
}

static struct stream *peer_stream(struct world *w)
{
	struct ssl_st *ssl;
	int rc;

	if (!w->client)
		return stream_from_fd(w->peer_fd);
	ssl = tls_session_new(w->client, w->peer_fd, false);
	while ((rc = tls_handshake(ssl)) != 1)
		assert_int_not_equal(rc, TLS_FAILED);
	return stream_from_ssl(ssl, w->peer_fd, NULL, 0);
}

#define TOTAL (4 << 20)

/* Writes everything before it reads anything back: the link must stop reading in between. */
static void *stubborn(void *arg)
{
	struct world *w = arg;
	struct stream *s = peer_stream(w);
	_free_ char *out = xcalloc(TOTAL, 1);
	_free_ char *in = xcalloc(TOTAL, 1);
	size_t sent = 0, got = 0;
	struct err err;

	rng_bytes(out, TOTAL);
	stream_set_nonblock(s, true);
	/* Until the pipe is full in both directions. */
	for (int64_t quiet = clock_ms(); sent < TOTAL && clock_ms() - quiet < 200;) {
		ssize_t n = stream_write_some(s, out + sent, TOTAL - sent, &err);

		if (n <= 0)
			continue;
		sent += n;
		quiet = clock_ms();
	}
	while (got < TOTAL) {
		ssize_t n = sent < TOTAL ? stream_write_some(s, out + sent, TOTAL - sent, &err) : 0;
		ssize_t m = stream_read(s, in + got, TOTAL - got, &err);

		sent += n > 0 ? n : 0;
		got += m > 0 ? m : 0;
	}
	stream_set_nonblock(s, false);
	stream_end_write(s);
	w->rc = memcmp(in, out, TOTAL) == 0 && stream_read(s, in, 1, &err) == 0 ? 0 : -1;
	stream_free(s);
	return NULL;
}

static void echoes(bool tls)
{
	struct world *w = world_new(tls, stubborn);

	w->echo = true;
	world_run(w);
	assert_int_equal(w->received, TOTAL);
	assert_int_equal(w->established, tls);
	assert_int_equal(w->why.kind, ERR_NONE);
	/* Back-pressure: no more than the mark and what one read brings. */
	assert_true(w->paused_at > LINK_HIGH && w->paused_at < LINK_HIGH + 20000);
	assert_int_equal(w->rc, 0);
	world_free(w);
}

static void echoes_plain(void **state)
{
	echoes(false);
}

static void echoes_tls(void **state)
{
	echoes(true);
}

static void *rude(void *arg)
{
	struct world *w = arg;

	send(w->peer_fd, "no TLS hello", 12, MSG_NOSIGNAL);
	close(w->peer_fd);
	return NULL;
}

static void failed_handshake_closes(void **state)
{
	struct world *w = world_new(true, rude);

	world_run(w);
	assert_int_equal(w->why.kind, ERR_UNAVAILABLE);
	assert_false(w->established);
	world_free(w);
}

struct note {
	struct post post;
	struct mailbox *box;
	int *count;
};

static void on_note(struct post *p)
{
	struct note *n = container_of(p, struct note, post);

	(*n->count)++;
	free(n);
}

static struct note *note_new(struct mailbox *m, int *count)
{
	struct note *n = xnew(struct note);

	*n = (struct note){ { NULL, on_note }, m, count };
	return n;
}

#define NOTES 500

struct poster {
	struct mailbox *box;
	int *count;
};

static void *post_many(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < NOTES; i++) {
		struct note *n = note_new(p->box, p->count);

		assert_true(mailbox_post(p->box, &n->post));
	}
	return NULL;
}

static void mailbox_delivers(void **state)
{
	struct mailbox *m;
	struct poster p;
	pthread_t t[3];
	uv_loop_t loop;
	struct note *late;
	int count = 0;

	uv_loop_init(&loop);
	m = mailbox_new(&loop);
	p = (struct poster){ m, &count };
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_create(&t[i], NULL, post_many, &p);
	while (count < NOTES * (int)ARRAY_SIZE(t))
		uv_run(&loop, UV_RUN_ONCE);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);

	/* What was posted before the end still runs, what comes after is refused. */
	late = note_new(m, &count);
	assert_true(mailbox_post(m, &late->post));
	mailbox_close(m);
	assert_int_equal(count, NOTES * (int)ARRAY_SIZE(t) + 1);
	late = note_new(m, &count);
	assert_false(mailbox_post(m, &late->post));
	free(late);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	mailbox_unref(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes_plain),
		cmocka_unit_test(echoes_tls),
		cmocka_unit_test(failed_handshake_closes),
		cmocka_unit_test(mailbox_delivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
