/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/locations.h"

#include "api/rest/handle.h"
#include "base/mem.h"

static json_t *all_locations(const struct api_env *env)
{
	_rows_ struct rows rows = { 0 };
	json_t *list = json_array();
	struct err err;

	if (cluster_enabled(env->cluster) &&
	    store_list(env->store, ENT_MEMBER, NULL, &rows, &err) == 0) {
		for (size_t i = 0; i < rows.n; i++)
			json_array_append_new(list, json_string(rows.v[i].key));
	} else {
		json_array_append_new(list, json_string(cluster_member_name(env->cluster)));
	}
	return list;
}

void put_locations(const struct api_env *env, json_t *object)
{
	json_put_str(object, "status", "Created");
	json_object_set_new(object, "locations", all_locations(env));
}

int reply_member_part(struct req *r, const char *url)
{
	const char *member = req_query(r, "target");
	_row_ struct row row = { 0 };

	if (!cluster_enabled(req_env(r)->cluster))
		return err_set(req_err(r), ERR_INVALID, "target: this server is not clustered");
	if (store_get(req_env(r)->store, ENT_MEMBER, member, &row, req_err(r)) < 0)
		return -1;
	return reply_created(r, url);
}
