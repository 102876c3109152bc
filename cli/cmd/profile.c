/* SPDX-License-Identifier: Apache-2.0 */
/* profile copy, add, remove, assign. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/form/names.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"

int c_profile_copy(struct cli *c, struct err *err)
{
	const char *to;
	struct client *cl = client_of(c, args_pos(&c->args, 1), &to, err);
	_object_ struct object o = { 0 };
	_json_ json_t *from = NULL, *body = NULL;
	_free_ char *path = NULL;

	if (!cl || object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	from = object_read(&o, err);
	if (!from)
		return -1;
	body = pick_fields(from, o.kind->put);
	path = api_path("profiles/%s", to);
	if (args_flag(&c->args, "refresh")) {
		if (api_do(cl, "PUT", path, body, err) == 0)
			return 0;
		if (err->kind != ERR_NOT_FOUND)
			return -1;
	}
	json_put_str(body, "name", to);
	return api_do(cl, "POST", "/1.0/profiles", body, err);
}

static json_t *list_of(json_t *inst)
{
	if (!json_arr(inst, "profiles"))
		json_object_set_new(inst, "profiles", json_array());
	return json_arr(inst, "profiles");
}

static int change_add(json_t *inst, void *arg, struct err *err)
{
	if (names_find(list_of(inst), arg) >= 0)
		return err_set(err, ERR_CONFLICT, "instance \"%s\" has the profile \"%s\" already",
			       json_str(inst, "name", ""), (const char *)arg);
	json_array_append_new(list_of(inst), json_string(arg));
	return 0;
}

static int change_remove(json_t *inst, void *arg, struct err *err)
{
	int i = names_find(list_of(inst), arg);

	if (i < 0)
		return err_set(err, ERR_NOT_FOUND,
			       "instance \"%s\" does not have the profile \"%s\"",
			       json_str(inst, "name", ""), (const char *)arg);
	json_array_remove(list_of(inst), i);
	return 0;
}

static int change_assign(json_t *inst, void *arg, struct err *err)
{
	json_object_set_new(inst, "profiles", names_split(arg));
	return 0;
}

static int change_profiles(struct cli *c, int (*change)(json_t *, void *, struct err *),
			   struct err *err)
{
	_object_ struct object o = { 0 };
	_free_ char *names = xstrdup(args_pos(&c->args, 1));

	if (object_open_as(c, entity_named("config"), args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	if (!o.name)
		return err_set(err, ERR_INVALID, "the name of the instance is missing");
	return object_update(&o, change, names, err);
}

int c_profile_add(struct cli *c, struct err *err)
{
	if (change_profiles(c, change_add, err) < 0)
		return -1;
	cli_say(c, "Profile %s added to %s\n", args_pos(&c->args, 1), args_pos(&c->args, 0));
	return 0;
}

int c_profile_remove(struct cli *c, struct err *err)
{
	if (change_profiles(c, change_remove, err) < 0)
		return -1;
	cli_say(c, "Profile %s removed from %s\n", args_pos(&c->args, 1), args_pos(&c->args, 0));
	return 0;
}

int c_profile_assign(struct cli *c, struct err *err)
{
	if (change_profiles(c, change_assign, err) < 0)
		return -1;
	if (strspn(args_pos(&c->args, 1), ",") == strlen(args_pos(&c->args, 1)))
		cli_say(c, "All profiles removed from %s\n", args_pos(&c->args, 0));
	else
		cli_say(c, "Profiles %s applied to %s\n", args_pos(&c->args, 1),
			args_pos(&c->args, 0));
	return 0;
}
