/* SPDX-License-Identifier: Apache-2.0 */
/* move: to another member, or to another name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/instance.h"

/* What the same command without --dry-run would do, and its status. */
static int show_plan(struct client *cl, const char *name, const char *target, bool cold,
		     struct err *err)
{
	_free_ char *path = api_path("instances/%s/move-plan", name);
	const char *kind;
	bool goes;
	_json_ json_t *plan = NULL;
	json_t *reason;
	size_t i;

	path = api_query(take_ptr(path), "target", target);
	plan = api_get(cl, path, err);
	if (!plan)
		return instance_missing(cl, name, err);
	kind = json_str(plan, "kind", "unknown");
	target = json_str(plan, "target", target);
	cold |= !json_bool(plan, "running", true);
	goes = str_eq(kind, "live") || (str_eq(kind, "cold") && cold);
	if (goes)
		printf("%s would move to %s: %s\n", name, target, cold ? "cold" : kind);
	else
		printf("%s would not move to %s%s: %s\n", name, target,
		       str_eq(kind, "cold") ? " while it runs" : "",
		       str_eq(kind, "cold") ? "only with --cold" : kind);
	json_array_foreach(json_arr(plan, "reasons"), i, reason)
		printf("- %s\n", json_string_value(reason));
	if (json_int(plan, "more", 0) > 0)
		printf("- and %" PRId64 " more\n", json_int(plan, "more", 0));
	return goes ? 0 : 1;
}

/* A group as target: the server has chosen one of its members. */
static const char *chosen(const json_t *op, const char *target)
{
	return json_str(json_obj(json_obj(op, "metadata"), "placement"), "member", target);
}

static void say_moved(struct cli *c, const json_t *op, const char *name, const char *to,
		      const char *target)
{
	const json_t *m = json_obj(json_obj(op, "metadata"), "migration");
	int64_t downtime = json_int(m, "downtime_ms", -1), total = json_int(m, "total_ms", -1);
	const char *kind = json_str(m, "kind", "");

	if (!m)
		return;
	cli_say(c, "Moved %s to %s", name, chosen(op, target));
	if (!str_eq(name, to))
		cli_say(c, " as %s", to);
	if (*kind)
		cli_say(c, " (%s)", kind);
	if (downtime > 0)
		cli_say(c, ": downtime %" PRId64 " ms", downtime);
	if (total >= 0)
		cli_say(c, ", %" PRId64 " ms in all", total);
	cli_say(c, "\n");
}

static int move_to_member(struct cli *c, struct client *cl, const char *name, const char *to,
			  const char *target, struct err *err)
{
	const struct args *a = &c->args;
	bool cold = args_flag(a, "stateless") || args_flag(a, "cold");
	_free_ char *path = api_query(api_path("instances/%s", name), "target", target);
	struct api_call call = API_CALL("POST", path);
	_json_ json_t *body = json_object(), *op = NULL;

	if (cold && args_flag(a, "live"))
		return err_set(err, ERR_INVALID, "--live and --%s exclude each other",
			       args_flag(a, "cold") ? "cold" : "stateless");
	json_put_str(body, "name", to);
	json_put_bool(body, "migration", true);
	json_put_bool(body, "live", !cold);
	if (args_flag(a, "end-sessions"))
		json_put_bool(body, "end_sessions", true);
	if (args_flag(a, "instance-only"))
		json_put_bool(body, "instance_only", true);
	if (args_value(a, "storage"))
		json_put_str(body, "pool", args_value(a, "storage"));
	call.json = body;
	op = api_run(cl, &call, err);
	if (!op)
		return instance_missing(cl, name, err);
	say_moved(c, op, name, to, target);
	return 0;
}

int c_move(struct cli *c, struct err *err)
{
	const char *target = args_value(&c->args, "target"), *name, *to = args_pos(&c->args, 1);
	bool cold = args_flag(&c->args, "stateless") || args_flag(&c->args, "cold");
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err), *to_cl = cl;
	_json_ json_t *body = NULL;
	_free_ char *path = NULL;

	if (to && cl)
		to_cl = client_of(c, to, &to, err);
	if (!cl || !to_cl)
		return -1;
	if (cl != to_cl)
		return err_set(err, ERR_UNSUPPORTED,
			       "moving between servers is not supported: make them one cluster and "
			       "use --target");
	if (!target && !to)
		return err_set(err, ERR_INVALID,
			       "say where to: dunlin move %s --target MEMBER, or a new name", name);
	if (args_flag(&c->args, "dry-run")) {
		if (!target)
			return err_set(err, ERR_INVALID, "--dry-run needs --target");
		if (to && *to && !str_eq(to, name))
			return err_set(err, ERR_INVALID,
				       "--dry-run and a new name exclude each other: what runs "
				       "moves under its own name only");
		return show_plan(cl, name, target, cold, err);
	}
	if (target)
		return move_to_member(c, cl, name, to && *to ? to : name, target, err);
	body = json_object();
	path = api_path("instances/%s", name);
	json_put_str(body, "name", to);
	return api_do(cl, "POST", path, body, err) < 0 ? instance_missing(cl, name, err) : 0;
}
