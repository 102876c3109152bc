/* SPDX-License-Identifier: Apache-2.0 */
/* Room for an instance on the member that it moves to. */
#include <string.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/store/store.h"
#include "migrate/move_int.h"
#include "migrate/plan.h"
#include "node/storage/storage.h"

#define FULL_BYTES (1 << 20)

static int64_t free_in(struct mover *m, const struct row *row)
{
	_json_ json_t *pool = json_pack("{ss,ss,sO}", "name", row->key, "driver",
					json_str(row->doc, "driver", ""), "config",
					json_obj(row->doc, "config"));
	struct err err;
	_json_ json_t *usage = pool ? pool_usage(m->o.node, pool, &err) : NULL;
	json_t *space = json_obj(usage, "space");

	return space ? json_int(space, "total", 0) - json_int(space, "used", 0) : -1;
}

void space_facts(struct mover *m, json_t *facts)
{
	json_t *pools = json_object();
	struct rows rows = { 0 };
	struct err err;

	if (store_list(m->store, ENT_POOL, NULL, &rows, &err) < 0)
		rows.n = 0;
	for (size_t i = 0; i < rows.n; i++)
		json_put_int(pools, rows.v[i].key, free_in(m, &rows.v[i]));
	rows_free(&rows);
	json_object_set_new(facts, "pools", pools);
}

/* Names the folder when it is full. */
static bool explain(struct mover *m, const char *folder, struct err *err)
{
	struct statvfs v;
	uint64_t bytes;
	char left[16];

	if (statvfs(folder, &v) < 0)
		return false;
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	if (v.f_files && !v.f_favail)
		err_wrap(err, "%s can make no more files in %s (%s free)", mover_member(m), folder,
			 str_of_size(bytes, left));
	else if (bytes < FULL_BYTES)
		err_wrap(err, "%s has no room left in %s (%s free)", mover_member(m), folder,
			 str_of_size(bytes, left));
	else
		return false;
	return true;
}

void space_explain(struct mover *m, const struct move *mv, struct err *err)
{
	_free_ char *volume = mv->pool ? volume_path(m->o.node, mv->pool, mv->id.name) : NULL;
	_free_ char *images = move_images(m, mv);

	/* The folder that it is in, for it may be gone, or not be there yet. */
	if (volume)
		*strrchr(volume, '/') = '\0';
	if (!(volume && explain(m, volume, err)) && !explain(m, images, err))
		explain(m, m->notes, err);
}

void plan_space(const json_t *target, const struct plan_need *need, struct move_plan *ret)
{
	/* Facts of an older member say nothing of this. */
	int64_t memory = json_int(target, "memory_free", -1),
		files = json_int(json_obj(target, "pools"), need->pool, -1);
	const char *member = json_str(target, "member", "?");
	char has[16], wants[16];

	if (files >= 0 && need->files > files)
		move_plan_add(ret, MOVE_REFUSED,
			      "%s has %s free in the pool \"%s\", and its files take %s", member,
			      str_of_size((uint64_t)files, has), need->pool,
			      str_of_size((uint64_t)need->files, wants));
	if (memory >= 0 && need->memory > memory)
		move_plan_add(ret, MOVE_NEAR_LIVE,
			      "%s has %s of memory free, and the processes have %s", member,
			      str_of_size((uint64_t)memory, has),
			      str_of_size((uint64_t)need->memory, wants));
}
