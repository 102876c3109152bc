/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/mounts.h - mount namespaces of a container that CRIU could not restore as they are.
 *
 * A service with a sandbox has a mount namespace of its own, whose mounts receive what init mounts
 * later. CRIU does not restore that relation between mounts without a common root, so it is ended:
 * the mounts stay, and get nothing from elsewhere any more.
 */
#pragma once
#include <sys/types.h>

#include "base/err.h"

/* Ends it for all processes of a container, running or frozen, and removes empty ramfs mounts. What
 * needs nothing is left alone. Helpers only. */
int criu_mounts_settle(const char *cgroup_name, const char *name, pid_t init, struct err *err);
