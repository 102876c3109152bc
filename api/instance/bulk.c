/* SPDX-License-Identifier: Apache-2.0 */
/* The state of all instances at once. */
#include "api/rest/handle.h"
#include "api/work/job.h"

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
