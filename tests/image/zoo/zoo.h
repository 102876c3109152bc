/* SPDX-License-Identifier: Apache-2.0 */
/* zoo.h - states of processes, each with how it is made and how it is told that it is still the
 * same. A state has a process of its own, with its name; so what a file keeps in static variables
 * is that of one state. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct state {
	const char *name; /* 15 letters at most: the process is called so */
	bool (*make)(void);
	bool (*same)(void); /* asked after each move; NULL: that it has answered is enough */
};

/* Rows that end with a NULL name. */
extern const struct state zoo_files[], zoo_events[], zoo_ipc[], zoo_memory[], zoo_sockets[],
	zoo_streams[], zoo_tasks[], zoo_relations[], zoo_namespaces[], zoo_mounts[];

/* Says what did not hold, with errno; false. */
bool zoo_fails(const char *what);
#define NEED(condition)                               \
	do {                                          \
		if (!(condition))                     \
			return zoo_fails(#condition); \
	} while (0)

/* A child that does that and then waits for its end; it ends with its parent. */
pid_t zoo_child(bool (*begin)(void));
/* The same, once that is done; -1 when it fails. */
pid_t zoo_child_ready(bool (*begin)(void));
void zoo_wait(void) __attribute__((noreturn));
/* Of a child: what it left when it ended, within five seconds; -1 when it has not. */
int zoo_status(pid_t pid);
bool zoo_lives(pid_t pid);
bool zoo_write(const char *path, const char *text);
bool zoo_reads(const char *path, const char *text); /* begins with it */
/* The descriptor has that to read within five seconds. */
bool zoo_hears(int fd, const char *text);
bool zoo_readable(int fd);
/* Opens that device of major number 10, which is made when it may be. */
int zoo_device(const char *path, unsigned minor);
/* "/zoo/NAME-what", of this state; the last eight stay good. */
const char *zoo_path(const char *what);
