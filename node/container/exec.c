/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/container/container_int.h"
#include "node/container/exec.h"
#include "node/helper/helper.h"
#include "node/host/watch.h"

#define END_TIMEOUT_MS 10000

/* Held by its owner and by the watch; lock guards done, told, telling, teller and refs. */
struct exec {
	pthread_mutex_t lock;
	pthread_cond_t told_cond;
	int refs;
	struct node *n;
	struct helper helper;
	int control; /* signal numbers go in; 0 or closing it kills the command */
	void (*done)(void *arg, int status, const struct err *err);
	void *arg;
	bool telling;
	pthread_t teller;
};

static void exec_put(struct exec *e)
{
	bool last;

	pthread_mutex_lock(&e->lock);
	last = --e->refs == 0;
	pthread_mutex_unlock(&e->lock);
	if (!last)
		return;
	if (e->control >= 0)
		close(e->control);
	pthread_cond_destroy(&e->told_cond);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static void tell(struct exec *e, int status, const struct err *err)
{
	void (*done)(void *arg, int status, const struct err *err);

	pthread_mutex_lock(&e->lock);
	done = e->done;
	e->done = NULL;
	e->telling = done != NULL;
	e->teller = pthread_self();
	pthread_mutex_unlock(&e->lock);
	if (!done)
		return;
	done(e->arg, status, err);
	pthread_mutex_lock(&e->lock);
	e->telling = false;
	pthread_cond_broadcast(&e->told_cond);
	pthread_mutex_unlock(&e->lock);
}

static void end_job(void *arg)
{
	struct exec *e = arg;
	struct err err;
	/* It has ended, or is about to: the watch saw its pidfd. */
	_json_ json_t *j = helper_end(&e->helper, deadline_in(END_TIMEOUT_MS), &err);

	tell(e, (int)json_int(j, "status", 0), j ? NULL : &err);
	exec_put(e);
}

struct holder {
	struct exec *e;
};

static void on_end(void *arg)
{
	struct exec *e = ((struct holder *)arg)->e;
	struct err err;

	if (pool_submit(e->n->pool, POOL_FAST, 0, end_job, e, &err) < 0)
		end_job(e);
}

static json_t *exec_request(struct node *n, const struct exec_spec *spec)
{
	json_t *j = container_request(n, spec->name);
	_json_ json_t *spec_json = container_spec(n, spec->name);

	json_object_set(j, "command", (json_t *)spec->command);
	json_object_set(j, "environment", (json_t *)spec->environment);
	json_object_set(j, "idmap", json_obj(spec_json, "idmap"));
	json_put_bool(j, "privileged", json_bool(spec_json, "privileged", false));
	json_put_str(j, "cwd", spec->cwd);
	json_put_int(j, "uid", spec->uid);
	json_put_int(j, "gid", spec->gid);
	json_put_bool(j, "interactive", spec->interactive);
	return j;
}

static int begin(struct exec *e, const struct exec_spec *spec, struct err *err)
{
	_json_ json_t *request = exec_request(e->n, spec);
	_close_ int rd = -1;
	int pipefd[2], fds[4];

	if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, "pipe");
	rd = pipefd[0];
	e->control = pipefd[1];
	for (int i = 0; i < 3; i++)
		fds[i] = spec->interactive ? spec->fds[0] : spec->fds[i];
	fds[3] = rd;
	return helper_begin(&e->helper, "helper-exec", request, fds, 4, err);
}

static int check_running(struct node *n, const char *name, struct err *err)
{
	enum status s = container_status(n, name);

	if (s == STATUS_RUNNING)
		return 0;
	return err_set(err, ERR_CONFLICT, "instance %s is %s, not running", name,
		       s == STATUS_STOPPED ? "stopped" : status_name(s));
}

static struct exec *start(struct node *n, const struct exec_spec *spec, struct err *err)
{
	struct exec *e = xnew(struct exec);

	e->n = n;
	e->control = -1;
	e->refs = 2; /* the caller's and the watch's */
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->told_cond, NULL);
	if (check_running(n, spec->name, err) == 0 && begin(e, spec, err) == 0)
		return e;
	e->refs = 1;
	exec_put(e);
	return NULL;
}

/* The daemon ends: the command ends with it. */
static void dropped(void *arg)
{
	struct holder *h = arg;

	helper_kill(&h->e->helper);
	exec_put(h->e);
	free(h);
}

static void watch_helper(struct exec *e)
{
	struct holder *h = xnew(struct holder);

	h->e = e;
	watch_fd_drop(e->n->watch, fcntl(e->helper.proc.pidfd, F_DUPFD_CLOEXEC, 3), on_end, h,
		      dropped);
}

struct exec *container_exec(struct node *n, const struct exec_spec *spec,
			    void (*done)(void *arg, int status, const struct err *err), void *arg,
			    struct err *err)
{
	struct exec *e;

	if (json_array_size(spec->command) == 0) {
		err_set(err, ERR_INVALID, "no command given");
		return NULL;
	}
	e = start(n, spec, err);
	if (!e)
		return NULL;
	e->done = done;
	e->arg = arg;
	watch_helper(e);
	return e;
}

static void control(struct exec *e, unsigned char byte)
{
	/* A full pipe or a helper that has ended: the command is past caring. */
	if (write(e->control, &byte, 1) < 0 && errno != EPIPE)
		log_debug("signal not delivered");
}

void exec_signal(struct exec *e, int sig)
{
	if (sig > 0 && sig <= SIGRTMAX)
		control(e, (unsigned char)sig);
}

void exec_kill(struct exec *e)
{
	control(e, 0);
}

void exec_free(struct exec *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	e->done = NULL;
	while (e->telling && !pthread_equal(e->teller, pthread_self()))
		pthread_cond_wait(&e->told_cond, &e->lock);
	assert(e->control >= 0);
	close(take_fd(&e->control));
	pthread_mutex_unlock(&e->lock);
	exec_put(e);
}
