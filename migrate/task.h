/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/task.h - one process of a container as the plan looks at it; for the files that make up
 * plan_tasks(). Nothing here opens, or waits for, what a file system of the container would have to
 * answer: its server may be a process that does not. */
#pragma once
#include "base/sbuf.h"
#include "migrate/plan.h"

#define TASK_LINK_MAX 4096

struct task {
	const struct plan_tasks *all;
	pid_t pid;
	char dir[64];
	int64_t tracer_deadline, vfork_deadline; /* of all tasks together */
	struct move_plan *ret;
};

/* What is known of all tasks: words with spaces around them. */
struct task_sets {
	struct sbuf namespaces;              /* "mnt:[4026531841]" */
	struct sbuf devices;                 /* of mounts that were looked at, "0:31" */
	struct sbuf mounts;                  /* their numbers, as in mountinfo */
	struct sbuf bad_devices, bad_mounts; /* of those that forbid the move */
};
bool task_set_has(const struct sbuf *set, const char *word);
bool task_set_add(struct sbuf *set, const char *word); /* false: it was there */

struct task task_of(const struct plan_tasks *all, pid_t pid, struct move_plan *ret);
/* A file of /proc/PID; the caller frees; NULL: none. */
char *task_read(const struct task *t, const char *file);
bool task_link(const struct task *t, const char *file, char buf[TASK_LINK_MAX]);
bool task_is_ending(const struct task *t); /* or has ended */
/* "WHO (process N, UNIT) WHY"; nothing when it has ended. */
void task_refuse(const struct task *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* mounts.c: what it sees mounted, each namespace once. */
void task_mounts(const struct task *t, bool is_init, struct task_sets *sets);
/* descriptors.c: what it has open. */
void task_descriptors(const struct task *t, const struct task_sets *sets);
/* Refuses what has no name in a file system, "anon_inode:[io_uring]", unless it can go along. */
void task_object(const struct task *t, const char *target);
/* An unlinked file is too large to go along; path: of /proc that leads to it. */
void task_ghost(const struct task *t, const char *path, const char *target);
/* sockets.c: that one of them. */
void task_socket(const struct task *t, int pidfd, const char *number);
/* maps.c: what it has mapped, and its program. */
void task_maps(const struct task *t);
