/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/holds.h - the socket RUN/move.sock where CRIU's action scripts ask for the verdict of a
 * move.
 *
 * A script says "hold ROLE OP NAME EPOCH PID" and waits for a byte; "plug ...", and waits a moment
 * for the end of the connection before it puts the interfaces onto their bridges itself; or
 * "resumed ..." and goes.
 *
 * Somebody must expect it (hold_new); a script of a move that nobody here knows, since the daemon
 * was started anew, is announced to `stray`, which settles it with hold_new and hold_tell.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct holds;
struct hold;

struct hold_id {
	bool source;
	char op[40], name[FOLDER_SIZE];
	int64_t epoch; /* of the instance when the move began */
};

struct holds *holds_new(const char *run_dir, void (*stray)(void *arg, const struct hold_id *id),
			void *arg, struct err *err);
void holds_free(struct holds *h);

/* Expects the script of that side of the move. One expects it at a time. */
struct hold *hold_new(struct holds *h, const struct hold_id *id);
/* A script that has not been told is announced as a stray. */
void hold_free(struct hold *h);
/* Readable after every change of what follows, until hold_seen. */
int hold_fd(const struct hold *h);
void hold_seen(struct hold *h);
bool hold_here(struct hold *h);    /* a script waits */
bool hold_resumed(struct hold *h); /* the restored processes run */
pid_t hold_pid(struct hold *h);    /* init, as the script knows it */
/* The interfaces are ours to put onto their bridges: hold_plugs() says when, hold_plugged() that it
 * is done. */
void hold_takes_plug(struct hold *h);
bool hold_plugs(struct hold *h);
void hold_plugged(struct hold *h);
/* Answers the script that waits, or the next that comes. */
void hold_tell(struct hold *h, bool go);
