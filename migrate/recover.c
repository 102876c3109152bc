/* SPDX-License-Identifier: Apache-2.0 */
/* Making a member fit to the owner that the database names: after a failure, and after a crash.
 *
 * Every step may have been done before, by a daemon that died; so each begins with what is there.
 */
#include <assert.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/memory/images.h"
#include "migrate/move_int.h"
#include "node/container/steps.h"
#include "node/criu/criu.h"
#include "node/device/port.h"
#include "node/host/pids.h"
#include "node/storage/kept.h"
#include "node/storage/storage.h"

#define RELEASE_MS 60000
#define KILL_MS 20000
#define GONE_MS 20000
#define RESUME_MS 20000
#define FETCH_LOOK_MS 100

static void drop_images(struct mover *m, const struct move *mv)
{
	_free_ char *dir = move_images(m, mv);

	images_drop(m->shm, dir);
}

static int drop_volume(struct mover *m, const struct move *mv, struct err *err)
{
	if (!mv->pool || volume_delete(m->o.node, mv->pool, mv->id.name, err) == 0 ||
	    err->kind == ERR_NOT_FOUND)
		return 0;
	return -1;
}

int move_start(struct mover *m, const struct move *mv, struct err *err)
{
	struct node *n = m->o.node;

	if (mv->live || !mv->start)
		return 0;
	/* It runs, or has ended by itself. */
	if (mv->id.source && !mv->stopping)
		return 0;
	if (mv->stopping ? container_keep(n, mv->id.name) : container_pid(n, mv->id.name) > 0)
		return 0;
	if (m->o.takes(m->o.arg, err) == 0 && m->o.need_networks(m->o.arg, mv->spec, err) == 0 &&
	    container_start(n, mv->spec, err) == 0)
		return 0;
	/* Its owner may have been as quick. */
	return container_pid(n, mv->id.name) > 0
		       ? 0
		       : err_wrap(err, "start %s after its move", mv->id.name);
}

/* One that does not start stays stopped: the move is over all the same. */
static void start_again(struct mover *m, const struct move *mv)
{
	struct err err;

	if (move_start(m, mv, &err) < 0)
		log_err(LOG_ERROR, "an instance that was moved does not run", &err);
}

/* --- the container stays, or goes on, here ------------------------------------------------ */

static int thaw(struct mover *m, const struct move *mv, struct err *err)
{
	struct node *n = m->o.node;
	const char *name = mv->id.name;

	if (mv->frozen)
		return 0;
	/* A daemon that was started meanwhile believes that a user has frozen it. */
	if (container_status(n, name) == STATUS_FROZEN)
		return container_freeze(n, name, false, err);
	return container_set_frozen(n, name, false, err);
}

static int release(struct mover *m, const struct move *mv, struct err *err)
{
	const char *name = mv->id.name;
	_json_ json_t *request = container_request(m->o.node, name);

	if (criu_end(m->o.node, name, deadline_in(RELEASE_MS), err) < 0 ||
	    devices_connect(mv->spec, true, err) < 0)
		return -1;
	criu_mend(json_str(request, "cgroup_name", ""), name);
	return thaw(m, mv, err);
}

static int source_goes_on(struct mover *m, const struct move *mv, struct err *err)
{
	struct hold *h = mv->live && m->holds ? hold_new(m->holds, &mv->id) : NULL;
	struct err ignored;
	int rc = 0;

	/* The commit has become impossible: an action script that is about to ask need not. */
	journal_unsent(m, mv);
	if (h)
		hold_tell(h, false);
	if (mv->live && container_pid(m->o.node, mv->id.name) > 0) {
		rc = release(m, mv, err);
		container_hold(m->o.node, mv->id.name, false, &ignored);
	}
	hold_free(h);
	drop_images(m, mv);
	start_again(m, mv);
	return rc < 0 ? err_wrap(err, "let %s go on after a move that failed", mv->id.name) : 0;
}

/* The source: only the tasks that stand still here have that memory. */
static int check_fetched(struct mover *m, const struct move *mv, struct err *err)
{
	struct move *note = mv->lazy ? journal_find(m, &mv->id) : NULL;
	bool over = !note || note->fetched || note->starved;

	move_free(note);
	if (over)
		return 0;
	store_fact_put(m->store, FACT_INSTANCE, mv->id.name, NULL);
	return err_set(err, ERR_BUSY, "memory of %s is still on its way from here to %s",
		       mv->id.name, mv->target);
}

/* The target: not over before all of its memory is here, or is lost. */
static int end_fetch(struct mover *m, const struct move *mv, struct err *err)
{
	enum fetch_state state;
	int64_t bytes;

	fetch_begin(m, mv, true);
	state = fetch_await(m, mv, FETCH_LOOK_MS, &bytes, err);
	if (state == FETCH_RUNS)
		return err_set(err, ERR_BUSY, "memory of %s is still on its way from %s to here",
			       mv->id.name, mv->source);
	if (state == FETCH_LOST)
		log_err(LOG_ERROR, "an instance that was moved", err);
	fetch_drop(m, mv);
	drop_images(m, mv);
	return 0;
}

/* Its processes wait for the word, run already, or are lost with a CRIU that was killed. */
static int target_goes_on(struct mover *m, const struct move *mv, struct err *err)
{
	struct node *n = m->o.node;
	const char *name = mv->id.name;
	_json_ json_t *request = container_request(n, name);
	struct hold *h;
	pid_t init;
	int rc = 0;

	/* Here since an earlier look at it, and somebody may have frozen it since. */
	if (container_pid(n, name) > 0 && fetch_is_known(m, mv))
		return end_fetch(m, mv, err);
	h = mv->live && m->holds ? hold_new(m->holds, &mv->id) : NULL;
	if (h) {
		hold_tell(h, true);
		rc = criu_await(n, name, deadline_in(RESUME_MS), err);
	}
	hold_free(h);
	init = pids_container_init(json_str(request, "cgroup_name", ""), name);
	if (rc == 0 && init && container_pid(n, name) == 0)
		rc = container_adopt(n, name, init, err);
	if (rc == 0 && !init && mv->live) {
		rc = criu_kill_tree(n, name, deadline_in(KILL_MS), err);
		container_abandon(n, name);
	}
	if (rc == 0 && init)
		rc = thaw(m, mv, err);
	if (rc < 0 || (mv->lazy && end_fetch(m, mv, err) < 0))
		return -1;
	drop_images(m, mv);
	start_again(m, mv);
	return 0;
}

/* --- the container is not, or no longer, here --------------------------------------------- */

static int leave(struct mover *m, const struct move *mv, bool volume, struct err *err)
{
	struct hold *h = mv->live && m->holds ? hold_new(m->holds, &mv->id) : NULL;
	struct node *n = m->o.node;
	const char *name = mv->id.name;
	struct err ignored;
	bool known;
	int rc;

	container_hold(n, name, true, &ignored);
	if (h) {
		/* CRIU kills a dumped tree when the move goes on, a restored one when not. */
		hold_tell(h, mv->id.source);
		criu_end(n, name, deadline_in(KILL_MS), &ignored);
	}
	hold_free(h);
	known = container_pid(n, name) > 0;
	rc = criu_kill_payload(n, name, deadline_in(KILL_MS), err);
	if (rc == 0)
		rc = container_gone(n, name, deadline_in(GONE_MS), err);
	if (rc == 0)
		rc = criu_kill_tree(n, name, deadline_in(KILL_MS), err);
	devices_release(mv->spec);
	if (!known)
		container_abandon(n, name);
	store_fact_put(m->store, FACT_INSTANCE, name, NULL);
	if (rc == 0 && volume)
		rc = drop_volume(m, mv, err);
	drop_images(m, mv);
	return rc < 0 ? err_wrap(err, "remove what is left of %s here", name) : 0;
}

static int settle(struct mover *m, const struct move *mv, enum move_owner owner, bool here,
		  struct err *err)
{
	bool source = mv->id.source;

	bool held = source && mv->live && criu_holds(m->o.node, mv->id.name);

	/* Taken back from a target that failed, when what stands still here is what the row
	 * means. */
	if ((owner == OWNER_SOURCE && source) || (owner == OWNER_LATER && here && held))
		return source_goes_on(m, mv, err);
	if (owner == OWNER_LATER && here) {
		drop_images(m, mv);
		return 0;
	}
	if (owner == OWNER_TARGET && !source)
		return target_goes_on(m, mv, err);
	/* A row that is gone tells nothing of these files: the member may have been removed by
	 * force, and have come back. */
	if (owner == OWNER_TARGET && check_fetched(m, mv, err) < 0)
		return -1;
	fetch_drop(m, mv);
	if (owner == OWNER_NOBODY)
		log_warn("a move's instance has no row any more: its volume here is kept",
			 "instance", mv->id.name);
	return leave(m, mv, owner != OWNER_NOBODY, err);
}

int move_settle(struct mover *m, const struct move *mv, enum move_owner owner, bool here,
		struct err *err)
{
	assert(owner <= OWNER_NOBODY);
	if (settle(m, mv, owner, here, err) < 0)
		return -1;
	container_open(m->o.node, mv->id.name);
	return 0;
}

/* --- concluding --------------------------------------------------------------------------- */

/* The instance's row, also under its old name: a move that is not made gives that back. */
static int find_row(struct mover *m, const struct move *mv, int64_t deadline, struct row *ret,
		    struct err *err)
{
	int rc = store_get_latest(m->store, ENT_INSTANCE, mv->id.name, ret, deadline, err);

	if (rc == 0 || err->kind != ERR_NOT_FOUND || !*mv->was)
		return rc;
	if (store_get_latest(m->store, ENT_INSTANCE, mv->was, ret, deadline, err) < 0)
		return -1;
	if (str_eq(json_str(ret->doc, "uuid", ""), json_str(mv->spec, "uuid", "?")))
		return 0;
	return err_set(err, ERR_NOT_FOUND, "instance %s is another one now", mv->was);
}

static int find_owner(struct mover *m, const struct move *mv, int64_t deadline,
		      enum move_owner *ret, bool *ret_here, struct err *err)
{
	_row_ struct row row = { 0 };
	const char *member;
	int64_t epoch;

	*ret_here = false;
	if (find_row(m, mv, deadline, &row, err) < 0) {
		*ret = OWNER_NOBODY;
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	}
	member = json_str(row.doc, "member", "");
	epoch = json_int(row.doc, "epoch", 0);
	*ret_here = str_eq(member, mover_member(m));
	if (epoch == mv->id.epoch && str_eq(member, mv->source))
		*ret = OWNER_SOURCE;
	else if (epoch == mv->id.epoch + 1 && str_eq(member, mv->target))
		*ret = OWNER_TARGET;
	else
		*ret = OWNER_LATER;
	/* Renamed since: what is here may be its. */
	if (*ret != OWNER_SOURCE && !str_eq(row.key, mv->id.name)) {
		*ret = OWNER_LATER;
		*ret_here = true;
	}
	return 0;
}

/* No other member has a part in it: what is on disk decides. */
static int settle_here(struct mover *m, const struct move *mv, struct err *err)
{
	_free_ char *kept = move_kept(m, mv);

	if (!kept)
		return err_set(err, ERR_NOT_FOUND, "the volume of %s has no path", mv->id.name);
	if (mv->id.source)
		return kept_is_there(kept) ? kept_end(m, mv, err) : source_goes_on(m, mv, err);
	if (kept_is_there(kept))
		return kept_stay(m, mv, err);
	/* Without either it runs already, or has run. */
	if (!kept_is_taken(kept))
		return 0;
	return target_goes_on(m, mv, err) < 0 ? -1 : kept_drop(kept, err);
}

static int conclude_here(struct mover *m, const struct move *mv, struct err *err)
{
	if (settle_here(m, mv, err) < 0 || kept_note(m, mv, err) < 0)
		return -1;
	container_open(m->o.node, mv->id.name);
	journal_drop(m, mv);
	return 0;
}

int move_conclude(struct mover *m, const struct move *mv, int64_t deadline, struct err *err)
{
	enum move_owner owner;
	bool here;
	int fenced;

	if (mv->suspends)
		return conclude_here(m, mv, err);
	for (;;) {
		if (find_owner(m, mv, deadline, &owner, &here, err) < 0)
			return -1;
		/* A commit, or one that takes it back, may still be on its way to the leader. */
		fenced = owner == OWNER_SOURCE || (owner == OWNER_TARGET && mv->back)
				 ? commit_fence(m, mv, deadline, err)
				 : 1;
		if (fenced < 0)
			return -1;
		if (fenced)
			break;
		if (clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "the end of the move of %s is not known",
				       mv->id.name);
	}
	if (move_settle(m, mv, owner, here, err) < 0)
		return -1;
	/* The source's note is the last; its row tells others that there is still something to
	 * do. */
	if (mv->id.source)
		commit_forget(m, mv);
	journal_drop(m, mv);
	log_info("move concluded", "instance", mv->id.name, "source", mv->source, "target",
		 mv->target, "owner",
		 owner == OWNER_SOURCE   ? "source"
		 : owner == OWNER_TARGET ? "target"
					 : "other");
	return 0;
}
