/* SPDX-License-Identifier: Apache-2.0 */
/* The project that everything is in. */
#include "api/rest/handle.h"
#include "api/work/icache.h"
#include "api/work/project.h"
#include "base/mem.h"

static void add_instance(void *arg, const struct icache_view *v)
{
	_free_ char *url = ref_url("instances", v->name);

	if (ref_is_in(v->name, PROJECT_DEFAULT))
		json_array_append_new(arg, json_string(url));
}

static void add_rows(const struct api_env *env, enum entity e, const char *kind, json_t *urls)
{
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (store_list(env->store, e, NULL, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		_free_ char *url = ref_url(kind, rows.v[i].key);

		if (ref_is_in(rows.v[i].key, PROJECT_DEFAULT))
			json_array_append_new(urls, json_string(url));
	}
}

static json_t *project_json(const struct api_env *env)
{
	json_t *users = json_array();

	icache_each(env, add_instance, users);
	add_rows(env, ENT_IMAGE, "images", users);
	add_rows(env, ENT_NETWORK, "networks", users);
	add_rows(env, ENT_PROFILE, "profiles", users);
	return json_pack("{s:{s:s, s:s, s:s, s:s}, s:s, s:s, s:o}", "config", "features.images",
			 "true", "features.networks", "true", "features.profiles", "true",
			 "features.storage.volumes", "true", "description", "Default project",
			 "name", PROJECT_DEFAULT, "used_by", users);
}

int h_projects_get(struct req *r)
{
	if (req_recursion(r) == 0)
		return reply_sync(r, json_pack("[s]", "/1.0/projects/" PROJECT_DEFAULT));
	return reply_sync(r, json_pack("[o]", project_json(req_env(r))));
}

int h_project_get(struct req *r)
{
	_json_ json_t *j = NULL, *writable = NULL;

	if (project_check(req_env(r), req_param(r, 0), req_err(r)) < 0)
		return -1;
	j = project_json(req_env(r));
	writable = json_pack("{s:O}", "config", json_obj(j, "config"));
	set_etag(r, writable);
	return reply_sync(r, json_incref(j));
}

int h_projects_change(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED,
		       "projects are not implemented: everything is in the project \"%s\"",
		       PROJECT_DEFAULT);
}
