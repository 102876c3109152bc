/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/criu.h - what CRIU needs around it, and how a container is put in order after it.
 *
 * The folders that helpers work with: SHM is this member's folder in RAM (criu_shm), with the
 * images of moves, there only while one is under way; RUN is DUNLIN_DIR/run, with the socket
 * move.sock where hooks ask for the verdict, and the cache of what CRIU learns about the kernel.
 */
#pragma once
#include "base/json.h"
#include "node/node.h"

#define CRIU_GHOST_MAX_BYTES (64 << 20) /* of an unlinked file that goes into the images */
#define CRIU_START_MS 60000 /* from its helper's start until it waits at its gate */

/* The action script: beside this program, or installed. The caller frees; NULL with
 * ERR_UNAVAILABLE. */
char *criu_hook_path(struct err *err);
/* SHM/bin: links to what liblxc and CRIU run, and to nothing else. liblxc must not find
 * newuidmap, CRIU no iptables; the container's root, as which CRIU runs some, must get there. The
 * caller frees. */
char *criu_tools(const char *shm, struct err *err);
/* This member's folder in RAM, not made yet; below RUN where there is no /dev/shm. The caller
 * frees. */
char *criu_shm(struct node *n);
/* Helpers only, in a mount namespace of their own: CRIU finds its cache in /run even where that
 * is no tmpfs, and need not probe the kernel again while a container stands still. */
void criu_cache(const char *run, const char *tools);
/* The cause in the words of CRIU's log DIR/FILE; the caller frees. NULL when there is none: CRIU
 * was not started, or did not take its options. */
char *criu_cause(const char *dir, const char *file);
/* Why that cause may be gone when CRIU is tried again; NULL when it will not be. */
const char *criu_transient(const char *cause);

/* Helpers only, in a mount namespace of their own: fills the folder `images` of a restore with what
 * is kept in another one, for root only, and the container's root can read it there. Memory is
 * not copied. */
int criu_stage(const char *kept, const char *images, const json_t *spec, struct err *err);

/* Repairs what CRIU 4.2 writes wrong into files.img of DIR: a periodic timer that had expired
 * unread would be restored disarmed. Anything unexpected is left as it is. */
void criu_fix_timers(const char *dir);
/* The same on bytes in memory; returns how many were changed. */
int criu_fix_timers_in(unsigned char *data, size_t len);

/* The rest is callable from threads. After a dump or restore: waits until CRIU has let go of all
 * tasks. */
int criu_await(struct node *n, const char *name, int64_t deadline, struct err *err);
/* The same after a verdict; one that does nothing any more is killed, and may leave a process
 * broken with which it was at work. */
int criu_end(struct node *n, const char *name, int64_t deadline, struct err *err);
/* Takes sockets out of the repair mode that a killed CRIU leaves them in. Before its tasks are
 * thawed: reading from such a socket fails. */
void criu_mend(const char *cgroup_name, const char *name);
/* True while CRIU, or another tracer, holds the container's init. */
bool criu_holds(struct node *n, const char *name);
/* Kills the container's processes, frozen or not; its monitor then sees to the rest. */
int criu_kill_payload(struct node *n, const char *name, int64_t deadline, struct err *err);
/* Kills everything in the container's cgroups, the monitor too, and what a dead CRIU has left of a
 * restore into them, and waits for the end. */
int criu_kill_tree(struct node *n, const char *name, int64_t deadline, struct err *err);
