/* SPDX-License-Identifier: Apache-2.0 */
/* A stateful stop: a dump as that of a move, into the instance's volume (node/storage/kept.h).
 *
 *   note on disk, gate closed -> dump, held -> on disk, renamed -> killed -> row -> note gone
 *   ------- whatever fails: it goes on -----|----- whatever fails: it is stopped, and kept ----
 *
 * The renaming is the commit: who finds the note looks for its result.
 */
#include <assert.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "migrate/move_int.h"
#include "migrate/plan.h"
#include "node/container/steps.h"
#include "node/host/pids.h"
#include "node/storage/kept.h"
#include "node/storage/storage.h"

#define SESSIONS_MS 10000
#define CLOSE_MS 2000
#define DUMP_MS 120000
#define DISK_BYTES_MS 10000 /* what a slow disk takes in a millisecond */
#define DUMP_TRIES 5
#define PAUSE_MS 150 /* times the number of tries: the container runs meanwhile */
#define LOOK_MS 1000
#define END_MS 1000
#define SPARE_BYTES ((int64_t)16 << 20) /* what images take beside memory */

/* --- what stands against it ------------------------------------------------------------------- */

int suspend_load(struct mover *m, const char *name, void *view, struct move *ret, struct err *err)
{
	const char *me = mover_member(m);
	_row_ struct row row = { 0 };

	if (*m->trouble)
		return err_set(err, ERR_UNAVAILABLE, "memory cannot be kept on %s: %s", me,
			       m->trouble);
	if (store_get(m->store, ENT_INSTANCE, name, &row, err) < 0)
		return -1;
	ret->suspends = ret->live = true;
	ret->id.epoch = json_int(row.doc, "epoch", 0);
	rng_uuid(ret->id.op);
	str_copy(ret->id.name, sizeof(ret->id.name), name);
	str_copy(ret->source, sizeof(ret->source), me);
	str_copy(ret->target, sizeof(ret->target), me);
	ret->spec = m->o.spec(m->o.arg, row.doc, view, &ret->pool, err);
	return ret->spec ? 0 : -1;
}

static int check_plan(struct mover *m, const struct move *mv, struct err *err)
{
	_json_ json_t *facts = move_facts(m);
	struct move_plan plan;
	char why[sizeof(err->msg)];

	move_plan_with(m, mv->id.name, mv->pool, facts, &plan);
	if (plan.kind == MOVE_LIVE)
		return 0;
	return err_set(err, ERR_CONFLICT, "the memory of instance %s cannot be kept: %s",
		       mv->id.name, move_plan_text(&plan, MOVE_LIVE, why, sizeof(why) - 100));
}

static int check_space(struct mover *m, const struct move *mv, int64_t memory, struct err *err)
{
	_json_ json_t *usage = pool_usage(m->o.node, mv->pool, err);
	const json_t *space = json_obj(usage, "space");
	int64_t need = memory + SPARE_BYTES;
	int64_t left = json_int(space, "total", 0) - json_int(space, "used", 0);
	char want[16], has[16];

	if (!usage)
		return -1;
	if (need <= left)
		return 0;
	return err_set(err, ERR_NO_SPACE,
		       "the memory of instance %s takes about %s, and storage pool \"%s\" has %s "
		       "left",
		       mv->id.name, str_of_size((uint64_t)need, want),
		       json_str(mv->pool, "name", "?"), str_of_size((uint64_t)left, has));
}

/* --- the dump --------------------------------------------------------------------------------- */

struct suspend {
	struct mover *m;
	struct op *op;
	struct move mv;
	struct move_helper helper;
	struct hold *hold;
	int64_t memory;
};

static int prepare(struct suspend *s, struct err *err)
{
	_free_ char *kept = move_kept(s->m, &s->mv);

	if (kept_begin(kept, err) < 0)
		return -1;
	return move_helper_start(s->m, &s->helper, "helper-dump", &s->mv, NULL, err);
}

/* 1: it should be tried again, as err says. */
static int helper_failed(struct suspend *s, struct err *err)
{
	_json_ json_t *ok = move_helper_end(&s->helper, deadline_in(END_MS), err);
	const char *why = json_str(ok, "again", "");

	if (*why) {
		err_set(err, ERR_CONFLICT, "%s (%s)", why, json_str(ok, "cause", ""));
		return 1;
	}
	return ok ? err_set(err, ERR_INTERNAL, "the dump ended too early") : -1;
}

static int await_dump(struct suspend *s, struct err *err)
{
	int64_t deadline = deadline_in(DUMP_MS + s->memory / DISK_BYTES_MS);
	struct pollfd pf[] = {
		{ .fd = hold_fd(s->hold), .events = POLLIN },
		{ .fd = move_helper_fd(&s->helper), .events = POLLIN },
	};

	while (!hold_here(s->hold)) {
		poll(pf, ARRAY_SIZE(pf), LOOK_MS);
		hold_seen(s->hold);
		if (pf[1].revents && !hold_here(s->hold))
			return helper_failed(s, err);
		if (op_check(s->op, err) < 0)
			return -1;
		if (clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "CRIU was not done in time");
	}
	return 0;
}

/* 1: as helper_failed. */
static int dump_once(struct suspend *s, struct err *err)
{
	struct node *n = s->m->o.node;

	if (container_close(n, s->mv.id.name, deadline_in(CLOSE_MS), err) < 0)
		return -1;
	return move_helper_go(&s->helper, err) < 0 ? -1 : await_dump(s, err);
}

static int begin_anew(struct suspend *s, int tries, struct err *err)
{
	log_err(LOG_INFO, "a dump is tried again", err);
	/* What waits to go in may be what the obstacle waits for. */
	container_open(s->m->o.node, s->mv.id.name);
	poll(NULL, 0, tries * PAUSE_MS); /* nobody tells when it has passed */
	return op_check(s->op, err) < 0 ? -1 : prepare(s, err);
}

static int dump(struct suspend *s, struct err *err)
{
	int rc = dump_once(s, err);

	for (int tries = 1; rc == 1 && tries < DUMP_TRIES; tries++)
		rc = begin_anew(s, tries, err) < 0 ? -1 : dump_once(s, err);
	return rc == 0 ? 0 : -1;
}

/* --- keeping it ------------------------------------------------------------------------------- */

/* What a start compares itself with. */
static int describe(struct suspend *s, struct err *err)
{
	_free_ char *dir = move_images(s->m, &s->mv);
	_free_ char *path = xasprintf("%s/" SUSPEND_NOTE, dir), *text = NULL;
	_json_ json_t *facts = move_facts(s->m), *j = NULL;
	_json_ json_t *spec = container_spec(s->m->o.node, s->mv.id.name);
	char now[CLOCK_TEXT_SIZE];

	j = json_pack("{si,ss,sb,so,sO,sO}", "version", SUSPEND_VERSION, "made_at",
		      clock_now_text(now), "frozen", s->mv.frozen, "images", kept_sizes(dir),
		      "facts", facts, "spec", spec ? spec : s->mv.spec);
	text = json_text(j);
	return io_write_file(path, text, strlen(text), 0600, err);
}

/* Somebody on this host may have gone in by other ways than ours since the dump. */
static int check_outside(struct suspend *s, struct err *err)
{
	struct node *n = s->m->o.node;
	const char *name = s->mv.id.name;
	_json_ json_t *request = container_request(n, name);
	pid_t init = container_pid(n, name);

	return init ? pids_check_outside(json_str(request, "cgroup_name", ""), name, init, err) : 0;
}

static int keep(struct suspend *s, struct err *err)
{
	_free_ char *kept = move_kept(s->m, &s->mv);

	assert(hold_here(s->hold));
	if (fault_point(suspend_dumped, err) < 0 || check_outside(s, err) < 0 ||
	    describe(s, err) < 0 || kept_finish(kept, err) < 0)
		return -1;
	return fault_point(suspend_kept, err);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Whatever happened, what is on disk says what is to be done. */
static int end(struct suspend *s, int rc, struct err *err)
{
	_free_ char *path = move_kept(s->m, &s->mv);
	bool kept = kept_is_there(path), settled;
	struct err later;

	hold_free(take_ptr(s->hold));
	if (!kept)
		move_helper_leave(&s->helper);
	settled = move_conclude(s->m, &s->mv, 0, &later) == 0;
	move_helper_leave(&s->helper);
	move_end(s->m, &s->mv);
	if (!settled) {
		log_err(LOG_WARN, "a stateful stop cannot be concluded yet", &later);
		move_conclude_later(s->m, &s->mv);
	}
	if (kept)
		log_info("memory of an instance is kept", "instance", s->mv.id.name);
	if (rc < 0 && kept)
		log_err(LOG_WARN, "after a stateful stop", err);
	return kept ? 0 : rc;
}

static int run(struct suspend *s, struct err *err)
{
	if (journal_note(s->m, &s->mv, err) < 0)
		return -1;
	s->hold = hold_new(s->m->holds, &s->mv.id);
	if (prepare(s, err) < 0 || container_hold(s->m->o.node, s->mv.id.name, true, err) < 0 ||
	    dump(s, err) < 0)
		return -1;
	return keep(s, err);
}

/* Who works in it leaves with it. */
static int check(struct suspend *s, struct err *err)
{
	struct node *n = s->m->o.node;
	const char *name = s->mv.id.name;

	s->memory = move_memory(s->m, name);
	s->mv.frozen = container_status(n, name) == STATUS_FROZEN;
	if (check_space(s->m, &s->mv, s->memory, err) < 0)
		return -1;
	container_cut_visits(n, name);
	if (container_close(n, name, deadline_in(SESSIONS_MS), err) < 0)
		return -1;
	container_open(n, name);
	return check_plan(s->m, &s->mv, err);
}

int suspend_run(struct mover *m, const char *name, void *view, struct op *op, struct err *err)
{
	struct suspend s = { .m = m, .op = op, .helper = { .sock = -1 } };
	int rc = move_await_memory(m, name, err);

	if (rc == 0)
		rc = suspend_load(m, name, view, &s.mv, err);
	s.mv.id.source = true;
	if (rc == 0)
		rc = check(&s, err);
	if (rc == 0) {
		move_begin(m, &s.mv);
		rc = end(&s, run(&s, err), err);
		if (rc < 0)
			err_wrap(err, "instance %s goes on, its memory was not kept", name);
	}
	json_decref(s.mv.spec);
	json_decref(s.mv.pool);
	return rc;
}
