/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/handle.h"
#include "api/server/join.h"
#include "base/mem.h"
#include "base/str.h"

/* --- the cluster ----------------------------------------------------------------------------- */

static json_t *cluster_json(const struct api_env *env)
{
	bool on = cluster_enabled(env->cluster);

	return json_pack("{s:s, s:b, s:[]}", "server_name",
			 on ? cluster_member_name(env->cluster) : "", "enabled", on,
			 "member_config");
}

int h_cluster_get(struct req *r)
{
	_json_ json_t *j = cluster_json(req_env(r));

	set_etag(r, j);
	return reply_sync(r, json_incref(j));
}

static const struct json_field cluster_fields[] = {
	{ "server_name", JW_STR, false },
	{ "enabled", JW_BOOL, false },
	{ "member_config", JW_ARR, false },
	{ "cluster_address", JW_STR, false },
	{ "cluster_certificate", JW_STR, false },
	{ "server_address", JW_STR, false },
	{ "cluster_password", JW_STR, false },
	{ "cluster_token", JW_STR, false },
	{ NULL, 0, 0 },
};

int h_cluster_put(struct req *r)
{
	json_t *body = req_json(r, cluster_fields, "cluster");
	_json_ json_t *present = cluster_json(req_env(r));
	const char *token;
	struct op *op;

	if (!body || check_etag(r, present) < 0)
		return -1;
	if (!json_bool(body, "enabled", false))
		return err_set(
			req_err(r), ERR_UNSUPPORTED,
			"a member leaves by being removed: run \"cluster remove %s\" on another",
			cluster_member_name(req_env(r)->cluster));
	token = json_str(body, "cluster_token", json_str(body, "cluster_password", ""));
	if (!str_empty(json_str(body, "cluster_address", "")) && str_empty(token))
		return err_set(req_err(r), ERR_INVALID,
			       "joining needs a token: run \"cluster add NAME\" on a member");
	op = str_empty(token) ? cluster_enable_start(req_env(r), body, req_err(r))
			      : cluster_join_start(req_env(r), body, token, req_err(r));
	return op ? reply_operation(r, op) : -1;
}
