/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/keys.h"

#include <string.h>

#include "base/str.h"

/* Functions of the server do not come along. */
#undef KEY_IS_CHECKED
#undef KEY_IS_PARSED
#define KEY_IS_CHECKED(function) .holds = KEY_HOLDS_TEXT
#define KEY_IS_PARSED(function) .holds = KEY_HOLDS_TEXT
#define KEY(...) KEY_ROW(__VA_ARGS__)
#define REFUSED(...) KEY_REFUSED(__VA_ARGS__)

static const struct key instances[] = {
#include "node/container/keys.def"
	KEY_END
};
static const struct key devices[] = {
#define DEVICE(...)
#include "node/device/device.def"
#undef DEVICE
	KEY_END
};
static const struct key networks[] = {
#define NETWORK(...)
#include "node/network/type.def"
#undef NETWORK
	KEY_END
};
static const struct key pools[] = {
#define DRIVER(...)
#include "node/storage/driver.def"
#undef DRIVER
	KEY_END
};
static const struct key others[] = {
#include "cluster/model/keys.def"
	KEY_END
};

const char *const pool_drivers[] = {
#undef KEY
#undef REFUSED
#define KEY(...)
#define REFUSED(...)
#define DRIVER(name, version, doc) #name,
#include "node/storage/driver.def"
#undef DRIVER
	NULL
};

const struct keys keys_of_instances = { instances, "instance" };
const struct keys keys_of_devices = { devices, NULL };
const struct keys keys_of_server = { others, "server" };

/* Longer groups before the shorter ones that they begin with. */
const struct command_keys command_keys[] = {
	{ "config device", { devices, NULL }, false },
	{ "profile device", { devices, NULL }, false },
	{ "config", { instances, "instance" }, true },
	{ "profile", { instances, "instance" }, false },
	{ "network", { networks, NULL }, false },
	{ "storage volume", { NULL, NULL }, false },
	{ "storage", { pools, NULL }, false },
	{ "cluster", { others, "member" }, false },
	{ NULL, { NULL, NULL }, false },
};

const struct command_keys *command_keys_of(const char *words)
{
	for (const struct command_keys *k = command_keys; k->group; k++) {
		size_t n = strlen(k->group);

		if (str_starts(words, k->group) && words[n] == ' ')
			return k->keys.rows ? k : NULL;
	}
	return NULL;
}
