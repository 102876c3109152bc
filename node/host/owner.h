/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/owner.h - who may use the files of a container's cgroups, noted for its move.
 *
 * CRIU restores folders of cgroups with their owners, but not all of the files in them: an init
 * could then start no service. The note is an image of the move, which the action script on the
 * target (node/hook/criu_hook.c) applies before the processes run. A line holds "MODE UID GID
 * HIERARCHY PATH": ids of the host, "." for the only hierarchy of a cgroup v2 host, and a path
 * below the payload. What belongs to the host's root is left out, as new folders have it, unless
 * the container's init is that itself.
 */
#pragma once
#include "base/err.h"

#define CGROUP_OWNERS "cgroup-owners.img"

/* Writes the note of CG/NAME/payload into the folder of images. */
int cgroup_owners_save(const char *cgroup_name, const char *name, const char *images,
		       struct err *err);
