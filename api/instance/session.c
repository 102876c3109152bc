/* SPDX-License-Identifier: Apache-2.0 */
#include "api/instance/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "api/instance/exec_int.h"
#include "api/work/state.h"
#include "base/rng.h"
#include "base/timer.h"
#include "node/container/container.h"
#include "node/container/exec.h"

#define CONNECT_MS 30000 /* four connections of a client, on a busy host */

const char *const session_slot_names[] = { "0", "1", "2", "control" };

/* --- making ---------------------------------------------------------------------------------- */

static void session_free(void *arg)
{
	struct session *s = arg;

	exec_free(s->exec);
	visit_end(s->visit);
	for (int i = 0; i < SESSION_SLOTS; i++) {
		close_fd(&s->slots[i].fd);
		close_fd(&s->slots[i].peek);
		bridge_unref(s->slots[i].bridge);
		wsconn_unref(s->slots[i].ws);
	}
	for (int i = 0; i < 3; i++)
		close_fd(&s->child[i]);
	close_fd(&s->master);
	pthread_mutex_destroy(&s->lock);
	json_decref(s->command);
	json_decref(s->environment);
	free(s->name);
	free(s->cwd);
	free(s);
}

static struct session *session_new(const struct api_env *env, const char *name)
{
	struct session *s = xnew(struct session);

	s->sockets.attach = session_attach;
	s->env = env;
	s->name = xstrdup(name);
	s->master = s->child[0] = s->child[1] = s->child[2] = -1;
	for (int i = 0; i < SESSION_SLOTS; i++)
		s->slots[i].fd = s->slots[i].peek = -1;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

static void use_slot(struct session *s, int i, int own_fd, bool required)
{
	struct slot *slot = &s->slots[i];

	assert(!slot->used);
	slot->used = true;
	slot->required = required;
	slot->fd = own_fd;
	rng_hex(slot->secret, SECRET_BYTES);
	if (own_fd >= 0 && (i != SLOT_IN || s->interactive))
		slot->peek = fcntl(own_fd, F_DUPFD_CLOEXEC, 3);
}

static int make_tty(struct session *s, int width, int height, struct err *err)
{
	int master, slave;

	if (tty_open(s->env->node, s->name, width, height, &master, &slave, err) < 0)
		return -1;
	s->child[0] = slave;
	s->master = fcntl(master, F_DUPFD_CLOEXEC, 3);
	use_slot(s, SLOT_IN, master, true);
	return 0;
}

static int make_pipes(struct session *s, struct err *err)
{
	for (int i = 0; i < 3; i++) {
		int fds[2];

		if (pipe2(fds, O_CLOEXEC) < 0)
			return err_sys(err, "exec: make a pipe");
		s->child[i] = fds[i == SLOT_IN ? 0 : 1];
		use_slot(s, i, fds[i == SLOT_IN ? 1 : 0], true);
	}
	return 0;
}

static int make_null(struct session *s, int i, struct err *err)
{
	s->child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	return s->child[i] < 0 ? err_sys(err, "open /dev/null") : 0;
}

static json_t *session_metadata(const struct session *s)
{
	json_t *m = json_object(), *fds = json_object();

	if (s->command) {
		json_object_set(m, "command", s->command);
		json_object_set(m, "environment", s->environment);
		json_put_bool(m, "interactive", s->interactive);
	}
	for (int i = 0; i < SESSION_SLOTS; i++) {
		if (s->slots[i].used)
			json_put_str(fds, session_slot_names[i], s->slots[i].secret);
	}
	if (json_object_size(fds))
		json_object_set(m, "fds", fds);
	json_decref(fds);
	return m;
}

static void on_nobody_came(void *arg)
{
	struct session *s = arg;
	struct err err = { 0 };
	bool late;

	pthread_mutex_lock(&s->lock);
	late = !s->started;
	s->started = true;
	pthread_mutex_unlock(&s->lock);
	if (late) {
		err_set(&err, ERR_TIMEOUT, "Timed out waiting for websockets to connect");
		session_fail(s, &err);
	}
	op_unref(s->op);
}

/* --- starting -------------------------------------------------------------------------------- */

static struct op *start_operation(struct session *s, const char *what, bool websockets,
				  struct err *err)
{
	_json_ json_t *metadata = session_metadata(s);
	struct op_spec spec = { .class = websockets ? OP_WEBSOCKET : OP_TASK,
				.description = what,
				.resource_kind = "instances",
				.resource_name = s->name,
				.metadata = metadata,
				.arg = s,
				.free_arg = session_free,
				.cancel = session_cancel };
	struct op *op;

	op = op_start(s->env->ops, &spec, err);
	if (!op)
		return NULL;
	s->op = op;
	op_set_data(op, s);
	if (websockets) {
		op_ref(op);
		s->timer = timer_start(s->env->state->timers, CONNECT_MS, on_nobody_came, s);
	}
	return op;
}

static int make_ends(struct session *s, const struct exec_request *q, struct err *err)
{
	if (q->websockets && q->interactive) {
		use_slot(s, SLOT_CONTROL, -1, true);
		return make_tty(s, q->width, q->height, err);
	}
	if (q->websockets) {
		use_slot(s, SLOT_CONTROL, -1, false);
		return make_pipes(s, err);
	}
	for (int i = 0; i < 3; i++) {
		if (make_null(s, i, err) < 0)
			return -1;
	}
	return 0;
}

struct op *exec_session_start(const struct api_env *env, struct exec_request *q, struct err *err)
{
	struct session *s = session_new(env, q->name);
	struct op *op;

	s->command = q->own_command;
	s->environment = q->own_environment;
	s->visit = q->own_visit;
	visit_on_cut(s->visit, session_cut, s);
	s->cwd = xstrdup(q->cwd);
	s->uid = q->uid;
	s->gid = q->gid;
	s->interactive = q->interactive;
	s->record = q->record;
	if (make_ends(s, q, err) < 0) {
		session_free(s);
		return NULL;
	}
	op = start_operation(s, "Executing command", q->websockets, err);
	if (op && !q->websockets && session_submit(s, err) < 0)
		session_fail(s, err);
	return op;
}

struct op *console_session_start(const struct api_env *env, const char *name, int own_fd,
				 struct err *err)
{
	struct session *s = session_new(env, name);

	assert(own_fd >= 0);
	s->console = s->interactive = true;
	use_slot(s, SLOT_IN, own_fd, true);
	use_slot(s, SLOT_CONTROL, -1, false);
	return start_operation(s, "Showing console", true, err);
}
