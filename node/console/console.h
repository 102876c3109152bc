/* SPDX-License-Identifier: Apache-2.0 */
/* node/console/console.h - a container's console: a terminal whose outside end a small process of
 * its own holds (node/hook/console_holder.c), so that it lives through restarts of the daemon and
 * can follow a move.
 *
 * The container's folder has the terminal's name, the holder's socket and the log
 * (node/console/wire.h). Each host has a terminal of its own: a move dumps what is open on the
 * source's and restores it on the target's.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"

/* --- life, told by node/container --------------------------------------------------------- */

/* Makes the terminal and its holder in FOLDER. Without them ERR_UNAVAILABLE and such: a container
 * works without a console, too. */
int console_start(const char *folder, const json_t *spec, struct err *err);
/* The holder ends with the process behind the pidfd, whether there is a daemon then or not. */
void console_watch(const char *folder, int pidfd);
/* Ends the holder, if there is one. */
void console_end(const char *folder);

/* --- for users ------------------------------------------------------------------------------ */

/* A socket joined to it: what is written there is typed. width or height 0: the size stays. -1 with
 * errno when there is no console. */
int console_attach(const char *folder, int width, int height);
void console_resize(const char *folder, int width, int height);

/* --- where it is ---------------------------------------------------------------------------- */

struct console_tty {
	char path[64];	    /* "/dev/pts/7" */
	uint64_t rdev, dev; /* of that file */
};
/* False when the container has none. */
bool console_find(const char *folder, struct console_tty *ret);

/* --- moves (move.c) ----------------------------------------------------------------- */

/* CRIU carries /dev/tty over only where the terminal behind it goes with the images. */
enum console_use {
	CONSOLE_PLAIN, /* /dev/tty is open nowhere: the console is an outside thing to CRIU */
	CONSOLE_JOBS,  /* open on the console: dumped as the terminal of a shell's job */
	CONSOLE_CLASH, /* the same, and another terminal that CRIU takes for it is open, too */
	CONSOLE_OTHER, /* open on another terminal */
};
/* Looks through the descriptors below PROC; tty NULL: no console. *ret_pid is the process that
 * decided it. */
enum console_use console_look(const char *proc, const pid_t *pids, size_t npids,
			      const struct console_tty *tty, pid_t *ret_pid);

/* Helpers only. Source, tasks frozen: adds to CRIU's options file, and to IMAGES what the target
 * needs. */
int console_dump(const char *folder, const char *images, const char *options,
		 const char *cgroup_name, const char *name, struct err *err);
/* Target, before CRIU is started: leaves the console open for it, where there is one. */
int console_lend(const char *folder, struct err *err);
/* Target, before CRIU begins: adds to its options file, takes over the terminal's state and the
 * log. */
int console_restore(const char *folder, const char *images, const char *options, struct err *err);
