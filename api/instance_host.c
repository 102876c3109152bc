/* SPDX-License-Identifier: Apache-2.0 */
#include "api/instance_host.h"

#include <sys/utsname.h>

#include "api/keys.h"
#include "api/spec.h"
#include "base/arch.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/cgroup.h"

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

static int check_disk(const struct api_env *env, const char *what, const json_t *dev,
		      struct err *err)
{
	const char *source = json_str(dev, "source", NULL);

	if (!source || !key_bool(KEYS_DISK, dev, "required") || io_exists(source))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%s\" for key \"source\": there is no such path on "
		       "member \"%s\"; make it first, or set required=false",
		       what, source, cluster_member_name(env->cluster));
}

/* What is larger than the bridge lets through is lost. */
static int check_nic(const struct api_env *env, const char *what, const json_t *dev,
		     struct err *err)
{
	const char *network = spec_nic_network(dev), *value = json_str(dev, "mtu", NULL);
	_json_ json_t *state = NULL;
	struct err ignored;
	int64_t mtu;

	if (!value || !str_to_i64(value, 0, UINT16_MAX, &mtu))
		return 0;
	state = network_state(env->node, network, &ignored);
	if (!state || mtu <= json_int(state, "mtu", 0))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%s\" for key \"mtu\": at most %lld, the MTU of \"%s\"",
		       what, value, (long long)json_int(state, "mtu", 0), network);
}

static int check_devices(const struct api_env *env, const char *what, const json_t *devices,
			 const json_t *old, struct err *err)
{
	const char *name;
	json_t *dev;

	json_object_foreach((json_t *)devices, name, dev) {
		_free_ char *full = xasprintf("%s: device \"%s\"", what, name);
		const char *type = json_str(dev, "type", "");

		if (json_equal(dev, json_object_get(old, name)))
			continue;
		if (str_eq(type, "disk") && check_disk(env, full, dev, err) < 0)
			return -1;
		if (str_eq(type, "nic") && check_nic(env, full, dev, err) < 0)
			return -1;
	}
	return 0;
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	return str_eq(json_str(a, key, ""), json_str(b, key, ""));
}

int instance_check_host(const struct api_env *env, const json_t *doc, const json_t *old,
			struct err *err)
{
	_free_ char *what = xasprintf("instance \"%.64s\"", json_str(doc, "name", "?"));
	_json_ json_t *config = NULL, *devices = NULL, *old_config = NULL, *old_devices = NULL;
	struct cgroup_limits limits;

	spec_expand(env->store, NULL, doc, &config, &devices);
	if (old)
		spec_expand(env->store, NULL, old, &old_config, &old_devices);
	else if (check_architecture(what, doc, err) < 0)
		return -1;
	if ((!same(config, old_config, "limits.cpu") ||
	     !same(config, old_config, "limits.memory")) &&
	    cgroup_limits_parse(config, &limits, err) < 0)
		return err_wrap(err, "%s", what);
	return check_devices(env, what, devices, old_devices, err);
}
