/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots and backups: there are none. */
#include "api/rest/handlers.h"
#include "api/work/instance.h"

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
