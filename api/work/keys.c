/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/work/value.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "cluster/store/settings.h"
#include "node/container/lxcconf.h"
#include "node/host/cgroup.h"

#define VALUE_MAX (64 << 10)
#define NAME_BYTES_MAX 255
#define SHOULD_MAX 512
#define DEVICES_MAX 100

#define ANY { 0 }
#define RANGE(least, most) { .min = least, .max = most }
#define ONE_OF(...) { .words = (const char *const[]){ __VA_ARGS__, NULL } }
#define PARSED(function) { .check = function }
#define READ_BY(function) { .read = function }
#define SETTING_ODD(id) ((id) == SETTING_MAX_VOTERS ? check_odd : NULL)
#define SETTING_RULE(id, least, most) \
	{ .min = least, .max = most, .check = SETTING_ODD(SETTING_##id) }

static const struct key keys[] = {
#define KEY(of, name, type, dflt, rule, doc) { KEYS_##of, name, type, dflt, rule, doc, NULL },
#define REFUSED(of, name, why) { KEYS_##of, name, K_STRING, NULL, ANY, why, why },
#include "api/work/keys.def"
#undef REFUSED
#undef KEY
#define SETTING(id, name, least, most, dflt, doc) \
	{ KEYS_SERVER, name, K_INT, #dflt, SETTING_RULE(id, least, most), doc, NULL },
#include "cluster/model/settings.def"
#undef SETTING
};

const struct key *key_table(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(keys);
	return keys;
}

static bool matches(const struct key *k, const char *name)
{
	const char *star = strchr(k->name, '*');
	size_t before;

	if (!star)
		return str_eq(k->name, name);
	before = (size_t)(star - k->name);
	return strlen(name) > strlen(k->name) - 1 && strncmp(k->name, name, before) == 0 &&
	       str_ends(name, star + 1);
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

json_t *keys_filled(enum keys_of of, const json_t *config)
{
	json_t *j = config ? json_copy((json_t *)config) : json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].of == of && keys[i].dflt && !json_str(j, keys[i].name, NULL))
			json_put_str(j, keys[i].name, keys[i].dflt);
	}
	return j;
}

/* --- checks ---------------------------------------------------------------------------------- */

static bool check_words(const char *const *words, const char *v, struct sbuf *should)
{
	for (size_t i = 0; words[i]; i++) {
		if (str_eq(v, words[i]))
			return true;
		sbuf_printf(should, "%s%s", i == 0 ? "must be " : words[i + 1] ? ", " : " or ",
			    words[i]);
	}
	return false;
}

static bool check_number(const struct key_rule *r, const char *v, struct sbuf *should)
{
	bool bounded = r->min < r->max;
	int64_t i;

	if (str_to_i64(v, bounded ? r->min : INT64_MIN, bounded ? r->max : INT64_MAX, &i))
		return true;
	sbuf_puts(should, "must be a whole number");
	if (bounded)
		sbuf_printf(should, " from %lld to %lld", (long long)r->min, (long long)r->max);
	return false;
}

static bool check_value(const struct key *k, const char *v, struct sbuf *should)
{
	const char *wrong;
	struct err err;
	bool b;

	if (k->type == K_INT && !check_number(&k->rule, v, should))
		return false;
	if (k->type == K_BOOL && !str_to_bool(v, &b)) {
		sbuf_puts(should, "must be true or false");
		return false;
	}
	if (k->rule.words)
		return check_words(k->rule.words, v, should);
	if (k->rule.read && k->rule.read(v, &err) < 0)
		wrong = err.msg;
	else
		wrong = k->rule.check ? k->rule.check(v) : NULL;
	sbuf_puts(should, wrong ? wrong : "");
	return !wrong;
}

/* What stands for the "*" of a row becomes part of files and environments. */
static bool is_key_name(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++) {
		if (isspace((unsigned char)name[i]) || iscntrl((unsigned char)name[i]) ||
		    name[i] == '=')
			return false;
	}
	return n <= NAME_BYTES_MAX;
}

static int check_one(enum keys_of of, const char *what, const char *name, const char *v,
		     struct err *err)
{
	const struct key *k = key_find(of, name);
	_sbuf_ struct sbuf should = SBUF(SHOULD_MAX);

	if (!k || !is_key_name(name))
		return err_set(err, ERR_INVALID, "%s: unknown configuration key \"%.80s\"", what,
			       name);
	if (strlen(v) > VALUE_MAX)
		return err_set(err, ERR_INVALID,
			       "%s: the value of \"%.80s\" is longer than %d bytes", what, name,
			       VALUE_MAX);
	if (!*v)
		return 0;
	if (k->refused)
		return err_set(err, ERR_INVALID, "%s: \"%s\" can't be set (to \"%.60s\"): %s",
			       what, name, v, k->refused);
	if (!check_value(k, v, &should))
		return err_set(err, ERR_INVALID,
			       "%s: invalid value \"%.60s\" for key \"%.80s\": %s", what, v, name,
			       should.data);
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

int keys_check(enum keys_of of, const char *what, json_t *config, const json_t *old,
	       struct err *err)
{
	const char *name;
	json_t *v;
	void *tmp;

	json_object_foreach_safe(config, tmp, name, v) {
		_free_ char *text = scalar_text(v);

		if (!text)
			return err_set(err, ERR_INVALID,
				       "%s: the value of \"%.80s\" must be a string", what, name);
		if (!str_eq(text, json_str(old, name, NULL)) &&
		    check_one(of, what, name, text, err) < 0)
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

		dflt = key_value(KEYS_DISK, NULL, not_here[i]);
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
	enum keys_of of;
	int (*check)(const char *what, const json_t *dev, struct err *err);
} device_types[] = {
	{ "nic", KEYS_NIC, check_nic },
	{ "disk", KEYS_DISK, check_disk },
	{ "none", KEYS_NONE, NULL },
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
		if (keys_check(device_types[i].of, what, dev, NULL, err) < 0)
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
