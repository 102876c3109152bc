/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/pids.h - facts about processes, from /proc and pidfds. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

int pids_open(pid_t pid, struct err *err); /* a pidfd */
/* Where a process of a container comes from. A process that ends on the way up to init leaves its
 * children to another, so they are asked again; who knows no answer even then is UNKNOWN. */
enum pids_origin { PIDS_INSIDE, PIDS_OUTSIDE, PIDS_GONE, PIDS_UNKNOWN };
enum pids_origin pids_origin(const char *proc, pid_t pid, pid_t init);
pid_t pids_parent(pid_t pid);       /* 0 when it is gone */
int64_t pids_started_ns(pid_t pid); /* wall clock; now when unknown */
/* How the process behind a pidfd ended, as of waitpid(2); -1 when the kernel (before 6.15) does
 * not tell or nobody has reaped it. */
int pids_exit_status(int pidfd);
bool pids_blocks_signal(pid_t pid, int sig);
/* By a handler, or it fetches those that it blocks, or waits for some. An init gets no others,
 * signal(7). */
bool pids_takes_signal(pid_t pid, int sig);
int pids_signal(int pidfd, int sig);
bool pids_is_stopped(pid_t pid); /* by Ctrl-Z, SIGSTOP */
/* What follows a key such as "\nTracerPid:" in the text of /proc/PID/status; 0: nothing does. */
int64_t pids_status_number(const char *status, const char *key);
/* SIGKILL to all that it has begun, wherever that is by now; not to itself. */
void pids_kill_offspring(pid_t pid);
/* A number that grows as long as the process does anything at all; 0 when it is gone. */
int64_t pids_work(pid_t pid);
/* Of all in a process group, and of what they have begun elsewhere. */
int64_t pids_group_work(pid_t group);
/* A thread of it waits until its child has begun another program or ended (vfork(2)); until then
 * it cannot be stopped. */
bool pids_waits_for_vfork(const char *proc, pid_t pid); /* proc: "/proc" */
/* Each descriptor of the process: its number, and where its link leads, cut to PIDS_TARGET_SIZE.
 * One that has ended has none. */
#define PIDS_TARGET_SIZE 32
void pids_each_fd(pid_t pid, void (*fn)(void *arg, pid_t pid, const char *fd, const char *target),
		  void *arg);
/* The init of a container: the process in its payload whose parent is its monitor. 0 when there
 * is none. */
pid_t pids_container_init(const char *cgroup_name, const char *name);
/* Refuses processes in the payload that are not init's offspring: CRIU dumps only that, and
 * a command of an exec session would be lost without a word. */
int pids_check_outside(const char *cgroup_name, const char *name, pid_t init, struct err *err);
