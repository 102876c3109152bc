/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/handle.h"
#include "api/rest/token.h"
#include "api/server/join.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/group.h"
#include "cluster/model/keys.h"

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

/* --- members --------------------------------------------------------------------------------- */

static json_t *member_render(struct req *r, const struct row *row, void *arg)
{
	return cluster_member_json(req_env(r)->cluster, row);
}

/* The feed has taken a removed member's own row away; it is still who it is here. */
static json_t *removed_self(struct req *r)
{
	struct cluster *c = req_env(r)->cluster;
	_json_ json_t *doc = json_pack("{s:s}", "address", cluster_address(c));
	char *name = xstrdup(cluster_member_name(c));
	struct row row = { .key = name, .doc = doc };
	json_t *member = cluster_member_json(c, &row);

	free(name);
	return member;
}

static int reply_members_of_removed(struct req *r)
{
	const char *self = cluster_member_name(req_env(r)->cluster);
	bool objects = req_recursion(r) > 0, listed = false;
	_rows_ struct rows rows = { 0 };
	json_t *list = json_array();

	if (store_list(req_env(r)->store, ENT_MEMBER, NULL, &rows, req_err(r)) < 0) {
		json_decref(list);
		return -1;
	}
	for (size_t i = 0; i < rows.n; i++) {
		json_array_append_new(list, objects ? member_render(r, &rows.v[i], NULL)
						    : json_sprintf("/1.0/cluster/members/%s",
								   rows.v[i].key));
		listed |= str_eq(rows.v[i].key, self);
	}
	if (!listed)
		json_array_append_new(list,
				      objects ? removed_self(r)
					      : json_sprintf("/1.0/cluster/members/%s", self));
	return reply_sync(r, list);
}

int h_members_get(struct req *r)
{
	if (need_cluster(r) < 0)
		return -1;
	if (cluster_is_removed(req_env(r)->cluster))
		return reply_members_of_removed(r);
	return reply_rows(r, ENT_MEMBER, "cluster/members", member_render, NULL);
}

static int get_member(struct req *r, struct row *ret)
{
	const char *name = req_param(r, 0);

	if (need_cluster(r) < 0)
		return -1;
	if (store_get(req_env(r)->store, ENT_MEMBER, name, ret, req_err(r)) == 0)
		return 0;
	if (req_err(r)->kind == ERR_NOT_FOUND)
		err_set(req_err(r), ERR_NOT_FOUND, "Cluster member not found: \"%s\"", name);
	return -1;
}

static json_t *member_writable(const json_t *member)
{
	static const char *const keys[] = { "config", "description", "failure_domain", "groups",
					    "roles" };
	json_t *j = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_object_set(j, keys[i], json_object_get(member, keys[i]));
	return j;
}

int h_member_get(struct req *r)
{
	_json_ json_t *member = NULL, *writable = NULL;
	_row_ struct row row = { 0 };

	if (get_member(r, &row) < 0)
		return -1;
	member = cluster_member_json(req_env(r)->cluster, &row);
	writable = member_writable(member);
	set_etag(r, writable);
	return reply_sync(r, json_incref(member));
}

int h_members_post(struct req *r)
{
	static const struct json_field fields[] = { { "server_name", JW_STR, true },
						    { NULL, 0, 0 } };
	json_t *body = req_json(r, fields, "cluster member");
	_json_ json_t *token = NULL;
	_row_ struct row row = { 0 };
	const char *name;
	json_t *op;

	if (!body || need_cluster(r) < 0)
		return -1;
	name = json_str(body, "server_name", "");
	if (!str_is_hostname(name))
		return err_set(
			req_err(r), ERR_INVALID,
			"cluster member: invalid name \"%.64s\" (letters, digits and hyphens, a "
			"letter first)",
			name);
	if (cluster_settle_certificate(req_env(r)->cluster, req_err(r)) < 0)
		return -1;
	token = cluster_token_new(req_env(r)->cluster, name,
				  token_life_s(req_env(r), "cluster.join_token_expiry"), &row,
				  req_err(r));
	if (!token)
		return -1;
	op = token_operation(req_env(r), &row, json_str(token, "secret", ""));
	if (!op)
		return err_set(req_err(r), ERR_INTERNAL, "the token expired at once");
	tell_event(r, "cluster-token-created", "/1.0/cluster/members", name);
	return reply_operation_json(r, op);
}

static const struct json_field member_fields[] = {
	{ "roles", JW_STR_LIST, false },   { "failure_domain", JW_STR, false },
	{ "description", JW_STR, false },  { "config", JW_OBJ, false },
	{ "groups", JW_STR_LIST, false },  { "server_name", JW_STR, false },
	{ "url", JW_STR, false },          { "database", JW_BOOL, false },
	{ "status", JW_STR, false },       { "message", JW_STR, false },
	{ "architecture", JW_STR, false }, { NULL, 0, 0 },
};

static bool same_words(const json_t *a, const json_t *b)
{
	_json_ json_t *left = json_object();
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)b, i, v)
		json_object_set(left, json_string_value(v), v);
	json_array_foreach((json_t *)a, i, v) {
		if (json_object_del(left, json_string_value(v)) < 0)
			return false;
	}
	return json_object_size(left) == 0;
}

/* Roles follow from who is there. */
static int check_given(struct req *r, const char *what, const json_t *body, const json_t *member)
{
	static const char *const fixed[] = { "server_name", "url", "architecture", NULL };
	const char *domain = json_str(body, "failure_domain", "");

	const json_t *roles = json_arr(body, "roles");
	_free_ char *text = roles ? json_text(roles) : NULL;

	if (roles && !same_words(roles, json_arr(member, "roles")))
		return err_set(
			req_err(r), ERR_INVALID,
			"%s: \"roles\" can't be set to %.100s: the cluster gives the roles of "
			"the database by itself, see cluster.max_voters and "
			"cluster.max_standby; there are no others",
			what, text);
	if (!str_empty(domain) && check_name(domain))
		return err_set(req_err(r), ERR_INVALID,
			       "%s: invalid value \"%.64s\" for \"failure_domain\": %s", what,
			       domain, check_name(domain));
	return check_fixed(r, what, body, member, fixed);
}

/* It takes part in all that are named, and in the default one. */
static int set_groups(struct req *r, const char *what, json_t *doc, const json_t *groups,
		      struct tx *tx)
{
	json_t *v;
	size_t i;

	if (!groups)
		return 0;
	json_object_del(doc, "groups");
	json_array_foreach((json_t *)groups, i, v) {
		const char *group = json_string_value(v);
		_row_ struct row row = { 0 };

		if (store_get(req_env(r)->store, ENT_GROUP, group, &row, req_err(r)) < 0)
			return req_err(r)->kind == ERR_NOT_FOUND
				       ? err_set(req_err(r), ERR_NOT_FOUND,
						 "%s: Cluster group not found: \"%.63s\"", what,
						 group)
				       : -1;
		tx_check(tx, ENT_GROUP, group, row.rev);
		member_set_group(doc, group, true);
	}
	return 0;
}

int h_member_put(struct req *r)
{
	json_t *body = req_json(r, member_fields, "cluster member");
	_free_ char *what = xasprintf("cluster member \"%s\"", req_param(r, 0));
	_json_ json_t *member = NULL, *writable = NULL;
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (!body || get_member(r, &row) < 0)
		return -1;
	member = cluster_member_json(req_env(r)->cluster, &row);
	writable = member_writable(member);
	if (check_etag(r, writable) < 0 || check_given(r, what, body, member) < 0)
		return -1;
	merge_map(row.doc, "config", body, is_patch(r));
	if (keys_check(&member_keys, what, json_obj(row.doc, "config"),
		       json_obj(writable, "config"), req_err(r)) < 0)
		return -1;
	if (set_groups(r, what, row.doc, json_arr(body, "groups"), tx) < 0)
		return -1;
	json_put_str(row.doc, "description", json_str(body, "description", NULL));
	json_put_str(row.doc, "failure_domain", json_str(body, "failure_domain", NULL));
	tx_put(tx, ENT_MEMBER, row.key, row.rev, row.doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	tell_event(r, "cluster-member-updated", req_path(r), row.key);
	return reply_sync(r, NULL);
}

int h_member_post(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED,
		       "renaming a cluster member is not implemented: remove it and join it again");
}

int h_member_delete(struct req *r)
{
	struct removal done = { 0 };
	_row_ struct row row = { 0 };

	if (get_member(r, &row) < 0 ||
	    cluster_remove(req_env(r)->cluster, row.key, req_query_true(r, "force"), &done,
			   req_err(r)) < 0)
		return -1;
	tell_event(r, "cluster-member-removed", req_path(r), row.key);
	tell_event(r, "cluster-certificate-updated", "/1.0/cluster/certificate", NULL);
	return reply_sync(r, json_pack("{s:i,s:s}", "tokens_revoked", done.tokens,
				       "certificate_fingerprint", done.fingerprint));
}

int h_member_state_post(struct req *r)
{
	return err_set(
		req_err(r), ERR_UNSUPPORTED,
		"evacuating and restoring a member are not implemented; move its instances with "
		"\"move NAME --target MEMBER\"");
}
