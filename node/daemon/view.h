/* SPDX-License-Identifier: Apache-2.0 */
/* node/daemon/view.h - the host as the daemon must see it, however it was started.
 *
 * `ip netns exec` gives a new mount namespace with a bare /sys, in which liblxc finds no cgroups.
 */
#pragma once
#include "base/err.h"

/* Mounts the hierarchies of cgroups(7) below /sys/fs/cgroup when nothing is mounted there. */
int view_restore_cgroups(struct err *err);
