/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/db/raftlink.h"

#include <assert.h>
#include <endian.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define CHUNK (32 << 10)
#define GREETING_MAX 512
#define GREETING_MIN 16
/* Raft writes whole messages at once: after this long without a byte it is between two. */
#define QUIET_MS 500
#define WRITE_MS 10000

struct link {
	struct stream *local, *remote;
	const struct raftlink_opts *o;
	char *buf;
	char greeting[GREETING_MAX];
	size_t greeting_len, got; /* greeting_len 0: not known yet, or too long to be repeated */
	int64_t last_ms;
};

/* The greeting is the protocol's version (8 bytes) and one message: 8 bytes of head, the first
 * four of which count the words of its body. */
static void note_greeting(struct link *l, const char *data, size_t len)
{
	uint32_t words;
	size_t room = sizeof(l->greeting) - l->got;

	if (l->greeting_len)
		return;
	memcpy(l->greeting + l->got, data, len < room ? len : room);
	l->got += len < room ? len : room;
	if (l->got < GREETING_MIN)
		return;
	memcpy(&words, l->greeting + 8, sizeof(words));
	words = le32toh(words);
	if (words <= (GREETING_MAX - GREETING_MIN) / 8 && l->got >= GREETING_MIN + words * 8)
		l->greeting_len = GREETING_MIN + words * 8;
}

static bool write_remote(struct link *l, const char *data, size_t len)
{
	struct err ignored;

	stream_set_nonblock(l->remote, false);
	stream_set_deadline(l->remote, deadline_in(WRITE_MS));
	return stream_write(l->remote, data, len, &ignored) == 0;
}

static bool dial(struct link *l)
{
	struct stream *s;

	assert(!l->remote);
	s = l->o->dial(l->o->arg);
	l->remote = s;
	if (!s)
		return false;
	l->o->publish(l->o->arg, s);
	return !l->greeting_len || write_remote(l, l->greeting, l->greeting_len);
}

static void hang_up(struct link *l)
{
	if (!l->remote)
		return;
	l->o->publish(l->o->arg, NULL);
	stream_free(take_ptr(l->remote));
}

/* The peer says nothing on this connection; all that can come is its end. */
static bool remote_alive(struct link *l)
{
	struct err err = { 0 };
	ssize_t n;

	stream_set_nonblock(l->remote, true);
	do {
		n = stream_read(l->remote, l->buf, CHUNK, &err);
	} while (n > 0);
	return n < 0 && err.kind == ERR_BUSY;
}

enum local { LOCAL_NOTHING, LOCAL_BYTES, LOCAL_END };

static enum local read_local(struct link *l, size_t *ret_len)
{
	struct err err = { 0 };
	ssize_t n = stream_read(l->local, l->buf, CHUNK, &err);

	if (n < 0 && err.kind == ERR_BUSY)
		return LOCAL_NOTHING;
	if (n <= 0)
		return LOCAL_END;
	*ret_len = (size_t)n;
	return LOCAL_BYTES;
}

/* Forwards what dqlite wrote; false to end. */
static bool forward(struct link *l)
{
	size_t len;

	for (;;) {
		switch (read_local(l, &len)) {
		case LOCAL_NOTHING:
			return true;
		case LOCAL_END:
			return false;
		case LOCAL_BYTES:
			l->last_ms = clock_ms();
			/* A greeting goes out with the dial; these bytes come after it. */
			if (!l->remote && !dial(l))
				return false;
			note_greeting(l, l->buf, len);
			if (!write_remote(l, l->buf, len))
				return false;
		}
	}
}

static void wait_for_bytes(struct link *l)
{
	struct pollfd p[2] = { { stream_fd(l->local), POLLIN, 0 }, { -1, POLLIN, 0 } };

	if (l->remote)
		p[1].fd = stream_fd(l->remote);
	poll(p, 2, -1);
}

static bool turn(struct link *l)
{
	wait_for_bytes(l);
	if (l->remote && !remote_alive(l)) {
		if (clock_ms() - l->last_ms < QUIET_MS || !l->greeting_len)
			return false;
		hang_up(l);
	}
	return forward(l);
}

void raftlink_run(struct stream *local, const struct raftlink_opts *o)
{
	struct link l = { .local = local, .o = o, .buf = xcalloc(1, CHUNK) };

	stream_set_nonblock(local, true);
	l.last_ms = clock_ms();
	if (dial(&l))
		while (turn(&l))
			;
	hang_up(&l);
	free(l.buf);
}
