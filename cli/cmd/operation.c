/* SPDX-License-Identifier: Apache-2.0 */
/* operation list. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/net/client.h"

/* The server groups them by status. */
static json_t *flat(const json_t *by_status)
{
	json_t *out = json_array(), *ops;
	const char *status;

	json_object_foreach((json_t *)by_status, status, ops)
		json_array_extend(out, ops);
	return out;
}

static bool is_clustered(const json_t *ops)
{
	json_t *op;
	size_t i;

	json_array_foreach(ops, i, op) {
		const char *where = json_str(op, "location", "none");

		if (*where && strcmp(where, "none") != 0)
			return true;
	}
	return false;
}

int c_operation_list(struct cli *c, struct err *err)
{
	static const char *const headers[] = { "ID",         "TYPE",    "DESCRIPTION", "STATUS",
					       "CANCELABLE", "CREATED", "LOCATION" };
	struct client *cl = client_of_remote(c, args_pos(&c->args, 0), err);
	_table_ struct table *t = NULL;
	_free_ char *path = api_query(xstrdup("/1.0/operations?recursion=1"), "all-projects",
				      args_flag(&c->args, "all-projects") ? "true" : NULL);
	_json_ json_t *by_status = NULL, *ops = NULL;
	enum fmt_kind kind;
	json_t *op;
	size_t i;

	if (!cl || fmt_parse(args_value(&c->args, "format"), &kind, err) < 0)
		return -1;
	by_status = api_get(cl, path, err);
	if (!by_status)
		return -1;
	ops = flat(by_status);
	t = table_new(is_clustered(ops) ? 7 : 6, headers);
	json_array_foreach(ops, i, op) {
		char *cells[] = { xstrdup(json_str(op, "id", "")),
				  fmt_upper(json_str(op, "class", "")),
				  xstrdup(json_str(op, "description", "")),
				  fmt_upper(json_str(op, "status", "")),
				  xstrdup(json_bool(op, "may_cancel", false) ? "YES" : "NO"),
				  fmt_time(json_str(op, "created_at", NULL)),
				  is_clustered(ops) ? xstrdup(json_str(op, "location", ""))
						    : NULL };

		table_add(t, cells);
	}
	table_sort(t);
	return fmt_print(t, ops, kind, err);
}
