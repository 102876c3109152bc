/* SPDX-License-Identifier: Apache-2.0 */
/* exec, shell. */
#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/kv.h"
#include "cli/form/term.h"
#include "cli/net/client.h"
#include "cli/net/instance.h"
#include "cli/net/session.h"

static int wants_terminal(const struct args *a, bool *ret, struct err *err)
{
	const char *mode = args_value(a, "mode");

	*ret = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	if (mode && strcmp(mode, "interactive") == 0)
		*ret = true;
	else if (mode && strcmp(mode, "non-interactive") == 0)
		*ret = false;
	else if (mode && strcmp(mode, "auto") != 0)
		return err_set(err, ERR_INVALID,
			       "--mode \"%.40s\": auto, interactive or non-interactive", mode);
	if (args_flag(a, "force-interactive") && args_flag(a, "force-noninteractive"))
		return err_set(err, ERR_INVALID, "-t and -T exclude each other");
	if (args_flag(a, "force-interactive"))
		*ret = true;
	if (args_flag(a, "force-noninteractive"))
		*ret = false;
	return 0;
}

static int put_id(json_t *body, const struct args *a, const char *name, struct err *err)
{
	const char *text = args_value(a, name);
	int64_t id = 0;

	if (text && !str_to_i64(text, 0, UINT32_MAX - 1, &id))
		return err_set(err, ERR_INVALID, "--%s \"%.40s\" is no id", name, text);
	json_put_int(body, name, id);
	return 0;
}

static json_t *exec_body(const struct args *a, const char *const *argv, bool terminal,
			 struct err *err)
{
	_json_ json_t *body = json_object();
	json_t *command = json_array(), *env = json_object();
	int width = 0, height = 0;

	assert(argv[0]);
	json_object_set_new(body, "command", command);
	json_object_set_new(body, "environment", env);
	for (int i = 0; argv[i]; i++)
		if (json_array_append_new(command, json_string(argv[i])) < 0) {
			err_set(err, ERR_INVALID, "argument %d is not valid UTF-8", i);
			return NULL;
		}
	json_put_str(env, "TERM", getenv("TERM"));
	if (kv_options(a, "env", env, err) < 0 || put_id(body, a, "user", err) < 0 ||
	    put_id(body, a, "group", err) < 0)
		return NULL;
	if (terminal)
		term_size(&width, &height);
	json_put_bool(body, "wait-for-websocket", true);
	json_put_bool(body, "interactive", terminal);
	json_put_int(body, "width", width);
	json_put_int(body, "height", height);
	json_put_bool(body, "record-output", false);
	json_put_str(body, "cwd", args_value(a, "cwd") ? args_value(a, "cwd") : "");
	return take_ptr(body);
}

/* The exit status of the command. */
static int run(struct client *cl, const char *name, const char *const *argv, bool terminal,
	       struct err *err)
{
	const struct args *a = &client_cli(cl)->args;
	_free_ char *path = api_path("instances/%s/exec", name);
	struct api_call call = API_CALL("POST", path);
	_json_ json_t *body = exec_body(a, argv, terminal, err);
	_json_ json_t *op = NULL, *done = NULL;
	struct session s = { .cl = cl, .terminal = terminal };
	struct err lost = { 0 };
	int r;

	if (!body)
		return -1;
	call.json = body;
	op = api_begin(cl, &call, err);
	if (!op)
		return instance_missing(cl, name, err);
	s.op = op;
	s.no_stdin = args_flag(a, "disable-stdin");
	r = session_run(&s, &lost);
	done = api_wait_quietly(cl, op, err);
	if (r < 0) {
		/* What the operation says is a consequence. */
		*err = lost;
		return -1;
	}
	if (!done)
		return -1;
	if (!json_is_integer(json_object_get(json_obj(done, "metadata"), "return")))
		return err_set(err, ERR_INTERNAL, "the server did not tell how the command ended");
	return (int)json_int(json_obj(done, "metadata"), "return", 0);
}

int c_exec(struct cli *c, struct err *err)
{
	const char *name;
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	bool terminal;

	if (!cl || wants_terminal(&c->args, &terminal, err) < 0)
		return -1;
	return run(cl, name, c->args.pos + 1, terminal, err);
}

int c_shell(struct cli *c, struct err *err)
{
	static const char *const login[] = { "su", "-l", NULL };
	const char *name;
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);

	if (!cl)
		return -1;
	return run(cl, name, login, isatty(STDIN_FILENO), err);
}
