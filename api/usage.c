/* SPDX-License-Identifier: Apache-2.0 */
#include "api/usage.h"

#include "api/icache.h"
#include "api/spec.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define MEMBER_MS 1000
#define ALL_MS 2000

struct running {
	const char *member; /* only its; NULL: of all */
	json_t *names;      /* or the members, as keys */
};

static void add_running(void *arg, const struct icache_view *v)
{
	struct running *r = arg;

	if (!str_eq(v->status, "Running") && !str_eq(v->status, "Frozen"))
		return;
	if (!r->member)
		json_object_set_new(r->names, v->member, json_true());
	else if (str_eq(v->member, r->member))
		json_object_set_new(r->names, v->name, json_true());
}

static void add_disk(const struct api_env *env, const char *name, json_t *state)
{
	_row_ struct row row = { 0 };
	_json_ json_t *pool = NULL;
	struct err ignored;
	int64_t bytes;

	if (store_get(env->store, ENT_INSTANCE, name, &row, &ignored) < 0)
		return;
	pool = spec_pool(env, row.doc, &ignored);
	bytes = pool ? volume_usage(env->node, pool, name) : -1;
	if (bytes >= 0)
		json_object_set_new(state, "disk",
				    json_pack("{s:{s:I}}", "root", "usage", (json_int_t)bytes));
}

json_t *usage_here(const struct api_env *env, bool disk)
{
	_json_ json_t *names = json_object();
	struct running r = { cluster_member_name(env->cluster), names };
	json_t *all = json_object(), *v;
	const char *name;

	icache_each(env, add_running, &r);
	json_object_foreach(names, name, v) {
		json_t *state = container_state(env->node, name);

		if (disk)
			add_disk(env, name, state);
		json_object_set_new(all, name, state);
	}
	return all;
}

json_t *usage_all(const struct api_env *env, bool disk)
{
	_json_ json_t *members = json_object();
	struct running r = { NULL, members };
	int64_t deadline = deadline_in(ALL_MS);
	json_t *all = usage_here(env, disk), *v;
	const char *member;

	icache_each(env, add_running, &r);
	json_object_foreach(members, member, v) {
		_json_ json_t *theirs = NULL;
		char address[256];
		struct err ignored;

		if (str_eq(member, cluster_member_name(env->cluster)) || clock_ms() > deadline ||
		    cluster_member_address(env->cluster, member, address, sizeof(address),
					   &ignored) < 0)
			continue;
		theirs = cluster_call(env->cluster, address, "GET",
				      disk ? "/internal/usage?disk=true" : "/internal/usage", NULL,
				      deadline_in(MEMBER_MS), &ignored);
		if (theirs)
			json_object_update(all, theirs);
	}
	return all;
}
