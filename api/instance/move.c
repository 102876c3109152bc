/* SPDX-License-Identifier: Apache-2.0 */
/* How a move would go (dunlin_move_plan). */
#include "api/rest/handlers.h"
#include "api/work/candidates.h"
#include "api/work/instance.h"
#include "base/str.h"
#include "migrate/migrate.h"
#include "node/container/container.h"

int h_move_plan(struct req *r)
{
	const char *target = req_query(r, "target");
	_expanded_ struct expanded x = { 0 };
	struct place_choice choice = { 0 };
	struct move_plan plan = { 0 };
	_row_ struct row row = { 0 };
	json_t *told;

	if (instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	if (str_empty(target))
		return err_set(req_err(r), ERR_INVALID,
			       "move-plan: name a member or a group as target");
	if (place_move(req_env(r), &row, target, &x, &choice, req_err(r)) < 0 ||
	    move_plan(req_env(r)->mover, &row, choice.member, &plan, req_err(r)) < 0)
		return -1;
	told = move_plan_json(&plan);
	json_put_str(told, "target", choice.member);
	json_put_bool(told, "running", container_pid(req_env(r)->node, row.key) > 0);
	return reply_sync(r, told);
}
