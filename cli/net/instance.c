/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/instance.h"

#include "base/mem.h"

int instance_missing(struct client *cl, const char *name, struct err *err)
{
	_free_ char *path = api_path("instances/%s", name);
	struct err why = *err;
	_json_ json_t *there = err->kind == ERR_NOT_FOUND ? api_get(cl, path, &why) : NULL;

	if (err->kind == ERR_NOT_FOUND && !there && why.kind == ERR_NOT_FOUND)
		err_set(err, ERR_NOT_FOUND, "no instance \"%.80s\" (see dunlin list)", name);
	return -1;
}

json_t *instance_read(struct client *cl, const char *name, struct err *err)
{
	_free_ char *path = NULL;
	json_t *inst;

	if (!*name) {
		err_set(err, ERR_INVALID, "the name of the instance is missing");
		return NULL;
	}
	path = api_path("instances/%s", name);
	inst = api_get(cl, path, err);
	if (!inst)
		instance_missing(cl, name, err);
	return inst;
}
