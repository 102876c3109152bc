/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/netsync.h"

#include <net/if.h>
#include <pthread.h>
#include <string.h>

#include "api/work/address.h"
#include "api/work/job.h"
#include "api/work/netrows.h"
#include "api/work/spec.h"
#include "api/work/state.h"
#include "api/work/task.h"
#include "base/keylock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timer.h"
#include "cluster/model/ref.h"
#include "node/device/device.h"
#include "node/network/network.h"
#include "node/network/type.h"

/* Long enough to gather the rows of a burst. */
#define GATHER_MS 15

struct netsync {
	const struct api_env *env;
	pthread_mutex_t lock;
	json_t *dirty; /* names of networks to look at */
	bool all, scheduled;
	json_t *members; /* instance -> its member as last seen by this daemon, to pass over what
			  * changes nothing; empty after a start, when all is looked at */
	json_t *applied; /* network name -> {net, hosts, macs}: texts of what was last done here */
};

struct netsync *netsync_new(const struct api_env *env)
{
	struct netsync *n = xnew(struct netsync);

	n->env = env;
	n->dirty = json_object();
	n->applied = json_object();
	n->members = json_object();
	pthread_mutex_init(&n->lock, NULL);
	return n;
}

void netsync_free(struct netsync *n)
{
	if (!n)
		return;
	json_decref(n->dirty);
	json_decref(n->applied);
	json_decref(n->members);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

/* --- applying -------------------------------------------------------------------------------- */

/* True when value is not what was last noted under the network's part; notes it. */
static bool differs(struct netsync *n, const char *network, const char *part, const json_t *value)
{
	_free_ char *text = json_text(value);
	json_t *parts;
	bool differ;

	pthread_mutex_lock(&n->lock);
	parts = json_object_get(n->applied, network);
	if (!parts) {
		parts = json_object();
		json_object_set_new(n->applied, network, parts);
	}
	differ = !str_eq(json_str(parts, part, ""), text);
	json_put_str(parts, part, text);
	pthread_mutex_unlock(&n->lock);
	return differ;
}

static void forget(struct netsync *n, const char *network)
{
	pthread_mutex_lock(&n->lock);
	json_object_del(n->applied, network);
	pthread_mutex_unlock(&n->lock);
}

static void forget_parts(struct netsync *n, const char *network)
{
	json_t *parts;

	pthread_mutex_lock(&n->lock);
	parts = json_object_get(n->applied, network);
	json_object_del(parts, "hosts");
	json_object_del(parts, "macs");
	pthread_mutex_unlock(&n->lock);
}

static int apply_network(const struct api_env *env, const struct row *row, struct err *err)
{
	struct netsync *n = env->state->net;
	_json_ json_t *underlays = netrows_underlays(env);
	_json_ json_t *net = netrows_wanted(row, underlays);
	_json_ json_t *hosts = json_array(), *macs = json_object();
	char name[REF_IFNAME_SIZE];
	int rc = 0;

	netrows_leases(env, row, underlays, hosts, macs);
	if (if_nametoindex(ref_ifname(row->key, name)) == 0)
		forget(n, row->key);
	if (differs(n, row->key, "net", net)) {
		/* Its port may be a new one, without any entries. */
		forget_parts(n, row->key);
		rc = network_ensure(env->node, net, err);
	}
	if (rc == 0 && differs(n, row->key, "hosts", hosts))
		rc = network_hosts(env->node, net, hosts, err);
	if (rc == 0 && network_spans(row->doc) && differs(n, row->key, "macs", macs))
		rc = network_forwarding(env->node, net, macs, err);
	if (rc < 0)
		forget(n, row->key);
	return rc;
}

int netsync_now(const struct api_env *env, const char *name, struct err *err)
{
	_free_ char *lock = ref_lock(ENT_NETWORK, name);
	_row_ struct row row = { 0 };
	int rc;

	keylock_take(env->state->locks, lock);
	rc = store_get(env->store, ENT_NETWORK, name, &row, err);
	if (rc == 0)
		rc = apply_network(env, &row, err);
	keylock_drop(env->state->locks, lock);
	return rc;
}

void netsync_gone(const struct api_env *env, const char *name)
{
	_free_ char *lock = ref_lock(ENT_NETWORK, name);
	char ifname[REF_IFNAME_SIZE];
	_row_ struct row again = { 0 };
	struct err err;

	keylock_take(env->state->locks, lock);
	/* Another of its name may have come meanwhile: it brings what is there up to date. */
	if (store_get(env->store, ENT_NETWORK, name, &again, &err) < 0 &&
	    err.kind == ERR_NOT_FOUND) {
		forget(env->state->net, name);
		if (network_remove(env->node, ref_ifname(name, ifname), &err) < 0)
			log_err(LOG_WARN, "a deleted network stays on this host", &err);
	}
	keylock_drop(env->state->locks, lock);
}

void task_sync_network(const struct api_env *env, const char *name)
{
	struct err err;

	if (netsync_now(env, name, &err) == 0)
		return;
	if (err.kind == ERR_NOT_FOUND)
		netsync_gone(env, name);
	else
		log_err(LOG_WARN, "network not up to date", &err);
}

/* --- noticing -------------------------------------------------------------------------------- */

static void gather_done(void *arg)
{
	struct netsync *n = arg;
	_json_ json_t *names = NULL;
	_rows_ struct rows rows = { 0 };
	const char *name;
	struct err err;
	bool all;
	json_t *v;

	pthread_mutex_lock(&n->lock);
	names = n->dirty;
	n->dirty = json_object();
	all = n->all;
	n->all = n->scheduled = false;
	pthread_mutex_unlock(&n->lock);
	if (all && store_list(n->env->store, ENT_NETWORK, NULL, &rows, &err) == 0) {
		for (size_t i = 0; i < rows.n; i++)
			json_object_set_new(names, rows.v[i].key, json_true());
	}
	json_object_foreach(names, name, v)
		task_soon(n->env, TASK_SYNC_NETWORK, name);
}

static void mark(struct netsync *n, const char *network)
{
	bool schedule;

	pthread_mutex_lock(&n->lock);
	if (network)
		json_object_set_new(n->dirty, network, json_true());
	else
		n->all = true;
	schedule = !n->scheduled;
	n->scheduled = true;
	pthread_mutex_unlock(&n->lock);
	if (schedule)
		timer_start(n->env->state->timers, GATHER_MS, gather_done, n);
}

enum sight { SEEN, NEW_HERE, MOVED };

/* What is not known to be where it was counts as a change: the kernel may have entries that an
 * earlier daemon made. */
static enum sight look_at(struct netsync *n, const char *key, const char *text)
{
	_json_ json_t *now = json_object();
	enum sight sight = SEEN;
	const char *before, *after;

	if (text)
		json_put_str(now, key, text);
	pthread_mutex_lock(&n->lock);
	before = json_str(n->members, key, NULL);
	after = json_str(now, key, NULL);
	if (after && !before)
		sight = NEW_HERE;
	else if (after && !str_eq(before, after))
		sight = MOVED;
	if (after)
		json_put_str(n->members, key, after);
	else
		json_object_del(n->members, key);
	pthread_mutex_unlock(&n->lock);
	return sight;
}

static void mark_networks_of(struct netsync *n, const char *instance)
{
	_rows_ struct rows leases = { 0 };
	struct err err;

	if (store_list(n->env->store, ENT_ADDRESS, instance, &leases, &err) < 0)
		return;
	for (size_t i = 0; i < leases.n; i++)
		mark(n, json_str(leases.v[i].doc, "network", ""));
}

/* A move at once: an answer that goes to the former member is missed for a second. One that this
 * daemon has not seen yet may be one; only its first row since the start costs that. */
static void instance_row(struct netsync *n, const char *key, const char *text)
{
	_json_ json_t *doc = NULL;
	enum sight sight = look_at(n, key, text);
	struct err err;

	if (sight == SEEN)
		return;
	mark_networks_of(n, key);
	if (sight == NEW_HERE)
		doc = json_parse(text, strlen(text), "instance", &err);
	if (sight == MOVED || json_int(doc, "epoch", 0) > 0)
		gather_done(n);
}

void netsync_row(struct netsync *n, enum entity e, const char *key, const char *text)
{
	const char *slash = strchr(key, '/');
	_free_ char *network = NULL;

	switch (e) {
	case ENT_NETWORK:
		mark(n, key);
		break;
	case ENT_ADDRESS:
		network = slash ? xstrndup(key, slash - key) : NULL;
		if (network)
			mark(n, network);
		break;
	case ENT_MEMBER:
		mark(n, NULL);
		break;
	case ENT_INSTANCE:
		instance_row(n, key, text);
		break;
	default:
		break;
	}
}

void netsync_all(const struct api_env *env)
{
	mark(env->state->net, NULL);
}

static bool is_known(struct netsync *n, const char *network)
{
	bool known;

	pthread_mutex_lock(&n->lock);
	known = json_object_get(n->applied, network) != NULL;
	pthread_mutex_unlock(&n->lock);
	return known;
}

/* What this daemon took down itself, it has forgotten before or by the time the lock is free. */
void task_restore_network(const struct api_env *env, const char *name)
{
	_free_ char *lock = ref_lock(ENT_NETWORK, name);
	struct netsync *n = env->state->net;
	_row_ struct row row = { 0 };
	struct err err;

	keylock_take(env->state->locks, lock);
	if (is_known(n, name) && store_get(env->store, ENT_NETWORK, name, &row, &err) == 0) {
		log_warn("firewall rules of a network were removed, they are set again", "network",
			 name);
		forget(n, name);
		if (apply_network(env, &row, &err) < 0)
			log_err(LOG_WARN, "network not up to date", &err);
	}
	keylock_drop(env->state->locks, lock);
}

void netsync_lost(const struct api_env *env, const char *name)
{
	struct netsync *n = env->state->net;
	_json_ json_t *names = json_object();
	json_t *parts;
	const char *key;

	pthread_mutex_lock(&n->lock);
	json_object_foreach(n->applied, key, parts) {
		char ifname[REF_IFNAME_SIZE];

		if (!name || str_eq(ref_ifname(key, ifname), name))
			json_object_set_new(names, key, json_true());
	}
	pthread_mutex_unlock(&n->lock);
	json_object_foreach(names, key, parts)
		task_soon(env, TASK_RESTORE_NETWORK, key);
}

/* --- for starts ------------------------------------------------------------------------------ */

static bool is_up(struct netsync *n, const char *network)
{
	char name[REF_IFNAME_SIZE];

	return is_known(n, network) && if_nametoindex(ref_ifname(network, name)) != 0;
}

int job_need_networks(const struct api_env *env, const json_t *spec, struct err *err)
{
	struct device_port p;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		if (!device_has_port(dev, &p) || is_up(env->state->net, p.network) ||
		    netsync_now(env, p.network, err) == 0)
			continue;
		if (err->kind != ERR_NOT_FOUND)
			return err_wrap(err, "network \"%s\"", p.network);
		if (if_nametoindex(p.bridge) == 0)
			return err_set(
				err, ERR_NOT_FOUND,
				"device \"%s\": there is neither a network nor a bridge \"%s\"",
				p.device, p.bridge);
	}
	return 0;
}
