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
#include "migrate/move_int.h"
#include "node/container/steps.h"
#include "node/criu/criu.h"

#define READY_MS 20000

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
	json_object_set(j, "spec", mv->spec);
	return j;
}

static int await_ready(struct move_helper *h, struct err *err)
{
	struct pollfd pf = { .fd = h->sock, .events = POLLIN };
	_json_ json_t *early = NULL;
	char c = 0;

	if (poll(&pf, 1, READY_MS) > 0 && read(h->sock, &c, 1) == 1 && c == 'r')
		return 0;
	early = move_helper_end(h, deadline_in(1000), err);
	if (early)
		err_set(err, ERR_INTERNAL, "a helper of the move ended too early");
	return -1;
}

int move_helper_start(struct mover *m, struct move_helper *h, const struct move *mv,
		      struct err *err)
{
	_json_ json_t *request = request_of(m, mv, err);
	_close_ int theirs = -1;
	int pair[2];

	assert(!h->runs);
	h->sock = -1;
	if (!request)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "socket pair");
	h->sock = pair[0];
	theirs = pair[1];
	if (helper_begin(&h->h, mv->id.source ? "helper-dump" : "helper-restore", request, &theirs,
			 1, err) < 0) {
		close(take_fd(&h->sock));
		return -1;
	}
	h->runs = true;
	close(take_fd(&theirs));
	return await_ready(h, err);
}

int move_helper_go(struct move_helper *h, struct err *err)
{
	int rc;

	assert(h->sock >= 0);
	rc = send(h->sock, "g", 1, MSG_NOSIGNAL) == 1 ? 0 : err_sys(err, "start a helper");
	close(take_fd(&h->sock));
	return rc;
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

static void *reap_main(void *arg)
{
	struct move_helper *h = arg;
	struct err err;

	json_decref(helper_end(&h->h, 0, &err));
	free(h);
	return NULL;
}

void move_helper_leave(struct move_helper *h)
{
	struct move_helper *copy;
	pthread_t thread;

	if (h->sock >= 0)
		close(take_fd(&h->sock));
	if (!h->runs)
		return;
	/* Killing a CRIU at work would damage the tasks it holds: it gets its verdict from the
	 * hook. */
	copy = xnew(struct move_helper);
	*copy = *h;
	h->runs = false;
	if (pthread_create(&thread, NULL, reap_main, copy) == 0)
		pthread_detach(thread);
	else
		free(copy);
}
