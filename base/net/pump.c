/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/net/stream.h"

#define PUMP_BYTES (16 << 10)

/* One direction of the relay. */
struct lane {
	struct stream *from, *to;
	char *buf;
	size_t at, len;
	bool ended; /* `from` has ended and `to` was told */
};

enum step { STEP_STUCK, STEP_MOVED, STEP_FAILED };

static enum step stuck_or_failed(const struct err *e)
{
	return e->kind == ERR_BUSY ? STEP_STUCK : STEP_FAILED;
}

static enum step lane_step(struct lane *l)
{
	struct err e = { 0 };
	ssize_t n;

	assert(l->at <= l->len);
	if (l->ended)
		return STEP_STUCK;
	if (l->at == l->len) {
		n = stream_read(l->from, l->buf, PUMP_BYTES, &e);
		if (n < 0)
			return stuck_or_failed(&e);
		if (n == 0) {
			stream_end_write(l->to);
			l->ended = true;
			return STEP_MOVED;
		}
		l->at = 0;
		l->len = n;
	}
	n = stream_write_some(l->to, l->buf + l->at, l->len - l->at, &e);
	if (n < 0)
		return stuck_or_failed(&e);
	l->at += n;
	return STEP_MOVED;
}

static void add_events(struct pollfd *p, const struct lane *l, const struct stream *s)
{
	if (l->ended)
		return;
	if (l->at < l->len && l->to == s)
		p->events |= POLLOUT;
	else if (l->at == l->len && l->from == s)
		p->events |= POLLIN;
}

/* False when nothing moved for longer than idle_ms. */
static bool wait_for_more(struct lane lanes[2], int64_t idle_ms)
{
	struct stream *ends[2] = { lanes[0].from, lanes[0].to };
	struct pollfd p[2];

	for (int i = 0; i < 2; i++) {
		p[i] = (struct pollfd){ stream_fd(ends[i]), 0, 0 };
		add_events(&p[i], &lanes[0], ends[i]);
		add_events(&p[i], &lanes[1], ends[i]);
		/* Without interest poll(2) would still report a hang-up, over and over. */
		if (!p[i].events)
			p[i].fd = -1;
	}
	return poll(p, 2, idle_ms > 0 ? (int)idle_ms : -1) != 0;
}

void stream_pump(struct stream *a, struct stream *b, int64_t idle_ms)
{
	_free_ char *forth = xcalloc(PUMP_BYTES, 1);
	_free_ char *back = xcalloc(PUMP_BYTES, 1);
	struct lane lanes[2] = { { a, b, forth, 0, 0, false }, { b, a, back, 0, 0, false } };

	stream_set_nonblock(a, true);
	stream_set_nonblock(b, true);
	while (!lanes[0].ended || !lanes[1].ended) {
		enum step s0 = lane_step(&lanes[0]), s1 = lane_step(&lanes[1]);

		if (s0 == STEP_FAILED || s1 == STEP_FAILED)
			break;
		if (s0 == STEP_STUCK && s1 == STEP_STUCK && !wait_for_more(lanes, idle_ms))
			break;
	}
	stream_set_nonblock(a, false);
	stream_set_nonblock(b, false);
}
