/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/container.h - containers of this host: their life, their state, and who is
 * in them.
 *
 * The mounts of a container are made by the helper that starts it, in a private mount namespace
 * that its monitor keeps: they vanish with it, whatever dies first.
 */
#pragma once
#include "base/status.h"
#include "node/node.h"

/* Finds the containers of earlier runs: running ones are watched again, half-made and
 * half-deleted things of jobs that died are removed. `places` is by name: true for an instance
 * whose row is here, false for one that a move will settle, the member for one that is elsewhere
 * (it is stopped if it runs here). Whatever else is found is left as it is: nobody asked for its
 * end. */
int node_recover(struct node *n, const json_t *places, struct err *err);

/* A container's description for this host, made by api/work/spec.c out of rows:
 * {
 *   "name", "hostname" (as processes inside see it; else the name), "uuid", "architecture",
 *   "config": {expanded configuration},
 *   "privileged": bool, "idmap": {"base": 1000000, "size": 65536},
 *   "rootfs": {"driver" (driver.def), "volume": "/abs/path", "image": "/abs/images/FP.root"},
 *   "devices": [{"type", "device", ...}] (node/device/device.h)
 * }
 */
int container_start(struct node *n, const json_t *spec, struct err *err);
/* timeout_s < 0: LXD's default 600. force: at once. ERR_TIMEOUT when a clean stop did not end
 * in time. */
int container_stop(struct node *n, const char *name, bool force, int timeout_s, struct err *err);
int container_freeze(struct node *n, const char *name, bool freeze, struct err *err);
/* Removes the liblxc folder and what is left of its devices; refuses while it runs. The volume is
 * storage's. */
int container_delete(struct node *n, const char *name, struct err *err);
int container_rename(struct node *n, const char *name, const char *new_name, struct err *err);
/* Makes a running container like this spec: limits and devices. When a part fails the others
 * are as before. What else differs waits for the next start. Nothing to do for a stopped one. */
int container_update(struct node *n, const json_t *spec, struct err *err);
enum status container_status(struct node *n, const char *name);
pid_t container_pid(struct node *n, const char *name); /* init as seen here; 0 when stopped */
/* Names of those that run, as keys; new reference. */
json_t *container_running(struct node *n);
/* LXD's instance state: status, status_code, pid, processes, cpu{usage}, memory{usage,...},
 * disk{root{usage}}, network{eth0{addresses[],counters{},hwaddr,host_name,mtu,state,type}}. */
json_t *container_state(struct node *n, const char *name);

/* What goes into a container says so, for a move that begins to take it away must wait for its end,
 * and what comes later for the move's: then the container is here as before, or elsewhere. NULL
 * with ERR_BUSY when that is not decided within 30 s, or when it has left. */
struct visit;
struct visit *container_visit(struct node *n, const char *name, const char *what, struct err *err);
void visit_end(struct visit *v); /* NULL does nothing */
/* It can be cut short: cut(arg) is told so, under a lock that lets it call nothing of here, and has
 * the visit end soon. */
void visit_on_cut(struct visit *v, void (*cut)(void *arg), void *arg);
/* A visit would have to wait. */
bool container_is_closed(struct node *n, const char *name);
/* Waits as a visit does. */
int container_await_open(struct node *n, const char *name, struct err *err);
