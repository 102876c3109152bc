/* SPDX-License-Identifier: Apache-2.0 */
/* base/proc.h - child processes: spawn with an explicit descriptor map, wait with a deadline.
 *
 * The child gets exactly the descriptors of `fds` (child number -> ours, -1 is /dev/null) and
 * nothing else (close_range), default signals, and its own process group, so that proc_kill
 * ends it with all its children. No shell is involved.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/sbuf.h"

#define PROC_FDS_MAX 16

struct proc_spec {
	const char *const *argv; /* argv[0] is a path or a name looked up in PATH */
	const char *const *env;  /* "K=V", added or instead of ours, NULL-terminated; or NULL */
	int fds[PROC_FDS_MAX];   /* fds[n] becomes descriptor n of the child */
	int nfds;
};

struct proc {
	pid_t pid;
	int pidfd;
};

int proc_spawn(const struct proc_spec *spec, struct proc *ret, struct err *err);
/* Reaps; the status as of waitpid(2). ERR_TIMEOUT leaves the child running. */
int proc_wait(struct proc *p, int64_t deadline, int *ret_status, struct err *err);
/* SIGKILL to the process group, and reap. Safe on one already reaped. */
void proc_kill(struct proc *p);

/* Runs to the end; both output streams go to `out` (bounded). A non-zero exit is ERR_INTERNAL with
 * the last line of the output; out may be NULL. */
int proc_run(const char *const *argv, struct sbuf *out, int64_t deadline, struct err *err);
/* proc_run with `input` on standard input. */
int proc_run_input(const char *const *argv, const char *input, struct sbuf *out, int64_t deadline,
		   struct err *err);
