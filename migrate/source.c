/* SPDX-License-Identifier: Apache-2.0 */
/* A move, told by its source. docs/moving.md has the drawing. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "cluster/model/state.h"
#include "migrate/plan.h"
#include "migrate/source.h"
#include "node/container/steps.h"
#include "node/device/port.h"
#include "node/host/cgroup.h"
#include "node/host/pids.h"
#include "node/storage/storage.h"

#define CONNECT_MS 10000
#define CALL_OFF_MS 3000 /* afterwards in the background */
#define CLOSE_MS 2000
#define CUT_MS 10000
#define PASSES_MAX 4
#define PASS_SMALL 64 /* changes after which another pass is not worth it */
#define END_MS 500  /* of an init that was let go broken */

#define WHY_MAX 300 /* of the 500 bytes of an error; the operation has all */

void source_tell(struct source *s, const char *fmt, ...)
{
	_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	op_set(s->op, "move_progress", json_sprintf("%s: %s", move_kind_name(s->kind), text));
}

void source_stage(struct source *s, const char *name)
{
	int64_t now = clock_ms();

	json_put_int(s->stages.ms, name, now - s->stages.mark);
	s->stages.mark = now;
}

/* --- beginning ---------------------------------------------------------------------------- */

static int connect_target(struct source *s, struct err *err)
{
	struct stream *stream;
	char address[256];

	if (cluster_member_address(s->m->o.cluster, s->mv.target, address, sizeof(address), err) <
	    0)
		return -1;
	stream = cluster_connect(s->m->o.cluster, address, MOVE_PATH, MOVE_PROTOCOL,
				 deadline_in(CONNECT_MS), err);
	if (!stream)
		return err_wrap(err, "connect to %s", s->mv.target);
	s->ch = channel_new(stream);
	channel_pace(s->ch, s->m->pace);
	return 0;
}

static int refuse(struct source *s, const struct move_plan *plan, char *why, struct err *err)
{
	const char *name = s->mv.id.name, *target = s->mv.target;

	op_set(s->op, "plan", move_plan_json(plan));
	if (plan->kind == MOVE_REFUSED)
		return err_set(err, ERR_CONFLICT, "instance %s cannot move to %s: %s", name, target,
			       move_plan_text(plan, MOVE_COLD, why, WHY_MAX));
	return err_set(err, ERR_CONFLICT,
		       "instance %s cannot move to %s as asked for: %s. It can move %s, for which "
		       "it is stopped and started",
		       name, target, why, move_kind_name(plan->kind));
}

/* Before the plan is made, which they would stand in the way of. */
static int end_sessions(struct source *s, struct err *err)
{
	struct node *n = s->m->o.node;
	int rc;

	if (!s->end_sessions || !s->runs || !(s->modes & move_only(MOVE_LIVE)))
		return 0;
	frame_busy(s->ch, true);
	container_cut_visits(n, s->mv.id.name);
	rc = container_close(n, s->mv.id.name, deadline_in(CUT_MS), err);
	frame_busy(s->ch, false);
	if (rc == 0)
		container_open(n, s->mv.id.name);
	return rc;
}

/* Which way it goes. */
static int choose(struct source *s, struct err *err)
{
	_json_ json_t *facts = hello_exchange(s->m, s->ch, true, err);
	struct move_plan plan;
	char why[WHY_MAX];

	if (!facts || end_sessions(s, err) < 0)
		return -1;
	move_plan_with(s->m, s->mv.id.name, s->mv.pool, facts, &plan);
	plan_way(s->m, &s->mv, facts, &plan);
	s->kind = move_choose(&plan, s->modes, s->runs, why, sizeof(why));
	if (s->kind == MOVE_REFUSED)
		return refuse(s, &plan, why, err);
	s->mv.live = s->kind == MOVE_LIVE;
	s->forwards = s->mv.live && json_bool(facts, TRAFFIC_FACT, false);
	s->mv.start = s->runs && !s->mv.live;
	s->mv.frozen = s->mv.live && container_status(s->m->o.node, s->mv.id.name) == STATUS_FROZEN;
	json_put_str(s->report, "kind", move_kind_name(s->kind));
	json_put_str(s->report, "reason", why);
	if (s->mv.live) {
		s->mv.lazy = plan.way == WAY_POST_COPY;
		json_put_str(s->report, "memory", way_name(plan.way));
		json_put_str(s->report, "memory_reason", plan.way_why);
	}
	op_set(s->op, "migration", json_copy(s->report));
	return 0;
}

static int send_config(struct source *s, struct err *err)
{
	_json_ json_t *j = json_pack("{ss,ss,sI,sb,sb,sb,sb,sI,sO}", "op", s->mv.id.op, "name",
				     s->mv.id.name, "epoch", (json_int_t)s->mv.id.epoch, "live",
				     s->mv.live, "lazy", s->mv.lazy, "frozen", s->mv.frozen,
				     "start", s->mv.start, "memory", (json_int_t)s->memory,
				     "instance", s->row.doc);

	return frame_send_json(s->ch, FR_CONFIG, j, err);
}

static int open_root(struct source *s, struct err *err)
{
	_free_ char *path = volume_data_path(s->m->o.node, s->mv.pool, s->mv.id.name);
	int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;

	if (fd < 0)
		return err_sys(err, "volume of %s", s->mv.id.name);
	s->sync = sync_source_new(fd, pool_marks(s->mv.pool));
	return 0;
}

static int open_row(struct source *s, struct err *err)
{
	int rc;

	if (journal_note(s->m, &s->mv, err) < 0)
		return -1;
	frame_busy(s->ch, true);
	rc = commit_begin(s->m, &s->mv, err);
	frame_busy(s->ch, false);
	/* A row that may be there has to be called off, too. */
	s->open = rc == 0 || err->kind == ERR_UNKNOWN;
	return rc;
}

int source_close(struct source *s, struct err *err)
{
	int rc;

	frame_busy(s->ch, true);
	if (s->end_sessions)
		container_cut_visits(s->m->o.node, s->mv.id.name);
	rc = container_close(s->m->o.node, s->mv.id.name, deadline_in(CLOSE_MS), err);
	frame_busy(s->ch, false);
	return rc;
}

int source_begin(struct source *s, struct err *err)
{
	struct frame f;

	if (connect_target(s, err) < 0 || choose(s, err) < 0 || open_root(s, err) < 0)
		return -1;
	if (open_row(s, err) < 0 || (!s->runs && source_close(s, err) < 0) ||
	    send_config(s, err) < 0)
		return -1;
	/* Both sides get ready at the same time. */
	if (s->mv.live) {
		frame_busy(s->ch, true);
		if (source_dump_prepare(s, err) < 0)
			return -1;
		frame_busy(s->ch, false);
	}
	if (frame_expect(s->ch, FR_READY, &f, 0, err) < 0)
		return channel_is_lost(s->ch) ? -1
					      : err_wrap(err, "%s cannot take %s", s->mv.target,
							 s->mv.id.name);
	source_stage(s, "prepare");
	return 0;
}

/* --- the root file system ----------------------------------------------------------------- */

static int still_there(void *arg, struct err *err)
{
	struct source *s = arg;

	return frame_check(s->ch, err);
}

static int interrupted(void *arg, struct err *err)
{
	struct source *s = arg;
	char size[16];

	op_progress(s->op, "move", "%s: %s of its files sent", move_kind_name(s->kind),
		    str_of_size((uint64_t)sync_sent(s->sync), size));
	return op_check(s->op, err) < 0 ? -1 : frame_check(s->ch, err);
}

int source_pass(struct source *s, int64_t *ret_changes, struct err *err)
{
	/* Once it stands still and little is left, giving up takes longer than going on. */
	bool goes_on = s->froze_ms && s->kind != MOVE_COLD;

	return sync_pass(s->sync, s->ch, goes_on ? still_there : interrupted, s, ret_changes, err);
}

int source_pass_whole(struct source *s, int64_t *ret_changes, struct err *err)
{
	struct frame f;

	if (source_pass(s, ret_changes, err) < 0 || frame_expect(s->ch, FR_SYNCED, &f, 0, err) < 0)
		return err_wrap(err, "send the root file system of %s", s->mv.id.name);
	return 0;
}

int source_copy(struct source *s, struct err *err)
{
	int64_t changes = INT64_MAX;

	for (int i = 0; i < PASSES_MAX && changes > PASS_SMALL; i++) {
		source_tell(s, "copying the root file system while it runs, pass %d", i + 1);
		if (source_pass_whole(s, &changes, err) < 0)
			return -1;
		if (i == 0 && fault_point(move_source_copying, err) < 0)
			return -1;
	}
	source_stage(s, "rootfs");
	return op_check(s->op, err);
}

/* --- the decision ------------------------------------------------------------------------- */

/* 1 committed, 0 given up, -1 open: then everything here stays as it is until the answer is
 * known. */
static int commit(struct source *s, struct err *err)
{
	int rc;

	assert(s->open);
	if (journal_sent(s->m, &s->mv, err) < 0)
		return 0;
	frame_busy(s->ch, true);
	rc = commit_move(s->m, &s->mv, err);
	frame_busy(s->ch, false);
	source_stage(s, "commit");
	return rc;
}

/* --- the end ------------------------------------------------------------------------------ */

static void release(struct source *s)
{
	if (s->open_end || s->later)
		move_helper_leave(&s->helper);
	else
		move_helper_dismiss(&s->helper);
	image_source_free(s->images);
	sync_source_free(s->sync);
	traffic_free(take_ptr(s->traffic));
	channel_free(s->ch);
	s->images = NULL;
	s->sync = NULL;
	s->ch = NULL;
}

static void give_up(struct source *s, const struct err *why)
{
	struct err err;
	int rc;

	assert(!s->moved);
	if (!s->open) {
		journal_drop(s->m, &s->mv);
		if (s->ch)
			frame_fail(s->ch, why);
		return;
	}
	/* First the container, which stands still, then the target, which has time. */
	hold_free(take_ptr(s->hold));
	if (s->helper.sock >= 0)
		move_helper_leave(&s->helper);
	rc = move_settle(s->m, &s->mv, OWNER_SOURCE, true, &err);
	if (rc < 0)
		log_err(LOG_ERROR, "give up a move", &err);
	else if (s->traffic)
		traffic_back(s->traffic);
	if (s->ch)
		frame_fail(s->ch, why);
	/* Settled twice does no harm, and this also calls off the row. */
	if (rc < 0 || move_conclude(s->m, &s->mv, deadline_in(CALL_OFF_MS), &err) < 0)
		s->later = true;
}

static void let_go(struct source *s)
{
	struct frame f;
	struct err err;

	assert(s->moved);
	hold_free(take_ptr(s->hold));
	devices_forget_translated(s->mv.spec);
	if (move_conclude(s->m, &s->mv, deadline_in(CONNECT_MS), &err) < 0) {
		log_err(LOG_WARN, "clean up after a move", &err);
		s->later = true;
	}
	/* The operation ends when the target shows the instance as its own. */
	if (s->heard && !s->mv.lazy && frame_expect(s->ch, FR_DONE, &f, 0, &err) < 0)
		log_err(LOG_DEBUG, "the target of a move did not say that it is done", &err);
}

static void report(struct source *s)
{
	int64_t memory = s->images ? image_source_sent(s->images) : 0;
	_json_ json_t *j = json_pack("{sI,sI,sI,sO}", "total_ms",
				     (json_int_t)(clock_ms() - s->began_ms), "memory_bytes",
				     (json_int_t)memory, "rootfs_bytes",
				     (json_int_t)sync_sent(s->sync), "stages", s->stages.ms);

	if (s->mv.lazy) {
		json_put_int(j, "pages_bytes", s->pages_bytes);
		json_put_int(j, "pages_ms", s->pages_ms);
	}
	/* Nobody saw the end of it when the stream broke after the commit. */
	if (s->downtime_ms >= 0)
		json_put_int(j, "downtime_ms", s->downtime_ms);
	json_object_update(s->report, j);
	op_set(s->op, "migration", json_incref(s->report));
}

static int run(struct source *s, struct err *err)
{
	int rc;

	if (source_begin(s, err) < 0 || (s->kind != MOVE_COLD && source_copy(s, err) < 0) ||
	    (s->mv.live ? source_dump(s, err) : source_halt(s, err)) < 0)
		return 0;
	rc = commit(s, err);
	return rc > 0 ? source_finish(s, err) : rc;
}

static void end(struct source *s, int rc, const struct err *err)
{
	assert(!s->moved);
	if (rc > 0) {
		s->moved = true;
		report(s);
		let_go(s);
	}
	if (rc == 0)
		give_up(s, err);
	s->open_end = rc < 0;
	move_end(s->m, &s->mv);
	if (rc < 0 || s->later)
		move_conclude_later(s->m, &s->mv);
	hold_free(take_ptr(s->hold));
	release(s);
}

/* A CRIU that is killed while it works in a process leaves that one broken. */
static bool ends_soon(int init)
{
	struct pollfd pf = { .fd = init, .events = POLLIN };

	return init >= 0 && poll(&pf, 1, END_MS) > 0;
}

static int run_all(struct source *s, struct err *err)
{
	_close_ int init = pids_open(container_pid(s->m->o.node, s->mv.id.name), err);
	int rc;

	move_begin(s->m, &s->mv);
	rc = run(s, err);
	if (rc == 0)
		space_explain(s->m, &s->mv, err);
	if (rc == 0 && s->ch && channel_is_lost(s->ch))
		err_wrap(err, "lost %s during the move", s->mv.target);
	end(s, rc, err);
	if (rc == 0 && s->mv.live && s->froze_ms && ends_soon(init))
		err_wrap(err, "%s did not survive the move, and has stopped on %s; start it again",
			 s->mv.id.name, s->mv.source);
	if (s->failed)
		err_wrap(err, "%s is on %s, but was not started", s->mv.id.name, s->mv.target);
	else if (s->lost)
		s->failed = source_await_there(s, err) < 0;
	return rc > 0 && !s->failed && !s->starved ? 0 : -1;
}

static int load(struct source *s, const struct move_order *o, struct err *err)
{
	const char *name = o->name, *target = o->target;
	struct mover *m = s->m;
	const char *me = mover_member(m);

	if (store_get(m->store, ENT_INSTANCE, name, &s->row, err) < 0)
		return -1;
	if (!str_eq(json_str(s->row.doc, "member", ""), me))
		return err_set(err, ERR_CONFLICT, "instance %s is on %s, not on %s", name,
			       json_str(s->row.doc, "member", "?"), me);
	if (str_eq(target, me))
		return err_set(err, ERR_INVALID, "instance %s is already on %s", name, target);
	s->mv.id.source = true;
	s->mv.id.epoch = json_int(s->row.doc, "epoch", 0);
	str_copy(s->mv.id.op, sizeof(s->mv.id.op), op_id(s->op));
	str_copy(s->mv.id.name, sizeof(s->mv.id.name), name);
	str_copy(s->mv.source, sizeof(s->mv.source), me);
	str_copy(s->mv.target, sizeof(s->mv.target), target);
	str_copy(s->mv.was, sizeof(s->mv.was), inst_moved_from(s->row.doc));
	s->mv.spec = m->o.spec(m->o.arg, s->row.doc, o->view, &s->mv.pool, err);
	if (!s->mv.spec)
		return -1;
	s->memory = move_memory(m, name);
	return 0;
}

int move_run(struct mover *m, const struct move_order *o, struct op *op, struct err *err)
{
	struct source s = { .m = m,
			    .op = op,
			    .modes = o->modes,
			    .end_sessions = o->end_sessions,
			    .runs = container_pid(m->o.node, o->name) > 0,
			    .helper = { .sock = -1 },
			    .began_ms = clock_ms(),
			    .downtime_ms = -1 };
	int rc;

	s.report = json_object();
	s.stages.ms = json_object();
	s.stages.mark = s.began_ms;
	rc = move_await_memory(m, o->name, err) < 0 || load(&s, o, err) < 0 ? -1
									      : run_all(&s, err);
	row_free(&s.row);
	json_decref(s.mv.spec);
	json_decref(s.mv.pool);
	json_decref(s.stages.ms);
	json_decref(s.report);
	return rc;
}
