/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd/console.h"

#include <stdio.h>
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

static json_t *console_body(void)
{
	json_t *body = json_object();
	int width, height;

	term_size(&width, &height);
	json_put_int(body, "width", width);
	json_put_int(body, "height", height);
	json_put_str(body, "type", "console");
	return body;
}

int console_enter(struct client *cl, const char *name, struct err *err)
{
	_free_ char *path = api_path("instances/%s/console", name);
	struct api_call call = API_CALL("POST", path);
	_json_ json_t *body = console_body();
	_json_ json_t *op = NULL, *done = NULL;
	struct session s = { .cl = cl, .terminal = true, .detach_key = true };
	int r;

	call.json = body;
	op = api_begin(cl, &call, err);
	if (!op)
		return instance_missing(cl, name, err);
	s.op = op;
	s.detach_hint = "To detach from the console, press: <ctrl>+a q\n";
	r = session_run(&s, err);
	if (isatty(STDOUT_FILENO))
		puts("");
	if (r < 0)
		return -1;
	done = api_wait_quietly(cl, op, err);
	return done ? 0 : -1;
}

int c_console(struct cli *c, struct err *err)
{
	const char *name, *type = args_value(&c->args, "type");
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	_free_ char *path = NULL;
	_reply_ struct http_reply reply = { 0 };

	if (!cl)
		return -1;
	if (type && strcmp(type, "console") != 0)
		return err_set(err, ERR_INVALID, "--type \"%.40s\": containers have \"console\"",
			       type);
	if (!args_flag(&c->args, "show-log"))
		return console_enter(cl, name, err);
	fflush(stdout);
	path = api_path("instances/%s/console", name);
	return api_download(cl, path, STDOUT_FILENO, NULL, &reply, err);
}
