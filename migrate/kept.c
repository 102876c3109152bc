/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that conclude a stateful stop or start: each may have been done before, by a daemon that
 * died. */
#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/model/state.h"
#include "cluster/store/edit.h"
#include "migrate/memory/images.h"
#include "migrate/move_int.h"
#include "node/container/steps.h"
#include "node/criu/criu.h"
#include "node/storage/kept.h"

#define KILL_MS 20000

/* CRIU kills what it has dumped when the move goes on, and what it has restored when not; it may
 * have died itself. */
static void tell_criu(struct mover *m, const struct move *mv, bool go)
{
	struct hold *h = hold_new(m->holds, &mv->id);
	struct err ignored;

	hold_tell(h, go);
	criu_await(m->o.node, mv->id.name, deadline_in(KILL_MS), &ignored);
	hold_free(h);
}

int kept_end(struct mover *m, const struct move *mv, struct err *err)
{
	struct node *n = m->o.node;
	const char *name = mv->id.name;
	struct err ignored;

	assert(mv->id.source);
	container_hold(n, name, true, &ignored);
	tell_criu(m, mv, true);
	if (criu_kill_payload(n, name, deadline_in(KILL_MS), err) < 0)
		return -1;
	container_hold(n, name, false, &ignored);
	return container_status(n, name) == STATUS_STOPPED ? 0
							   : container_stop(n, name, true, 0, err);
}

int kept_stay(struct mover *m, const struct move *mv, struct err *err)
{
	_free_ char *dir = move_images(m, mv);

	assert(!mv->id.source);
	tell_criu(m, mv, false);
	if (criu_kill_tree(m->o.node, mv->id.name, deadline_in(KILL_MS), err) < 0)
		return -1;
	container_abandon(m->o.node, mv->id.name);
	images_drop(m->shm, dir);
	return 0;
}

static int note(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	bool kept = *(const bool *)arg;

	if (inst_is_suspended(row->doc) == kept && (!kept || !inst_shall_run(row->doc)))
		return EDIT_KEEP;
	inst_set_suspended(row->doc, kept);
	if (kept)
		inst_set_power(row->doc, false);
	return EDIT_COMMIT;
}

int kept_note(struct mover *m, const struct move *mv, struct err *err)
{
	_free_ char *path = move_kept(m, mv);
	bool kept = path && kept_is_there(path);
	struct row_edit edit = {
		.e = ENT_INSTANCE, .key = mv->id.name, .change = note, .arg = &kept
	};

	if (row_edit(m->store, &edit, err) < 0 && err->kind != ERR_NOT_FOUND)
		return err_wrap(err, "whether memory of %s is kept is not written down",
				mv->id.name);
	return 0;
}
