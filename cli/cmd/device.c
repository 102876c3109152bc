/* SPDX-License-Identifier: Apache-2.0 */
/* config device and profile device. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"

struct edit {
	const struct object *o;
	const struct args *a;
	json_t *values; /* keys to set; the new device of add */
};

static json_t *devices_of(json_t *obj)
{
	if (!json_obj(obj, "devices"))
		json_object_set_new(obj, "devices", json_object());
	return json_obj(obj, "devices");
}

static int missing(const struct edit *e, const json_t *obj, const char *device, struct err *err)
{
	if (json_obj(json_obj(obj, "expanded_devices"), device))
		return err_set(err, ERR_NOT_FOUND,
			       "device \"%.80s\" of %s \"%s\" comes from a profile: change it "
			       "there, or use \"dunlin config device override\"",
			       device, e->o->kind->noun, e->o->name);
	return err_set(err, ERR_NOT_FOUND, "%s \"%s\" has no device \"%.80s\"", e->o->kind->noun,
		       e->o->name, device);
}

static int update(struct cli *c, struct edit *e,
		  int (*change)(json_t *obj, void *arg, struct err *err), struct err *err)
{
	_object_ struct object o = { 0 };

	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	e->o = &o;
	e->a = &c->args;
	return object_update(&o, change, e, err);
}

static int change_add(json_t *obj, void *arg, struct err *err)
{
	struct edit *e = arg;
	const char *name = args_pos(e->a, 1);
	json_t *devices = devices_of(obj);

	if (json_obj(devices, name))
		return err_set(err, ERR_CONFLICT, "%s \"%s\" has a device \"%.80s\" already",
			       e->o->kind->noun, e->o->name, name);
	json_object_set(devices, name, e->values);
	return 0;
}

int c_device_add(struct cli *c, struct err *err)
{
	_json_ json_t *device = kv_object(&c->args, 3, err);
	struct edit e = { .values = device };

	if (!device)
		return -1;
	json_put_str(device, "type", args_pos(&c->args, 2));
	if (update(c, &e, change_add, err) < 0)
		return -1;
	cli_say(c, "Device %s added to %s\n", args_pos(&c->args, 1), args_pos(&c->args, 0));
	return 0;
}

static int change_remove(json_t *obj, void *arg, struct err *err)
{
	struct edit *e = arg;

	for (int i = 1; i < e->a->npos; i++)
		if (json_object_del(devices_of(obj), e->a->pos[i]) < 0)
			return missing(e, obj, e->a->pos[i], err);
	return 0;
}

int c_device_remove(struct cli *c, struct err *err)
{
	struct edit e = { 0 };

	if (update(c, &e, change_remove, err) < 0)
		return -1;
	for (int i = 1; i < c->args.npos; i++)
		cli_say(c, "Device %s removed from %s\n", c->args.pos[i], args_pos(&c->args, 0));
	return 0;
}

static int change_set(json_t *obj, void *arg, struct err *err)
{
	struct edit *e = arg;
	const char *name = args_pos(e->a, 1), *key;
	json_t *device = json_obj(devices_of(obj), name), *v;

	if (!device)
		return missing(e, obj, name, err);
	json_object_foreach(e->values, key, v) {
		if (json_is_null(v))
			json_object_del(device, key);
		else
			json_object_set(device, key, v);
	}
	return 0;
}

int c_device_set(struct cli *c, struct err *err)
{
	_json_ json_t *values = kv_object(&c->args, 2, err);
	struct edit e = { .values = values };

	return values ? update(c, &e, change_set, err) : -1;
}

int c_device_unset(struct cli *c, struct err *err)
{
	_json_ json_t *values = json_object();
	struct edit e = { .values = values };

	for (int i = 2; i < c->args.npos; i++)
		json_object_set_new(values, c->args.pos[i], json_null());
	return update(c, &e, change_set, err);
}

static int change_override(json_t *obj, void *arg, struct err *err)
{
	struct edit *e = arg;
	const char *name = args_pos(e->a, 1);
	json_t *from = json_obj(json_obj(obj, "expanded_devices"), name), *device;

	if (json_obj(devices_of(obj), name))
		return err_set(err, ERR_CONFLICT,
			       "%s \"%s\" has its own device \"%.80s\": use \"dunlin config device "
			       "set\"",
			       e->o->kind->noun, e->o->name, name);
	if (!from)
		return missing(e, obj, name, err);
	device = json_copy(from);
	json_object_update(device, e->values);
	json_object_set_new(devices_of(obj), name, device);
	return 0;
}

int c_device_override(struct cli *c, struct err *err)
{
	_json_ json_t *values = kv_object(&c->args, 2, err);
	struct edit e = { .values = values };

	if (!values || update(c, &e, change_override, err) < 0)
		return -1;
	cli_say(c, "Device %s overridden for %s\n", args_pos(&c->args, 1), args_pos(&c->args, 0));
	return 0;
}

static json_t *read_devices(struct cli *c, struct object *o, struct err *err)
{
	json_t *obj;

	if (object_open(c, args_pos(&c->args, 0), o, err) < 0)
		return NULL;
	obj = object_read(o, err);
	if (obj)
		devices_of(obj);
	return obj;
}

int c_device_list(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *obj = read_devices(c, &o, err);
	_json_ json_t *sorted = obj ? config_sorted(obj) : NULL;
	const char *name;
	json_t *v;

	if (!obj)
		return -1;
	json_object_foreach(json_obj(sorted, "devices"), name, v)
		puts(name);
	return 0;
}

int c_device_show(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *obj = read_devices(c, &o, err);
	_json_ json_t *sorted = obj ? config_sorted(obj) : NULL;

	return obj ? fmt_print_yaml(json_obj(sorted, "devices"), err) : -1;
}

int c_device_get(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *obj = read_devices(c, &o, err);
	struct edit e = { .o = &o, .a = &c->args };
	const json_t *device = json_obj(json_obj(obj, "devices"), args_pos(&c->args, 1));

	if (!obj)
		return -1;
	if (!device)
		return missing(&e, obj, args_pos(&c->args, 1), err);
	puts(json_str(device, args_pos(&c->args, 2), ""));
	return 0;
}
