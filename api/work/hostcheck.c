/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/hostcheck.h"

#include <net/if.h>
#include <sys/utsname.h>

#include "api/work/spec.h"
#include "base/arch.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "node/device/device.h"
#include "node/container/limits.h"
#include "node/network/network.h"

static int check_architecture(const char *what, const json_t *doc, struct err *err)
{
	const char *wanted = json_str(doc, "architecture", "");
	struct utsname u;

	if (uname(&u) < 0 || str_empty(wanted) || arch_runs(u.machine, wanted))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%s\" for key \"architecture\": this member is %s and "
		       "can't run it",
		       what, wanted, u.machine);
}

/* What is larger than the bridge lets through is lost. */
static int check_mtu(const char *what, const json_t *dev, const json_t *state, struct err *err)
{
	int64_t mtu = keys_number(&device_nic.keys, dev, "mtu");

	if (!state || mtu <= json_int(state, "mtu", 0))
		return 0;
	return err_set(
		err, ERR_INVALID,
		"%s: invalid value \"%lld\" for key \"mtu\": at most %lld, the MTU of \"%s\"", what,
		(long long)mtu, (long long)json_int(state, "mtu", 0), device_network(dev));
}

static bool is_managed(const struct api_env *env, const char *network)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	return store_get(env->store, ENT_NETWORK, network, &row, &ignored) == 0;
}

/* A managed network's bridge may not be there yet. */
static int check_parent(const struct api_env *env, const char *what, const json_t *dev,
			const json_t *state, struct err *err)
{
	const char *parent = json_str(dev, "parent", NULL);

	if (!parent || is_managed(env, parent) || json_obj(state, "bridge"))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%s\" for key \"parent\": %s on member \"%s\"; name a "
		       "bridge of it, or a network as \"network\"",
		       what, parent, state ? "it is no bridge" : "there is no such interface",
		       cluster_member_name(env->cluster));
}

bool devices_have_host_name(const json_t *devices, const char *name)
{
	const char *device;
	json_t *dev;

	json_object_foreach((json_t *)devices, device, dev) {
		if (str_eq(json_str(dev, "host_name", ""), name))
			return true;
	}
	return false;
}

/* The other end of the pair is named after it until it is inside. */
static int check_host_name(const struct api_env *env, const char *what, const json_t *dev,
			   const json_t *old, struct err *err)
{
	const char *name = json_str(dev, "host_name", NULL);
	_free_ char *peer = xasprintf("%sp", name ? name : "");

	if (!name || devices_have_host_name(old, name) ||
	    (!if_nametoindex(name) && !if_nametoindex(peer) && !is_managed(env, name)))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%s\" for key \"host_name\": member \"%s\" has an "
		       "interface \"%s\" already; choose another name",
		       what, name, cluster_member_name(env->cluster),
		       if_nametoindex(peer) ? peer : name);
}

static int check_network(const struct api_env *env, const char *what, const json_t *dev,
			 const json_t *old, struct err *err)
{
	char bridge[REF_IFNAME_SIZE];
	struct err ignored;
	_json_ json_t *state =
		network_state(env->node, ref_ifname(device_network(dev), bridge), &ignored);

	if (check_parent(env, what, dev, state, err) < 0 ||
	    check_host_name(env, what, dev, old, err) < 0)
		return -1;
	return check_mtu(what, dev, state, err);
}

int devices_check_host(const struct api_env *env, const char *what, const json_t *devices,
		       const json_t *old, struct err *err)
{
	const char *name;
	json_t *dev;

	json_object_foreach((json_t *)devices, name, dev) {
		_free_ char *full = xasprintf("%s: device \"%s\"", what, name);
		const struct device_ops *ops = device_ops_of(dev);

		if (json_equal(dev, json_object_get(old, name)))
			continue;
		if (ops && ops->check_host &&
		    ops->check_host(full, dev, cluster_member_name(env->cluster), err) < 0)
			return -1;
		if (device_network(dev) && check_network(env, full, dev, old, err) < 0)
			return -1;
	}
	return 0;
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	return str_eq(json_str(a, key, ""), json_str(b, key, ""));
}

int instance_check_host(const struct api_env *env, const struct expanded *x,
			const struct expanded *old, struct err *err)
{
	_free_ char *what = xasprintf("instance \"%s\"", json_str(x->doc, "name", "?"));
	const json_t *old_config = old ? old->config : NULL;
	struct cgroup_limits limits;

	if (!old && check_architecture(what, x->doc, err) < 0)
		return -1;
	if ((!same(x->config, old_config, "limits.cpu") ||
	     !same(x->config, old_config, "limits.memory")) &&
	    limits_read(x->config, &limits, err) < 0)
		return err_wrap(err, "%s", what);
	return devices_check_host(env, what, x->devices, old ? old->devices : NULL, err);
}
