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
#include "cli/net/others.h"

#define BEST "best"

#define LIVE "live"

/* NULL with err when two of them differ. */
static const char *mode_of(const struct args *a, struct err *err)
{
	const struct {
		bool given;
		const char *flag, *mode;
	} words[] = {
		{ args_flag(a, "live"), "live", LIVE },
		{ args_flag(a, "cold"), "cold", "cold" },
		{ args_flag(a, "stateless"), "stateless", "cold" },
	};
	const char *mode = args_value(a, "mode"), *by = mode ? "mode" : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!words[i].given)
			continue;
		if (by && !str_eq(mode, words[i].mode)) {
			err_set(err, ERR_INVALID, "--%s and --%s exclude each other", by,
				words[i].flag);
			return NULL;
		}
		mode = words[i].mode;
		by = words[i].flag;
	}
	return mode ? mode : BEST;
}

/* What the command says. */
struct ask {
	const char *name, *to; /* to: its name afterwards */
	const char *target;    /* NULL: it is only renamed */
	const char *mode;
};

/* --- the plan ----------------------------------------------------------------------------- */

static void show_reasons(const json_t *of)
{
	json_t *reason;
	size_t i;

	json_array_foreach(json_arr(of, "reasons"), i, reason)
		printf("- %s\n", json_string_value(reason));
	if (json_int(of, "more", 0) > 0)
		printf("- and %" PRId64 " more\n", json_int(of, "more", 0));
}

static void show_modes(const json_t *modes)
{
	const char *name;
	json_t *mode;

	json_object_foreach((json_t *)modes, name, mode) {
		printf("%s: %s\n", name,
		       json_bool(mode, "possible", false) ? "possible" : "not possible");
		show_reasons(mode);
	}
}

/* What the same command without --dry-run would do, and its status. */
static int show_plan(const struct ask *ask, const json_t *plan)
{
	const json_t *modes = json_obj(plan, "modes");
	/* A group as target: the server chooses one of its members. */
	const char *target = json_str(plan, "target", ask->target);
	const char *kind = json_str(plan, "kind", "unknown");
	const char *memory = json_str(plan, "memory", "");
	bool running = json_bool(plan, "running", true);
	bool any = json_bool(json_obj(modes, kind), "possible", false);
	/* One that is stopped moves whatever is asked for. */
	bool best = str_eq(ask->mode, BEST) || !running;
	bool goes = best ? any : json_bool(json_obj(modes, ask->mode), "possible", false);

	if (goes)
		printf("%s would move to %s: %s\n", ask->name, target, best ? kind : ask->mode);
	else if (any)
		printf("%s would not move to %s %s: only %s\n", ask->name, target, ask->mode, kind);
	else
		printf("%s would not move to %s: %s\n", ask->name, target, kind);
	if (any && running)
		show_modes(modes);
	else
		show_reasons(plan);
	if (goes && *memory && str_eq(best ? kind : ask->mode, LIVE))
		printf("memory: %s (%s)\n", memory, json_str(plan, "memory_reason", ""));
	if (goes && *json_str(plan, "note", ""))
		printf("note: %s\n", json_str(plan, "note", ""));
	return goes ? 0 : 1;
}

static int plan_move(struct client *cl, const struct ask *ask, struct err *err)
{
	_free_ char *path =
		api_query(api_path("instances/%s/move-plan", ask->name), "target", ask->target);
	_json_ json_t *plan = api_get(cl, path, err);

	if (!plan)
		return instance_missing(cl, ask->name, err);
	if (!str_eq(ask->mode, BEST) && !json_obj(json_obj(plan, "modes"), ask->mode))
		return err_set(err, ERR_INVALID,
			       "--mode: the server knows no way \"%.40s\" to move", ask->mode);
	return show_plan(ask, plan);
}

/* --- the move ----------------------------------------------------------------------------- */

/* A group as target: the server has chosen one of its members. */
static const char *chosen(const json_t *op, const char *target)
{
	return json_str(json_obj(json_obj(op, "metadata"), "placement"), "member", target);
}

static void say_moved(struct cli *c, const struct ask *ask, const json_t *op)
{
	const json_t *m = json_obj(json_obj(op, "metadata"), "migration");
	int64_t downtime = json_int(m, "downtime_ms", -1), total = json_int(m, "total_ms", -1);
	const char *kind = json_str(m, "kind", ""), *reason = json_str(m, "reason", NULL);

	if (!m)
		return;
	cli_say(c, "Moved %s to %s", ask->name, chosen(op, ask->target));
	if (!str_eq(ask->name, ask->to))
		cli_say(c, " as %s", ask->to);
	if (*kind)
		cli_say(c, " (%s)", kind);
	if (json_str(m, "finished_by", NULL))
		cli_say(c, ", which has finished the move alone: the member that it was on went "
			   "away");
	if (downtime > 0)
		cli_say(c, ": downtime %" PRId64 " ms", downtime);
	if (total >= 0)
		cli_say(c, ", %" PRId64 " ms in all", total);
	cli_say(c, "\n");
	/* Of one that was stopped anyway there is nothing to say. */
	if (str_eq(ask->mode, BEST) && downtime != 0 && reason && !str_eq(kind, LIVE))
		cli_say(c, "Not %s: %s\n", LIVE, reason);
}

static json_t *instance_now(const struct others *o, const struct ask *ask, struct err *err)
{
	_free_ char *new = api_path("instances/%s", ask->to);
	_free_ char *old = api_path("instances/%s", ask->name);
	json_t *inst = others_get(o, new, err);

	if (inst || err->kind != ERR_NOT_FOUND || str_eq(old, new))
		return inst;
	return others_get(o, old, err);
}

/* Where it is tells how its move has ended. An operation without metadata, or NULL with err. */
static json_t *look_where(struct cli *c, const struct others *o, const struct ask *ask,
			  const char *source, struct err *err)
{
	_json_ json_t *inst = instance_now(o, ask, err);
	const char *at = json_str(inst, "location", "?"), *name = json_str(inst, "name", ask->to);

	if (!inst)
		return NULL;
	if (str_eq(at, source)) {
		err_set(err, ERR_UNAVAILABLE,
			"%s went away during the move of %s, which was given up: it is on %s (%s)",
			source, name, at, json_str(inst, "status", "?"));
		return NULL;
	}
	cli_say(c, "%s is on %s (%s): the move was finished while %s was away\n", name, at,
		json_str(inst, "status", "?"), source);
	return json_object();
}

/* The server that was asked has gone away, or does not know any more. */
static json_t *ask_again(struct cli *c, const struct others *o, const struct ask *ask,
			 const json_t *begun, struct err *err)
{
	_free_ char *path = api_path("operations/%s/wait", json_str(begun, "id", ""));
	json_t *op;

	if (!c->quiet)
		fprintf(stderr, "%s: asking again\n", err->msg);
	op = others_get(o, path, err);
	if (op)
		return api_ended(op, err);
	if (err->kind != ERR_NOT_FOUND) {
		err_wrap(err, "whether %s has moved is not known here (ask another member)",
			 ask->name);
		return NULL;
	}
	return look_where(c, o, ask, json_str(begun, "location", ""), err);
}

static int move_to_member(struct cli *c, struct client *cl, const struct ask *ask, struct err *err)
{
	const struct args *a = &c->args;
	_free_ char *path = api_query(api_path("instances/%s", ask->name), "target", ask->target);
	struct api_call call = API_CALL("POST", path);
	_json_ json_t *body = json_object(), *begun = NULL, *op = NULL;
	_others_ struct others others = others_of(cl);

	json_put_str(body, "name", ask->to);
	json_put_bool(body, "migration", true);
	json_put_str(body, "mode", ask->mode);
	if (args_flag(a, "end-sessions"))
		json_put_bool(body, "end_sessions", true);
	if (args_flag(a, "instance-only"))
		json_put_bool(body, "instance_only", true);
	if (args_value(a, "storage"))
		json_put_str(body, "pool", args_value(a, "storage"));
	call.json = body;
	begun = api_begin(cl, &call, err);
	if (!begun)
		return instance_missing(cl, ask->name, err);
	op = api_wait(cl, begun, err);
	if (!op && err->kind == ERR_UNKNOWN)
		op = ask_again(c, &others, ask, begun, err);
	if (!op)
		return -1;
	say_moved(c, ask, op);
	return 0;
}

static int rename_only(struct client *cl, const struct ask *ask, struct err *err)
{
	_free_ char *path = api_path("instances/%s", ask->name);
	_json_ json_t *body = json_object();

	json_put_str(body, "name", ask->to);
	return api_do(cl, "POST", path, body, err) < 0 ? instance_missing(cl, ask->name, err) : 0;
}

int c_move(struct cli *c, struct err *err)
{
	const char *name, *to = args_pos(&c->args, 1);
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err), *to_cl = cl;
	struct ask ask = { .target = args_value(&c->args, "target") };

	if (to && cl)
		to_cl = client_of(c, to, &to, err);
	if (!cl || !to_cl || !(ask.mode = mode_of(&c->args, err)))
		return -1;
	if (cl != to_cl)
		return err_set(err, ERR_UNSUPPORTED,
			       "moving between servers is not supported: make them one cluster and "
			       "use --target");
	if (!ask.target && !to)
		return err_set(err, ERR_INVALID,
			       "say where to: dunlin move %s --target MEMBER, or a new name", name);
	ask.name = name;
	ask.to = ask.target && str_empty(to) ? name : to;
	if (!args_flag(&c->args, "dry-run"))
		return ask.target ? move_to_member(c, cl, &ask, err) : rename_only(cl, &ask, err);
	if (!ask.target)
		return err_set(err, ERR_INVALID, "--dry-run needs --target");
	if (!str_eq(ask.to, name))
		return err_set(err, ERR_INVALID,
			       "--dry-run and a new name exclude each other: what runs moves under "
			       "its own name only");
	return plan_move(cl, &ask, err);
}
