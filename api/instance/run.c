/* SPDX-License-Identifier: Apache-2.0 */
/* A session's life: its sockets come, the command runs, its outputs drain. */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "api/instance/exec_int.h"
#include "api/work/instance.h"
#include "api/work/state.h"
#include "base/digest.h"
#include "base/str.h"
#include "base/timer.h"
#include "node/container/container.h"
#include "node/container/exec.h"
#include "node/container/terminal.h"

#define DRAIN_TICK_MS 50
#define DRAIN_QUIET_TICKS 20

/* --- the end --------------------------------------------------------------------------------- */

static void close_socket(struct session *s, int i)
{
	struct slot *slot = &s->slots[i];

	if (slot->bridge)
		bridge_end(slot->bridge);
	if (slot->ws && !slot->over)
		wsconn_close(slot->ws);
}

/* The caller holds the lock. */
static bool outputs_over(const struct session *s)
{
	for (int i = 0; i < SLOT_CONTROL; i++) {
		const struct slot *slot = &s->slots[i];

		if (slot->attached && !slot->over && (i != SLOT_IN || s->interactive))
			return false;
	}
	return true;
}

static void set_result(struct session *s)
{
	if (s->console)
		return;
	if (s->record) {
		json_t *output = json_object();

		for (int i = SLOT_OUT; i <= SLOT_ERR; i++) {
			_free_ char *file = xasprintf("exec_%s.%s", op_id(s->op),
						      i == SLOT_OUT ? "stdout" : "stderr");

			json_object_set_new(output, session_slot_names[i],
					    instance_log_url(s->name, file));
		}
		op_set(s->op, "output", output);
	}
	op_set(s->op, "return", json_integer(s->status));
}

static void finish_if_over(struct session *s)
{
	bool over;

	pthread_mutex_lock(&s->lock);
	over = s->exited && !s->finished && outputs_over(s);
	s->finished |= over;
	if (over)
		close_socket(s, SLOT_CONTROL);
	pthread_mutex_unlock(&s->lock);
	if (!over)
		return;
	set_result(s);
	op_end(s->op, NULL);
}

/* Nothing of the session goes into the container any more. */
static void leave(struct session *s)
{
	struct visit *v;

	pthread_mutex_lock(&s->lock);
	v = take_ptr(s->visit);
	pthread_mutex_unlock(&s->lock);
	visit_end(v);
}

void session_fail(struct session *s, const struct err *err)
{
	pthread_mutex_lock(&s->lock);
	s->finished = true;
	for (int i = 0; i < SESSION_SLOTS; i++)
		close_socket(s, i);
	pthread_mutex_unlock(&s->lock);
	leave(s);
	op_end(s->op, err);
}

/* A process left behind may keep the outputs open for ever: they end when they are silent. The
 * caller holds the lock. */
static bool is_quiet(struct session *s)
{
	uint64_t before = s->read_bytes;

	s->read_bytes = 0;
	for (int i = 0; i < SLOT_CONTROL; i++) {
		const struct slot *slot = &s->slots[i];
		int waiting = 0;

		if (slot->bridge)
			s->read_bytes += bridge_read_bytes(slot->bridge);
		if (!slot->bridge || slot->over || slot->peek < 0)
			continue;
		if (ioctl(slot->peek, FIONREAD, &waiting) == 0 && waiting > 0)
			return false;
		if (bridge_queued(slot->bridge) > 0)
			return false;
	}
	return s->read_bytes == before;
}

static void end_outputs(struct session *s)
{
	for (int i = 0; i < SLOT_CONTROL; i++)
		close_socket(s, i);
}

static void drain_tick(void *arg)
{
	struct session *s = arg;
	bool again;

	pthread_mutex_lock(&s->lock);
	s->quiet_ticks = is_quiet(s) ? s->quiet_ticks + 1 : 0;
	again = !s->finished && s->quiet_ticks < DRAIN_QUIET_TICKS;
	if (!s->finished && !again)
		end_outputs(s);
	pthread_mutex_unlock(&s->lock);
	if (!again || !timer_start(s->env->state->timers, DRAIN_TICK_MS, drain_tick, s))
		op_unref(s->op);
}

void session_cut(void *arg)
{
	struct session *s = arg;

	pthread_mutex_lock(&s->lock);
	s->cut |= !s->exited;
	if (s->exec && !s->exited)
		exec_kill(s->exec);
	pthread_mutex_unlock(&s->lock);
}

static void on_exit_status(void *arg, int status, const struct err *err)
{
	struct session *s = arg;
	struct err why;

	pthread_mutex_lock(&s->lock);
	s->exited = true;
	s->status = status;
	if (s->cut && !err) {
		err_set(&why, ERR_CONFLICT,
			"the session was ended by a move of %s to another member; begin it again",
			s->name);
		err = &why;
	}
	if (!s->interactive)
		close_socket(s, SLOT_IN);
	pthread_mutex_unlock(&s->lock);
	leave(s);
	if (err)
		session_fail(s, err);
	else
		finish_if_over(s);
	/* The reference that this callback held goes over to the timer. */
	if (!timer_start(s->env->state->timers, DRAIN_TICK_MS, drain_tick, s))
		op_unref(s->op);
}

/* --- the command ----------------------------------------------------------------------------- */

static char *record_path(const struct session *s, int i)
{
	return xasprintf("%s/containers/%s/exec_%s.%s", s->env->dir, s->name, op_id(s->op),
			 i == SLOT_OUT ? "stdout" : "stderr");
}

/* The operation's id is in the names: made when it is known. */
static int open_records(struct session *s, struct err *err)
{
	for (int i = SLOT_OUT; i <= SLOT_ERR; i++) {
		_free_ char *path = record_path(s, i);

		close_fd(&s->child[i]);
		s->child[i] =
			open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (s->child[i] < 0)
			return err_sys(err, "exec: create %s", path);
	}
	return 0;
}

static struct exec *run_command(struct session *s, struct err *err)
{
	struct exec_spec spec = { .name = s->name,
				  .command = s->command,
				  .environment = s->environment,
				  .cwd = s->cwd,
				  .uid = s->uid,
				  .gid = s->gid,
				  .interactive = s->interactive,
				  .fds = { s->child[0], s->child[1], s->child[2] } };

	if (s->record && open_records(s, err) < 0)
		return NULL;
	for (int i = SLOT_OUT; s->record && i <= SLOT_ERR; i++)
		spec.fds[i] = s->child[i];
	return container_exec(s->env->node, &spec, on_exit_status, s, err);
}

static void start_command(void *arg)
{
	struct session *s = arg;
	struct err err;
	struct exec *e;

	op_ref(s->op); /* on_exit_status drops it */
	e = run_command(s, &err);
	if (!e) {
		session_fail(s, &err);
		op_unref(s->op);
		op_unref(s->op);
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->exec = e;
	/* Under the lock: whoever cancels the session takes the command away. */
	if (s->client_gone || s->cut)
		exec_kill(e);
	for (int i = 0; i < 3; i++)
		close_fd(&s->child[i]);
	pthread_mutex_unlock(&s->lock);
	op_unref(s->op);
}

int session_submit(struct session *s, struct err *err)
{
	op_ref(s->op);
	if (pool_submit(s->env->pool, POOL_SLOW, 0, start_command, s, err) == 0)
		return 0;
	op_unref(s->op);
	return -1;
}

void session_cancel(void *arg)
{
	struct session *s = arg;
	struct exec *e;
	bool told;

	pthread_mutex_lock(&s->lock);
	e = take_ptr(s->exec);
	pthread_mutex_unlock(&s->lock);
	if (!e)
		return;
	exec_free(e);
	leave(s);
	pthread_mutex_lock(&s->lock);
	told = s->exited;
	s->exited = s->finished = true;
	for (int i = 0; i < SESSION_SLOTS; i++)
		close_socket(s, i);
	pthread_mutex_unlock(&s->lock);
	if (!told)
		op_unref(s->op);
}

static void send_signal(struct session *s, int sig)
{
	pthread_mutex_lock(&s->lock);
	if (s->exec && !s->exited)
		exec_signal(s->exec, sig);
	pthread_mutex_unlock(&s->lock);
}

/* --- the client's sockets -------------------------------------------------------------------- */

/* Its client crashed or was cut off. One that closes its sockets only stops listening. */
static void client_gone(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	s->client_gone = true;
	if (s->exec && !s->exited)
		exec_kill(s->exec);
	pthread_mutex_unlock(&s->lock);
}

/* Clients without a control socket are known by their output's. */
static void on_out_lost(void *arg)
{
	struct session *s = arg;
	bool known;

	pthread_mutex_lock(&s->lock);
	known = s->slots[SLOT_CONTROL].attached;
	pthread_mutex_unlock(&s->lock);
	if (!known)
		client_gone(s);
}

static void on_bridge_done(struct session *s, int i)
{
	pthread_mutex_lock(&s->lock);
	s->slots[i].over = true;
	close_fd(&s->slots[i].peek);
	s->exited |= s->console;
	pthread_mutex_unlock(&s->lock);
	finish_if_over(s);
	op_unref(s->op);
}

static void on_in_done(void *arg)
{
	on_bridge_done(arg, SLOT_IN);
}

static void on_out_done(void *arg)
{
	on_bridge_done(arg, SLOT_OUT);
}

static void on_err_done(void *arg)
{
	on_bridge_done(arg, SLOT_ERR);
}

/* LXD's clients send numbers as strings. */
static int number_of(const json_t *args, const char *key)
{
	int64_t n = json_int(args, key, 0);

	if (n == 0)
		str_to_i64(json_str(args, key, ""), 0, 10000, &n);
	return n > 0 && n <= 10000 ? (int)n : 0;
}

static void resize(struct session *s, const json_t *args)
{
	int width = number_of(args, "width"), height = number_of(args, "height");

	pthread_mutex_lock(&s->lock);
	if (s->console && !s->exited)
		container_console_resize(s->env->node, s->name, width, height);
	else if (s->master >= 0 && width && height)
		tty_resize(s->master, width, height);
	pthread_mutex_unlock(&s->lock);
}

static void on_control(void *arg, bool text, const char *data, size_t len)
{
	struct session *s = arg;
	struct err err;
	_json_ json_t *msg = json_parse(data, len, "control message", &err);
	const char *command = json_str(msg, "command", "");
	int64_t sig = json_int(msg, "signal", 0);

	if (str_eq(command, "window-resize"))
		resize(s, json_obj(msg, "args"));
	else if (str_eq(command, "signal") && sig > 0 && sig <= SIGRTMAX)
		send_signal(s, (int)sig);
}

static void on_control_closed(void *arg)
{
	struct session *s = arg;
	bool lost;

	pthread_mutex_lock(&s->lock);
	s->slots[SLOT_CONTROL].over = true;
	lost = !s->console && wsconn_was_lost(s->slots[SLOT_CONTROL].ws);
	/* LXD's client detaches from a console by closing this one only. */
	if (s->console && !s->finished)
		close_socket(s, SLOT_IN);
	pthread_mutex_unlock(&s->lock);
	if (lost)
		client_gone(s);
	op_unref(s->op);
}

/* The caller holds the lock. */
static int join(struct session *s, int i, struct req *r)
{
	struct slot *slot = &s->slots[i];
	static void (*const done[])(void *arg) = { on_in_done, on_out_done, on_err_done };
	static const struct ws_callbacks control = { .message = on_control,
						     .closed = on_control_closed };
	struct bridge_opts o = { .fd_to_ws = i != SLOT_IN || s->interactive,
				 .ws_to_fd = i == SLOT_IN,
				 .outlives = !s->console,
				 .lost = i == SLOT_OUT ? on_out_lost : NULL,
				 .arg = s };

	assert(slot->attached);
	if (i == SLOT_CONTROL) {
		struct wsconn *ws = reply_websocket(r, &control, s);

		slot->ws = ws ? wsconn_ref(ws) : NULL;
		return ws ? 0 : -1;
	}
	o.own_fd = take_fd(&slot->fd);
	o.done = done[i];
	slot->bridge = reply_bridge(r, &o);
	return slot->bridge ? 0 : -1;
}

/* The caller holds the lock. */
static bool all_there(const struct session *s)
{
	for (int i = 0; i < SESSION_SLOTS; i++) {
		if (s->slots[i].required && !s->slots[i].attached)
			return false;
	}
	return true;
}

static struct slot *find_slot(struct session *s, const char *secret)
{
	for (int i = 0; i < SESSION_SLOTS; i++) {
		if (s->slots[i].used && secret_equal(s->slots[i].secret, secret))
			return &s->slots[i];
	}
	return NULL;
}

/* Claims the slot; true when this was the last one that the command waits for. */
static int claim(struct session *s, struct slot *slot, bool *ret_start, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (slot->attached || s->finished)
		rc = err_set(err, ERR_CONFLICT, "the websocket was connected already");
	slot->attached |= rc == 0;
	*ret_start = rc == 0 && !s->started && all_there(s);
	s->started |= *ret_start;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int session_attach(struct op_sockets *sockets, struct req *r, const char *secret)
{
	struct session *s = (struct session *)sockets;
	struct slot *slot = find_slot(s, secret);
	struct err err;
	bool start;
	int rc;

	if (!slot)
		return err_set(req_err(r), ERR_FORBIDDEN, "wrong secret");
	if (claim(s, slot, &start, req_err(r)) < 0)
		return -1;
	op_ref(s->op); /* the socket's last callback drops it */
	pthread_mutex_lock(&s->lock);
	rc = join(s, (int)(slot - s->slots), r);
	pthread_mutex_unlock(&s->lock);
	if (rc < 0) {
		session_fail(s, req_err(r));
		op_unref(s->op);
		return -1;
	}
	if (start && timer_cancel(s->env->state->timers, s->timer))
		op_unref(s->op);
	if (start && !s->console && session_submit(s, &err) < 0)
		session_fail(s, &err);
	return 0;
}
