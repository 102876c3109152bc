/* SPDX-License-Identifier: Apache-2.0 */
/* A link between socket pairs: what dqlite's end writes, and peers that come and go. */
#include <endian.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cluster/db/raftlink.h"
#include "tests/unit/base/patience.h"

#define PEERS_MAX 4
#define QUIET_MS 700 /* longer than what a link takes for the time between two messages */

struct world {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	int local;              /* dqlite's end */
	struct stream *other;   /* the link's */
	int peers[PEERS_MAX];   /* the far ends, as they were dialled */
	int n_peers, published; /* published: with a stream, minus without */
	int refuse_after;       /* so many dials succeed */
	bool ended;
};

static struct stream *dial(void *arg)
{
	struct world *w = arg;
	struct stream *s = NULL;
	int pair[2];

	pthread_mutex_lock(&w->lock);
	if (w->n_peers < w->refuse_after) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		w->peers[w->n_peers++] = pair[1];
		s = stream_from_fd(pair[0]);
	}
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return s;
}

static void publish(void *arg, struct stream *remote)
{
	struct world *w = arg;

	pthread_mutex_lock(&w->lock);
	w->published += remote ? 1 : -1;
	pthread_mutex_unlock(&w->lock);
}

static void *run(void *arg)
{
	struct world *w = arg;

	raftlink_run(w->other, &(struct raftlink_opts){ dial, publish, w });
	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void begin(struct world *w, int dials)
{
	int pair[2];

	*w = (struct world){ .lock = PTHREAD_MUTEX_INITIALIZER, .refuse_after = dials };
	cond_init(&w->changed);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	w->local = pair[0];
	w->other = stream_from_fd(pair[1]);
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

static void await_peers(struct world *w, int n)
{
	int64_t deadline = PATIENCE;

	pthread_mutex_lock(&w->lock);
	while (w->n_peers < n)
		assert_true(cond_wait_until(&w->changed, &w->lock, deadline));
	pthread_mutex_unlock(&w->lock);
}

static void await_end(struct world *w)
{
	int64_t deadline = PATIENCE;

	pthread_mutex_lock(&w->lock);
	while (!w->ended)
		assert_true(cond_wait_until(&w->changed, &w->lock, deadline));
	pthread_mutex_unlock(&w->lock);
}

static void finish(struct world *w)
{
	if (w->local >= 0)
		close(w->local);
	pthread_join(w->thread, NULL);
	/* whoever might shut it down knows of none any more */
	assert_int_equal(w->published, 0);
	stream_free(w->other);
	for (int i = 0; i < w->n_peers; i++)
		if (w->peers[i] >= 0)
			close(w->peers[i]);
}

/* The protocol's version and one message of so many words. */
static size_t greeting(char *buf, uint32_t words)
{
	uint32_t le = htole32(words);
	uint64_t version = htole64(1);

	memset(buf, 'g', 16 + words * 8);
	memcpy(buf, &version, sizeof(version));
	memcpy(buf + 8, &le, sizeof(le));
	return 16 + words * 8;
}

static void expect_bytes(int fd, const char *want, size_t len)
{
	_free_ char *got = xcalloc(len, 1);

	assert_int_equal(io_read_full(fd, got, len), 0);
	assert_memory_equal(got, want, len);
}

static void hang_up(struct world *w, int i)
{
	close(w->peers[i]);
	w->peers[i] = -1;
}

static void bytes_go_through(void **state)
{
	struct world w;
	char buf[1000];
	size_t n;

	begin(&w, 1);
	await_peers(&w, 1);
	n = greeting(buf, 3);
	assert_int_equal(io_write_full(w.local, buf, n), 0);
	expect_bytes(w.peers[0], buf, n);
	memset(buf, 'm', sizeof(buf));
	assert_int_equal(io_write_full(w.local, buf, sizeof(buf)), 0);
	expect_bytes(w.peers[0], buf, sizeof(buf));
	finish(&w);
	assert_int_equal(w.n_peers, 1);
}

static void who_cannot_be_dialled_ends_the_link(void **state)
{
	struct world w;
	char b;

	begin(&w, 0);
	await_end(&w);
	assert_int_equal(w.n_peers, 0);
	stream_shutdown(w.other);
	assert_int_equal(read(w.local, &b, 1), 0);
	finish(&w);
}

/* A quiet link outlives its peer: the next bytes dial anew, and the greeting goes before them. */
static void a_peer_that_came_back_is_greeted_again(void **state)
{
	char hello[64], message[24];
	struct world w;
	size_t n;

	begin(&w, 2);
	await_peers(&w, 1);
	n = greeting(hello, 2);
	assert_int_equal(io_write_full(w.local, hello, n), 0);
	expect_bytes(w.peers[0], hello, n);
	poll(NULL, 0, QUIET_MS);
	hang_up(&w, 0);
	/* nothing is dialled before there is something to say */
	poll(NULL, 0, 20);
	assert_int_equal(w.n_peers, 1);
	memset(message, 'v', sizeof(message));
	assert_int_equal(io_write_full(w.local, message, sizeof(message)), 0);
	await_peers(&w, 2);
	expect_bytes(w.peers[1], hello, n);
	expect_bytes(w.peers[1], message, sizeof(message));
	finish(&w);
	assert_int_equal(w.n_peers, 2);
}

#define TRIES 20

/* In the middle of a conversation something may be lost: dqlite has to know. On a busy machine the
 * link may see the end so late that it was quiet before; then it is looked at again. */
static void a_peer_that_leaves_in_the_middle_ends_the_link(void **state)
{
	bool ended = false;

	for (int i = 0; i < TRIES && !ended; i++) {
		int64_t deadline;
		struct world w;
		char hello[64];
		size_t n;

		begin(&w, 2);
		await_peers(&w, 1);
		n = greeting(hello, 2);
		assert_int_equal(io_write_full(w.local, hello, n), 0);
		hang_up(&w, 0);
		deadline = deadline_in(2000);
		pthread_mutex_lock(&w.lock);
		while (!w.ended && cond_wait_until(&w.changed, &w.lock, deadline))
			;
		ended = w.ended;
		pthread_mutex_unlock(&w.lock);
		finish(&w);
	}
	assert_true(ended);
}

/* What cannot be said again is not: no complete greeting, or one too long to be kept. */
static void without_a_greeting_there_is_no_second_dial(void **state)
{
	static const struct {
		uint32_t words;
		size_t cut;
	} cases[] = { { 2, 8 }, { 100, 0 }, { UINT32_MAX, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t le = htole32(cases[i].words);
		struct world w;
		char hello[1000];
		size_t n;

		begin(&w, 2);
		await_peers(&w, 1);
		n = greeting(hello, cases[i].words > 100 ? 20 : cases[i].words) - cases[i].cut;
		memcpy(hello + 8, &le, sizeof(le));
		assert_int_equal(io_write_full(w.local, hello, n), 0);
		expect_bytes(w.peers[0], hello, n);
		poll(NULL, 0, QUIET_MS);
		hang_up(&w, 0);
		await_end(&w);
		finish(&w);
		assert_int_equal(w.n_peers, 1);
	}
}

static void a_greeting_may_come_in_pieces(void **state)
{
	char hello[64], message[8] = "message";
	struct world w;
	size_t n;

	begin(&w, 2);
	await_peers(&w, 1);
	n = greeting(hello, 4);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(io_write_full(w.local, hello + i, 1), 0);
		expect_bytes(w.peers[0], hello + i, 1);
	}
	poll(NULL, 0, QUIET_MS);
	hang_up(&w, 0);
	assert_int_equal(io_write_full(w.local, message, sizeof(message)), 0);
	await_peers(&w, 2);
	expect_bytes(w.peers[1], hello, n);
	expect_bytes(w.peers[1], message, sizeof(message));
	finish(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_through),
		cmocka_unit_test(who_cannot_be_dialled_ends_the_link),
		cmocka_unit_test(a_peer_that_came_back_is_greeted_again),
		cmocka_unit_test(a_peer_that_leaves_in_the_middle_ends_the_link),
		cmocka_unit_test(without_a_greeting_there_is_no_second_dial),
		cmocka_unit_test(a_greeting_may_come_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
