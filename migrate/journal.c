/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/memory/images.h"
#include "migrate/move_int.h"
#include "node/host/idmap.h"
#include "node/storage/kept.h"
#include "node/storage/storage.h"

#define NOTE_MAX (4 << 20)

static char *note_path(const struct mover *m, const struct move *mv)
{
	return xasprintf("%s/%s.json", m->notes, mv->id.op);
}

/* The flags of a move: kept and loaded alike. */
static const struct {
	const char *name;
	size_t at;
} flags[] = {
	{ "is_source", offsetof(struct move, id.source) },
	{ "live", offsetof(struct move, live) },
	{ "frozen", offsetof(struct move, frozen) },
	{ "start", offsetof(struct move, start) },
	{ "stopping", offsetof(struct move, stopping) },
	{ "back", offsetof(struct move, back) },
	{ "suspends", offsetof(struct move, suspends) },
	{ "lazy", offsetof(struct move, lazy) },
	{ "fetched", offsetof(struct move, fetched) },
	{ "starved", offsetof(struct move, starved) },
};

int journal_note(struct mover *m, const struct move *mv, struct err *err)
{
	_free_ char *path = note_path(m, mv), *text = NULL;
	_json_ json_t *j = json_pack("{ss,ss,sI,ss,ss,ss}", "op", mv->id.op, "name", mv->id.name,
				     "epoch", (json_int_t)mv->id.epoch, "source", mv->source,
				     "target", mv->target, "was", mv->was);

	assert(*mv->id.op);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		json_put_bool(j, flags[i].name, *(const bool *)((const char *)mv + flags[i].at));
	if (mv->spec)
		json_object_set(j, "spec", mv->spec);
	if (mv->pool)
		json_object_set(j, "pool", mv->pool);
	text = json_text(j);
	return io_write_file(path, text, strlen(text), 0600, err);
}

void journal_drop(struct mover *m, const struct move *mv)
{
	_free_ char *path = note_path(m, mv);

	journal_unsent(m, mv);
	if (unlink(path) < 0 && errno != ENOENT)
		log_warn("a note of a move stays", "path", path, "error", strerror(errno));
}

static struct move *load_one(const char *path, struct err *err)
{
	size_t len;
	_free_ char *text = io_read_file(path, NOTE_MAX, &len, err);
	_json_ json_t *j = text ? json_parse(text, len, "note of a move", err) : NULL;
	struct move *mv;

	if (!j)
		return NULL;
	mv = xnew(struct move);
	mv->id.epoch = json_int(j, "epoch", 0);
	str_copy(mv->id.op, sizeof(mv->id.op), json_str(j, "op", ""));
	str_copy(mv->id.name, sizeof(mv->id.name), json_str(j, "name", ""));
	str_copy(mv->source, sizeof(mv->source), json_str(j, "source", ""));
	str_copy(mv->target, sizeof(mv->target), json_str(j, "target", ""));
	str_copy(mv->was, sizeof(mv->was), json_str(j, "was", ""));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		*(bool *)((char *)mv + flags[i].at) = json_bool(j, flags[i].name, false);
	mv->spec = json_incref(json_obj(j, "spec"));
	mv->pool = json_incref(json_obj(j, "pool"));
	if (str_is_uuid(mv->id.op) && str_is_folder(mv->id.name) && (mv->pool || !mv->suspends))
		return mv;
	move_free(mv);
	err_set(err, ERR_INVALID, "%s is no note of a move", path);
	return NULL;
}

struct move *journal_load(struct mover *m, struct err *err)
{
	DIR *d = opendir(m->notes);
	struct move *list = NULL;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_free_ char *path = xasprintf("%s/%s", m->notes, e->d_name);
		struct move *mv;

		if (!str_ends(e->d_name, ".json"))
			continue;
		mv = load_one(path, err);
		if (!mv) {
			log_err(LOG_WARN, "skip a note of a move", err);
			continue;
		}
		mv->next = list;
		list = mv;
	}
	if (d)
		closedir(d);
	return list;
}

struct move *journal_find(struct mover *m, const struct hold_id *id)
{
	struct err err;
	struct move *list = journal_load(m, &err), *found = NULL, *next;

	for (struct move *mv = list; mv; mv = next) {
		next = mv->next;
		mv->next = NULL;
		if (!found && mv->id.source == id->source && str_eq(mv->id.op, id->op))
			found = mv;
		else
			move_free(mv);
	}
	return found;
}

bool move_is_pending(struct mover *m, const char *name)
{
	struct err err;
	struct move *list = journal_load(m, &err), *next;
	bool found = false;

	for (struct move *mv = list; mv; mv = next) {
		next = mv->next;
		found |= str_eq(mv->id.name, name);
		move_free(mv);
	}
	return found;
}

struct move *move_copy(const struct move *mv)
{
	struct move *c = xnew(struct move);

	*c = *mv;
	c->spec = json_deep_copy(mv->spec);
	c->pool = json_deep_copy(mv->pool);
	c->next = NULL;
	return c;
}

void move_free(struct move *mv)
{
	if (!mv)
		return;
	json_decref(mv->spec);
	json_decref(mv->pool);
	free(mv);
}

/* --- the mark that only the node's own action script and helper read ---------------------- */

char *move_kept(const struct mover *m, const struct move *mv)
{
	assert(mv->pool);
	return volume_kept_path(m->o.node, mv->pool, mv->id.name);
}

/* Memory that is kept is the commit itself. */
char *move_sent(const struct mover *m, const struct move *mv)
{
	return mv->suspends ? move_kept(m, mv) : xasprintf("%s/%s.sent", m->run, mv->id.op);
}

int journal_sent(struct mover *m, const struct move *mv, struct err *err)
{
	_free_ char *path = move_sent(m, mv);
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	assert(mv->id.source);
	assert(!mv->suspends);
	/* Not synced: after a crash of the host there is nobody to read it. */
	return fd < 0 ? err_sys(err, "create %s", path) : 0;
}

void journal_unsent(struct mover *m, const struct move *mv)
{
	_free_ char *path = mv->suspends ? NULL : move_sent(m, mv);

	if (path)
		unlink(path);
}

char *move_images(const struct mover *m, const struct move *mv)
{
	_free_ char *kept = mv->suspends && mv->id.source ? move_kept(m, mv) : NULL;

	if (kept)
		return kept_new(kept);
	return xasprintf("%s/%s-%s", m->shm, mv->id.name, mv->id.source ? "out" : "in");
}

int move_images_make(const struct mover *m, const struct move *mv, struct err *err)
{
	_free_ char *dir = move_images(m, mv);
	struct idmap map;

	assert(mv->spec);
	if (idmap_of_spec(mv->spec, &map, err) < 0)
		return -1;
	return images_make_dir(m->shm, dir, map.base, err);
}
