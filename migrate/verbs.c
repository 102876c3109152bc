/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/move_int.h"
#include "node/container/steps.h"
#include "node/criu/criu.h"
#include "node/criu/pages.h"
#include "node/criu/vault.h"
#include "node/device/port.h"
#include "node/host/cgroup.h"
#include "node/host/pids.h"

#define PAGER "what fetches its memory"
#define PAGER_MS 20000 /* the container stands still */
#define ENDS_MS 1000
#define LOOK_MS 1000
#define STALL_MS 8000
#define DISMISS_MS 10000
#define KILL_MS 20000

static json_t *request_of(struct mover *m, const struct move *mv, struct err *err)
{
	_free_ char *images = move_images(m, mv), *hook = criu_hook_path(err);
	_free_ char *id = xasprintf("%s %s %lld", mv->id.op, mv->id.name, (long long)mv->id.epoch);
	_free_ char *sent = move_sent(m, mv), *kept = mv->suspends ? move_kept(m, mv) : NULL;
	json_t *j;

	if (!hook)
		return NULL;
	j = container_request(m->o.node, mv->id.name);
	json_put_str(j, "run", m->run);
	json_put_str(j, "shm", m->shm);
	json_put_str(j, "images", images);
	json_put_str(j, "hook", hook);
	json_put_str(j, "id", id);
	json_put_str(j, "sent", sent);
	if (kept && !mv->id.source)
		json_put_str(j, "kept", kept);
	json_put_bool(j, "keep_frozen", mv->frozen);
	json_put_bool(j, "lazy", mv->lazy);
	json_object_set(j, "spec", mv->spec);
	return j;
}

int move_helper_await(struct move_helper *h, const char *what, int ms, struct err *err)
{
	struct pollfd pf = { .fd = h->sock, .events = POLLIN };
	int n = poll(&pf, 1, ms);
	_json_ json_t *early = NULL;
	char c = 0;

	if (n > 0 && read(h->sock, &c, 1) == 1)
		return 0;
	early = move_helper_end(h, deadline_in(ENDS_MS), err);
	if (n == 0)
		err_set(err, ERR_TIMEOUT, "%s did not start within %d s", what, ms / 1000);
	else if (early)
		err_set(err, ERR_INTERNAL, "a helper of the move ended too early");
	return -1;
}

int move_helper_start(struct mover *m, struct move_helper *h, const char *verb,
		      const struct move *mv, const struct vault *vault, struct err *err)
{
	_json_ json_t *request = request_of(m, mv, err);
	_close_ int theirs = -1;
	int pair[2], extra[] = { -1, vault ? vault->in : -1, vault ? vault->out : -1 };

	assert(!h->runs);
	h->sock = -1;
	if (!request)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "socket pair");
	h->sock = pair[0];
	theirs = extra[0] = pair[1];
	static_assert(PAGES_FD_OUT == HELPER_FD_EXTRA + ARRAY_SIZE(extra) - 1, "as pages.h says");
	if (helper_begin(&h->h, verb, request, extra, vault ? ARRAY_SIZE(extra) : 1, err) < 0) {
		close(take_fd(&h->sock));
		return -1;
	}
	h->runs = true;
	close(take_fd(&theirs));
	return move_helper_await(h, str_eq(verb, "helper-pages") ? PAGER : "CRIU", CRIU_START_MS,
				 err);
}

int move_helper_go(struct move_helper *h, struct err *err)
{
	int rc;

	assert(h->sock >= 0);
	rc = send(h->sock, "g", 1, MSG_NOSIGNAL) == 1 ? 0 : err_sys(err, "start a helper");
	close(take_fd(&h->sock));
	h->worked_ms = clock_ms();
	return rc;
}

int move_pager_go(struct move_helper *h, struct err *err)
{
	assert(h->sock >= 0);
	if (send(h->sock, "g", 1, MSG_NOSIGNAL) != 1)
		return err_sys(err, "start a helper");
	return move_helper_await(h, PAGER, PAGER_MS, err);
}

int move_helper_fd(const struct move_helper *h)
{
	return h->runs ? h->h.proc.pidfd : -1;
}

json_t *move_helper_end(struct move_helper *h, int64_t deadline, struct err *err)
{
	if (h->sock >= 0)
		close(take_fd(&h->sock));
	if (!h->runs) {
		err_set(err, ERR_INTERNAL, "a helper of the move has ended");
		return NULL;
	}
	h->runs = false;
	return helper_end(&h->h, deadline, err);
}

int move_helper_check(struct move_helper *h, struct err *err)
{
	int64_t now = clock_ms(), work;

	if (!h->runs || now - h->worked_ms < LOOK_MS)
		return 0;
	work = pids_group_work(h->h.proc.pid);
	if (work == h->work)
		return now - h->worked_ms < STALL_MS
			       ? 0
			       : err_set(err, ERR_TIMEOUT, "CRIU stands still for %d s",
					 STALL_MS / 1000);
	h->work = work;
	h->worked_ms = now;
	return 0;
}

struct reaping {
	struct helper h;
	bool dismissed;
};

static void *reap_main(void *arg)
{
	struct reaping *r = arg;
	struct pollfd pf = { .fd = r->h.proc.pidfd, .events = POLLIN };
	struct err err;

	if (r->dismissed) {
		/* With what it has left in its process group. */
		poll(&pf, 1, DISMISS_MS);
		helper_kill(&r->h);
	} else {
		json_decref(helper_end(&r->h, 0, &err));
	}
	free(r);
	return NULL;
}

void move_helper_call_off(struct move_helper *h)
{
	if (h->sock >= 0)
		close(take_fd(&h->sock));
}

static void reap(struct move_helper *h, bool dismissed)
{
	struct reaping *copy;
	pthread_t thread;

	move_helper_call_off(h);
	if (!h->runs)
		return;
	copy = xnew(struct reaping);
	*copy = (struct reaping){ h->h, dismissed };
	h->runs = false;
	if (pthread_create(&thread, NULL, reap_main, copy) == 0)
		pthread_detach(thread);
	else
		free(copy);
}

void move_helper_leave(struct move_helper *h)
{
	/* Killing a CRIU at work would damage the tasks it holds: it gets its verdict from the
	 * hook. */
	reap(h, false);
}

void move_helper_dismiss(struct move_helper *h)
{
	reap(h, true);
}

void move_helper_kill(struct move_helper *h)
{
	move_helper_call_off(h);
	if (h->runs) {
		pids_kill_offspring(h->h.proc.pid);
		helper_kill(&h->h);
	}
	h->runs = false;
}

int restore_kill(struct mover *m, const struct move *mv, struct hold *h)
{
	struct err err;

	assert(h);
	hold_tell(h, false);
	/* Nobody hears of it how its connections end. */
	if (devices_connect(mv->spec, false, &err) < 0)
		log_err(LOG_WARN, "unplug a restore that failed", &err);
	if (criu_kill_tree(m->o.node, mv->id.name, deadline_in(KILL_MS), &err) == 0)
		return 1;
	log_err(LOG_ERROR, "a restore that failed cannot be killed", &err);
	return -1;
}

void restore_end(struct mover *m, const struct move *mv, struct move_helper *h)
{
	struct node *n = m->o.node;
	const char *name = mv->id.name;
	_json_ json_t *request = NULL;
	struct err err;

	if (!h->runs || container_pid(n, name) > 0) {
		move_helper_leave(h);
		return;
	}
	move_helper_kill(h);
	request = container_request(n, name);
	if (criu_kill_tree(n, name, deadline_in(KILL_MS), &err) < 0)
		log_err(LOG_WARN, "processes of a restore that was given up", &err);
	cgroup_remove(json_str(request, "cgroup_name", ""), name);
}
