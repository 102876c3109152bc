/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/tokens.h"

#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"

const char *token_join_name(const json_t *meta)
{
	return json_str(meta, "serverName", NULL);
}

const char *token_client_name(const json_t *meta)
{
	return json_str(json_obj(meta, "request"), "name", NULL);
}

/* The living operations of the kind. */
static json_t *find_tokens(struct client *cl, const struct token_kind *kind, struct err *err)
{
	_json_ json_t *by_status = api_get(cl, "/1.0/operations?recursion=1", err);
	const char *status;
	json_t *ops, *op, *out;
	size_t i;

	if (!by_status)
		return NULL;
	out = json_array();
	json_object_foreach(by_status, status, ops) {
		json_array_foreach(ops, i, op) {
			if (strcmp(json_str(op, "class", ""), "token") == 0 &&
			    !status_is_final((enum status)json_int(op, "status_code", 0)) &&
			    kind->name_of(json_obj(op, "metadata")))
				json_array_append(out, op);
		}
	}
	return out;
}

json_t *tokens_unused(struct client *cl, const struct token_kind *kind, struct err *err)
{
	_json_ json_t *ops = find_tokens(cl, kind, err);
	json_t *out, *op;
	size_t i;

	if (!ops)
		return NULL;
	out = json_array();
	json_array_foreach(ops, i, op) {
		const json_t *meta = json_obj(op, "metadata");
		const char *expires = json_str(meta, "expiresAt", json_str(meta, "expires_at", ""));
		json_t *row = json_object();

		json_put_str(row, "Name", kind->name_of(meta));
		json_put_str(row, "ExpiresAt", expires);
		json_array_append_new(out, row);
	}
	return out;
}

int tokens_revoke(struct client *cl, const struct token_kind *kind, const char *name,
		  struct err *err)
{
	_json_ json_t *ops = find_tokens(cl, kind, err);
	json_t *op;
	size_t i;

	if (!ops)
		return -1;
	json_array_foreach(ops, i, op) {
		_free_ char *path = api_path("operations/%s", json_str(op, "id", ""));

		if (strcmp(kind->name_of(json_obj(op, "metadata")), name) != 0)
			continue;
		if (api_do(cl, "DELETE", path, NULL, err) < 0)
			return -1;
		cli_say(client_cli(cl), "Revoked the %s of %s\n", kind->noun, name);
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "there is no unused %s of \"%.80s\"", kind->noun, name);
}
