/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/usage.h"

#include <pthread.h>

#include "api/work/icache.h"
#include "api/work/spec.h"
#include "api/work/state.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/state.h"
#include "node/container/container.h"
#include "node/storage/kept.h"
#include "node/storage/storage.h"

#define MEMBER_MS 1000
#define ALL_MS 2000
#define STATE_MS 2000
/* A walk of one volume, and how old one may be that is shown for one instance. */
#define ONE_MS 1000
#define ONE_AGE_MS 2000
/* All walks for a list: volumes that were not reached are in the next one. */
#define WALKS_MS 200
#define LIST_AGE_MS 60000
#define KNOWN_MAX 10000

struct running {
	const char *member; /* only its; NULL: of all */
	json_t *names;      /* or the members, as keys */
};

static void add_running(void *arg, const struct icache_view *v)
{
	struct running *r = arg;

	if (!status_is_alive(v->status))
		return;
	if (!r->member)
		json_object_set_new(r->names, v->member, json_true());
	else if (str_eq(v->member, r->member))
		json_object_set_new(r->names, v->name, json_true());
}

/* --- disk: drivers without quotas can only be walked ------------------------------------------ */

struct disk_usage {
	pthread_mutex_t lock;
	json_t *known; /* instance -> [bytes or -1, when] */
};

struct disk_usage *disk_usage_new(void)
{
	struct disk_usage *d = xnew(struct disk_usage);

	pthread_mutex_init(&d->lock, NULL);
	d->known = json_object();
	return d;
}

void disk_usage_free(struct disk_usage *d)
{
	if (!d)
		return;
	json_decref(d->known);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* What the last walk found: -1 when it did not get through. False when there was none, or one
 * that is older than age_ms. */
static bool look_up(struct disk_usage *d, const char *name, int64_t age_ms, int64_t *ret_bytes)
{
	const json_t *last;
	bool fresh;

	pthread_mutex_lock(&d->lock);
	last = json_object_get(d->known, name);
	*ret_bytes = last ? json_integer_value(json_array_get(last, 0)) : -1;
	fresh = last && clock_ms() - json_integer_value(json_array_get(last, 1)) < age_ms;
	pthread_mutex_unlock(&d->lock);
	return fresh;
}

static void keep(struct disk_usage *d, const char *name, int64_t bytes)
{
	pthread_mutex_lock(&d->lock);
	if (json_object_size(d->known) >= KNOWN_MAX)
		json_object_clear(d->known);
	json_object_set_new(d->known, name,
			    json_pack("[I, I]", (json_int_t)bytes, (json_int_t)clock_ms()));
	pthread_mutex_unlock(&d->lock);
}

static int64_t disk_of(const struct api_env *env, const char *name, int64_t age_ms,
		       int64_t deadline)
{
	_row_ struct row row = { 0 };
	_json_ json_t *pool = NULL;
	struct err ignored;
	int64_t bytes;

	if (look_up(env->state->disks, name, age_ms, &bytes) || clock_ms() >= deadline ||
	    store_get(env->store, ENT_INSTANCE, name, &row, &ignored) < 0)
		return bytes;
	pool = spec_pool_of_row(env, row.doc, &ignored);
	bytes = pool ? volume_usage(env->node, pool, name, deadline) : -1;
	keep(env->state->disks, name, bytes);
	return bytes;
}

static void add_disk(json_t *state, int64_t bytes)
{
	if (bytes >= 0)
		json_object_set_new(state, "disk",
				    json_pack("{s:{s:I}}", "root", "usage", (json_int_t)bytes));
}

/* What a stateful stop has kept beside it. */
static void add_kept(const struct api_env *env, const char *name, json_t *state)
{
	_row_ struct row row = { 0 };
	_json_ json_t *pool = NULL;
	_free_ char *path = NULL;
	struct err ignored;

	if (store_get(env->store, ENT_INSTANCE, name, &row, &ignored) < 0 ||
	    !inst_is_suspended(row.doc))
		return;
	pool = spec_pool_of_row(env, row.doc, &ignored);
	path = pool ? volume_kept_path(env->node, pool, name) : NULL;
	if (!path || !json_obj(state, "disk"))
		return;
	json_object_set_new(json_obj(state, "disk"), "memory",
			    json_pack("{s:I}", "usage", (json_int_t)kept_bytes(path)));
}

json_t *usage_of(const struct api_env *env, const char *name)
{
	json_t *state = container_state(env->node, name);

	add_disk(state, disk_of(env, name, ONE_AGE_MS, deadline_in(ONE_MS)));
	add_kept(env, name, state);
	return state;
}

json_t *usage_at(const struct api_env *env, const json_t *doc, struct err *err)
{
	const char *name = json_str(doc, "name", ""), *member = json_str(doc, "member", "");
	_free_ char *path = xasprintf("/internal/instances/%s/state", name);
	char address[256];

	if (str_eq(member, cluster_member_name(env->cluster)))
		return usage_of(env, name);
	if (cluster_member_address(env->cluster, member, address, sizeof(address), err) < 0)
		return NULL;
	return cluster_call(env->cluster, address, "GET", path, NULL, deadline_in(STATE_MS), err);
}

/* --- of all ----------------------------------------------------------------------------------- */

json_t *usage_here(const struct api_env *env, bool disk)
{
	_json_ json_t *names = json_object();
	struct running r = { cluster_member_name(env->cluster), names };
	int64_t deadline = deadline_in(WALKS_MS);
	json_t *all = json_object(), *v;
	const char *name;

	icache_each(env, add_running, &r);
	json_object_foreach(names, name, v) {
		json_t *state = container_state(env->node, name);

		if (disk)
			add_disk(state, disk_of(env, name, LIST_AGE_MS, deadline));
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
