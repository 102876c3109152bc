/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a move that is not live during which the container does not run. */
#include <assert.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "migrate/source.h"
#include "node/container/keys.h"
#include "node/container/steps.h"

#define STOP_KEY "boot.host_shutdown_timeout"

/* Its own way, in its own time. */
static int ask_to_stop(struct source *s, struct err *err)
{
	const char *name = s->mv.id.name;
	int64_t seconds = keys_number(&instance_keys, json_obj(s->mv.spec, "config"), STOP_KEY);

	if (container_stop(s->m->o.node, name, seconds == 0, (int)seconds, err) == 0)
		return 0;
	if (err->kind != ERR_TIMEOUT)
		return err_wrap(err, "stop %s for its move", name);
	return err_set(err, ERR_TIMEOUT,
		       "instance %s did not shut down for its move within %d seconds (%s). It goes "
		       "on on %s, where it is started again should it still end",
		       name, (int)seconds, STOP_KEY, s->mv.source);
}

/* Who is in there leaves with it; who comes from now on waits until it is known where it runs. */
static int stop(struct source *s, struct err *err)
{
	struct node *n = s->m->o.node;
	const char *name = s->mv.id.name;
	struct err ignored;
	int rc;

	assert(s->mv.start);
	if (container_pid(n, name) == 0)
		return err_set(err, ERR_CONFLICT, "instance %s has stopped during its move", name);
	source_tell(s, "waiting for it to stop");
	/* A daemon that dies meanwhile finds that it is to run again. */
	s->mv.stopping = true;
	if (journal_note(s->m, &s->mv, err) < 0 || fault_point(move_source_stopping, err) < 0)
		return -1;
	container_close(n, name, clock_ms(), &ignored);
	s->froze_ms = clock_ms();
	frame_busy(s->ch, true);
	rc = ask_to_stop(s, err);
	frame_busy(s->ch, false);
	source_stage(s, "stop");
	if (rc < 0 || fault_point(move_source_stopped, err) < 0)
		return -1;
	return source_close(s, err);
}

int source_halt(struct source *s, struct err *err)
{
	bool cold = s->kind == MOVE_COLD;
	int64_t changes;

	assert(!s->mv.live);
	if (s->mv.start && stop(s, err) < 0)
		return -1;
	source_tell(s, cold ? "sending its files" : "sending what has changed since");
	if (source_pass_whole(s, &changes, err) < 0)
		return -1;
	source_stage(s, cold ? "rootfs" : "rootfs_delta");
	if (cold && (fault_point(move_source_copying, err) < 0 || op_check(s->op, err) < 0))
		return -1;
	if (s->mv.start)
		source_tell(s, "starting it on %s", s->mv.target);
	return fault_point(move_source_before_commit, err);
}
