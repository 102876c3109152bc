/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/order.h"

#include <stdlib.h>
#include <string.h>

#include "api/work/expand.h"
#include "base/mem.h"
#include "cluster/model/state.h"
#include "node/container/container.h"
#include "node/container/keys.h"

void boot_order_done(struct boot_order *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->v[i].name);
	free(o->v);
	*o = (struct boot_order){ 0 };
}

static int by_priority(const void *a, const void *b)
{
	const struct boot_one *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return strcmp(x->name, y->name);
}

bool boot_starts(enum status now, const json_t *doc, const json_t *config)
{
	if (now != STATUS_STOPPED)
		return false;
	if (!keys_text(&instance_keys, config, "boot.autostart"))
		return inst_shall_run(doc);
	return keys_bool(&instance_keys, config, "boot.autostart");
}

bool boot_stops(enum status now, const json_t *doc, const json_t *config)
{
	return now != STATUS_STOPPED;
}

struct order {
	bool (*wanted)(enum status now, const json_t *doc, const json_t *config);
	const char *priority, *seconds; /* keys */
};

static int collect(const struct api_env *env, const struct order *o, struct boot_order *ret,
		   struct err *err)
{
	_json_ json_t *profiles = json_object();
	_rows_ struct rows rows = { 0 };

	if (store_list(env->store, ENT_INSTANCE, cluster_member_name(env->cluster), &rows, err) < 0)
		return -1;
	*ret = (struct boot_order){ .v = xcalloc(rows.n + 1, sizeof(*ret->v)) };
	for (size_t i = 0; i < rows.n; i++) {
		enum status now = container_status(env->node, rows.v[i].key);
		_json_ json_t *config = NULL, *devices = NULL;

		expand_parts(env->store, profiles, rows.v[i].doc, &config, &devices);
		if (o->wanted(now, rows.v[i].doc, config))
			ret->v[ret->n++] = (struct boot_one){
				xstrdup(rows.v[i].key),
				keys_number(&instance_keys, config, o->priority),
				(int)keys_number(&instance_keys, config, o->seconds)
			};
	}
	qsort(ret->v, ret->n, sizeof(*ret->v), by_priority);
	return 0;
}

int boot_order_start(const struct api_env *env, struct boot_order *ret, struct err *err)
{
	static const struct order order = { boot_starts, "boot.autostart.priority",
					    "boot.autostart.delay" };

	return collect(env, &order, ret, err);
}

int boot_order_stop(const struct api_env *env, struct boot_order *ret, struct err *err)
{
	static const struct order order = { boot_stops, "boot.stop.priority",
					    "boot.host_shutdown_timeout" };

	return collect(env, &order, ret, err);
}

size_t boot_order_group(const struct boot_order *o, size_t from)
{
	size_t to = from;

	while (to < o->n && o->v[to].priority == o->v[from].priority)
		to++;
	return to;
}
