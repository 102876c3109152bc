/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"
#include "node/container/halt.h"
#include "node/container/keys.h"
#include "node/container/lxcconf.h"
#include "node/container/step.h"
#include "node/host/cgroup.h"
#include "node/host/pids.h"

#define STOP_TIMEOUT_S 600
#define ASK_AGAIN_MS 50
#define KILL_TIMEOUT_MS 30000
#define FREEZE_TIMEOUT_MS 10000

enum status container_status(struct node *n, const char *name)
{
	struct ct *c = ct_get(n, name, false);
	enum status s = c ? ct_status(n, c) : STATUS_STOPPED;

	ct_put(n, c);
	return s;
}

json_t *container_spec(struct node *n, const char *name)
{
	struct ct *c = ct_get(n, name, false);
	json_t *spec = c ? ct_spec(n, c) : NULL;

	ct_put(n, c);
	return spec ? spec : ct_load_spec(n, name);
}

/* A record that the caller puts; NULL with the error when there is none that runs. */
static struct ct *running(struct node *n, const char *name, struct err *err)
{
	struct ct *c = ct_get(n, name, false);
	bool runs = false;

	if (c) {
		pthread_mutex_lock(&n->containers->lock);
		runs = c->pid > 0;
		pthread_mutex_unlock(&n->containers->lock);
	}
	if (runs)
		return c;
	ct_put(n, c);
	err_set(err, ERR_CONFLICT, "instance %s is not running", name);
	return NULL;
}

/* --- start and stop ----------------------------------------------------------------------- */

static const char *spec_name(const json_t *spec, struct err *err)
{
	const char *name = json_str(spec, "name", "");

	if (str_is_folder(name))
		return name;
	err_set(err, ERR_INVALID, "\"%s\" is not a valid instance name", name);
	return NULL;
}

int container_start(struct node *n, const json_t *spec, struct err *err)
{
	const char *name = spec_name(spec, err);
	struct ct *c;
	int rc;

	if (!name)
		return -1;
	c = ct_get(n, name, true);
	{
		ct_locked(c);
		rc = ct_start(n, c, spec, err);
	}
	ct_put(n, c);
	return rc;
}

static int check_stoppable(struct ct *c, struct err *err)
{
	if (step_check(STEP_STOP, c->pid ? c->status : STATUS_STOPPED, err) < 0)
		return -1;
	if (c->held)
		return err_set(err, ERR_BUSY, "instance %s is being moved", c->name);
	return 0;
}

/* That of lxc.signal.halt, or 0. */
static int halt_signal(struct node *n, struct ct *c)
{
	_json_ json_t *spec = ct_spec(n, c);
	int own = 0;

	keys_get(&instance_keys, json_obj(spec, "config"), "raw.lxc", &own);
	return own > 0 ? own : 0;
}

struct stopping {
	pid_t init;
	int pidfd, signal;
	int asked; /* as of halt_ask() */
};

static int ask_to_stop(struct node *n, struct ct *c, struct stopping *ret, struct err *err)
{
	ct_locked(c);

	if (check_stoppable(c, err) < 0)
		return -1;
	/* A frozen one could not hear it. */
	if (c->status == STATUS_FROZEN &&
	    cgroup_freeze(n->cgroup_name, c->name, false, deadline_in(FREEZE_TIMEOUT_MS), err) < 0)
		return -1;
	ret->pidfd = fcntl(c->pidfd, F_DUPFD_CLOEXEC, 3);
	if (ret->pidfd < 0)
		return err_sys(err, "watch instance %s", c->name);
	ret->init = c->pid;
	ret->signal = halt_signal(n, c);
	ret->asked = halt_ask(ret->init, ret->pidfd, ret->signal, err);
	if (ret->asked < 0)
		return err_wrap(err, "ask instance %s to shut down", c->name);
	c->stop_asked = true;
	ct_set_status(n, c, STATUS_STOPPING);
	return 0;
}

static int finish_stop(struct node *n, struct ct *c, bool ended, int timeout_s, struct err *err)
{
	ct_locked(c);

	if (ended || !c->pid) {
		ct_settle(n, c, false);
		return 0;
	}
	c->stop_asked = false;
	if (c->status == STATUS_STOPPING)
		ct_set_status(n, c, STATUS_RUNNING);
	/* Others may have seen it stopping. */
	ct_publish(n, c, true);
	return err_set(err, ERR_TIMEOUT,
		       "instance %s did not shut down within %d seconds; stop it by force", c->name,
		       timeout_s);
}

/* False when the deadline passed. */
static bool await_end(struct stopping *s, int64_t deadline)
{
	struct pollfd pf = { .fd = s->pidfd, .events = POLLIN };
	int left;

	while ((left = deadline_left(deadline)) > 0) {
		if (s->asked != 0 && left > ASK_AGAIN_MS)
			left = ASK_AGAIN_MS;
		if (poll(&pf, 1, left) > 0)
			return true;
		if (s->asked != 0) {
			struct err ignored;

			s->asked = halt_ask(s->init, s->pidfd, s->signal, &ignored);
		}
	}
	return poll(&pf, 1, 0) > 0;
}

/* op is free while it shuts down, so that it can be stopped by force meanwhile. */
static int stop_clean(struct node *n, struct ct *c, int timeout_s, struct err *err)
{
	struct stopping s = { .pidfd = -1 };
	int64_t deadline;
	bool ended;
	int rc;

	if (timeout_s < 0)
		timeout_s = STOP_TIMEOUT_S;
	deadline = deadline_in((int64_t)timeout_s * 1000);
	rc = ask_to_stop(n, c, &s, err);
	if (rc == 0) {
		ended = await_end(&s, deadline);
		rc = finish_stop(n, c, ended, timeout_s, err);
	}
	if (s.pidfd >= 0)
		close(s.pidfd);
	return rc;
}

static int stop_forced(struct node *n, struct ct *c, struct err *err)
{
	struct err ignored;
	ct_locked(c);

	if (check_stoppable(c, err) < 0)
		return -1;
	c->stop_asked = true;
	ct_set_status(n, c, STATUS_STOPPING);
	/* Killed first, thawed then: nothing of it runs in between. */
	if (pids_signal(c->pidfd, SIGKILL) < 0 && errno != ESRCH)
		return err_sys(err, "kill init of %s", c->name);
	if (cgroup_is_frozen(n->cgroup_name, c->name))
		cgroup_freeze(n->cgroup_name, c->name, false, deadline_in(FREEZE_TIMEOUT_MS),
			      &ignored);
	if (!ct_wait_end(c, deadline_in(KILL_TIMEOUT_MS)))
		return err_set(err, ERR_TIMEOUT, "instance %s does not end, though killed",
			       c->name);
	ct_settle(n, c, false);
	return 0;
}

int container_stop(struct node *n, const char *name, bool force, int timeout_s, struct err *err)
{
	struct ct *c = ct_get(n, name, false);
	int rc;

	if (!c)
		return step_check(STEP_STOP, STATUS_STOPPED, err);
	rc = force ? stop_forced(n, c, err) : stop_clean(n, c, timeout_s, err);
	ct_put(n, c);
	return rc;
}

/* --- freeze ------------------------------------------------------------------------------- */

static int freeze_locked(struct node *n, struct ct *c, bool freeze, struct err *err)
{
	ct_locked(c);

	if (step_check(freeze ? STEP_FREEZE : STEP_UNFREEZE, c->status, err) < 0)
		return -1;
	if (cgroup_freeze(n->cgroup_name, c->name, freeze, deadline_in(FREEZE_TIMEOUT_MS), err) <
	    0) {
		cgroup_freeze(n->cgroup_name, c->name, !freeze, deadline_in(FREEZE_TIMEOUT_MS),
			      &(struct err){ 0 });
		return -1;
	}
	ct_set_status(n, c, freeze ? STATUS_FROZEN : STATUS_RUNNING);
	ct_publish(n, c, false);
	return 0;
}

int container_freeze(struct node *n, const char *name, bool freeze, struct err *err)
{
	struct ct *c = ct_get(n, name, false);
	int rc;

	if (!c)
		return step_check(freeze ? STEP_FREEZE : STEP_UNFREEZE, STATUS_STOPPED, err);
	rc = freeze_locked(n, c, freeze, err);
	ct_put(n, c);
	return rc;
}

int container_set_frozen(struct node *n, const char *name, bool frozen, struct err *err)
{
	return cgroup_freeze(n->cgroup_name, name, frozen, deadline_in(FREEZE_TIMEOUT_MS), err);
}

/* --- delete, rename ----------------------------------------------------------------------- */

static int check_idle(struct ct *c, struct err *err)
{
	if (c->status == STATUS_STOPPED || c->status == STATUS_ERROR)
		return 0;
	return err_set(err, ERR_CONFLICT, "instance %s is %s; stop it first", c->name,
		       status_name(c->status));
}

static int delete_locked(struct node *n, struct ct *c, struct err *err)
{
	_json_ json_t *spec = ct_load_spec(n, c->name);
	_free_ char *dir = ct_dir(n, c->name);
	ct_locked(c);

	if (check_idle(c, err) < 0)
		return -1;
	ct_release(n, c->name, spec);
	if (io_remove_tree(dir, err) < 0)
		return -1;
	ct_forget(n, c);
	return 0;
}

int container_delete(struct node *n, const char *name, struct err *err)
{
	struct ct *c;
	int rc;

	if (!str_is_folder(name))
		return err_set(err, ERR_INVALID, "\"%s\" is not a valid instance name", name);
	c = ct_get(n, name, true);
	rc = delete_locked(n, c, err);
	ct_put(n, c);
	return rc;
}

static int rename_locked(struct node *n, struct ct *c, const char *new_name, struct err *err)
{
	_free_ char *from = ct_dir(n, c->name), *to = ct_dir(n, new_name);
	ct_locked(c);

	if (check_idle(c, err) < 0)
		return -1;
	if (io_exists(to))
		return err_set(err, ERR_CONFLICT, "%s exists", to);
	if (rename(from, to) < 0 && errno != ENOENT)
		return err_sys(err, "rename %s to %s", from, to);
	ct_rename(n, c, new_name);
	return 0;
}

int container_rename(struct node *n, const char *name, const char *new_name, struct err *err)
{
	struct ct *c;
	int rc;

	if (!str_is_folder(name) || !str_is_folder(new_name))
		return err_set(err, ERR_INVALID, "\"%s\" is not a valid instance name",
			       str_is_folder(name) ? new_name : name);
	c = ct_get(n, name, true);
	rc = rename_locked(n, c, new_name, err);
	ct_put(n, c);
	return rc;
}

/* --- for moves ---------------------------------------------------------------------------- */

int container_prepare(struct node *n, const json_t *spec, bool start, struct err *err)
{
	const char *name = spec_name(spec, err);
	struct ct *c;
	int rc;

	if (!name)
		return -1;
	c = ct_get(n, name, true);
	{
		ct_locked(c);
		rc = ct_prepare(n, c, spec, start, err);
	}
	ct_put(n, c);
	return rc;
}

void container_abandon(struct node *n, const char *name)
{
	struct ct *c = ct_get(n, name, true);
	_free_ char *dir = ct_dir(n, name);
	struct err err;

	{
		ct_locked(c);
		if (!c->pid) {
			if (ct_kill_all(n, c, &err) < 0 || io_remove_tree(dir, &err) < 0)
				log_err(LOG_WARN, "abandon a prepared instance", &err);
			ct_set_status(n, c, STATUS_STOPPED);
			ct_forget(n, c);
		}
	}
	ct_put(n, c);
}

int container_adopt(struct node *n, const char *name, pid_t init, struct err *err)
{
	struct ct *c = ct_get(n, name, false);
	int rc;

	if (!c)
		return err_set(err, ERR_NOT_FOUND, "instance %s was not prepared here", name);
	{
		ct_locked(c);
		if (c->pid)
			rc = err_set(err, ERR_CONFLICT, "instance %s is already running", name);
		else
			rc = ct_adopt(n, c, init, err);
	}
	if (rc == 0)
		ct_set_closed(n, c, false);
	ct_put(n, c);
	return rc;
}

int container_hold(struct node *n, const char *name, bool hold, struct err *err)
{
	struct ct *c = running(n, name, err);

	if (!c)
		return -1;
	{
		ct_locked(c);
		c->held = hold;
		/* Its end may have been passed over meanwhile. */
		if (!hold && c->pid && ct_wait_end(c, clock_ms()))
			ct_settle(n, c, false);
	}
	ct_put(n, c);
	return 0;
}

bool container_keep(struct node *n, const char *name)
{
	struct ct *c = ct_get(n, name, false);
	struct err err;
	bool runs = false;

	if (!c)
		return false;
	{
		ct_locked(c);
		runs = c->pid > 0;
		if (runs && ct_mark(n, name, &err) < 0)
			log_err(LOG_WARN, "an instance that ends is not started again", &err);
	}
	ct_put(n, c);
	return runs;
}

static int gone_locked(struct node *n, struct ct *c, int64_t deadline, struct err *err)
{
	_free_ char *dir = ct_dir(n, c->name);
	ct_locked(c);

	if (c->pid && !ct_wait_end(c, deadline))
		return err_set(err, ERR_TIMEOUT, "the processes of %s have not ended here",
			       c->name);
	c->stop_asked = true;
	ct_settle(n, c, true);
	ct_forget(n, c);
	return io_remove_tree(dir, err);
}

int container_gone(struct node *n, const char *name, int64_t deadline, struct err *err)
{
	struct ct *c = ct_get(n, name, true);
	int rc = gone_locked(n, c, deadline, err);

	ct_put(n, c);
	return rc;
}
