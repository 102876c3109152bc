/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/exec.h - commands inside a running container, and their terminals. */
#pragma once
#include "node/node.h"

struct exec_spec {
	const char *name; /* container; the caller has a visit */
	const json_t *command, *environment; /* list; object of strings (complete) */
	const char *cwd;
	uint32_t uid, gid;
	bool interactive;
	int width, height;
	int fds[3]; /* given to the command; interactive: fds[0] is the pty's slave for all three */
};
struct exec;
/* The command runs inside; fds stay the caller's. Without a cwd it begins in its user's home folder
 * or in /; HOME and USER are its user's unless the environment has them. done(arg, status, err) is
 * told once from some thread: err NULL and status 0-255, 128+N for signal N, 126/127 not executable
 * / not found; or err when the command could not be started or its end was not seen. */
struct exec *container_exec(struct node *n, const struct exec_spec *spec,
			    void (*done)(void *arg, int status, const struct err *err), void *arg,
			    struct err *err);
void exec_signal(struct exec *e, int sig);
void exec_kill(struct exec *e); /* the command and its process group */
void exec_free(struct exec *e); /* kills a command that still runs */
/* pty pair with a size; the caller closes both. */
int tty_open(struct node *n, const char *name, int width, int height, int *ret_master,
	     int *ret_slave, struct err *err);
int tty_resize(int master, int width, int height);

