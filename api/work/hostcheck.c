/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/hostcheck.h"

#include <sys/utsname.h>

#include "api/work/spec.h"
#include "base/arch.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "node/device/device.h"
#include "node/container/limits.h"

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

bool devices_have_host_name(const json_t *devices, const char *name)
{
	struct device_claim c;
	const char *device;
	json_t *dev;

	json_object_foreach((json_t *)devices, device, dev) {
		if (device_claims(dev, &c) && str_eq(c.host_name, name))
			return true;
	}
	return false;
}

struct host {
	const struct api_env *env;
	const json_t *old; /* the instance's devices as they are */
};

static bool is_network(void *arg, const char *interface)
{
	const struct host *h = arg;
	_row_ struct row row = { 0 };
	struct err ignored;

	return store_get(h->env->store, ENT_NETWORK, interface, &row, &ignored) == 0;
}

static bool is_own(void *arg, const char *interface)
{
	const struct host *h = arg;

	return devices_have_host_name(h->old, interface);
}

static int check_device(struct host *h, const char *what, const json_t *dev, struct err *err)
{
	const struct device_ops *ops = device_ops_of(dev);
	const char *network = device_network(dev);
	char bridge[REF_IFNAME_SIZE];
	struct device_host host = { .member = cluster_member_name(h->env->cluster),
				    .bridge = network ? ref_ifname(network, bridge) : NULL,
				    .is_network = is_network,
				    .is_own = is_own,
				    .arg = h };

	return ops && ops->check_host ? ops->check_host(what, dev, &host, err) : 0;
}

int devices_check_host(const struct api_env *env, const char *what, const json_t *devices,
		       const json_t *old, struct err *err)
{
	struct host h = { env, old };
	const char *name;
	json_t *dev;

	json_object_foreach((json_t *)devices, name, dev) {
		_free_ char *full = xasprintf("%s: device \"%s\"", what, name);

		if (!json_equal(dev, json_object_get(old, name)) &&
		    check_device(&h, full, dev, err) < 0)
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
