/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/inside.h - the namespaces of a container that runs, for the helper that changes its
 * devices (plug.c): single-threaded, with a pidfd of the container's init as descriptor 5. Entering
 * and becoming root are for other helpers, too.
 *
 * From entering the user namespace on the helper can do no more than the container's root, whatever
 * a path inside leads to.
 */
#pragma once
#include "node/device/device.h"

/* setns(2) by a pidfd of init: whatever process has that number by now, these are init's
 * namespaces. ERR_CONFLICT when the container has just ended. */
int inside_enter(int init, int flags, struct err *err);
/* After its user namespace was entered. */
int inside_become_root(struct err *err);
/* Nothing to do for a container without a user namespace of its own. */
int inside_enter_userns(const struct device_inside *c, struct err *err);
int inside_enter_mounts(struct err *err);
/* A descriptor of the container's network namespace. */
int inside_open_network(const struct device_inside *c, struct err *err);

/* In the container's mounts: attaches a detached mount (open_tree(2)) at a path, which is made when
 * it is missing; `file`: it is no folder. What an interrupted change of the same left there goes
 * first. Links are not followed, as liblxc does not at a start. */
int inside_mount(int tree, const char *path, bool file, struct err *err);
/* One that root inside has unmounted by itself is gone already. */
int inside_unmount(const char *path, struct err *err);
