/* SPDX-License-Identifier: Apache-2.0 */
/* cluster group: groups of members, and which ones a member is in. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"

int c_cluster_group_create(struct cli *c, struct err *err)
{
	const char *name;
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	_json_ json_t *given = NULL, *body = NULL;

	if (!cl)
		return -1;
	given = stdin_yaml(err);
	if (!given && err->kind != ERR_NONE)
		return -1;
	body = given ? pick_fields(given, "description members") : json_object();
	json_put_str(body, "name", name);
	json_put_str(body, "description", args_value(&c->args, "description"));
	if (api_do(cl, "POST", "/1.0/cluster/groups", body, err) < 0)
		return -1;
	cli_say(c, "Cluster group %s created\n", name);
	return 0;
}

static int index_of(const json_t *groups, const char *name)
{
	for (size_t i = 0; i < json_array_size(groups); i++)
		if (str_eq(json_string_value(json_array_get(groups, i)), name))
			return (int)i;
	return -1;
}

static int add(json_t *member, void *arg, struct err *err)
{
	json_t *groups = json_arr(member, "groups");

	if (index_of(groups, arg) >= 0)
		return err_set(err, ERR_CONFLICT, "member \"%s\" is in the group \"%s\" already",
			       json_str(member, "server_name", ""), (const char *)arg);
	json_array_append_new(groups, json_string(arg));
	return 0;
}

static int leave(json_t *member, void *arg, struct err *err)
{
	json_t *groups = json_arr(member, "groups");
	int i = index_of(groups, arg);

	if (i < 0)
		return err_set(err, ERR_NOT_FOUND, "member \"%s\" is not in the group \"%s\"",
			       json_str(member, "server_name", ""), (const char *)arg);
	if (str_eq(arg, "default"))
		return err_set(err, ERR_INVALID,
			       "member \"%s\" can't leave the group \"default\": all are in it",
			       json_str(member, "server_name", ""));
	json_array_remove(groups, i);
	return 0;
}

static int assign(json_t *member, void *arg, struct err *err)
{
	json_t *groups = json_array();

	for (const char *p = arg; *p;) {
		size_t len = strcspn(p, ",");
		_free_ char *name = xstrndup(p, len);

		if (len)
			json_array_append_new(groups, json_string(name));
		p += len + (p[len] == ',');
	}
	json_object_set_new(member, "groups", groups);
	return 0;
}

static int change_groups(struct cli *c, int (*change)(json_t *, void *, struct err *),
			 struct err *err)
{
	_object_ struct object o = { 0 };
	_free_ char *names = xstrdup(args_pos(&c->args, 1));

	if (object_open_as(c, entity_named("cluster"), args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	return object_update(&o, change, names, err);
}

int c_cluster_group_add(struct cli *c, struct err *err)
{
	if (change_groups(c, add, err) < 0)
		return -1;
	cli_say(c, "Cluster member %s added to group %s\n", args_pos(&c->args, 0),
		args_pos(&c->args, 1));
	return 0;
}

int c_cluster_group_remove(struct cli *c, struct err *err)
{
	if (change_groups(c, leave, err) < 0)
		return -1;
	cli_say(c, "Cluster member %s removed from group %s\n", args_pos(&c->args, 0),
		args_pos(&c->args, 1));
	return 0;
}

int c_cluster_group_assign(struct cli *c, struct err *err)
{
	if (change_groups(c, assign, err) < 0)
		return -1;
	cli_say(c, "Cluster groups of %s set to %s\n", args_pos(&c->args, 0),
		args_pos(&c->args, 1));
	return 0;
}
