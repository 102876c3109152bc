/* SPDX-License-Identifier: Apache-2.0 */
/* Making instances: what a request asks for, and where it shall run. */
#include <string.h>
#include <sys/utsname.h>

#include "api/http/server.h"
#include "api/rest/handle.h"
#include "api/work/boot.h"
#include "api/work/candidates.h"
#include "api/work/check.h"
#include "api/work/find_image.h"
#include "api/work/hostcheck.h"
#include "api/work/job.h"
#include "base/arch.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cluster/model/state.h"

#define FORWARD_TIMEOUT_MS 60000

static const struct json_field source_fields[] = {
	{ "type", JW_STR, true },
	{ "certificate", JW_STR, false },
	{ "alias", JW_STR, false },
	{ "fingerprint", JW_STR, false },
	{ "properties", JW_STR_MAP, false },
	{ "server", JW_STR, false },
	{ "secret", JW_STR, false },
	{ "protocol", JW_STR, false },
	{ "base-image", JW_STR, false },
	{ "mode", JW_STR, false },
	{ "operation", JW_STR, false },
	{ "secrets", JW_STR_MAP, false },
	{ "source", JW_STR, false },
	{ "live", JW_BOOL, false },
	{ "instance_only", JW_BOOL, false },
	{ "container_only", JW_BOOL, false },
	{ "refresh", JW_BOOL, false },
	{ "project", JW_STR, false },
	{ "allow_inconsistent", JW_BOOL, false },
	{ "name", JW_STR, false },
	{ NULL, 0, 0 },
};

static const struct json_field post_fields[] = {
	{ "name", JW_STR, false },          { "source", JW_OBJ, true },
	{ "architecture", JW_STR, false },  { "config", JW_STR_MAP, false },
	{ "devices", JW_OBJ, false },       { "ephemeral", JW_BOOL, false },
	{ "profiles", JW_STR_LIST, false }, { "restore", JW_STR, false },
	{ "stateful", JW_BOOL, false },     { "description", JW_STR, false },
	{ "instance_type", JW_STR, false }, { "type", JW_STR, false },
	{ "start", JW_BOOL, false },        { NULL, 0, 0 },
};

/* --- the image ------------------------------------------------------------------------------- */

static int find_image(struct req *r, const json_t *source, struct row *ret)
{
	const char *fp = json_str(source, "fingerprint", ""),
		   *alias = json_str(source, "alias", "");
	const struct api_env *env = req_env(r);

	if (!str_empty(json_str(source, "server", "")))
		return err_set(
			req_err(r), ERR_UNSUPPORTED,
			"images of other servers are not implemented: import the image first");
	if (!str_empty(fp))
		return image_by_fingerprint(env, req_project(r), fp, ret, req_err(r));
	if (!str_empty(alias))
		return image_by_name(env, req_project(r), alias, ret, req_err(r));
	return err_set(req_err(r), ERR_INVALID, "instance: the source names no image");
}

/* Properties of the image become image.* of the instance. */
static void add_image(json_t *doc, const struct row *image)
{
	json_t *config = json_obj(doc, "config"), *v;
	const char *key;

	json_object_foreach(json_obj(image->doc, "properties"), key, v) {
		_free_ char *name = xasprintf("image.%s", key);

		if (!json_object_get(config, name))
			json_object_set(config, name, v);
	}
	json_put_str(config, "volatile.base_image", ref_of(image->key).name);
	json_put_str(doc, "image", ref_of(image->key).name);
	if (str_empty(json_str(doc, "architecture", "")))
		json_put_str(doc, "architecture", json_str(image->doc, "architecture", ""));
}

static int check_fit(struct req *r, const json_t *doc, const struct row *image)
{
	const char *given = json_str(doc, "architecture", ""), *name = arch_canonical(given);
	const char *of_image = json_str(image->doc, "architecture", "");

	if (!name || str_empty(of_image) || str_eq(name, of_image))
		return 0;
	return err_set(req_err(r), ERR_INVALID,
		       "instance: invalid value \"%.40s\" for key \"architecture\": the image is "
		       "of %s",
		       given, of_image);
}

/* Fields for sources that are not there; false, "" and "pull" mean nothing. */
static int check_source(struct req *r, const json_t *source)
{
	static const char *const texts[] = { "certificate", "secret", "base-image", "operation",
					     "source" };
	static const char *const flags[] = { "live", "refresh" };
	const char *field = NULL, *mode = json_str(source, "mode", "");

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!str_empty(json_str(source, texts[i], "")))
			field = texts[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (json_bool(source, flags[i], false))
			field = flags[i];
	}
	if (json_object_size(json_obj(source, "secrets")))
		field = "secrets";
	if (json_object_size(json_obj(source, "properties")))
		field = "properties";
	if (!str_empty(mode) && !str_eq(mode, "pull"))
		field = "mode";
	if (!str_empty(json_str(source, "project", "")) &&
	    !str_eq(json_str(source, "project", ""), req_project(r)))
		field = "project";
	if (!field)
		return 0;
	return err_set(req_err(r), ERR_UNSUPPORTED,
		       "instance: source: \"%s\" is not implemented for images (alias, "
		       "fingerprint)",
		       field);
}

static int apply_source(struct req *r, const json_t *body, json_t *doc)
{
	json_t *source = json_obj(body, "source");
	const char *type;
	_row_ struct row image = { 0 };

	if (json_check(source, source_fields, "instance: source", req_err(r)) < 0)
		return -1;
	type = json_str(source, "type", "");
	if (str_eq(type, "none"))
		return 0;
	if (str_eq(type, "copy") || str_eq(type, "migration"))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "instance source \"%s\" is not implemented (image, none)", type);
	if (!str_eq(type, "image"))
		return err_set(req_err(r), ERR_INVALID,
			       "instance: unknown source type \"%.20s\" (image, none)", type);
	if (find_image(r, source, &image) < 0 || check_source(r, source) < 0)
		return -1;
	if (!json_arr(body, "profiles") && json_arr(image.doc, "profiles"))
		json_object_set(doc, "profiles", json_arr(image.doc, "profiles"));
	add_image(doc, &image);
	return check_fit(r, doc, &image);
}

/* --- the row --------------------------------------------------------------------------------- */

static json_t *map_or_empty(const json_t *body, const char *key)
{
	return json_obj(body, key) ? json_deep_copy(json_obj(body, key)) : json_object();
}

static void add_identity(json_t *doc)
{
	json_t *config = json_obj(doc, "config");
	char uuid[UUID_SIZE], now[CLOCK_TEXT_SIZE];
	struct utsname u;

	json_put_str(doc, "uuid", rng_uuid(uuid));
	json_put_str(config, "volatile.uuid", uuid);
	inst_begin(doc);
	json_put_str(doc, "created_at", clock_now_text(now));
	json_put_str(doc, "last_used_at", "1970-01-01T00:00:00Z");
	if (str_empty(json_str(doc, "architecture", "")) && uname(&u) == 0)
		json_put_str(doc, "architecture", u.machine);
}

static json_t *row_of(const json_t *body, const char *key)
{
	json_t *profiles = json_arr(body, "profiles");

	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:s}", "name", key,
			 "epoch", 1, "type", "container", "architecture",
			 json_str(body, "architecture", ""), "description",
			 json_str(body, "description", ""), "ephemeral",
			 json_bool(body, "ephemeral", false), "stateful", 0, "profiles",
			 profiles ? json_deep_copy(profiles) : json_pack("[s]", PROFILE_DEFAULT),
			 "config", map_or_empty(body, "config"), "devices",
			 map_or_empty(body, "devices"), "image", "");
}

static int check_identity(struct req *r, const json_t *config)
{
	static const char *const ours[] = { "volatile.uuid", "volatile.last_state.power" };

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		const char *v = json_str(config, ours[i], "");

		if (!str_empty(v))
			return err_set(req_err(r), ERR_INVALID,
				       "instance: \"%s\" can't be set (to \"%.60s\"): "
				       "the server keeps it",
				       ours[i], v);
	}
	return 0;
}

static int check_body(struct req *r, const json_t *body)
{
	const char *type = json_str(body, "type", "container");

	if (!str_empty(type) && !str_eq(type, "container"))
		return err_set(req_err(r), ERR_INVALID,
			       "instance type \"%.20s\": only containers are implemented", type);
	if (!str_empty(json_str(body, "instance_type", "")))
		return err_set(
			req_err(r), ERR_UNSUPPORTED,
			"instance_type is not implemented: set limits.cpu and limits.memory");
	if (!str_empty(json_str(body, "restore", "")) || json_bool(body, "stateful", false))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "restoring while creating is not implemented");
	return check_identity(r, json_obj(body, "config"));
}

static int refuse_architecture(struct req *r, const char *given, const char *why)
{
	return err_set(req_err(r), ERR_INVALID,
		       "instance: invalid value \"%.40s\" for key \"architecture\": %s", given,
		       why);
}

static bool any_member_runs(const struct api_env *env, const char *arch)
{
	_rows_ struct rows rows = { 0 };
	struct err ignored;
	struct utsname u;

	if (store_list(env->store, ENT_MEMBER, NULL, &rows, &ignored) < 0 || rows.n == 0)
		return uname(&u) < 0 || arch_runs(u.machine, arch);
	for (size_t i = 0; i < rows.n; i++) {
		if (arch_runs(json_str(rows.v[i].doc, "architecture", arch), arch))
			return true;
	}
	return false;
}

/* By its canonical name. */
static int name_architecture(struct req *r, json_t *doc)
{
	const char *given = json_str(doc, "architecture", ""), *name = arch_canonical(given);
	char known[256] = "must be one of ";
	size_t n = strlen(known);

	if (str_empty(given))
		return 0;
	if (!name) {
		arch_list(known + n, sizeof(known) - n);
		return refuse_architecture(r, given, known);
	}
	if (!any_member_runs(req_env(r), name))
		return refuse_architecture(r, given, "no member can run it");
	json_put_str(doc, "architecture", name);
	return 0;
}

/* x becomes what it is with its profiles. */
static json_t *new_row(struct req *r, const json_t *body, struct expanded *x)
{
	const char *name = json_str(body, "name", "");
	_free_ char *made_up = NULL, *key = NULL;
	_row_ struct row taken = { 0 };
	_json_ json_t *doc = NULL;
	char hex[9];

	if (str_empty(name))
		name = made_up = xasprintf("c-%s", rng_hex(hex, 4));
	if (instance_check_name(name, req_err(r)) < 0 || check_body(r, body) < 0)
		return NULL;
	key = req_key(r, ENT_INSTANCE, name);
	if (store_get(req_env(r)->store, ENT_INSTANCE, key, &taken, req_err(r)) == 0) {
		err_set(req_err(r), ERR_CONFLICT, "Instance \"%s\" already exists", name);
		return NULL;
	}
	doc = row_of(body, key);
	if (apply_source(r, body, doc) < 0 || name_architecture(r, doc) < 0)
		return NULL;
	add_identity(doc);
	if (instance_check(req_env(r), doc, NULL, NULL, x, req_err(r)) < 0)
		return NULL;
	return json_incref(doc);
}

/* --- where ----------------------------------------------------------------------------------- */

/* On another member: it is told why it was chosen. */
static int forward(struct req *r, const char *member, const char *reason, const json_t *body)
{
	const struct api_env *env = req_env(r);
	_free_ char *why = str_url_encode(reason);
	_free_ char *path = xasprintf("/internal/instances?project=%s&target=%s&placement=%s",
				      req_project(r), member, why);
	char address[256];
	json_t *op;

	if (cluster_member_address(env->cluster, member, address, sizeof(address), req_err(r)) < 0)
		return -1;
	op = cluster_call(env->cluster, address, "POST", path, body,
			  deadline_in(FORWARD_TIMEOUT_MS), req_err(r));
	if (!op)
		return -1;
	server_note_operation(env->server, json_str(op, "id", ""), member);
	return reply_operation_json(r, op);
}

/* 1: answered by another member. */
static int place(struct req *r, const json_t *body, const struct expanded *x, char **ret_reason)
{
	const struct api_env *env = req_env(r);
	const char *target = req_query(r, "target"), *why = req_query(r, "placement");
	struct place_choice choice;

	if (!cluster_enabled(env->cluster))
		return 0;
	if (!str_empty(target) && target[0] != '@') {
		*ret_reason = str_empty(why) ? xasprintf("%s was named by the request", target)
					     : xstrdup(why);
		return 0;
	}
	if (place_instance(env,
			   &(struct place_order){ .instance = x,
						  .group = str_empty(target) ? NULL : target + 1 },
			   &choice, req_err(r)) < 0)
		return -1;
	*ret_reason = xstrdup(choice.reason);
	if (str_eq(choice.member, cluster_member_name(env->cluster)))
		return 0;
	return forward(r, choice.member, choice.reason, body) < 0 ? -1 : 1;
}

static int start_create(struct req *r, struct expanded *own_x, bool start, const char *reason)
{
	json_t *doc = own_x->doc;
	struct job_order o = { .kind = &jobs[JOB_CREATE],
			       .name = json_str(doc, "name", ""),
			       .own_x = own_x };

	o.own_args = json_pack("{s:O, s:b}", "doc", doc, "start", start);
	if (reason)
		o.own_metadata = json_pack("{s:{s:s, s:s}}", "placement", "member",
					   json_str(doc, "member", ""), "reason", reason);
	return reply_job(r, &o);
}

int h_instances_post(struct req *r)
{
	json_t *body = req_json(r, post_fields, "instance");
	_expanded_ struct expanded x = { 0 };
	_json_ json_t *doc = NULL;
	_free_ char *reason = NULL;
	int rc;

	if (!body)
		return -1;
	doc = new_row(r, body, &x);
	if (!doc)
		return -1;
	json_put_str(body, "name", ref_of(json_str(doc, "name", "")).name);
	rc = place(r, body, &x, &reason);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	json_put_str(doc, "member", cluster_member_name(req_env(r)->cluster));
	if (boot_takes(req_env(r), req_err(r)) < 0 ||
	    instance_check_host(req_env(r), &x, NULL, req_err(r)) < 0)
		return -1;
	return start_create(r, &x, json_bool(body, "start", false), reason);
}
