/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/expand.h"

#include <assert.h>

#include "api/work/spec.h"
#include "api/work/state.h"
#include "base/mem.h"
#include "cluster/model/ref.h"

/* Reads the profiles once, so that what is used is of the revision that is noted. */
static void read_profiles(const struct api_env *env, const json_t *doc, json_t *docs,
			  json_t *revisions)
{
	json_t *name;
	size_t i;

	json_array_foreach(json_arr(doc, "profiles"), i, name) {
		_free_ char *key =
			ref_beside(json_str(doc, "name", ""), ENT_PROFILE, json_string_value(name));
		_row_ struct row row = { 0 };
		struct err missing;

		if (store_get(env->store, ENT_PROFILE, key, &row, &missing) == 0)
			json_object_set(docs, key, row.doc);
		else
			json_object_set_new(docs, key, json_object());
		json_put_int(revisions, key, row.rev);
	}
}

void expand(const struct api_env *env, json_t *doc, struct expanded *ret)
{
	_json_ json_t *docs = json_object();

	assert(doc);
	expanded_done(ret);
	__atomic_add_fetch(&env->state->expansions, 1, __ATOMIC_RELAXED);
	ret->doc = json_incref(doc);
	ret->profiles = json_object();
	read_profiles(env, doc, docs, ret->profiles);
	spec_expand(env->store, docs, doc, &ret->config, &ret->devices);
}

void expanded_done(struct expanded *x)
{
	json_decref(x->doc);
	json_decref(x->config);
	json_decref(x->devices);
	json_decref(x->profiles);
	*x = (struct expanded){ 0 };
}

void expanded_follow(struct expanded *x)
{
	json_object_update(x->config, json_obj(x->doc, "config"));
}

uint64_t expand_count(const struct api_env *env)
{
	return __atomic_load_n(&env->state->expansions, __ATOMIC_RELAXED);
}
