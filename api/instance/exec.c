/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/instance/session.h"
#include "api/rest/handle.h"
#include "api/work/instance.h"
#include "api/work/spec.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container.h"
#include "node/container/terminal.h"

#define ARGS_MAX 4096

static int check_running(struct req *r, const char *name)
{
	_row_ struct row row = { 0 };
	enum status now;

	if (instance_get_here(req_env(r), name, &row, req_err(r)) < 0)
		return -1;
	now = container_status(req_env(r)->node, name);
	if (now == STATUS_FROZEN)
		return err_set(req_err(r), ERR_INVALID, "Instance is frozen: resume \"%s\" first",
			       name);
	if (now != STATUS_RUNNING)
		return err_set(req_err(r), ERR_INVALID,
			       "Instance is not running: start \"%s\" first", name);
	return 0;
}

/* environment.* of the instance, what every command may count on, and the request's own. */
static json_t *full_environment(struct req *r, const char *name, const json_t *requested)
{
	static const char prefix[] = "environment.";
	_expanded_ struct expanded x = { 0 };
	json_t *env = json_object(), *v;
	_row_ struct row row = { 0 };
	const char *key;

	json_put_str(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	json_put_str(env, "LANG", "C.UTF-8");
	if (instance_get(req_env(r), name, &row, req_err(r)) == 0)
		expand(req_env(r), row.doc, &x);
	json_object_foreach(x.config, key, v) {
		if (str_starts(key, prefix))
			json_object_set(env, key + strlen(prefix), v);
	}
	json_object_update(env, (json_t *)requested);
	return env;
}

static const struct json_field exec_fields[] = {
	{ "command", JW_STR_LIST, true },
	{ "wait-for-websocket", JW_BOOL, false },
	{ "interactive", JW_BOOL, false },
	{ "environment", JW_STR_MAP, false },
	{ "width", JW_INT, false },
	{ "height", JW_INT, false },
	{ "record-output", JW_BOOL, false },
	{ "user", JW_INT, false },
	{ "group", JW_INT, false },
	{ "cwd", JW_STR, false },
	{ NULL, 0, 0 },
};

static int check_exec(struct req *r, const json_t *body)
{
	bool record = json_bool(body, "record-output", false);
	size_t n = json_array_size(json_arr(body, "command"));
	int64_t uid = json_int(body, "user", 0), gid = json_int(body, "group", 0);

	if (n == 0 || n > ARGS_MAX)
		return err_set(req_err(r), ERR_INVALID, "exec: \"command\" must have 1 to %d words",
			       ARGS_MAX);
	if (record &&
	    (json_bool(body, "wait-for-websocket", false) || json_bool(body, "interactive", false)))
		return err_set(req_err(r), ERR_INVALID,
			       "exec: record-output goes with neither websockets nor interactive");
	if (json_bool(body, "interactive", false) && !json_bool(body, "wait-for-websocket", false))
		return err_set(req_err(r), ERR_INVALID,
			       "exec: interactive needs wait-for-websocket");
	if (uid < 0 || gid < 0 || uid > UINT32_MAX || gid > UINT32_MAX)
		return err_set(req_err(r), ERR_INVALID, "exec: user and group must be ids");
	return 0;
}

static struct visit *visit(struct req *r, const char *name, const json_t *body)
{
	const char *command = json_string_value(json_array_get(json_arr(body, "command"), 0));
	_free_ char *what = xasprintf("the command \"%.60s\"", command);
	struct visit *v = container_visit(req_env(r)->node, name, what, req_err(r));

	if (v && check_running(r, name) < 0) {
		visit_end(v);
		return NULL;
	}
	return v;
}

int h_exec_post(struct req *r)
{
	json_t *body = req_json(r, exec_fields, "exec");
	const char *name = req_ref(r, 0);
	struct exec_request q = { .name = name };
	struct op *op;

	if (!body || check_exec(r, body) < 0 || !(q.own_visit = visit(r, name, body)))
		return -1;
	q.uid = (uint32_t)json_int(body, "user", 0);
	q.gid = (uint32_t)json_int(body, "group", 0);
	q.cwd = json_str(body, "cwd", "");
	q.width = (int)json_int(body, "width", 0);
	q.height = (int)json_int(body, "height", 0);
	q.interactive = json_bool(body, "interactive", false);
	q.websockets = json_bool(body, "wait-for-websocket", false);
	q.record = json_bool(body, "record-output", false);
	q.own_command = json_incref(json_arr(body, "command"));
	q.own_environment = full_environment(r, name, json_obj(body, "environment"));
	op = exec_session_start(req_env(r), &q, req_err(r));
	if (!op)
		return -1;
	instance_event(req_env(r), name, "exec",
		       json_pack("{s:O}", "command", json_arr(body, "command")));
	return reply_operation(r, op);
}

/* --- console --------------------------------------------------------------------------------- */

int h_console_post(struct req *r)
{
	static const struct json_field fields[] = {
		{ "width", JW_INT, false },  { "height", JW_INT, false },
		{ "type", JW_STR, false },   { "wait-for-websocket", JW_BOOL, false },
		{ "force", JW_BOOL, false }, { NULL, 0, 0 },
	};
	json_t *body = req_json(r, fields, "console");
	const char *name = req_ref(r, 0);
	struct op *op;
	int fd;

	if (!body || check_running(r, name) < 0)
		return -1;
	if (str_eq(json_str(body, "type", "console"), "vga"))
		return err_set(req_err(r), ERR_INVALID, "containers have no graphical console");
	fd = container_console(req_env(r)->node, name, (int)json_int(body, "width", 0),
			       (int)json_int(body, "height", 0), req_err(r));
	if (fd < 0)
		return -1;
	op = console_session_start(req_env(r), name, fd, req_err(r));
	if (!op)
		return -1;
	instance_event(req_env(r), name, "console", NULL);
	return reply_operation(r, op);
}

int h_console_get(struct req *r)
{
	const char *name = req_ref(r, 0);
	_row_ struct row row = { 0 };
	_free_ char *log = NULL;
	size_t len = 0;

	if (instance_get_here(req_env(r), name, &row, req_err(r)) < 0)
		return -1;
	log = container_console_log(req_env(r)->node, name, &len, req_err(r));
	if (!log)
		return -1;
	return reply_bytes(r, 200, "application/octet-stream", log, len);
}

int h_console_delete(struct req *r)
{
	const char *name = req_ref(r, 0);
	_row_ struct row row = { 0 };

	if (instance_get_here(req_env(r), name, &row, req_err(r)) < 0 ||
	    container_console_clear(req_env(r)->node, name, req_err(r)) < 0)
		return -1;
	return reply_sync(r, NULL);
}
