/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/steps.h - the steps of starting a container, for those who start one by other
 * means than container_start: a move prepares it here, restores it with CRIU and has it adopted.
 *
 * Order on the target: container_prepare (unplugged) -> helper-restore, which plugs the nics in ->
 * container_adopt. Any failure before container_adopt: container_abandon. On the source:
 * container_hold(true) before the dump, then container_hold(false) if it goes on here, or
 * container_gone when it ended and lives elsewhere.
 */
#pragma once
#include "node/container/container.h"

/* Checks that nothing of that name runs, then writes the liblxc folder (config, spec.json) and
 * makes the nics, plugged into their bridges or not; status Starting. */
int container_prepare(struct node *n, const json_t *spec, bool start, struct err *err);
/* Takes back container_prepare: nics, stale cgroups; status Stopped. */
void container_abandon(struct node *n, const char *name);
/* A running init (as seen from here) is watched, status Running, callback told. */
int container_adopt(struct node *n, const char *name, pid_t init, struct err *err);
/* Before it is adopted: its interfaces are on their bridges, and its neighbours are told. */
void container_announce(struct node *n, const char *name, pid_t init);
/* From now on commands and file operations wait outside; those of the next daemon, too,
 * which hears of the move by node_recover(). Those that have begun may end until the
 * deadline; -1 names one that does not, and then nobody need wait. */
int container_close(struct node *n, const char *name, int64_t deadline, struct err *err);
/* Those that can be are cut short. */
void container_cut_visits(struct node *n, const char *name);
/* They may go on; so they may once it is adopted, abandoned or gone. */
void container_open(struct node *n, const char *name);
/* While held, its end is neither reported nor answered with a restart, and its nics stay. */
int container_hold(struct node *n, const char *name, bool hold, struct err *err);
/* One that was asked to stop for a move and shall go on after all may end yet: it is then started
 * again, within ten minutes, unless it is stopped by somebody else. False: it does not run. */
bool container_keep(struct node *n, const char *name);
/* Waits until the processes of a held container have ended, releases what it had here and
 * forgets it without a word to the callback. */
int container_gone(struct node *n, const char *name, int64_t deadline, struct err *err);

/* New reference to the spec it was started with; NULL when it is not known here. */
json_t *container_spec(struct node *n, const char *name);
/* Writes thawed or frozen into the cgroup files; liblxc's own call does nothing after a restore. */
int container_set_frozen(struct node *n, const char *name, bool frozen, struct err *err);
/* The folder that is handed to liblxc as lxcpath: DUNLIN_DIR/containers. The caller frees. */
char *container_lxcpath(const struct node *n);
/* Requests to helpers begin with what all of them need: name, lxcpath, cgroup_name. New
 * reference. */
json_t *container_request(const struct node *n, const char *name);
