/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/device.h - what can be put into a container: a row a type (device.def), a file
 * each.
 *
 * An instance has the options of a device as its user gave them. A device stands in the list
 * "devices" of a container's description: the same options, read, with its name as "device";
 * api/work/spec.c adds what only rows tell. It comes and goes like this:
 *
 *     start, restore   prepare > conf > stage > (liblxc or CRIU) > started ... release
 *     while it runs    prepare > plug ... unplug > release
 *
 * A function that is missing has nothing to do; a type with conf or stage and without plug comes
 * and goes while its instance is stopped. stage, plug and unplug run in a helper: what they
 * leave behind by mistake ends with its process.
 */
#pragma once
#include <sys/types.h>

#include "base/keys.h"
#include "base/sbuf.h"

enum device_use {
	DEVICE_START,   /* liblxc starts the container */
	DEVICE_RESTORE, /* CRIU restores it, or dumps it to be restored elsewhere */
	DEVICE_PLUG,    /* it runs already */
};

/* Where lines of liblxc's configuration go. */
struct device_conf {
	enum device_use use;
	const char *lxcpath, *name; /* of the container */
	struct sbuf *out;
	size_t nets;           /* interfaces so far: the next one's number */
	bool routed4, routed6; /* an interface has a default route */
};

/* A container that runs, as a helper sees it that holds a pidfd of its init (inside.h). */
struct device_inside {
	const json_t *spec;
	const char *lxcpath, *name;
	pid_t pid;
};

/* What a device with an interface asks for by its options; all borrowed. */
struct device_claim {
	const char *network;                   /* that it is plugged into, or bridge */
	const char *named_by;                  /* the option of a managed one; NULL: a bridge */
	const char *name;                      /* inside; NULL: that of the device */
	const char *host_name, *hwaddr, *ipv4; /* NULL: any */
};

/* The host that a device is to be on. */
struct device_host {
	const char *member; /* its name */
	const char *bridge; /* the interface that device_network() is on it; NULL: none */
	/* A managed network has an interface of that name, or will have. */
	bool (*is_network)(void *arg, const char *interface);
	/* The instance has it already. */
	bool (*is_own)(void *arg, const char *interface);
	void *arg;
};

/* An interface on a bridge of this host; all borrowed, none NULL. */
struct device_port {
	const char *device, *name; /* name: inside */
	const char *network;       /* or its bridge, when it is no network's */
	const char *host_name, *bridge, *ipv4;
};

struct device_ops {
	const char *type;
	struct keys keys; /* device_keys of the type */

	/* Of options. Do they go together? `what` begins the error. */
	int (*check)(const char *what, const char *device, const json_t *options, struct err *err);
	/* Is there on this host what they name, and free what they claim? */
	int (*check_host)(const char *what, const json_t *options, const struct device_host *host,
			  struct err *err);
	/* What no other device of its container can have: "path \"/srv\"". The caller frees. */
	char *(*place)(const char *device, const json_t *options);
	/* False: it has no interface. Missing: its type has none. */
	bool (*claim)(const json_t *options, struct device_claim *ret);
	/* The storage pool that it is in; missing or NULL: none. */
	const char *(*pool)(const json_t *options);
	/* It is the root file system, which is the storage driver's business: it stands in no
	 * description. Missing: false. */
	bool (*is_root)(const json_t *options);

	/* Of a description. */
	/* One that changes in these is taken out and put in anew, as in its name and type. */
	const char *const *fixed;
	int (*prepare)(const json_t *dev, enum device_use use, struct err *err);
	int (*conf)(struct device_conf *c, const json_t *dev, struct err *err);
	/* Makes at target, in the mount namespace of a container that will be started or restored,
	 * what its configuration has as a source: device_stage. */
	int (*stage)(const json_t *spec, const json_t *dev, const char *target, struct err *err);
	int (*started)(const json_t *dev, struct err *err);
	int (*release)(const json_t *dev, struct err *err);
	int (*plug)(const struct device_inside *c, const json_t *dev, struct err *err);
	int (*unplug)(const struct device_inside *c, const json_t *dev, struct err *err);
	/* False: it has none. Missing: its type has none. */
	bool (*port)(const json_t *dev, struct device_port *ret);
};

#define KEY(...)
#define REFUSED(...)
#define DEVICE(type, doc) extern const struct device_ops device_##type;
#include "node/device/device.def"
#undef DEVICE
#undef REFUSED
#undef KEY
extern const struct key device_keys[];

/* All types, NULL at the end. */
extern const struct device_ops *const device_types[];
/* By a device's "type"; NULL when there is none of that name. */
const struct device_ops *device_ops_of(const json_t *dev);
bool device_claims(const json_t *options, struct device_claim *ret);
/* The network or bridge that it is plugged into; NULL: none. */
const char *device_network(const json_t *options);
const char *device_pool(const json_t *options);
bool device_is_root(const json_t *options);
/* keys_check() for every device of an instance or profile, and that its options go together. */
int devices_check(const char *what, json_t *devices, const json_t *old, struct err *err);
/* The options of a known type as a description has them: read, with their defaults. */
json_t *device_describe(const char *device, const json_t *options);

/* May it come and go while the container runs? ERR_CONFLICT: it is part of the configuration that
 * liblxc starts it with, and its type cannot plug. */
int device_check_plug(const struct device_ops *ops, struct err *err);
bool device_has_port(const json_t *dev, struct device_port *ret);
/* What `a` is can stay where `b` is wanted. */
bool device_is_same(const json_t *a, const json_t *b);

/* All devices of a description, in its order; errors name the device. */
int devices_prepare(const json_t *spec, enum device_use use, struct err *err);
int devices_conf(const json_t *spec, struct device_conf *c, struct err *err);
int devices_stage(const json_t *spec, const char *lxcpath, struct err *err);
/* Those that fail are told to the log. */
void devices_started(const json_t *spec);
void devices_release(const json_t *spec);

/* Where a device is staged; the caller frees. */
char *device_stage(const char *lxcpath, const char *container, const char *device);
/* CHECKED (base/keys.h): may an interface inside be called so? */
const char *check_nic_name(const char *v);
/* "KEY = VALUE"; ERR_INVALID when the value would become a line of its own. */
int device_line(struct sbuf *out, const char *key, const char *value, struct err *err);
