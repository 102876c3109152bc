/* SPDX-License-Identifier: Apache-2.0 */
/* What the host has. */
#include "api/rest/handlers.h"
#include "node/host/facts.h"

int h_resources_get(struct req *r)
{
	json_t *j = node_resources(req_env(r)->node);

	return reply_sync(r, j ? j : json_object());
}
