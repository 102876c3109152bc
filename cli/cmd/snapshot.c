/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot, restore: what an instance was, and going back to it. */
#include "cli/cmd/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"

#define NEVER "0001-01-01T00:00:00Z"

bool snapshot_is_named(const char *name)
{
	return strchr(name, '/');
}

static char *path_of(const char *name)
{
	const char *slash = strchr(name, '/');
	_free_ char *instance = xstrndup(name, (size_t)(slash - name));

	return api_path("instances/%s/snapshots/%s", instance, slash + 1);
}

int snapshot_delete(struct client *cl, const char *name, struct err *err)
{
	_free_ char *path = path_of(name);

	return api_do(cl, "DELETE", path, NULL, err);
}

int snapshot_rename(struct client *cl, const char *name, const char *to, struct err *err)
{
	size_t of = (size_t)(strchr(name, '/') - name) + 1;
	_free_ char *path = path_of(name);
	_json_ json_t *body = json_object();

	if (strchr(to, '/') && strncmp(name, to, of) != 0)
		return err_set(err, ERR_INVALID,
			       "a snapshot stays with its instance: \"%.*s\" is that of \"%s\"",
			       (int)of - 1, name, name);
	json_put_str(body, "name", strchr(to, '/') ? to + of : to);
	return api_do(cl, "POST", path, body, err);
}

/* One of that name goes first. */
static int make_room(struct cli *c, struct client *cl, const char *name, const char *snapshot,
		     struct err *err)
{
	_free_ char *whole = snapshot ? xasprintf("%s/%s", name, snapshot) : NULL;

	if (!args_flag(&c->args, "reuse"))
		return 0;
	if (!whole)
		return err_set(err, ERR_INVALID, "--reuse needs the name of the snapshot");
	return snapshot_delete(cl, whole, err) < 0 && err->kind != ERR_NOT_FOUND ? -1 : 0;
}

int c_snapshot(struct cli *c, struct err *err)
{
	const char *name, *snapshot = args_pos(&c->args, 1);
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	_json_ json_t *body = json_object();
	_free_ char *path = NULL;

	if (!cl || make_room(c, cl, name, snapshot, err) < 0)
		return -1;
	path = api_path("instances/%s/snapshots", name);
	json_put_str(body, "name", snapshot ? snapshot : "");
	if (args_flag(&c->args, "no-expiry"))
		json_put_str(body, "expires_at", NEVER);
	return api_do(cl, "POST", path, body, err);
}

int c_restore(struct cli *c, struct err *err)
{
	const char *name, *snapshot = args_pos(&c->args, 1);
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	_json_ json_t *body = json_object();
	_free_ char *path = NULL;

	if (!cl)
		return -1;
	path = api_path("instances/%s", name);
	json_put_str(body, "restore", snapshot);
	return api_do(cl, "PUT", path, body, err);
}
