/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/yard.h - where a CRIU that dumps finds the hierarchies of cgroups.
 *
 * It mounts each of them anew for each set of cgroups that it meets, of which there is one for each
 * service of systemd, and a mount of cgroup v1 may take the kernel 10 ms. A yard (cgroup-yard in
 * criu(8)) saves it that: a folder with an entry for each, by the names of /proc/PID/cgroup
 * (cgroups(7)). A restore gets none: its processes would look for it in the container.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"

/* Makes it in the folder DIR, which may be there from another dump; false when something of this
 * host has no place in one, or it cannot be made: CRIU then does without. */
bool criu_yard_make(const char *dir);
