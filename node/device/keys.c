/* SPDX-License-Identifier: Apache-2.0 */
#include "node/device/keys.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/netlink/link.h"

#define DEVICES_MAX 100

/* liblxc gives an interface no name of one byte, and "lo" is there. */
static bool is_nic_name(const char *v, size_t longest)
{
	size_t n = strlen(v);

	return str_is_ifname(v) && n > 1 && n <= longest && !str_eq(v, "lo");
}

const char *check_nic_name(const char *v)
{
	if (is_nic_name(v, 15))
		return NULL;
	return "must be an interface name of 2 to 15 letters, digits, \"-\", \"_\" and \".\", "
	       "no hyphen first, not lo, all or default";
}

/* The other end of the pair has a byte more. */
static const char *check_host_name(const char *v)
{
	if (is_nic_name(v, 14))
		return NULL;
	return "must be an interface name of 2 to 14 letters, digits, \"-\", \"_\" and \".\", "
	       "no hyphen first, not lo, all or default";
}

static const struct key rows[] = {
#define KEY(...) KEY_ROW(__VA_ARGS__)
#define REFUSED(...) KEY_REFUSED(__VA_ARGS__)
#include "node/device/keys.def"
#undef REFUSED
#undef KEY
	KEY_END
};

const struct keys nic_keys = { rows, "nic" };
const struct keys disk_keys = { rows, "disk" };
const struct keys none_keys = { rows, "none" };

/* --- whole devices ---------------------------------------------------------------------------- */

static int check_nic(const char *what, const json_t *dev, struct err *err)
{
	if (!json_str(dev, "network", NULL) && !json_str(dev, "parent", NULL))
		return err_set(err, ERR_INVALID, "%s: a nic needs \"network\" (or \"parent\")",
			       what);
	if (json_str(dev, "network", NULL) && json_str(dev, "parent", NULL))
		return err_set(err, ERR_INVALID,
			       "%s: \"parent\" can't be set (to \"%s\") beside \"network\"", what,
			       json_str(dev, "parent", ""));
	return 0;
}

/* The root disk is what the storage driver makes of it. */
static int check_root(const char *what, const json_t *dev, struct err *err)
{
	static const char *const not_here[] = { "source", "readonly", "shift", "required" };

	if (!json_str(dev, "pool", NULL))
		return err_set(err, ERR_INVALID, "%s: the root disk needs \"pool\"", what);
	for (size_t i = 0; i < ARRAY_SIZE(not_here); i++) {
		const char *v = json_str(dev, not_here[i], NULL), *dflt;

		dflt = keys_text(&disk_keys, NULL, not_here[i]);
		if (v && !(dflt && str_eq(v, dflt)))
			return err_set(err, ERR_INVALID,
				       "%s: the root disk takes no \"%s\" (here \"%.60s\")", what,
				       not_here[i], v);
	}
	return 0;
}

/* What a container's start mounts itself, over a disk or below it. */
static int check_place(const char *what, const char *path, struct err *err)
{
	static const char *const own[] = { "/dev", "/proc", "/sys" };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		size_t n = strlen(own[i]);

		if (strncmp(path, own[i], n) == 0 && path[n + strspn(path + n, "/")] == '\0')
			return err_set(err, ERR_INVALID,
				       "%s: invalid value \"%s\" for key \"path\": the container "
				       "has its own \"%s\"; name another folder",
				       what, path, own[i]);
	}
	return 0;
}

static int check_disk(const char *what, const json_t *dev, struct err *err)
{
	const char *path = json_str(dev, "path", NULL), *source = json_str(dev, "source", NULL);

	if (!path)
		return err_set(err, ERR_INVALID, "%s: a disk needs \"path\"", what);
	if (check_place(what, path, err) < 0)
		return -1;
	if (str_eq(path, "/"))
		return check_root(what, dev, err);
	if (json_str(dev, "pool", NULL))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: custom storage volumes are not implemented; name a path of the "
			       "host as \"source\"",
			       what);
	if (!source || source[0] != '/')
		return err_set(err, ERR_INVALID,
			       "%s: a disk needs an absolute path of the host as \"source\"", what);
	return 0;
}

static const struct {
	const char *type;
	const struct keys *keys;
	int (*check)(const char *what, const json_t *dev, struct err *err);
} device_types[] = {
	{ "nic", &nic_keys, check_nic },
	{ "disk", &disk_keys, check_disk },
	{ "none", &none_keys, NULL },
};

static int check_device(const char *what, json_t *dev, struct err *err)
{
	const char *type = json_str(dev, "type", NULL);

	if (!json_is_object(dev))
		return err_set(err, ERR_INVALID, "%s must be an object", what);
	if (!type)
		return err_set(err, ERR_INVALID, "%s: \"type\" is missing", what);
	for (size_t i = 0; i < ARRAY_SIZE(device_types); i++) {
		if (!str_eq(type, device_types[i].type))
			continue;
		if (keys_check(device_types[i].keys, what, dev, NULL, err) < 0)
			return -1;
		return device_types[i].check ? device_types[i].check(what, dev, err) : 0;
	}
	return err_set(err, ERR_INVALID, "%s: unsupported device type \"%.40s\" (nic, disk, none)",
		       what, type);
}

int devices_check(const char *what, json_t *devices, const json_t *old, struct err *err)
{
	const char *name;
	json_t *dev;

	if (json_object_size(devices) > DEVICES_MAX)
		return err_set(err, ERR_INVALID, "%s: more than %d devices", what, DEVICES_MAX);
	json_object_foreach(devices, name, dev) {
		_free_ char *full = xasprintf("%s: device \"%.64s\"", what, name);

		if (json_equal(dev, json_object_get(old, name)))
			continue;
		if (!str_is_name(name, 64))
			return err_set(err, ERR_INVALID, "%s: invalid device name", full);
		if (check_device(full, dev, err) < 0)
			return -1;
	}
	return 0;
}
