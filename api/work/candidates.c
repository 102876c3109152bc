/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/candidates.h"

#include <string.h>

#include "api/work/icache.h"
#include "api/work/spec.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/group.h"
#include "cluster/model/keys.h"
#include "node/container/limits.h"

struct view {
	struct place_member *v;
	size_t n;
};

static void fill_member(const struct api_env *env, const struct row *row,
			const struct place_order *o, struct place_member *m)
{
	_json_ json_t *fact = store_fact_get(env->store, FACT_MEMBER, row->key, NULL);
	const char *policy =
		keys_text(&member_keys, json_obj(row->doc, "config"), "scheduler.instance");

	str_copy(m->name, sizeof(m->name), row->key);
	str_copy(m->architecture, sizeof(m->architecture), json_str(row->doc, "architecture", ""));
	m->online = cluster_member_life(env->cluster, row->key, NULL) == LIFE_ONLINE;
	m->leaving = json_bool(row->doc, "removing", false) || json_bool(fact, "host_stops", false);
	m->outside = o->group && !member_is_in(row->doc, o->group);
	m->left = str_eq(row->key, o->leave);
	m->by_name = str_eq(policy, "manual");
	m->by_group = str_eq(policy, "group");
	m->memory_total_bytes = (uint64_t)json_int(json_obj(fact, "memory"), "total", 0);
	m->cpus_total = (unsigned)json_int(fact, "cpus", 0);
}

static void add_requested(void *arg, const struct icache_view *i)
{
	struct view *view = arg;

	for (size_t k = 0; k < view->n; k++) {
		struct place_member *m = &view->v[k];

		if (!str_eq(m->name, i->member))
			continue;
		m->instances++;
		m->cpus_requested += i->cpus;
		m->memory_requested_bytes +=
			i->memory_bytes + m->memory_total_bytes / 100 * i->memory_percent;
		return;
	}
}

/* A share of the host's memory asks for as much of every member: it does not matter here. */
static void fill_request(const json_t *instance, const json_t *config, struct place_request *req)
{
	struct limits_request limits = limits_requested(config);

	req->architecture = json_str(instance, "architecture", "");
	req->memory_bytes = limits.memory.bytes;
	req->cpus = limits.cpus.count;
}

int place_instance(const struct api_env *env, const struct place_order *o, struct place_choice *ret,
		   struct err *err)
{
	struct place_request req = { .group = o->group != NULL };
	_free_ struct place_member *v = NULL;
	_rows_ struct rows members = { 0 };
	struct view view;

	if (store_list(env->store, ENT_MEMBER, NULL, &members, err) < 0)
		return -1;
	v = xcalloc(members.n + 1, sizeof(*v));
	for (size_t i = 0; i < members.n; i++)
		fill_member(env, &members.v[i], o, &v[i]);
	view = (struct view){ v, members.n };
	icache_each(env, add_requested, &view);
	fill_request(o->instance->doc, o->instance->config, &req);
	if (place_choose(v, members.n, &req, ret, err) == 0)
		return 0;
	return o->group ? err_wrap(err, "cluster group \"%.63s\"", o->group) : -1;
}

int place_move(const struct api_env *env, const struct row *row, const char *target,
	       struct expanded *x, struct place_choice *ret, struct err *err)
{
	struct place_order order = { .instance = x,
				     .group = target + 1,
				     .leave = json_str(row->doc, "member", "") };

	if (target[0] == '@') {
		expand(env, row->doc, x);
		return place_instance(env, &order, ret, err);
	}
	*ret = (struct place_choice){ 0 };
	str_copy(ret->member, sizeof(ret->member), target);
	return 0;
}
