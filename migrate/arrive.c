/* SPDX-License-Identifier: Apache-2.0 */
/* What a target has to see to once the move is committed. */
#include <assert.h>
#include <poll.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "migrate/sink.h"
#include "node/container/steps.h"
#include "node/criu/criu.h"

#define DECIDED_MS 30000 /* until the source has decided */
#define RESUME_MS 20000
#define HELPER_MS 20000
#define PAGER_MS 1000

int sink_helper_failed(struct sink *k, struct err *err)
{
	_json_ json_t *ok = move_helper_end(&k->helper, deadline_in(1000), err);

	if (ok)
		err_set(err, ERR_INTERNAL, "the restore ended too early");
	return -1;
}

/* One that has ended has brought everything, or never will. */
int sink_check_pager(struct sink *k, struct err *err)
{
	struct pollfd pf = { .fd = move_helper_fd(&k->pager), .events = POLLIN };
	_json_ json_t *done = NULL;

	if (pf.fd < 0 || poll(&pf, 1, 0) <= 0)
		return 0;
	done = move_helper_end(&k->pager, deadline_in(PAGER_MS), err);
	return done ? 0 : err_wrap(err, "fetch the memory of %s", k->mv.id.name);
}

/* Its sockets are there: the action script leaves the rest of its network to us. */
static void plug(struct sink *k)
{
	struct err err;

	if (traffic_plug(k->traffic, &err) < 0)
		log_err(LOG_ERROR, "interface of a container that has moved", &err);
	hold_plugged(k->hold);
	container_announce(k->m->o.node, k->mv.id.name, hold_pid(k->hold));
}

/* False: the source has nothing more to say, or cannot. */
static bool take_traffic(struct sink *k)
{
	struct frame f;
	struct err err;
	int rc;

	while ((rc = frame_poll(k->ch, &f, &err)) > 0 && f.type == FR_TRAFFIC)
		traffic_take(k->traffic, &f);
	return rc == 0;
}

static int await_resumed(struct sink *k, struct err *err)
{
	struct pollfd pf[] = {
		{ .fd = hold_fd(k->hold), .events = POLLIN },
		{ .fd = move_helper_fd(&k->helper), .events = POLLIN },
		{ .fd = channel_fd(k->ch), .events = POLLIN },
	};
	int64_t deadline = deadline_in(RESUME_MS);

	while (!hold_resumed(k->hold)) {
		if (pf[2].fd >= 0 && !take_traffic(k))
			pf[2].fd = -1;
		poll(pf, ARRAY_SIZE(pf), FRAME_PING_MS);
		hold_seen(k->hold);
		if (hold_plugs(k->hold))
			plug(k);
		if (pf[1].revents && !hold_resumed(k->hold))
			return sink_helper_failed(k, err);
		if (clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "CRIU did not let %s go on",
				       k->mv.id.name);
	}
	return 0;
}

static int resume(struct sink *k, struct err *err)
{
	if (fault_point(move_target_after_commit, err) < 0 || sink_check_pager(k, err) < 0)
		return -1;
	if (k->mv.lazy)
		fetch_begin(k->m, &k->mv, true);
	hold_tell(k->hold, true);
	return await_resumed(k, err);
}

/* Its processes run already; liblxc's part of the restore ends a little later. */
static int adopt(struct sink *k, struct err *err)
{
	_json_ json_t *done = NULL;
	pid_t init = hold_pid(k->hold);

	if (init > 0 && container_adopt(k->m->o.node, k->mv.id.name, init, err) == 0)
		return 0;
	done = move_helper_end(&k->helper, deadline_in(HELPER_MS), err);
	if (!done)
		return -1;
	init = (pid_t)json_int(done, "pid", 0);
	return container_adopt(k->m->o.node, k->mv.id.name, init, err);
}

/* Who moved it will now find it here. */
static void tell_done(struct sink *k)
{
	struct err err;

	if (frame_send(k->ch, FR_DONE, NULL, 0, &err) < 0 || frame_flush(k->ch, &err) < 0)
		log_debug("the source of a move has closed the stream first");
}

static int report_lost(struct sink *k, const struct err *why)
{
	struct err err;

	if (frame_send_error(k->ch, FR_LOST, why, &err) == 0) {
		struct frame f;

		/* The end of the stream says that the source has decided. */
		while (frame_recv(k->ch, &f, DECIDED_MS, &err) == 0)
			;
	}
	return -1;
}

/* Whether the source hears of it or not: without all of its memory it is not here. */
static int await_pages(struct sink *k, struct err *err)
{
	enum fetch_state state;
	uint8_t count[8];
	struct err ignored;
	int64_t bytes;

	if (!k->mv.lazy)
		return 0;
	if (fault_point(move_target_fetching, err) < 0)
		return -1;
	do {
		state = fetch_await(k->m, &k->mv, FRAME_PING_MS, &bytes, err);
		put_u64(count, (uint64_t)bytes);
		if (frame_send(k->ch, FR_PAGES, count, sizeof(count), &ignored) == 0)
			frame_flush(k->ch, &ignored);
	} while (state == FETCH_RUNS);
	return state == FETCH_ALL ? 0 : -1;
}

int sink_finish_live(struct sink *k, struct err *err)
{
	struct err ignored;
	int rc;

	/* However long it takes, the source has to hear how it ends. */
	frame_busy(k->ch, true);
	rc = resume(k, err);
	if (rc < 0)
		rc = restore_kill(k->m, &k->mv, k->hold);
	frame_busy(k->ch, false);
	if (rc < 0)
		return -1;
	if (rc > 0)
		return report_lost(k, err);
	if (frame_send(k->ch, FR_RESUMED, NULL, 0, &ignored) < 0 ||
	    frame_flush(k->ch, &ignored) < 0)
		log_err(LOG_WARN, "the source of a move does not hear", &ignored);
	if (adopt(k, err) < 0)
		return -1;
	/* Unread, it would take the last word along when the stream is closed. */
	if (k->follows)
		traffic_drain(k->traffic, k->ch);
	traffic_free(take_ptr(k->traffic));
	if (await_pages(k, err) < 0)
		return -1;
	tell_done(k);
	return 0;
}

int sink_finish_cold(struct sink *k, struct err *err)
{
	struct err ignored;

	if (fault_point(move_target_after_commit, err) < 0)
		return -1;
	if (move_start(k->m, &k->mv, err) < 0) {
		frame_send_error(k->ch, FR_LOST, err, &ignored);
		/* The source is told that it does not run: that is how it ends. */
		k->mv.start = false;
		return -1;
	}
	if (frame_send(k->ch, FR_RESUMED, NULL, 0, err) < 0)
		return -1;
	tell_done(k);
	return 0;
}
