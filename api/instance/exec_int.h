/* SPDX-License-Identifier: Apache-2.0 */
/* api/instance/exec_int.h - the inside of a session, for api/instance/session.c (making) and
 * api/instance/run.c (living).
 *
 * lock guards everything below it; the operation and its id do not change.
 */
#pragma once
#include <pthread.h>
#include <unistd.h>

#include "api/instance/session.h"
#include "base/mem.h"

#define SECRET_BYTES 32

struct slot {
	bool used, required, attached, over;
	char secret[2 * SECRET_BYTES + 1];
	int fd;   /* ours, until a websocket takes it; -1 */
	int peek; /* what is still to be read there; -1 */
	struct bridge *bridge; /* of a data socket */
	struct wsconn *ws;     /* of the control socket */
};

struct session {
	struct op_sockets sockets;
	const struct api_env *env;
	struct op *op; /* borrowed: it owns us */
	char *name, *cwd;
	json_t *command, *environment;
	uint32_t uid, gid;
	bool interactive, console, record;

	pthread_mutex_t lock;
	struct slot slots[SESSION_SLOTS];
	int child[3]; /* the command's ends; -1 */
	int master;   /* for window sizes; -1 */
	struct exec *exec;
	struct visit *visit; /* until the command has ended */
	uint64_t timer;
	bool started, exited, client_gone, finished;
	bool cut; /* by a move of its instance */
	int status, quiet_ticks;
	uint64_t read_bytes; /* of all outputs, when last looked at */
};

extern const char *const session_slot_names[SESSION_SLOTS];

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(take_fd(fd));
}

int session_attach(struct op_sockets *sockets, struct req *r, const char *secret);
/* Runs the command in the pool. */
int session_submit(struct session *s, struct err *err);
/* Kills the command, for a move: the client is told why. */
void session_cut(void *arg);
/* Kills the command; it is not heard of again. */
void session_cancel(void *arg);
void session_fail(struct session *s, const struct err *err);
