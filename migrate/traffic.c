/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/traffic.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"

#define CHUNK (128 << 10) /* of frame.def */
#define KEPT_MAX (2 << 20)
#define SENDS_MAX 64 /* chunks at once: who sends on must not keep us */
#define DRAIN_MS 2000

struct traffic {
	struct catcher *catcher;
	struct sbuf kept;
	bool plugged;
	uint8_t chunk[CHUNK];
};

struct traffic *traffic_new(const json_t *spec)
{
	struct traffic *t = xnew(struct traffic);

	t->catcher = catcher_new(spec);
	t->kept = SBUF(KEPT_MAX);
	return t;
}

void traffic_free(struct traffic *t)
{
	if (!t)
		return;
	catcher_free(t->catcher);
	sbuf_free(&t->kept);
	free(t);
}

/* Whole records, or none: what does not fit is lost, as in any queue. */
static void keep(struct traffic *t, const void *records, size_t len)
{
	if (len <= t->kept.cap - t->kept.len)
		sbuf_add(&t->kept, records, len);
}

static void give_kept(struct traffic *t)
{
	catcher_open(t->catcher);
	catcher_give(t->catcher, (const uint8_t *)t->kept.data, t->kept.len);
	sbuf_reset(&t->kept);
}

/* --- source ------------------------------------------------------------------------------- */

int traffic_send(struct traffic *t, struct channel *ch, struct err *err)
{
	size_t n;

	for (int i = 0; i < SENDS_MAX; i++) {
		n = catcher_read(t->catcher, t->chunk, sizeof(t->chunk));
		if (n == 0)
			break;
		keep(t, t->chunk, n);
		if (frame_send(ch, FR_TRAFFIC, t->chunk, n, err) < 0)
			return -1;
	}
	return frame_flush(ch, err);
}

int traffic_follow(struct traffic *t, struct channel *ch, int64_t deadline, struct frame *ret,
		   struct err *err)
{
	struct pollfd pf[] = { { .fd = channel_fd(ch), .events = POLLIN },
			       { .fd = catcher_fd(t->catcher), .events = POLLIN } };
	int rc;

	while ((rc = frame_poll(ch, ret, err)) == 0) {
		if (clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "the other member does not answer");
		poll(pf, 2, FRAME_PING_MS);
		if (pf[1].revents && traffic_send(t, ch, err) < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

int traffic_end(struct traffic *t, struct channel *ch, struct err *err)
{
	if (traffic_send(t, ch, err) < 0 || frame_send(ch, FR_TRAFFIC, NULL, 0, err) < 0)
		return -1;
	return frame_flush(ch, err);
}

void traffic_back(struct traffic *t)
{
	struct err err;

	give_kept(t);
	if (catcher_plug(t->catcher, &err) < 0)
		log_err(LOG_DEBUG, "interface of a container that did not move", &err);
}

/* --- target ------------------------------------------------------------------------------- */

void traffic_listen(struct traffic *t)
{
	catcher_listen(t->catcher);
}

void traffic_take(struct traffic *t, const struct frame *f)
{
	assert(f->type == FR_TRAFFIC);
	if (t->plugged)
		catcher_give(t->catcher, f->data, f->len);
	else
		keep(t, f->data, f->len);
}

int traffic_plug(struct traffic *t, struct err *err)
{
	assert(!t->plugged);
	give_kept(t);
	t->plugged = true;
	return catcher_plug(t->catcher, err);
}

void traffic_drain(struct traffic *t, struct channel *ch)
{
	int64_t deadline = deadline_in(DRAIN_MS);
	struct frame f;
	struct err err;

	while (clock_ms() < deadline && frame_expect(ch, FR_TRAFFIC, &f, 0, &err) == 0 && f.len)
		traffic_take(t, &f);
}
