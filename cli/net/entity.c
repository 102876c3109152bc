/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/entity.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"

#define UPDATE_TRIES 5

static int resolve_image(struct object *o, const char *const names[2], struct err *err);
static int resolve_fingerprint(struct object *o, const char *const names[2], struct err *err);
static int resolve_volume(struct object *o, const char *const names[2], struct err *err);
static int resolve_instance(struct object *o, const char *const names[2], struct err *err);

static const struct entity entities[] = {
#define ENTITY(words_, noun_, path_, put_, map_, ...) \
	{ .words = words_, .noun = noun_, .path = path_, .put = put_, .map = map_, ##__VA_ARGS__ },
#include "cli/cmds.def"
};

static const struct entity server = {
	.words = "config", .noun = "server", .put = "config", .map = "config", .show_put = true
};

/* All of it is shown; the server refuses to change more than its end. */
static const struct entity snapshot = {
	.words = "config",
	.noun = "snapshot",
	.put = "expires_at architecture config devices ephemeral profiles stateful",
	.map = "config",
};

static bool begins_with(const char *words, const char *first)
{
	size_t len = strlen(first);

	return str_starts(words, first) && (words[len] == ' ' || !words[len]);
}

const struct entity *entity_of(const char *words)
{
	const struct entity *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
		if (begins_with(words, entities[i].words) &&
		    (!found || strlen(entities[i].words) > strlen(found->words)))
			found = &entities[i];
	assert(found);
	return found;
}

const struct entity *entity_named(const char *words)
{
	const struct entity *e = entity_of(words);

	assert(strcmp(e->words, words) == 0);
	return e;
}

int entity_names(const struct entity *e)
{
	return e->names ? e->names : 1;
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

static int need_name(const struct object *o, const char *name, struct err *err)
{
	if (str_empty(name))
		return err_set(err, ERR_INVALID, "the name of the %s is missing", o->kind->noun);
	return 0;
}

/* Takes the name over; NULL is a failure. */
static int resolved(struct object *o, char *own_name)
{
	assert(!o->name);
	if (!own_name)
		return -1;
	o->name = own_name;
	o->path = api_path(o->kind->path, o->name);
	return 0;
}

static int resolve_name(struct object *o, const char *const names[2], struct err *err)
{
	return need_name(o, names[0], err) < 0 ? -1 : resolved(o, xstrdup(names[0]));
}

static int resolve_image(struct object *o, const char *const names[2], struct err *err)
{
	if (need_name(o, names[0], err) < 0)
		return -1;
	return resolved(o, image_fingerprint(o->cl, names[0], NULL, err));
}

static int resolve_fingerprint(struct object *o, const char *const names[2], struct err *err)
{
	if (need_name(o, names[0], err) < 0)
		return -1;
	return resolved(o, whole_fingerprint(o->cl, names[0], err));
}

static int resolve_instance(struct object *o, const char *const names[2], struct err *err)
{
	const char *slash = strchr(names[0], '/');

	if (slash) {
		_free_ char *instance = xstrndup(names[0], (size_t)(slash - names[0]));

		o->kind = &snapshot;
		o->name = xstrdup(names[0]);
		o->path = api_path("instances/%s/snapshots/%s", instance, slash + 1);
		return 0;
	}
	if (*names[0])
		return resolve_name(o, names, err);
	o->kind = &server;
	o->path = xstrdup("/1.0");
	return 0;
}

/* POOL [TYPE/]VOLUME; instances have the only type that there is. */
static int resolve_volume(struct object *o, const char *const names[2], struct err *err)
{
	const char *pool = names[0], *volume = names[1];
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

int object_open_as(struct cli *c, const struct entity *kind, const char *arg, struct object *ret,
		   struct err *err)
{
	const char *names[2] = { NULL, args_pos(&c->args, 1) };

	assert(kind);
	*ret = (struct object){ .kind = kind };
	ret->cl = client_of(c, arg ? arg : "", &names[0], err);
	if (!ret->cl || (kind->resolve ? kind->resolve : resolve_name)(ret, names, err) < 0)
		return -1;
	ret->path = api_query(ret->path, "target", args_value(&c->args, "target"));
	return 0;
}

int object_open(struct cli *c, const char *arg, struct object *ret, struct err *err)
{
	return object_open_as(c, entity_of(c->args.words), arg, ret, err);
}

void object_close(struct object *o)
{
	free(o->name);
	free(o->path);
}

int object_missing(const struct object *o, struct err *err)
{
	if (err->kind == ERR_NOT_FOUND && o->name)
		err_wrap_name(err, o->kind->noun, o->name);
	return -1;
}

json_t *object_read(const struct object *o, struct err *err)
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
