/* SPDX-License-Identifier: Apache-2.0 */
/* launch, init, copy. */
#include <stdio.h>
#include <string.h>

#include "base/defaults.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/console.h"
#include "cli/form/keys.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"
#include "cli/net/instance.h"

static int put_root_pool(struct client *cl, json_t *devices, const char *pool, struct err *err)
{
	_free_ char *path = api_path("storage-pools/%s", pool);
	_json_ json_t *found = api_get(cl, path, err);
	_json_ json_t *root = json_pack("{s:s, s:s}", "path", "/", "pool", pool);

	if (!found)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND,
					 "no storage pool \"%.80s\" (see dunlin storage list)",
					 pool)
			       : -1;
	keys_put_type(keys_of_devices.rows, root);
	if (json_obj(devices, "root"))
		json_object_update(json_obj(devices, "root"), root);
	else
		json_object_set(devices, "root", root);
	return 0;
}

static int put_network(struct client *cl, json_t *devices, const char *network, struct err *err)
{
	_free_ char *path = api_path("networks/%s", network);
	_json_ json_t *found = api_get(cl, path, err);
	json_t *nic;

	if (!found)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND,
					 "no network \"%.80s\" (see dunlin network list)", network)
			       : -1;
	nic = json_object();
	json_put_str(nic, "name", "eth0");
	if (json_bool(found, "managed", false)) {
		json_put_str(nic, "network", network);
	} else {
		json_put_str(nic, "nictype", "bridged");
		json_put_str(nic, "parent", network);
	}
	keys_put_type(keys_of_devices.rows, nic);
	json_object_set_new(devices, "eth0", nic);
	return 0;
}

/* Profiles are left out unless chosen: the server then takes the default one. */
static void put_profiles(const struct args *a, json_t *body)
{
	json_t *list = json_array();
	const char *p;

	for (int i = 0; (p = args_nth(a, "profile", i)); i++)
		json_array_append_new(list, json_string(p));
	if (json_array_size(list) || args_flag(a, "no-profiles"))
		json_object_set(body, "profiles", list);
	json_decref(list);
}

static json_t *map_of(json_t *body, const char *key)
{
	if (!json_obj(body, key))
		json_object_set_new(body, key, json_object());
	return json_obj(body, key);
}

/* The device as the last of the profiles that has it defines it; borrowed from *ret_profile. */
static int find_in_profiles(struct client *cl, const json_t *profiles, const char *device,
			    json_t **ret_profile, struct err *err)
{
	json_t *name;
	size_t i;

	json_array_foreach(profiles, i, name) {
		_free_ char *path = api_path("profiles/%s", json_string_value(name));
		_json_ json_t *profile = api_get(cl, path, err);

		if (!profile)
			return -1;
		if (!json_obj(json_obj(profile, "devices"), device))
			continue;
		json_decref(*ret_profile);
		*ret_profile = json_incref(profile);
	}
	return 0;
}

static int refuse_untyped(const char *name, const json_t *device, struct err *err)
{
	const char *type = keys_scope_of(keys_of_devices.rows, device);

	return err_set(err, ERR_INVALID,
		       "device \"%.80s\" is in no profile of the instance: give its type too (-d "
		       "%.80s,type=%s)",
		       name, name, type ? type : "TYPE");
}

/* "-d eth0,mtu=1400" changes a device that comes from a profile: only the whole of it is valid. */
static int complete_devices(struct client *cl, json_t *body, struct err *err)
{
	_json_ json_t *dflt = json_pack("[s]", PROFILE_DEFAULT);
	const json_t *profiles = json_arr(body, "profiles");
	const char *name;
	json_t *device;

	json_object_foreach(json_obj(body, "devices"), name, device) {
		_json_ json_t *profile = NULL;

		if (json_object_get(device, "type"))
			continue;
		if (find_in_profiles(cl, profiles ? profiles : dflt, name, &profile, err) < 0)
			return -1;
		if (!profile)
			return refuse_untyped(name, device, err);
		json_object_update_missing(device, json_obj(json_obj(profile, "devices"), name));
	}
	return 0;
}

static int put_options(struct client *cl, json_t *body, struct err *err)
{
	const struct args *a = &client_cli(cl)->args;
	json_t *devices = map_of(body, "devices");
	const char *pool = args_value(a, "storage"), *network = args_value(a, "network");

	config_to_strings(body);
	if (kv_options(a, "config", map_of(body, "config"), err) < 0)
		return -1;
	if (pool && put_root_pool(cl, devices, pool, err) < 0)
		return -1;
	if (network && put_network(cl, devices, network, err) < 0)
		return -1;
	if (kv_devices(a, "device", devices, err) < 0)
		return -1;
	put_profiles(a, body);
	if (complete_devices(cl, body, err) < 0)
		return -1;
	if (args_flag(a, "ephemeral"))
		json_put_bool(body, "ephemeral", true);
	json_put_str(body, "description", args_value(a, "description"));
	if (args_value(a, "type"))
		json_put_str(body, "instance_type", args_value(a, "type"));
	json_put_str(body, "type", "container");
	return 0;
}

static json_t *image_source(struct client *cl, const char *image, const char *target,
			    struct err *err)
{
	_free_ char *fingerprint = image_fingerprint(cl, image, target, err);
	json_t *source;

	if (!fingerprint)
		return NULL;
	source = json_object();
	json_put_str(source, "type", "image");
	json_put_str(source, "fingerprint", fingerprint);
	return source;
}

/* The remotes and names of IMAGE and NAME. Without NAME the instance is made where the image is. */
static struct client *parse_places(struct cli *c, const char **ret_image, const char **ret_name,
				   struct err *err)
{
	const char *image = args_pos(&c->args, 0), *name = args_pos(&c->args, 1);
	struct client *cl = client_of(c, image, ret_image, err), *to;

	*ret_name = "";
	if (!cl)
		return NULL;
	if (args_flag(&c->args, "empty")) {
		if (name) {
			err_set(err, ERR_INVALID, "--empty takes no image: write only the name");
			return NULL;
		}
		*ret_name = *ret_image;
		*ret_image = NULL;
		return cl;
	}
	if (!name)
		return cl;
	to = client_of(c, name, ret_name, err);
	if (to && to != cl) {
		err_set(err, ERR_INVALID,
			"image and instance are on different servers: run \"dunlin image copy %s "
			"%s:\" first",
			image, client_remote(to));
		return NULL;
	}
	return to;
}

static char *created_name(const json_t *op, const char *asked)
{
	json_t *list = json_arr(json_obj(op, "resources"), "instances");
	const char *url = json_string_value(json_array_get(list, 0));

	return *asked || !url ? xstrdup(asked) : url_name(url);
}

/* Why the scheduler chose the member; nothing when it was named. */
static void say_placement(struct cli *c, const json_t *op)
{
	const json_t *p = json_obj(json_obj(op, "metadata"), "placement");
	const char *reason = json_str(p, "reason", NULL);

	if (reason && !args_value(&c->args, "target"))
		cli_say(c, "Placed on %s: %s\n", json_str(p, "member", "?"), reason);
}

/* The name of the new instance, which the caller frees. */
static char *create(struct cli *c, bool start, struct client **ret_cl, struct err *err)
{
	const char *image, *name, *target = args_value(&c->args, "target");
	_free_ char *path = api_query(xstrdup("/1.0/instances"), "target", target);
	struct api_call call = API_CALL("POST", path);
	struct client *cl = parse_places(c, &image, &name, err);
	_json_ json_t *body = NULL, *source = NULL, *op = NULL;
	char *made;

	if (!cl)
		return NULL;
	body = stdin_yaml(err);
	if (!body && err->kind != ERR_NONE)
		return NULL;
	if (!body)
		body = json_object();
	source = image ? image_source(cl, image, target, err) : json_pack("{s:s}", "type", "none");
	if (!source || put_options(cl, body, err) < 0)
		return NULL;
	json_object_set(body, "source", source);
	json_put_str(body, "name", name);
	if (start)
		json_object_set_new(body, "start", json_true());
	cli_say(c, "%s %s\n", start ? "Launching" : "Creating", *name ? name : "the instance");
	call.json = body;
	op = api_run(cl, &call, err);
	if (!op)
		return NULL;
	made = created_name(op, name);
	if (!*name)
		cli_say(c, "Instance name is: %s\n", made);
	say_placement(c, op);
	*ret_cl = cl;
	return made;
}

int c_init(struct cli *c, struct err *err)
{
	struct client *cl;
	_free_ char *name = create(c, false, &cl, err);

	return name ? 0 : -1;
}

int c_launch(struct cli *c, struct err *err)
{
	struct client *cl;
	_free_ char *name = create(c, true, &cl, err);

	if (!name)
		return -1;
	return args_flag(&c->args, "console") ? console_enter(cl, name, err) : 0;
}

/* What belongs to one instance alone stays with it. */
static json_t *copied_config(const json_t *config)
{
	json_t *out = json_object(), *v;
	const char *key;

	json_object_foreach((json_t *)config, key, v)
		if (!str_starts(key, "volatile.") || strcmp(key, "volatile.base_image") == 0)
			json_object_set(out, key, v);
	return out;
}

static json_t *copy_body(const json_t *from, const char *source_name, const char *name)
{
	json_t *body = pick_fields(from, "architecture devices profiles description");
	const json_t *config = json_obj(from, "config");
	json_t *source = json_object();

	json_object_set_new(body, "config", copied_config(config));
	json_put_str(source, "type", "copy");
	json_put_str(source, "source", source_name);
	json_put_str(source, "base-image", json_str(config, "volatile.base_image", NULL));
	json_object_set_new(body, "source", source);
	json_put_str(body, "name", name);
	return body;
}

int c_copy(struct cli *c, struct err *err)
{
	const char *from_name, *to = args_pos(&c->args, 1), *name = "";
	struct client *cl = client_of(c, args_pos(&c->args, 0), &from_name, err);
	struct client *to_cl = cl && to ? client_of(c, to, &name, err) : cl;
	_free_ char *path =
		api_query(xstrdup("/1.0/instances"), "target", args_value(&c->args, "target"));
	struct api_call call = API_CALL("POST", path);
	_json_ json_t *from = NULL, *body = NULL, *op = NULL;
	_free_ char *made = NULL;

	if (!cl || !to_cl)
		return -1;
	if (cl != to_cl)
		return err_set(
			err, ERR_UNSUPPORTED,
			"copying between servers is not supported: both must be on one server");
	from = instance_read(cl, from_name, err);
	if (!from)
		return -1;
	body = copy_body(from, from_name, name);
	if (put_options(cl, body, err) < 0)
		return -1;
	if (args_flag(&c->args, "instance-only"))
		json_put_bool(json_obj(body, "source"), "instance_only", true);
	call.json = body;
	op = api_run(cl, &call, err);
	if (!op)
		return -1;
	made = created_name(op, name);
	if (!*name)
		cli_say(c, "Instance name is: %s\n", made);
	return 0;
}
