/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/entity.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"

#define UPDATE_TRIES 5

#define INSTANCE_PUT "architecture config devices ephemeral profiles stateful description"

/* The longest match of words counts. */
static const struct entity entities[] = {
	{ "profile", "profile", "profiles/%s", "config description devices", "config", false },
	{ "network", "network", "networks/%s", "config description", "config", false },
	{ "storage volume", "storage volume", "storage-pools/%s/volumes/%s/%s",
	  "config description", "config", false },
	{ "storage", "storage pool", "storage-pools/%s", "config description", "config", false },
	{ "cluster", "cluster member", "cluster/members/%s",
	  "roles failure_domain description config groups", "config", false },
	{ "config trust", "certificate", "certificates/%s",
	  "name type restricted projects certificate", "", false },
	{ "config", "instance", "instances/%s", INSTANCE_PUT, "config", true },
	{ "image", "image", "images/%s", "auto_update properties public expires_at profiles",
	  "properties", true },
	{ "operation", "operation", "operations/%s", "", "metadata", false },
	/* Commands at the top level that work on the devices or profiles of an instance. */
	{ "", "instance", "instances/%s", INSTANCE_PUT, "config", true },
};

static const struct entity instance = { "config",     "instance", "instances/%s",
					INSTANCE_PUT, "config",   true };
static const struct entity server = { "config", "server", "", "config", "config", true };

const struct entity *entity_of(const char *words)
{
	const struct entity *e = entities, *end = entities + ARRAY_SIZE(entities) - 1;

	/* "profile add" and its like name an instance first. */
	if (strcmp(words, "profile add") == 0 || strcmp(words, "profile remove") == 0 ||
	    strcmp(words, "profile assign") == 0)
		return &instance;
	while (e < end && !(str_starts(words, e->words) && words[strlen(e->words)] == ' '))
		e++;
	return e;
}

int entity_names(const struct entity *e)
{
	return strcmp(e->words, "storage volume") == 0 ? 2 : 1;
}

static void no_image(struct client *cl, const char *name, struct err *err)
{
	struct err ignored;
	_json_ json_t *pools = api_get(cl, "/1.0/storage-pools", &ignored);
	bool set_up = !pools || json_array_size(pools) > 0;

	err_set(err, ERR_NOT_FOUND, "no image has the alias or fingerprint \"%.80s\" (%s)", name,
		set_up ? "see dunlin image list"
		       : "this host was not set up: run \"dunlind init\" on it, then import one");
}

char *image_fingerprint(struct client *cl, const char *name, const char *target, struct err *err)
{
	_free_ char *path = api_query(api_path("images/aliases/%s", name), "target", target);
	_json_ json_t *alias = NULL, *image = NULL;

	if (!*name) {
		err_set(err, ERR_INVALID, "the name of the image is missing");
		return NULL;
	}
	alias = api_get(cl, path, err);
	if (alias)
		return xstrdup(json_str(alias, "target", ""));
	if (err->kind != ERR_NOT_FOUND)
		return NULL;
	if (strlen(name) >= 4 && str_is_hex(name, strlen(name))) {
		free(path);
		path = api_query(api_path("images/%s", name), "target", target);
		image = api_get(cl, path, err);
		if (image)
			return xstrdup(json_str(image, "fingerprint", name));
		if (err->kind != ERR_NOT_FOUND)
			return NULL;
	}
	no_image(cl, name, err);
	return NULL;
}

static char *whole_fingerprint(struct client *cl, const char *prefix, struct err *err)
{
	_json_ json_t *list = api_get(cl, "/1.0/certificates?recursion=1", err);
	const char *found = NULL;
	json_t *cert;
	size_t i;

	if (!list)
		return NULL;
	json_array_foreach(list, i, cert) {
		const char *fp = json_str(cert, "fingerprint", "");

		if (!str_starts(fp, prefix))
			continue;
		if (found) {
			err_set(err, ERR_INVALID, "several certificates begin with \"%.64s\"",
				prefix);
			return NULL;
		}
		found = fp;
	}
	if (!found || !*prefix) {
		err_set(err, ERR_NOT_FOUND, "no certificate has the fingerprint \"%.64s\"", prefix);
		return NULL;
	}
	return xstrdup(found);
}

/* POOL [TYPE/]VOLUME; instances have the only type that there is. */
static int resolve_volume(struct object *o, const char *pool, const char *volume, struct err *err)
{
	const char *slash = volume ? strchr(volume, '/') : NULL;
	_free_ char *type = slash ? xstrndup(volume, (size_t)(slash - volume)) : NULL;
	const char *name = slash ? slash + 1 : volume;

	if (!*pool || str_empty(name) || (type && !*type))
		return err_set(err, ERR_INVALID,
			       "name the pool and the volume: POOL [TYPE/]VOLUME");
	o->name = xasprintf("%s/%s", type ? type : "container", name);
	o->path = api_path(o->kind->path, pool, type ? type : "container", name);
	return 0;
}

static int resolve(struct object *o, const char *name, struct err *err)
{
	if (!*name && strcmp(o->kind->words, "config") == 0) {
		o->kind = &server;
		o->path = xstrdup("/1.0");
		return 0;
	}
	if (!*name)
		return err_set(err, ERR_INVALID, "the name of the %s is missing", o->kind->noun);
	if (strcmp(o->kind->words, "image") == 0)
		o->name = image_fingerprint(o->cl, name, NULL, err);
	else if (strcmp(o->kind->words, "config trust") == 0)
		o->name = whole_fingerprint(o->cl, name, err);
	else
		o->name = xstrdup(name);
	if (!o->name)
		return -1;
	o->path = api_path(o->kind->path, o->name);
	return 0;
}

int object_open(struct cli *c, const char *arg, struct object *ret, struct err *err)
{
	const char *name;

	*ret = (struct object){ .kind = entity_of(c->args.words) };
	ret->cl = client_of(c, arg ? arg : "", &name, err);
	if (!ret->cl)
		return -1;
	if (entity_names(ret->kind) == 2) {
		if (resolve_volume(ret, name, args_pos(&c->args, 1), err) < 0)
			return -1;
	} else if (resolve(ret, name, err) < 0) {
		return -1;
	}
	ret->path = api_query(ret->path, "target", args_value(&c->args, "target"));
	return 0;
}

void object_close(struct object *o)
{
	free(o->name);
	free(o->path);
}

int object_missing(const struct object *o, struct err *err)
{
	return err->kind == ERR_NOT_FOUND && o->name ? name_error(err, o->kind->noun, o->name) : -1;
}

json_t *object_get(const struct object *o, struct err *err)
{
	json_t *obj = api_get(o->cl, o->path, err);

	if (!obj)
		object_missing(o, err);
	return obj;
}

static int put_back(const struct object *o, const json_t *obj, const char *etag, struct err *err)
{
	_json_ json_t *body = pick_fields(obj, o->kind->put);
	struct api_call call = API_CALL("PUT", o->path);
	_json_ json_t *done = NULL;

	call.json = body;
	call.etag = etag;
	done = api_run(o->cl, &call, err);
	return done ? 0 : -1;
}

int object_update(const struct object *o, int (*change)(json_t *obj, void *arg, struct err *err),
		  void *arg, struct err *err)
{
	for (int i = 0; i < UPDATE_TRIES; i++) {
		_free_ char *etag = NULL;
		_json_ json_t *obj = api_get_etag(o->cl, o->path, &etag, err);

		if (!obj)
			return object_missing(o, err);
		if (change(obj, arg, err) < 0)
			return -1;
		if (put_back(o, obj, etag, err) == 0)
			return 0;
		if (err->kind != ERR_PRECONDITION)
			return -1;
	}
	return -1;
}
