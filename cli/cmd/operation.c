/* SPDX-License-Identifier: Apache-2.0 */
/* What "operation list" lists. */
#include <string.h>

#include "base/mem.h"
#include "cli/cmd/list.h"

/* The server groups them by status. */
json_t *operation_items(struct cli *c, struct client *cl, const char *path, enum need need,
			struct err *err)
{
	_free_ char *url = api_query(xstrdup(path), "all-projects",
				     args_flag(&c->args, "all-projects") ? "true" : NULL);
	_json_ json_t *by_status = api_get(cl, url, err);
	json_t *out, *ops;
	const char *status;

	if (!by_status)
		return NULL;
	out = json_array();
	json_object_foreach(by_status, status, ops)
		json_array_extend(out, ops);
	return out;
}
