/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a live move during which the container stands still. */
#include <assert.h>
#include <poll.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "migrate/source.h"
#include "node/container/steps.h"
#include "node/host/cgroup.h"
#include "node/host/pids.h"

#define DUMP_MS 120000
#define PREPARED_MS 300000
#define DUMP_TRIES 5
#define PAUSE_MS 150 /* times the number of tries: the container runs meanwhile */
#define RESERVE "reserve"

static int reserve(struct source *s, const char *dir, struct err *err)
{
	int64_t bytes = s->memory < IMAGES_RESERVE_MAX ? s->memory : IMAGES_RESERVE_MAX;

	/* Its memory stays where it is. */
	if (s->mv.lazy)
		return 0;
	return images_reserve(dir, RESERVE, bytes, err);
}

static int prepare(struct source *s, struct err *err)
{
	_free_ char *dir = move_images(s->m, &s->mv);

	if (move_images_make(s->m, &s->mv, err) < 0 || reserve(s, dir, err) < 0)
		return -1;
	s->images = image_source_new(dir, err);
	return s->images ? move_helper_start(s->m, &s->helper, "helper-dump", &s->mv, NULL, err)
			 : -1;
}

int source_dump_prepare(struct source *s, struct err *err)
{
	assert(!s->hold);
	s->hold = hold_new(s->m->holds, &s->mv.id);
	if (s->forwards)
		s->traffic = traffic_new(s->mv.spec);
	if (prepare(s, err) < 0)
		return -1;
	return container_hold(s->m->o.node, s->mv.id.name, true, err);
}

/* 1: it should be tried again, as err says. */
static int helper_failed(struct source *s, struct err *err)
{
	_json_ json_t *ok = move_helper_end(&s->helper, deadline_in(1000), err);
	const char *why = json_str(ok, "again", "");

	if (*why)
		return err_set(err, ERR_CONFLICT,
			       "%s could not dump %s, not even after %d tries: "
			       "%s (%s)",
			       s->mv.source, s->mv.id.name, DUMP_TRIES, why,
			       json_str(ok, "cause", "")),
		       1;
	if (!ok)
		return err_wrap(err, "%s could not dump %s", s->mv.source, s->mv.id.name);
	return err_set(err, ERR_INTERNAL, "the dump of %s ended before the move did",
		       s->mv.id.name);
}

/* Sends memory as it is written until the action script reports that all is. 1: as
 * helper_failed. */
static int follow_dump(struct source *s, struct err *err)
{
	int64_t deadline = deadline_in(DUMP_MS), sent;
	struct pollfd pf[] = {
		{ .fd = hold_fd(s->hold), .events = POLLIN },
		{ .fd = move_helper_fd(&s->helper), .events = POLLIN },
		{ .fd = image_source_fd(s->images), .events = POLLIN },
		{ .fd = channel_fd(s->ch), .events = POLLIN },
	};

	while (!hold_here(s->hold)) {
		int n = poll(pf, ARRAY_SIZE(pf), FRAME_PING_MS);

		if (clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "CRIU on %s did not dump %s in time",
				       s->mv.source, s->mv.id.name);
		hold_seen(s->hold);
		if (pf[1].revents && !hold_here(s->hold))
			return helper_failed(s, err);
		if (move_helper_check(&s->helper, err) < 0)
			return err_wrap(err, "%s could not dump %s", s->mv.source, s->mv.id.name);
		if (pf[3].revents && frame_check(s->ch, err) < 0)
			return -1;
		if (n == 0 &&
		    (frame_send(s->ch, FR_PING, NULL, 0, err) < 0 || frame_flush(s->ch, err) < 0))
			return -1;
		if (pf[2].revents && image_source_follow(s->images, s->ch, &sent, err) < 0)
			return -1;
	}
	return 0;
}

/* A dump that ends now has killed the container, though nobody told it to: what was sent is then
 * all there is of it, and the move goes on. One that fails has let it go. */
static int check_helper(struct source *s, struct err *err)
{
	_json_ json_t *ok = move_helper_end(&s->helper, deadline_in(1000), err);

	if (ok && *json_str(ok, "again", ""))
		err_set(err, ERR_INTERNAL, "%s", json_str(ok, "cause", ""));
	if (!ok || *json_str(ok, "again", ""))
		return err_wrap(err, "%s let go of %s while %s restored it", s->mv.source,
				s->mv.id.name, s->mv.target);
	log_warn("the dumped processes were killed before the move ended", "instance",
		 s->mv.id.name);
	return 0;
}

static int target_failed(const struct source *s, struct err *err)
{
	return channel_is_lost(s->ch) ? -1
				      : err_wrap(err, "%s could not restore %s", s->mv.target,
						 s->mv.id.name);
}

static int await_prepared(struct source *s, struct err *err)
{
	int64_t deadline = deadline_in(PREPARED_MS);
	struct frame f;

	for (;;) {
		struct pollfd pf[] = { { .fd = channel_fd(s->ch), .events = POLLIN },
				       { .fd = move_helper_fd(&s->helper), .events = POLLIN } };
		int n = poll(pf, ARRAY_SIZE(pf), FRAME_SILENCE_MS);

		if (pf[1].revents && check_helper(s, err) < 0)
			return -1;
		if (pf[0].revents)
			return frame_expect(s->ch, FR_PREPARED, &f, 0, err) < 0
				       ? target_failed(s, err)
				       : 0;
		if (n == 0 || clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "%s does not answer any more",
				       s->mv.target);
	}
}

/* 1: it failed for a cause that passes, and the container runs. */
static int dump_once(struct source *s, struct err *err)
{
	_free_ char *dir = move_images(s->m, &s->mv);

	assert(s->images);
	if (source_close(s, err) < 0)
		return -1;
	images_release(dir, RESERVE);
	s->froze_ms = clock_ms();
	return move_helper_go(&s->helper, err) < 0 ? -1 : follow_dump(s, err);
}

static int begin_anew(struct source *s, int tries, struct err *err)
{
	struct pollfd pf = { .fd = channel_fd(s->ch), .events = POLLIN };
	int rc;

	assert(s->images);
	log_err(LOG_INFO, "a dump is tried again", err);
	/* What waits to go in may be what the obstacle waits for. */
	container_open(s->m->o.node, s->mv.id.name);
	if (s->traffic)
		traffic_back(s->traffic);
	/* The target has nothing to say, unless it gives up. */
	if ((poll(&pf, 1, tries * PAUSE_MS) > 0 && frame_check(s->ch, err) < 0) ||
	    op_check(s->op, err) < 0 || frame_send(s->ch, FR_AGAIN, NULL, 0, err) < 0 ||
	    frame_flush(s->ch, err) < 0)
		return -1;
	image_source_free(take_ptr(s->images));
	frame_busy(s->ch, true);
	rc = prepare(s, err);
	frame_busy(s->ch, false);
	return rc;
}

static int dump(struct source *s, struct err *err)
{
	int rc = dump_once(s, err);

	for (int tries = 1; rc == 1 && tries < DUMP_TRIES; tries++)
		rc = begin_anew(s, tries, err) < 0 ? -1 : dump_once(s, err);
	return rc == 0 ? 0 : -1;
}

/* Somebody on this host may have gone in by other ways than ours since the dump. */
static int check_outside(struct source *s, struct err *err)
{
	struct node *n = s->m->o.node;
	const char *name = s->mv.id.name;
	_json_ json_t *request = container_request(n, name);
	pid_t init = container_pid(n, name);

	return init ? pids_check_outside(json_str(request, "cgroup_name", ""), name, init, err) : 0;
}

int source_dump(struct source *s, struct err *err)
{
	int64_t changes;

	source_tell(s, "taking its memory along");
	if (dump(s, err) < 0)
		return -1;
	source_stage(s, "dump");
	if (fault_point(move_source_frozen, err) < 0)
		return -1;
	if (image_source_finish(s->images, s->ch, err) < 0)
		return -1;
	source_stage(s, "memory");
	if (source_pass(s, &changes, err) < 0 || frame_flush(s->ch, err) < 0)
		return -1;
	source_stage(s, "rootfs_delta");
	if (await_prepared(s, err) < 0)
		return -1;
	source_stage(s, "restore");
	if (check_outside(s, err) < 0)
		return -1;
	return fault_point(move_source_before_commit, err);
}
