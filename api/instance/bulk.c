/* SPDX-License-Identifier: Apache-2.0 */
/* What a move would be like (dunlin_move_plan), what an image told of an instance, and the states
 * of many. */
#include <string.h>

#include "api/rest/handle.h"
#include "api/work/icache.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "migrate/migrate.h"
#include "node/container/container.h"
#include "node/image/image.h"

/* --- plans ----------------------------------------------------------------------------------- */

int h_move_plan(struct req *r)
{
	const char *target = req_query(r, "target");
	struct move_plan plan = { 0 };
	_row_ struct row row = { 0 };
	json_t *told;

	if (instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	if (str_empty(target))
		return err_set(req_err(r), ERR_INVALID, "move-plan: name a member as target");
	if (move_plan(req_env(r)->mover, &row, target, &plan, req_err(r)) < 0)
		return -1;
	told = move_plan_json(&plan);
	json_put_bool(told, "running", container_pid(req_env(r)->node, row.key) > 0);
	return reply_sync(r, told);
}

/* --- metadata of the image it was made from -------------------------------------------------- */

int h_metadata_get(struct req *r)
{
	_row_ struct row row = { 0 };
	json_t *metadata;

	if (instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	metadata = image_metadata(req_env(r)->node, json_str(row.doc, "image", ""));
	if (!metadata)
		metadata = json_pack("{s:s, s:i, s:i, s:{}, s:{}}", "architecture",
				     json_str(row.doc, "architecture", ""), "creation_date", 0,
				     "expiry_date", 0, "properties", "templates");
	return reply_sync(r, metadata);
}

/* --- snapshots and backups: none ------------------------------------------------------------- */

int h_none_get(struct req *r)
{
	_row_ struct row row = { 0 };

	if (instance_get(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	return reply_sync(r, json_array());
}

int h_snapshots_post(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED, "snapshots are not implemented");
}

int h_backups_post(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED, "backups are not implemented");
}

/* --- all instances at once ------------------------------------------------------------------- */

static const struct json_field bulk_fields[] = { { "state", JW_OBJ, true }, { NULL, 0, 0 } };

int h_instances_put(struct req *r)
{
	json_t *body = req_json(r, bulk_fields, "instances"), *state = json_obj(body, "state");
	struct state_change change;

	if (!body || json_check(state, state_change_fields, "instances: state", req_err(r)) < 0 ||
	    state_change_parse(state, &change, req_err(r)) < 0)
		return -1;
	return reply_job(r, &(struct job_order){ .kind = &jobs[JOB_UPDATE_ALL],
						 .own_args = json_pack("{s:s, s:O}", "project",
								       req_project(r), "state",
								       state) });
}
