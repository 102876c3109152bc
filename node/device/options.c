/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/device/device.h"

#define DEVICES_MAX 100

static void list_types(struct sbuf *out)
{
	for (size_t i = 0; device_types[i]; i++)
		sbuf_printf(out, "%s%s", i ? ", " : "", device_types[i]->type);
}

static int unknown_type(const char *what, const char *type, struct err *err)
{
	_sbuf_ struct sbuf types = SBUF(1024);

	list_types(&types);
	return err_set(err, ERR_INVALID, "%s: unsupported device type \"%.40s\" (%s)", what, type,
		       types.data);
}

static int check_device(const char *what, const char *device, json_t *dev, struct err *err)
{
	const char *type = json_str(dev, "type", NULL);
	const struct device_ops *ops = device_ops_of(dev);

	if (!json_is_object(dev))
		return err_set(err, ERR_INVALID, "%s must be an object", what);
	if (!type)
		return err_set(err, ERR_INVALID, "%s: \"type\" is missing", what);
	if (!ops)
		return unknown_type(what, type, err);
	if (keys_check(&ops->keys, what, dev, NULL, err) < 0)
		return -1;
	return ops->check ? ops->check(what, device, dev, err) : 0;
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
		if (check_device(full, name, dev, err) < 0)
			return -1;
	}
	return 0;
}

static json_t *value_of(const struct keys *keys, const struct key *row, const json_t *options)
{
	if (row->holds == KEY_HOLDS_BOOL)
		return json_boolean(keys_bool(keys, options, row->name));
	if (row->holds == KEY_HOLDS_NUMBER)
		return json_integer(keys_number(keys, options, row->name));
	return json_string(json_str(options, row->name, row->dflt));
}

json_t *device_describe(const char *device, const json_t *options)
{
	const struct device_ops *ops = device_ops_of(options);
	json_t *dev = json_object();

	assert(ops);
	for (const struct key *row = device_keys; row->name; row++) {
		if (key_is_of(&ops->keys, row) && !row->refused && !strchr(row->name, '*') &&
		    (row->dflt || json_str(options, row->name, NULL)))
			json_object_set_new(dev, row->name, value_of(&ops->keys, row, options));
	}
	json_put_str(dev, "device", device);
	return dev;
}
