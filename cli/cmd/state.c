/* SPDX-License-Identifier: Apache-2.0 */
/* start, stop, restart, pause, delete, rename. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/console.h"
#include "cli/cmd/snapshot.h"
#include "cli/form/kv.h"
#include "cli/form/term.h"
#include "cli/net/client.h"
#include "cli/net/instance.h"
#include "cli/net/remote.h"

static json_t *instance_names(struct client *cl, struct err *err)
{
	_json_ json_t *urls = api_get(cl, "/1.0/instances", err);
	json_t *names, *url;
	size_t i;

	if (!urls)
		return NULL;
	names = json_array();
	json_array_foreach(urls, i, url) {
		_free_ char *name = url_name(json_string_value(url));

		json_array_append_new(names, json_string(name));
	}
	return names;
}

static json_t *state_body(const char *action, bool force, int64_t timeout_s)
{
	json_t *body = json_object();

	json_put_str(body, "action", action);
	json_put_int(body, "timeout", timeout_s);
	json_put_bool(body, "force", force);
	json_put_bool(body, "stateful", false);
	return body;
}

static json_t *begin_action(struct client *cl, const char *name, const json_t *body,
			    struct err *err)
{
	_free_ char *path = api_path("instances/%s/state", name);
	struct api_call call = API_CALL("PUT", path);
	json_t *op;

	call.json = body;
	op = api_begin(cl, &call, err);
	if (!op)
		instance_missing(cl, name, err);
	return op;
}

static int stop_by_force(struct client *cl, const char *name, struct err *err)
{
	_json_ json_t *body = state_body("stop", true, -1);
	_json_ json_t *op = begin_action(cl, name, body, err);
	_json_ json_t *done = op ? api_wait(cl, op, err) : NULL;

	return done ? 0 : -1;
}

#define WORKERS_MAX 8

/* The instances of a command line, or of --all; several are worked on side by side. */
struct jobs {
	struct cli *c;
	const char *action;
	int64_t timeout_s;
	struct job {
		char *remote, *name;
	} * v;
	size_t n, next;
	bool failed;
	pthread_mutex_t lock; /* next, failed */
};

static void jobs_free(struct jobs *j)
{
	for (size_t i = 0; i < j->n; i++) {
		free(j->v[i].remote);
		free(j->v[i].name);
	}
	free(j->v);
}

static int jobs_all(struct jobs *j, struct err *err)
{
	const struct args *a = &j->c->args;
	struct client *cl = client_of_remote(j->c, args_pos(a, 0), err);
	_json_ json_t *names = NULL;

	if (a->npos > 1)
		return err_set(err, ERR_INVALID, "--all takes no names");
	names = cl ? instance_names(cl, err) : NULL;
	if (!names)
		return -1;
	j->v = xcalloc(json_array_size(names) + 1, sizeof(*j->v));
	for (; j->n < json_array_size(names); j->n++) {
		const char *name = json_string_value(json_array_get(names, j->n));

		j->v[j->n] = (struct job){ xstrdup(client_remote(cl)), xstrdup(name) };
	}
	return 0;
}

static int jobs_named(struct jobs *j, struct err *err)
{
	const struct args *a = &j->c->args;

	if (a->npos == 0)
		return err_set(err, ERR_INVALID, "too few arguments. Usage: dunlin %s %s",
			       a->cmd->words, a->cmd->usage);
	j->v = xcalloc(a->npos, sizeof(*j->v));
	for (int i = 0; i < a->npos; i++) {
		struct job *job = &j->v[j->n];
		const char *name;

		if (conf_split(j->c->conf, a->pos[i], &job->remote, &name, err) < 0)
			return -1;
		job->name = xstrdup(name);
		j->n++;
		if (!*name)
			return err_set(err, ERR_INVALID, "the name of the instance is missing");
	}
	return 0;
}

static bool has_status(const json_t *inst, enum status status)
{
	return json_int(inst, "status_code", 0) == (int)status;
}

/* For --all, which does only what there is to do. */
static bool is_done(const char *action, enum status now)
{
	if (strcmp(action, "start") == 0)
		return now == STATUS_RUNNING;
	return strcmp(action, "freeze") == 0 ? now != STATUS_RUNNING : !status_is_alive(now);
}

/* What the action means for an instance in its present state. NULL with ERR_NONE: it is there
 * already. ret_kept: there is memory that it goes on from. */
static const char *fitting_action(const struct jobs *j, struct client *cl, const char *name,
				  bool *ret_kept, struct err *err)
{
	bool all = args_flag(&j->c->args, "all"), start = strcmp(j->action, "start") == 0;
	_json_ json_t *inst = NULL;

	if (!start && !all)
		return j->action;
	inst = instance_read(cl, name, err);
	if (!inst)
		return NULL;
	err->kind = ERR_NONE;
	*ret_kept = start && json_bool(inst, "stateful", false);
	if (start && has_status(inst, STATUS_FROZEN))
		return "unfreeze";
	if (all && is_done(j->action, (enum status)json_int(inst, "status_code", 0)))
		return NULL;
	return j->action;
}

static int run_job(const struct jobs *j, struct cli *c, const struct job *job, struct err *err)
{
	struct client *cl = client_open(c, job->remote, err);
	bool kept = false;
	const char *action = cl ? fitting_action(j, cl, job->name, &kept, err) : NULL;
	_json_ json_t *body = NULL, *op = NULL, *done = NULL;

	if (!action)
		return err->kind == ERR_NONE ? 0 : -1;
	body = state_body(action, args_flag(&j->c->args, "force"), j->timeout_s);
	if (args_flag(&j->c->args, "stateful") || (kept && !args_flag(&j->c->args, "stateless")))
		json_put_bool(body, "stateful", true);
	op = begin_action(cl, job->name, body, err);
	if (op)
		done = j->n == 1 ? api_wait(cl, op, err) : api_wait_quietly(cl, op, err);
	return done ? 0 : -1;
}

static void do_job(struct jobs *j, struct cli *c, const struct job *job)
{
	struct err err = { 0 };

	if (run_job(j, c, job, &err) == 0)
		return;
	err_wrap_name(&err, "instance", job->name);
	fprintf(stderr, "Error: %s\n", err.msg);
	pthread_mutex_lock(&j->lock);
	j->failed = true;
	pthread_mutex_unlock(&j->lock);
}

static const struct job *next_job(struct jobs *j)
{
	const struct job *job;

	pthread_mutex_lock(&j->lock);
	job = j->next < j->n ? &j->v[j->next++] : NULL;
	pthread_mutex_unlock(&j->lock);
	return job;
}

/* With connections of its own. */
static void *work(void *arg)
{
	struct jobs *j = arg;
	const struct job *job;
	_free_ struct cli *c = xnew(struct cli);

	*c = *j->c;
	c->clients = NULL;
	while ((job = next_job(j)))
		do_job(j, c, job);
	client_close_all(c);
	return NULL;
}

static void jobs_run(struct jobs *j)
{
	pthread_t threads[WORKERS_MAX];
	size_t n = 0;

	if (j->n == 1) {
		do_job(j, j->c, &j->v[0]);
		return;
	}
	while (n < WORKERS_MAX && n < j->n && pthread_create(&threads[n], NULL, work, j) == 0)
		n++;
	if (n == 0)
		work(j);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

static int act_on(struct cli *c, const char *action, struct err *err)
{
	_cleanup_(jobs_free) struct jobs j = {
		.c = c, .action = action, .timeout_s = -1, .lock = PTHREAD_MUTEX_INITIALIZER
	};
	const char *timeout = args_value(&c->args, "timeout");
	bool console = args_flag(&c->args, "console");
	struct client *cl;

	if (timeout && !str_to_i64(timeout, -1, INT32_MAX, &j.timeout_s))
		return err_set(err, ERR_INVALID, "--timeout \"%.40s\" is no number of seconds",
			       timeout);
	if ((args_flag(&c->args, "all") ? jobs_all(&j, err) : jobs_named(&j, err)) < 0)
		return -1;
	if (console && j.n != 1)
		return err_set(err, ERR_INVALID, "--console works with one instance");
	jobs_run(&j);
	if (j.failed || !console)
		return j.failed;
	cl = client_open(c, j.v[0].remote, err);
	return cl ? console_enter(cl, j.v[0].name, err) : -1;
}

int c_start(struct cli *c, struct err *err)
{
	return act_on(c, "start", err);
}

int c_stop(struct cli *c, struct err *err)
{
	return act_on(c, "stop", err);
}

int c_restart(struct cli *c, struct err *err)
{
	return act_on(c, "restart", err);
}

int c_pause(struct cli *c, struct err *err)
{
	return act_on(c, "freeze", err);
}

static bool is_protected(const json_t *inst)
{
	bool on = false;

	str_to_bool(json_str(json_obj(inst, "expanded_config"), "security.protection.delete", ""),
		    &on);
	return on;
}

/* With --interactive: does the user want that? */
static bool confirm(struct cli *c, const char *noun, const char *name, struct err *err)
{
	_free_ char *question = xasprintf("Delete %s %s?", noun, name);

	if (!args_flag(&c->args, "interactive") || term_confirm(question))
		return true;
	err_set(err, ERR_CANCELLED, "%s \"%s\": not deleted", noun, name);
	return false;
}

static int delete_one(struct cli *c, struct client *cl, const char *name, struct err *err)
{
	_json_ json_t *inst = instance_read(cl, name, err);
	_free_ char *path = api_path("instances/%s", name);

	if (!inst || !confirm(c, "instance", name, err))
		return -1;
	if (!has_status(inst, STATUS_STOPPED) && !has_status(inst, STATUS_ERROR)) {
		if (!args_flag(&c->args, "force"))
			return err_set(err, ERR_CONFLICT,
				       "instance \"%s\" is running: stop it first, or pass --force",
				       name);
		if (is_protected(inst))
			return err_set(err, ERR_FORBIDDEN,
				       "instance \"%s\" is protected: unset "
				       "security.protection.delete first",
				       name);
		if (stop_by_force(cl, name, err) < 0)
			return -1;
		if (json_bool(inst, "ephemeral", false))
			return 0;
	}
	return api_do(cl, "DELETE", path, NULL, err);
}

static int delete_snapshot(struct cli *c, struct client *cl, const char *name, struct err *err)
{
	return confirm(c, "snapshot", name, err) ? snapshot_delete(cl, name, err) : -1;
}

int c_delete(struct cli *c, struct err *err)
{
	int status = 0;

	for (int i = 0; i < c->args.npos; i++) {
		const char *name;
		struct client *cl = client_of(c, args_pos(&c->args, i), &name, err);

		if (cl && (snapshot_is_named(name) ? delete_snapshot(c, cl, name, err)
						   : delete_one(c, cl, name, err)) == 0)
			continue;
		fprintf(stderr, "Error: %s\n", err->msg);
		status = 1;
	}
	return status;
}

int c_rename(struct cli *c, struct err *err)
{
	const char *name, *to = args_pos(&c->args, 1);
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	_free_ char *path = NULL;
	_json_ json_t *body = json_object();

	if (!cl)
		return -1;
	if (snapshot_is_named(name))
		return snapshot_rename(cl, name, to, err);
	path = api_path("instances/%s", name);
	json_put_str(body, "name", to);
	return api_do(cl, "POST", path, body, err) < 0 ? instance_missing(cl, name, err) : 0;
}
