/* SPDX-License-Identifier: Apache-2.0 */
/* network create, info, attach, detach. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/keys.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"

int c_network_create(struct cli *c, struct err *err)
{
	const char *name, *target = args_value(&c->args, "target");
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	_free_ char *path = api_query(xstrdup("/1.0/networks"), "target", target);
	_json_ json_t *body = json_object(), *config = NULL;

	if (!cl)
		return -1;
	config = kv_object(&c->args, 1, err);
	if (!config)
		return -1;
	json_put_str(body, "name", name);
	json_put_str(body, "description", args_value(&c->args, "description"));
	json_put_str(body, "type", args_value(&c->args, "type"));
	json_object_set(body, "config", config);
	if (api_do(cl, "POST", path, body, err) < 0)
		return -1;
	if (target)
		cli_say(c, "Network %s pending on member %s\n", name, target);
	else
		cli_say(c, "Network %s created\n", name);
	return 0;
}

static void print_counters(const json_t *counters)
{
	_free_ char *in = fmt_size_si(json_int(counters, "bytes_received", 0));
	_free_ char *out = fmt_size_si(json_int(counters, "bytes_sent", 0));

	printf("\nNetwork usage:\n  Bytes received: %s\n  Bytes sent: %s\n", in, out);
	printf("  Packets received: %" PRId64 "\n  Packets sent: %" PRId64 "\n",
	       json_int(counters, "packets_received", 0), json_int(counters, "packets_sent", 0));
}

int c_network_info(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_free_ char *path = NULL;
	_json_ json_t *s = NULL;
	json_t *a;
	size_t i;

	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	path = api_query(api_path("networks/%s/state", o.name), "target",
			 args_value(&c->args, "target"));
	s = api_get(o.cl, path, err);
	if (!s)
		return object_missing(&o, err);
	printf("Name: %s\n", o.name);
	printf("MAC address: %s\n", json_str(s, "hwaddr", ""));
	printf("MTU: %" PRId64 "\n", json_int(s, "mtu", 0));
	printf("State: %s\n", json_str(s, "state", ""));
	printf("Type: %s\n", json_str(s, "type", ""));
	if (json_array_size(json_arr(s, "addresses")))
		puts("\nIP addresses:");
	json_array_foreach(json_arr(s, "addresses"), i, a)
		printf("  %s\t%s/%s (%s)\n", json_str(a, "family", ""), json_str(a, "address", ""),
		       json_str(a, "netmask", ""), json_str(a, "scope", ""));
	print_counters(json_obj(s, "counters"));
	return 0;
}

/* NETWORK INSTANCE|PROFILE [DEVICE [INTERFACE]]. */
struct link {
	const struct args *a;
	const char *network;
	bool managed;
	const char *holder; /* for messages */
};

static int open_holder(struct cli *c, struct link *l, struct client *cl, struct object *o,
		       struct err *err)
{
	bool profile = str_ends(c->args.words, "-profile");
	const char *name = args_pos(&c->args, 1);

	o->cl = cl;
	o->kind = entity_named(profile ? "profile" : "config");
	o->name = xstrdup(name);
	o->path = api_path(o->kind->path, name);
	l->a = &c->args;
	l->holder = name;
	return *name ? 0
		     : err_set(err, ERR_INVALID, "the name of the %s is missing", o->kind->noun);
}

static int change_attach(json_t *obj, void *arg, struct err *err)
{
	struct link *l = arg;
	const char *device = args_pos(l->a, 2) ? args_pos(l->a, 2) : l->network;
	json_t *nic;

	if (!json_obj(obj, "devices"))
		json_object_set_new(obj, "devices", json_object());
	if (json_obj(json_obj(obj, "devices"), device))
		return err_set(err, ERR_CONFLICT, "\"%s\" has a device \"%s\" already", l->holder,
			       device);
	nic = json_object();
	if (l->managed) {
		json_put_str(nic, "network", l->network);
	} else {
		json_put_str(nic, "nictype", "bridged");
		json_put_str(nic, "parent", l->network);
	}
	json_put_str(nic, "name", args_pos(l->a, 3) ? args_pos(l->a, 3) : args_pos(l->a, 2));
	keys_put_type(keys_of_devices.rows, nic);
	json_object_set_new(json_obj(obj, "devices"), device, nic);
	return 0;
}

int c_network_attach(struct cli *c, struct err *err)
{
	struct link l = { 0 };
	_object_ struct object o = { 0 };
	struct client *cl = client_of(c, args_pos(&c->args, 0), &l.network, err);
	_free_ char *path = NULL;
	_json_ json_t *network = NULL;

	if (!cl || open_holder(c, &l, cl, &o, err) < 0)
		return -1;
	path = api_path("networks/%s", l.network);
	network = api_get(cl, path, err);
	if (!network)
		return err_wrap_name(err, "network", l.network);
	l.managed = json_bool(network, "managed", false);
	return object_update(&o, change_attach, &l, err);
}

static bool is_on(const json_t *device, const char *network)
{
	return str_eq(json_str(device, "network", NULL), network) ||
	       str_eq(json_str(device, "parent", NULL), network);
}

static int change_detach(json_t *obj, void *arg, struct err *err)
{
	struct link *l = arg;
	json_t *devices = json_obj(obj, "devices"), *v;
	const char *asked = args_pos(l->a, 2), *name, *found = NULL;

	json_object_foreach(devices, name, v) {
		if (!is_on(v, l->network) || (asked && strcmp(asked, name) != 0))
			continue;
		if (found)
			return err_set(err, ERR_INVALID,
				       "\"%s\" has several devices on \"%s\": name one", l->holder,
				       l->network);
		found = name;
	}
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "\"%s\" has no such device on network \"%s\"",
			       l->holder, l->network);
	json_object_del(devices, found);
	return 0;
}

int c_network_detach(struct cli *c, struct err *err)
{
	struct link l = { 0 };
	_object_ struct object o = { 0 };
	struct client *cl = client_of(c, args_pos(&c->args, 0), &l.network, err);

	if (!cl || open_holder(c, &l, cl, &o, err) < 0)
		return -1;
	return object_update(&o, change_detach, &l, err);
}
