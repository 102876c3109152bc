/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keys.h"

#include <stdio.h>
#include <string.h>

#include "api/keys_value.h"
#include "base/mem.h"
#include "base/str.h"

#define VALUE_MAX (64 << 10)
#define DEVICES_MAX 100

static const struct key keys[] = {
#define KEY(of, name, type, dflt, check, live, doc) \
	{ KEYS_##of, name, type, dflt, check, live, doc },
#include "api/keys.def"
#undef KEY
};

const struct key *key_table(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(keys);
	return keys;
}

static bool matches(const struct key *k, const char *name)
{
	size_t n = strlen(k->name);

	if (n > 2 && str_ends(k->name, ".*"))
		return strncmp(k->name, name, n - 1) == 0 && name[n - 1];
	return str_eq(k->name, name);
}

const struct key *key_find(enum keys_of of, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].of == of && matches(&keys[i], name))
			return &keys[i];
	}
	return NULL;
}

const char *key_value(enum keys_of of, const json_t *config, const char *name)
{
	const char *v = json_str(config, name, NULL);
	const struct key *k = v ? NULL : key_find(of, name);

	return k ? k->dflt : v;
}

bool key_bool(enum keys_of of, const json_t *config, const char *name)
{
	const char *v = key_value(of, config, name);
	bool b;

	return v && str_to_bool(v, &b) && b;
}

static const char *check_type(enum key_type type, const char *v)
{
	uint64_t size;
	int64_t i;
	bool b;

	switch (type) {
	case K_STRING:
		return NULL;
	case K_BOOL:
		return str_to_bool(v, &b) ? NULL : "must be true or false";
	case K_INT:
		return str_to_i64(v, INT64_MIN, INT64_MAX, &i) ? NULL : "must be a whole number";
	case K_SIZE:
		return str_to_size(v, &size) ? NULL : "must be a size such as 10GiB";
	}
	return NULL;
}

static int check_one(enum keys_of of, const char *what, const char *name, const char *v,
		     struct err *err)
{
	const struct key *k = key_find(of, name);
	const char *wrong;

	if (!k)
		return err_set(err, ERR_INVALID, "%s: unknown configuration key \"%.80s\"", what,
			       name);
	if (strlen(v) > VALUE_MAX)
		return err_set(err, ERR_INVALID,
			       "%s: the value of \"%.80s\" is longer than %d bytes", what, name,
			       VALUE_MAX);
	wrong = *v ? check_type(k->type, v) : NULL;
	if (*v && !wrong && k->check)
		wrong = k->check(v);
	if (wrong)
		return err_set(err, ERR_INVALID,
			       "%s: invalid value \"%.60s\" for key \"%.80s\": %s", what, v, name,
			       wrong);
	return 0;
}

/* A string for any scalar, NULL for lists and objects; the caller frees. */
static char *scalar_text(const json_t *v)
{
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	if (json_is_null(v))
		return xstrdup("");
	if (json_is_object(v) || json_is_array(v))
		return NULL;
	return json_text(v);
}

int keys_check(enum keys_of of, const char *what, json_t *config, struct err *err)
{
	const char *name;
	json_t *v;
	void *tmp;

	json_object_foreach_safe(config, tmp, name, v) {
		_free_ char *text = scalar_text(v);

		if (!text)
			return err_set(err, ERR_INVALID,
				       "%s: the value of \"%.80s\" must be a string", what, name);
		if (check_one(of, what, name, text, err) < 0)
			return -1;
		if (!*text)
			json_object_del(config, name);
		else if (!json_is_string(v))
			json_object_set_new(config, name, json_string(text));
	}
	return 0;
}

/* --- devices --------------------------------------------------------------------------------- */

static int check_nic(const char *what, const json_t *dev, struct err *err)
{
	if (!json_str(dev, "network", NULL) && !json_str(dev, "parent", NULL))
		return err_set(err, ERR_INVALID, "%s: a nic needs \"network\" (or \"parent\")",
			       what);
	return 0;
}

static int check_disk(const char *what, const json_t *dev, struct err *err)
{
	const char *path = json_str(dev, "path", NULL), *source = json_str(dev, "source", NULL);

	if (!path)
		return err_set(err, ERR_INVALID, "%s: a disk needs \"path\"", what);
	if (str_eq(path, "/")) {
		if (!json_str(dev, "pool", NULL))
			return err_set(err, ERR_INVALID, "%s: the root disk needs \"pool\"", what);
		if (source)
			return err_set(err, ERR_INVALID, "%s: the root disk takes no \"source\"",
				       what);
		return 0;
	}
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
	enum keys_of of;
	int (*check)(const char *what, const json_t *dev, struct err *err);
} device_types[] = {
	{ "nic", KEYS_NIC, check_nic },
	{ "disk", KEYS_DISK, check_disk },
};

static int check_device(const char *what, json_t *dev, struct err *err)
{
	const char *type = json_str(dev, "type", NULL);

	if (!json_is_object(dev))
		return err_set(err, ERR_INVALID, "%s must be an object", what);
	if (!type)
		return err_set(err, ERR_INVALID, "%s: \"type\" is missing", what);
	if (str_eq(type, "none"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(device_types); i++) {
		if (!str_eq(type, device_types[i].type))
			continue;
		if (keys_check(device_types[i].of, what, dev, err) < 0)
			return -1;
		return device_types[i].check(what, dev, err);
	}
	return err_set(err, ERR_INVALID, "%s: unsupported device type \"%.40s\" (nic, disk, none)",
		       what, type);
}

int devices_check(const char *what, json_t *devices, struct err *err)
{
	const char *name;
	json_t *dev;

	if (json_object_size(devices) > DEVICES_MAX)
		return err_set(err, ERR_INVALID, "%s: more than %d devices", what, DEVICES_MAX);
	json_object_foreach(devices, name, dev) {
		_free_ char *full = xasprintf("%s: device \"%.64s\"", what, name);

		if (!str_is_name(name, 64))
			return err_set(err, ERR_INVALID, "%s: invalid device name", full);
		if (check_device(full, dev, err) < 0)
			return -1;
	}
	return 0;
}
