/* SPDX-License-Identifier: Apache-2.0 */
/* The start of an instance whose memory is kept: a restore as that of a move, of images in its own
 * volume (node/storage/kept.h).
 *
 *   note on disk -> restored, held -> taken -> it runs -> memory and note gone
 *   ---- whatever fails: it is kept ----|---- it has run, or may have: never again ----
 */
#include <assert.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/move_int.h"
#include "migrate/plan.h"
#include "node/container/steps.h"
#include "node/criu/criu.h"
#include "node/storage/kept.h"

#define NOTE_MAX (4 << 20)
#define RESTORE_MS 120000
#define DISK_BYTES_MS 10000 /* what a slow disk gives in a millisecond */
#define RESUME_MS 20000
#define KILL_MS 20000
#define HELPER_MS 20000
#define LOOK_MS 1000
#define END_MS 1000

struct wake {
	struct mover *m;
	struct move mv;
	char *kept;
	struct move_helper helper;
	struct hold *hold;
	pid_t init;
};

/* --- does it fit ------------------------------------------------------------------------------ */

static json_t *read_note(const char *kept, struct err *err)
{
	_free_ char *path = xasprintf("%s/" SUSPEND_NOTE, kept);
	size_t len;
	_free_ char *text = io_read_file(path, NOTE_MAX, &len, err);

	return text ? json_parse(text, len, "description of kept memory", err) : NULL;
}

/* What processes have learned of their host holds for them still. */
static int check_host(struct wake *w, const json_t *note, struct err *err)
{
	_json_ json_t *now = move_facts(w->m), *then = json_deep_copy(json_obj(note, "facts"));
	_free_ char *stopped = xasprintf("%s as it was when it was stopped", w->mv.source);
	struct move_plan plan;
	char why[sizeof(err->msg)];

	json_put_str(then, "member", stopped);
	plan_compare(then, now, json_str(w->mv.pool, "driver", ""), &plan);
	if (plan.kind == MOVE_LIVE)
		return 0;
	return err_set(err, ERR_CONFLICT, "%s",
		       move_plan_text(&plan, MOVE_LIVE, why, sizeof(why) - 200));
}

/* What its processes know of it, and cannot be told anew. */
static const struct {
	const char *key, *what;
} same[] = {
	{ "privileged", "security.privileged is" },
	{ "idmap", "its user ids are" },
	{ "devices", "its devices, or their addresses, are" },
};

static int check_spec(struct wake *w, const json_t *note, struct err *err)
{
	const json_t *then = json_obj(note, "spec");

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		if (!json_equal(json_object_get(then, same[i].key),
				json_object_get(w->mv.spec, same[i].key)))
			return err_set(err, ERR_CONFLICT, "%s not as at its stop", same[i].what);
	}
	return 0;
}

/* CRIU would wait for pages that are not there. */
static int check_images(struct wake *w, const json_t *note, struct err *err)
{
	_json_ json_t *now = kept_sizes(w->kept);
	const char *image;
	json_t *size;

	json_object_foreach(json_obj(note, "images"), image, size) {
		if (!json_equal(json_object_get(now, image), size))
			return err_set(err, ERR_CONFLICT, "%s/%s is damaged, or gone", w->kept,
				       image);
	}
	return 0;
}

static int check(struct wake *w, struct err *err)
{
	_json_ json_t *note = read_note(w->kept, err);

	if (!note)
		return -1;
	if (json_int(note, "version", 0) != SUSPEND_VERSION)
		return err_set(err, ERR_UNSUPPORTED, "its memory was kept by another release");
	w->mv.frozen = json_bool(note, "frozen", false);
	if (check_images(w, note, err) < 0 || check_host(w, note, err) < 0)
		return -1;
	return check_spec(w, note, err);
}

/* --- the restore ------------------------------------------------------------------------------ */

static int helper_failed(struct wake *w, struct err *err)
{
	_json_ json_t *ok = move_helper_end(&w->helper, deadline_in(END_MS), err);

	return ok ? err_set(err, ERR_INTERNAL, "the restore ended too early") : -1;
}

/* Until the action script waits, or has let the processes go. */
static int await(struct wake *w, bool (*done)(struct hold *h), int64_t deadline, struct err *err)
{
	struct pollfd pf[] = {
		{ .fd = hold_fd(w->hold), .events = POLLIN },
		{ .fd = move_helper_fd(&w->helper), .events = POLLIN },
	};

	while (!done(w->hold)) {
		poll(pf, ARRAY_SIZE(pf), LOOK_MS);
		hold_seen(w->hold);
		if (pf[1].revents && !done(w->hold))
			return helper_failed(w, err);
		if (clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "CRIU was not done in time");
	}
	return 0;
}

static int restore(struct wake *w, struct err *err)
{
	int64_t patience = RESTORE_MS + kept_bytes(w->kept) / DISK_BYTES_MS;

	w->hold = hold_new(w->m->holds, &w->mv.id);
	if (move_images_make(w->m, &w->mv, err) < 0 ||
	    container_prepare(w->m->o.node, w->mv.spec, false, err) < 0 ||
	    move_helper_start(w->m, &w->helper, "helper-restore", &w->mv, NULL, err) < 0 ||
	    move_helper_go(&w->helper, err) < 0 ||
	    await(w, hold_here, deadline_in(patience), err) < 0)
		return -1;
	return fault_point(wake_restored, err);
}

/* Liblxc's part of the restore ends a little after its processes run. */
static int adopt(struct wake *w, struct err *err)
{
	_json_ json_t *done = NULL;
	struct node *n = w->m->o.node;

	if (w->init > 0 && container_adopt(n, w->mv.id.name, w->init, err) == 0)
		return 0;
	done = move_helper_end(&w->helper, deadline_in(HELPER_MS), err);
	if (!done)
		return -1;
	return container_adopt(n, w->mv.id.name, (pid_t)json_int(done, "pid", 0), err);
}

/* What was taken but has not run is whole. */
static void give_back(struct wake *w)
{
	struct err err;

	if (criu_kill_tree(w->m->o.node, w->mv.id.name, deadline_in(KILL_MS), &err) < 0 ||
	    kept_return(w->kept, &err) < 0)
		log_err(LOG_ERROR, "memory that could not be restored is lost", &err);
}

static int let_go(struct wake *w, struct err *err)
{
	if (kept_take(w->kept, err) < 0)
		return -1;
	if (fault_point(wake_taken, err) == 0) {
		hold_tell(w->hold, true);
		if (await(w, hold_resumed, deadline_in(RESUME_MS), err) == 0) {
			w->init = hold_pid(w->hold);
			return adopt(w, err);
		}
	}
	if (!hold_resumed(w->hold))
		give_back(w);
	return -1;
}

static int run(struct wake *w, struct err *err)
{
	if (journal_note(w->m, &w->mv, err) < 0)
		return -1;
	return restore(w, err) < 0 ? -1 : let_go(w, err);
}

/* --- the end ---------------------------------------------------------------------------------- */

static int end(struct wake *w, int rc, struct err *err)
{
	struct err later;

	hold_free(take_ptr(w->hold));
	move_helper_leave(&w->helper);
	if (move_conclude(w->m, &w->mv, 0, &later) == 0) {
		move_end(w->m, &w->mv);
		return rc;
	}
	log_err(LOG_WARN, "the end of a start from kept memory is not written down yet", &later);
	move_end(w->m, &w->mv);
	move_conclude_later(w->m, &w->mv);
	return rc;
}

int wake_run(struct mover *m, const char *name, void *view, struct err *err)
{
	struct wake w = { .m = m, .helper = { .sock = -1 } };
	int rc = suspend_load(m, name, view, &w.mv, err);

	w.kept = rc == 0 ? move_kept(m, &w.mv) : NULL;
	if (rc == 0)
		rc = check(&w, err);
	if (rc == 0) {
		move_begin(m, &w.mv);
		rc = end(&w, run(&w, err), err);
	}
	if (rc == 0)
		log_info("instance goes on from its memory", "instance", name);
	else if (w.kept && kept_is_there(w.kept))
		err_wrap(err,
			 "instance %s cannot go on from its memory, which is kept; `dunlin start "
			 "--stateless %s` starts it without",
			 name, name);
	free(w.kept);
	json_decref(w.mv.spec);
	json_decref(w.mv.pool);
	return rc;
}
