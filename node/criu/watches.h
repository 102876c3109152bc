/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/watches.h - the folders that processes of a container watch, as inotify(7) has it.
 *
 * CRIU finds what is watched by the handle that /proc/PID/fdinfo/FD shows (proc_pid_fdinfo(5)). An
 * overlay shows that of a folder only while the kernel has its name in the cache, and under
 * pressure of memory names go. Looking it up brings the name back, and an open descriptor keeps it.
 *
 * For helpers, while the container runs. The owner frees it when the dump is over.
 */
#pragma once
#include <sys/types.h>

struct watches;

/* init: of the container, whose root is searched. Never NULL. */
struct watches *watches_new(pid_t init);
void watches_free(struct watches *w); /* NULL: does nothing */

/* Notes what the process watches in the root and shows no handle of. */
void watches_look(struct watches *w, pid_t pid);
/* Searches the root, other mounts left out, for what was noted, and keeps what it finds; the number
 * of those that are not there any more, or were not found in time. */
size_t watches_hold(struct watches *w);
