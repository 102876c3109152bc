/* SPDX-License-Identifier: Apache-2.0 */
/* cluster group: groups of members, and which ones a member is in. */
#include <string.h>

#include "base/defaults.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/form/names.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"

static int add(json_t *member, void *arg, struct err *err)
{
	json_t *groups = json_arr(member, "groups");

	if (names_find(groups, arg) >= 0)
		return err_set(err, ERR_CONFLICT, "member \"%s\" is in the group \"%s\" already",
			       json_str(member, "server_name", ""), (const char *)arg);
	json_array_append_new(groups, json_string(arg));
	return 0;
}

static int leave(json_t *member, void *arg, struct err *err)
{
	json_t *groups = json_arr(member, "groups");
	int i = names_find(groups, arg);

	if (i < 0)
		return err_set(err, ERR_NOT_FOUND, "member \"%s\" is not in the group \"%s\"",
			       json_str(member, "server_name", ""), (const char *)arg);
	if (str_eq(arg, GROUP_DEFAULT))
		return err_set(err, ERR_INVALID,
			       "member \"%s\" can't leave the group \"%s\": all are in it",
			       json_str(member, "server_name", ""), GROUP_DEFAULT);
	json_array_remove(groups, i);
	return 0;
}

static int assign(json_t *member, void *arg, struct err *err)
{
	json_object_set_new(member, "groups", names_split(arg));
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
