/* SPDX-License-Identifier: Apache-2.0 */
/* A move, told by its target. What comes over the stream is not trusted further than a member's
 * word goes: names, sizes and types are checked before anything is done with them. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/state.h"
#include "migrate/sink.h"
#include "node/container/steps.h"
#include "node/criu/criu.h"
#include "node/criu/vault.h"
#include "node/image/image.h"
#include "node/storage/storage.h"

#define LATEST_MS 10000
#define CLOSE_MS 1000
#define ENDING_MS 10000 /* the source of an earlier move may know its end before this side */
#define RESTORE_MS 120000
#define VERDICT_MS 30000 /* longer than the source tries to commit */
#define RESERVE "reserve"           /* becomes the first pages */
#define RESERVE_FREE "reserve-free" /* for the restored memory */

/* --- getting ready ------------------------------------------------------------------------ */

static int take_config(struct sink *k, const json_t *j, struct err *err)
{
	struct move *mv = &k->mv;
	const char *op = json_str(j, "op", ""), *name = json_str(j, "name", "");
	const json_t *instance = json_obj(j, "instance");

	if (!str_is_uuid(op) || !str_is_folder(name) || !instance ||
	    !str_eq(json_str(instance, "name", ""), name))
		return err_set(err, ERR_INVALID,
			       "the other member's description of the move is malformed");
	str_copy(mv->id.op, sizeof(mv->id.op), op);
	str_copy(mv->id.name, sizeof(mv->id.name), name);
	str_copy(mv->target, sizeof(mv->target), mover_member(k->m));
	str_copy(mv->source, sizeof(mv->source), json_str(instance, "member", ""));
	str_copy(mv->was, sizeof(mv->was), inst_moved_from(instance));
	mv->id.epoch = json_int(j, "epoch", 0);
	mv->live = json_bool(j, "live", false);
	mv->frozen = json_bool(j, "frozen", false);
	mv->start = json_bool(j, "start", false);
	mv->lazy = mv->live && json_bool(j, "lazy", false);
	k->memory = json_int(j, "memory", 0);
	k->instance = json_deep_copy(instance);
	return 0;
}

/* The database knows of this move, too. */
static int check_row(struct sink *k, struct err *err)
{
	_row_ struct row row = { 0 };

	if (store_get_latest(k->m->store, ENT_MIGRATION, k->mv.id.op, &row, deadline_in(LATEST_MS),
			     err) < 0)
		return -1;
	if (str_eq(json_str(row.doc, "target", ""), k->mv.target) &&
	    str_eq(json_str(row.doc, "instance", ""), k->mv.id.name) &&
	    str_eq(json_str(row.doc, "phase", ""), "open"))
		return 0;
	return err_set(err, ERR_CONFLICT, "no move of %s to %s is under way", k->mv.id.name,
		       k->mv.target);
}

static int make_volume(struct sink *k, struct err *err)
{
	struct node *n = k->m->o.node;
	const char *name = k->mv.id.name, *fp = json_str(k->instance, "image", "");
	_free_ char *image = NULL, *data = NULL;

	/* Any other volume is sent whole. */
	if (*fp && pool_stands_on_images(k->mv.pool)) {
		if (k->m->o.need_image(k->m->o.arg, fp, NULL, err) < 0)
			return -1;
		image = image_root(n, fp, err);
		if (!image)
			return -1;
	}
	/* It may have been made while this member was away. */
	if (pool_create(n, k->mv.pool, err) < 0)
		return -1;
	if (volume_delete(n, k->mv.pool, name, err) < 0 && err->kind != ERR_NOT_FOUND)
		return -1;
	if (volume_create(n, k->mv.pool, name, image, err) < 0)
		return -1;
	data = volume_data_path(n, k->mv.pool, name);
	k->root_fd = data ? open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
	return k->root_fd < 0 ? err_sys(err, "volume of %s", name) : 0;
}

static void make_sync(struct sink *k)
{
	bool privileged = json_bool(k->mv.spec, "privileged", false);
	int64_t size = json_int(json_obj(k->mv.spec, "idmap"), "size", 65536);
	struct sync_target_opts o = {
		.root_fd = k->root_fd,
		.id_max = privileged ? UINT32_MAX - 1 : (uint32_t)(size - 1),
		.whiteouts = pool_has_whiteouts(k->mv.pool),
		.marks = pool_marks(k->mv.pool),
		.devices = privileged,
	};

	assert(k->root_fd >= 0);
	k->sync = sync_target_new(&o);
}

static int64_t reserve_bytes(const struct sink *k)
{
	return k->memory < IMAGES_RESERVE_MAX ? k->memory : IMAGES_RESERVE_MAX;
}

/* Only they, and the monitor, have what is in the vault. */
static int start_helpers(struct sink *k, struct err *err)
{
	struct vault vault;
	int rc;

	if (!k->mv.lazy)
		return move_helper_start(k->m, &k->helper, "helper-restore", &k->mv, NULL, err);
	if (vault_new(&vault, err) < 0)
		return -1;
	rc = move_helper_start(k->m, &k->pager, "helper-pages", &k->mv, &vault, err);
	if (rc == 0)
		rc = move_helper_start(k->m, &k->helper, "helper-restore", &k->mv, &vault, err);
	vault_close(&vault);
	return rc;
}

static int make_live(struct sink *k, struct err *err)
{
	_free_ char *dir = move_images(k->m, &k->mv);

	assert(!k->hold);
	if (*k->m->trouble)
		return err_set(err, ERR_UNAVAILABLE, "%s cannot take running instances: %s",
			       k->mv.target, k->m->trouble);
	if (move_images_make(k->m, &k->mv, err) < 0 ||
	    (!k->mv.lazy && images_reserve(dir, RESERVE, reserve_bytes(k), err) < 0) ||
	    images_reserve(dir, RESERVE_FREE, reserve_bytes(k), err) < 0)
		return -1;
	k->images = image_target_new(dir, k->mv.lazy ? NULL : RESERVE, err);
	k->hold = hold_new(k->m->holds, &k->mv.id);
	if (!k->images || container_prepare(k->m->o.node, k->mv.spec, false, err) < 0)
		return -1;
	hold_takes_plug(k->hold);
	k->traffic = traffic_new(k->mv.spec);
	return start_helpers(k, err);
}

static int prepare(struct sink *k, struct err *err)
{
	struct mover *m = k->m;

	if (m->o.takes(m->o.arg, err) < 0 || check_row(k, err) < 0 ||
	    move_conclude_ended(m, k->mv.id.name, ENDING_MS, err) < 0)
		return -1;
	if (container_status(m->o.node, k->mv.id.name) != STATUS_STOPPED)
		return err_set(err, ERR_CONFLICT, "%s has an instance %s that is not stopped",
			       k->mv.target, k->mv.id.name);
	k->mv.spec = m->o.spec(m->o.arg, k->instance, NULL, &k->mv.pool, err);
	if (!k->mv.spec || volume_check_free(m->o.node, k->mv.pool, k->mv.id.name, err) < 0 ||
	    journal_note(m, &k->mv, err) < 0)
		return -1;
	k->noted = true;
	if (container_close(m->o.node, k->mv.id.name, deadline_in(CLOSE_MS), err) < 0)
		return -1;
	if (m->o.need_networks(m->o.arg, k->mv.spec, err) < 0 || make_volume(k, err) < 0)
		return -1;
	make_sync(k);
	if (k->mv.live && make_live(k, err) < 0)
		return -1;
	return fault_point(move_after_prepare, err);
}

static int begin(struct sink *k, struct err *err)
{
	_json_ json_t *facts = hello_exchange(k->m, k->ch, false, err), *config = NULL;
	struct frame f;
	int rc;

	k->follows = json_bool(facts, TRAFFIC_FACT, false);
	if (!facts || frame_expect(k->ch, FR_CONFIG, &f, 0, err) < 0 ||
	    !(config = frame_json(&f, err)) || take_config(k, config, err) < 0)
		return -1;
	move_begin(k->m, &k->mv);
	frame_busy(k->ch, true);
	rc = prepare(k, err);
	frame_busy(k->ch, false);
	if (rc < 0)
		return -1;
	if (frame_send(k->ch, FR_READY, NULL, 0, err) < 0)
		return -1;
	return frame_flush(k->ch, err);
}

/* --- receiving ---------------------------------------------------------------------------- */

static int sync_volume(struct sink *k, struct err *err)
{
	return sync_flush(k->sync, err) < 0 ? err_wrap(err, "the volume of %s", k->mv.id.name) : 0;
}

static int pass_done(struct sink *k, struct err *err)
{
	int rc;

	frame_busy(k->ch, true);
	rc = sync_volume(k, err);
	frame_busy(k->ch, false);
	if (rc < 0 || frame_send(k->ch, FR_SYNCED, NULL, 0, err) < 0)
		return -1;
	return frame_flush(k->ch, err);
}

static int take_image(struct sink *k, const struct frame *f, struct err *err)
{
	if (!k->images)
		return err_set(err, ERR_INVALID, "migration stream: images of a stopped instance");
	if (fault_point(move_target_receiving, err) < 0 || image_take(k->images, f, err) < 0)
		return -1;
	k->complete = f->type == FR_RESTORE;
	return 0;
}

static int begin_anew(struct sink *k, struct err *err)
{
	if (!k->images || k->complete)
		return err_set(err, ERR_INVALID, "migration stream: AGAIN where nothing began");
	image_target_restart(k->images);
	return 0;
}

/* Until the last pass over the root file system of a container that stands still. */
static int receive_live(struct sink *k, struct err *err)
{
	struct frame f;

	for (;;) {
		if (frame_recv(k->ch, &f, 0, err) < 0)
			return -1;
		if (f.type == FR_SYNC_DONE && k->complete)
			return 0;
		if (f.type == FR_AGAIN                           ? begin_anew(k, err) < 0
		    : f.type == FR_SYNC_DONE                     ? pass_done(k, err) < 0
		    : f.type == FR_IMAGE || f.type == FR_RESTORE ? take_image(k, &f, err) < 0
								 : sync_take(k->sync, &f, err) < 0)
			return -1;
	}
}

static int pass_of_files(struct sink *k, struct err *err)
{
	if (fault_point(move_target_receiving, err) < 0)
		return -1;
	/* The last moment at which it can still stay where it was. */
	return k->m->o.takes(k->m->o.arg, err) < 0 ? -1 : pass_done(k, err);
}

/* Until the commit. */
static int receive_cold(struct sink *k, struct err *err)
{
	struct frame f;

	for (;;) {
		if (frame_recv(k->ch, &f, VERDICT_MS, err) < 0)
			return -1;
		if (f.type == FR_COMMITTED)
			return 0;
		if (f.type == FR_SYNC_DONE ? pass_of_files(k, err) < 0
					   : sync_take(k->sync, &f, err) < 0)
			return -1;
	}
}

/* --- restoring ---------------------------------------------------------------------------- */

static void *syncer_main(void *arg)
{
	struct sink *k = arg;

	return (void *)(intptr_t)sync_volume(k, &k->unwritten);
}

static int join_syncer(struct sink *k, struct err *err)
{
	void *rc = NULL;

	if (!k->syncing)
		return sync_volume(k, err);
	k->syncing = false;
	pthread_join(k->syncer, &rc);
	if (rc)
		*err = k->unwritten;
	return rc ? -1 : 0;
}

static int await_restored(struct sink *k, struct err *err)
{
	struct pollfd pf[] = {
		{ .fd = hold_fd(k->hold), .events = POLLIN },
		{ .fd = move_helper_fd(&k->helper), .events = POLLIN },
		{ .events = POLLIN },
	};
	int64_t deadline = deadline_in(RESTORE_MS);

	while (!hold_here(k->hold)) {
		pf[2].fd = move_helper_fd(&k->pager);
		poll(pf, ARRAY_SIZE(pf), FRAME_PING_MS);
		hold_seen(k->hold);
		if (pf[1].revents && !hold_here(k->hold))
			return sink_helper_failed(k, err);
		if (sink_check_pager(k, err) < 0)
			return -1;
		if (move_helper_check(&k->helper, err) < 0)
			return -1;
		if (clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "CRIU did not restore %s in time",
				       k->mv.id.name);
	}
	return 0;
}

/* What the tasks touch while they are restored is there already. */
static int begin_pages(struct sink *k, struct err *err)
{
	if (!k->mv.lazy)
		return 0;
	if (move_pager_go(&k->pager, err) < 0)
		return -1;
	fetch_begin(k->m, &k->mv, false);
	return 0;
}

static int restore(struct sink *k, struct err *err)
{
	_free_ char *dir = move_images(k->m, &k->mv);
	int rc;

	assert(k->complete);
	image_target_free(take_ptr(k->images));
	if (fault_point(move_target_before_restore, err) < 0)
		return -1;
	images_release(dir, RESERVE);
	images_release(dir, RESERVE_FREE);
	k->syncing = pthread_create(&k->syncer, NULL, syncer_main, k) == 0;
	frame_busy(k->ch, true);
	rc = begin_pages(k, err);
	if (rc == 0)
		rc = move_helper_go(&k->helper, err);
	if (rc == 0)
		rc = await_restored(k, err);
	/* It has what it needed to be allowed. */
	move_helper_call_off(&k->pager);
	if (join_syncer(k, rc < 0 ? &(struct err){ 0 } : err) < 0)
		rc = -1;
	frame_busy(k->ch, false);
	return rc < 0 ? -1 : fault_point(move_target_prepared, err);
}

static int await_verdict(struct sink *k, struct err *err)
{
	struct frame f;

	/* The last moment at which it can still stay where it was. */
	if (k->m->o.takes(k->m->o.arg, err) < 0)
		return -1;
	traffic_listen(k->traffic);
	if (frame_send(k->ch, FR_PREPARED, NULL, 0, err) < 0)
		return -1;
	while (frame_recv(k->ch, &f, VERDICT_MS, err) == 0) {
		if (f.type == FR_COMMITTED)
			return 0;
		if (f.type != FR_TRAFFIC)
			return err_set(err, ERR_INVALID, "%s where COMMITTED was due",
				       frame_name(f.type));
		traffic_take(k->traffic, &f);
	}
	return -1;
}

static int serve(struct sink *k, struct err *err)
{
	if (begin(k, err) < 0)
		return -1;
	if (!k->mv.live)
		return receive_cold(k, err) < 0 ? -1 : sink_finish_cold(k, err);
	if (receive_live(k, err) < 0 || restore(k, err) < 0 || await_verdict(k, err) < 0)
		return -1;
	return sink_finish_live(k, err);
}

/* --- the end ------------------------------------------------------------------------------ */

static void release(struct sink *k)
{
	assert(!k->hold);
	assert(!k->traffic);
	if (k->syncing)
		join_syncer(k, &(struct err){ 0 });
	sync_target_free(k->sync);
	image_target_free(k->images);
	if (k->root_fd >= 0)
		close(take_fd(&k->root_fd));
	json_decref(k->instance);
	json_decref(k->mv.spec);
	json_decref(k->mv.pool);
	channel_free(k->ch);
}

/* Whatever happened, the row says what is to be done with what is here. */
static void conclude(struct sink *k)
{
	struct err err;

	hold_free(take_ptr(k->hold));
	traffic_free(take_ptr(k->traffic));
	/* Before its go it simply leaves; afterwards the action script brings it the verdict. */
	move_helper_call_off(&k->helper);
	move_helper_leave(&k->pager);
	fault_point(move_target_ending, &err);
	if (!k->noted || move_conclude(k->m, &k->mv, deadline_in(LATEST_MS), &err) == 0) {
		restore_end(k->m, &k->mv, &k->helper);
		move_end(k->m, &k->mv);
		return;
	}
	move_helper_leave(&k->helper);
	log_err(LOG_WARN, "a move cannot be concluded yet", &err);
	move_end(k->m, &k->mv);
	move_conclude_later(k->m, &k->mv);
}

void move_serve(struct mover *m, struct stream *own_stream)
{
	struct sink k = {
		.m = m, .helper = { .sock = -1 }, .pager = { .sock = -1 },
		.root_fd = -1, .ch = channel_new(own_stream)
	};
	struct err err = { 0 };
	int rc = serve(&k, &err);

	assert(own_stream);
	if (rc < 0) {
		space_explain(m, &k.mv, &err);
		log_err(LOG_WARN, "take an instance", &err);
		frame_fail(k.ch, &err);
	}
	conclude(&k);
	release(&k);
}
