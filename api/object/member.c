/* SPDX-License-Identifier: Apache-2.0 */
/* Members: they join by a token and leave by being removed, all else is as of other kinds. */
#include <string.h>

#include "api/rest/object.h"
#include "api/rest/token.h"
#include "api/rest/uses.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/group.h"
#include "cluster/model/keys.h"

static json_t *seen(struct req *r, const struct row *row)
{
	return cluster_member_json(req_env(r)->cluster, row);
}

/* The feed has taken a removed member's own row away; it is still who it is here. */
static void add_self(struct cluster *c, struct rows *rows)
{
	const char *self = cluster_member_name(c);

	for (size_t i = 0; i < rows->n; i++) {
		if (str_eq(rows->v[i].key, self))
			return;
	}
	rows->v = xrealloc(rows->v, (rows->n + 1) * sizeof(*rows->v));
	rows->v[rows->n++] = (struct row){
		.key = xstrdup(self),
		.doc = json_pack("{s:s}", "address", cluster_address(c)),
	};
}

static int rows(struct req *r, struct rows *ret)
{
	struct cluster *c = req_env(r)->cluster;

	if (store_list(req_env(r)->store, ENT_MEMBER, NULL, ret, req_err(r)) < 0)
		return -1;
	if (cluster_is_removed(c))
		add_self(c, ret);
	return 0;
}

/* --- changing -------------------------------------------------------------------------------- */

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

/* They follow from who is there. */
static int check_roles(struct req *r, const struct change *c)
{
	const json_t *roles = json_arr(c->doc, "roles");
	_free_ char *text = roles ? json_text(roles) : NULL;

	if (!roles || same_words(roles, json_arr(c->seen, "roles")))
		return 0;
	return err_set(req_err(r), ERR_INVALID,
		       "%s: \"roles\" can't be set to %.100s: the cluster gives the roles of "
		       "the database by itself, see cluster.max_voters and "
		       "cluster.max_standby; there are no others",
		       c->what, text);
}

/* It takes part in all that are named, and in the default one. */
static int set_groups(struct req *r, struct change *c)
{
	_json_ json_t *groups = json_incref(json_arr(c->doc, "groups"));
	json_t *v;
	size_t i;

	if (json_equal(groups, json_arr(c->old, "groups")))
		return 0;
	json_object_del(c->doc, "groups");
	json_array_foreach(groups, i, v)
		member_set_group(c->doc, json_string_value(v), true);
	return change_needs_all(r, c, ENT_GROUP, groups);
}

static int check(struct req *r, struct change *c)
{
	const char *domain = json_str(c->doc, "failure_domain", "");

	if (check_roles(r, c) < 0)
		return -1;
	json_object_del(c->doc, "roles");
	if (!str_empty(domain) && check_name(domain))
		return err_set(req_err(r), ERR_INVALID,
			       "%s: invalid value \"%.64s\" for \"failure_domain\": %s", c->what,
			       domain, check_name(domain));
	if (keys_check(&member_keys, c->what, json_obj(c->doc, "config"),
		       json_obj(c->old, "config"), req_err(r)) < 0)
		return -1;
	return set_groups(r, c);
}

/* --- joining and leaving --------------------------------------------------------------------- */

static int make(struct req *r)
{
	static const struct json_field token_fields[] = { { "server_name", JW_STR, true },
							  { NULL, 0, 0 } };
	json_t *body = req_json(r, token_fields, "cluster member");
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

static const struct field fields[] = {
	{ "server_name", JW_STR, FIELD_NAME, false },
	{ "url", JW_STR, FIELD_FIXED, false },
	{ "architecture", JW_STR, FIELD_FIXED, false },
	{ "description", JW_STR, FIELD_KEEP, false },
	{ "failure_domain", JW_STR, FIELD_KEEP, false },
	{ "config", JW_OBJ, FIELD_WRITE, false },
	{ "groups", JW_STR_LIST, FIELD_KEEP, false },
	{ "roles", JW_STR_LIST, FIELD_KEEP, false },
	{ "database", JW_BOOL, FIELD_SHOWN, false },
	{ "status", JW_STR, FIELD_SHOWN, false },
	{ "message", JW_STR, FIELD_SHOWN, false },
	{ NULL, 0, 0, false },
};

const struct kind kind_member = {
	.entity = ENT_MEMBER,
	.fields = fields,
	.ready = need_cluster,
	.rows = rows,
	.seen = seen,
	.check = check,
	.make = make,
	.no_rename = "renaming a cluster member is not implemented: remove it and join it again",
};

int h_member_delete(struct req *r)
{
	struct removal done = { 0 };
	_row_ struct row row = { 0 };

	if (object_find(r, &kind_member, &row) < 0 ||
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
