/* SPDX-License-Identifier: Apache-2.0 */
#include "node/device/device.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

const struct device_ops *const device_types[] = {
#define KEY(...)
#define REFUSED(...)
#define DEVICE(type, doc) &device_##type,
#include "node/device/device.def"
#undef DEVICE
#undef REFUSED
#undef KEY
	NULL,
};

const struct device_ops *device_ops_of(const json_t *dev)
{
	const char *type = json_str(dev, "type", "");

	for (size_t i = 0; device_types[i]; i++) {
		if (str_eq(device_types[i]->type, type))
			return device_types[i];
	}
	return NULL;
}

bool device_claims(const json_t *options, struct device_claim *ret)
{
	const struct device_ops *ops = device_ops_of(options);

	return ops && ops->claim && ops->claim(options, ret);
}

const char *device_network(const json_t *options)
{
	struct device_claim c;

	return device_claims(options, &c) ? c.network : NULL;
}

const char *device_pool(const json_t *options)
{
	const struct device_ops *ops = device_ops_of(options);

	return ops && ops->pool ? ops->pool(options) : NULL;
}

int device_check_plug(const struct device_ops *ops, struct err *err)
{
	if (ops->plug || (!ops->conf && !ops->stage))
		return 0;
	return err_set(err, ERR_CONFLICT,
		       "one of type %s is put in when its instance starts: stop the instance first",
		       ops->type);
}

bool device_is_root(const json_t *options)
{
	const struct device_ops *ops = device_ops_of(options);

	return ops && ops->is_root && ops->is_root(options);
}

bool device_has_port(const json_t *dev, struct device_port *ret)
{
	const struct device_ops *ops = device_ops_of(dev);

	return ops && ops->port && ops->port(dev, ret);
}

static bool same_option(const json_t *a, const json_t *b, const char *name)
{
	json_t *x = json_object_get(a, name), *y = json_object_get(b, name);

	return x == y || json_equal(x, y);
}

bool device_is_same(const json_t *a, const json_t *b)
{
	const struct device_ops *ops = device_ops_of(a);

	if (!same_option(a, b, "type") || !same_option(a, b, "device"))
		return false;
	for (const char *const *o = ops ? ops->fixed : NULL; o && *o; o++) {
		if (!same_option(a, b, *o))
			return false;
	}
	return true;
}

/* --- all of a container ------------------------------------------------------------------- */

static int wrap(const json_t *spec, const json_t *dev, struct err *err)
{
	return err_wrap(err, "device %s of %s", json_str(dev, "device", "?"),
			json_str(spec, "name", "?"));
}

int devices_prepare(const json_t *spec, enum device_use use, struct err *err)
{
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		const struct device_ops *ops = device_ops_of(dev);
		int rc = 0;

		if (!ops)
			rc = err_set(err, ERR_INVALID, "there is no device type \"%.40s\"",
				     json_str(dev, "type", ""));
		else if (ops->prepare)
			rc = ops->prepare(dev, use, err);
		if (rc < 0)
			return wrap(spec, dev, err);
	}
	return 0;
}

int devices_conf(const json_t *spec, struct device_conf *c, struct err *err)
{
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		const struct device_ops *ops = device_ops_of(dev);

		if (ops && ops->conf && ops->conf(c, dev, err) < 0)
			return wrap(spec, dev, err);
	}
	return 0;
}

int devices_stage(const json_t *spec, const char *lxcpath, struct err *err)
{
	const char *name = json_str(spec, "name", "?");
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		const struct device_ops *ops = device_ops_of(dev);
		_free_ char *target = device_stage(lxcpath, name, json_str(dev, "device", ""));

		if (ops && ops->stage && ops->stage(spec, dev, target, err) < 0)
			return wrap(spec, dev, err);
	}
	return 0;
}

static void log_failure(const json_t *spec, const json_t *dev, const char *what,
			const struct err *err)
{
	log_warn(what, "instance", json_str(spec, "name", "?"), "device",
		 json_str(dev, "device", "?"), "error", err->msg);
}

void devices_started(const json_t *spec)
{
	struct err err;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		const struct device_ops *ops = device_ops_of(dev);

		if (ops && ops->started && ops->started(dev, &err) < 0)
			log_failure(spec, dev, "device of a started instance", &err);
	}
}

void devices_release(const json_t *spec)
{
	struct err err;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		const struct device_ops *ops = device_ops_of(dev);

		if (ops && ops->release && ops->release(dev, &err) < 0)
			log_failure(spec, dev, "device not removed", &err);
	}
}
