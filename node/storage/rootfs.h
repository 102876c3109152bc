/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/rootfs.h - the root file system of a container, put together in a mount namespace of
 * one's own.
 *
 * For helpers only (single-threaded). All mounts vanish with the last process of the namespace:
 * the container's monitor, or the helper itself.
 */
#pragma once
#include <stdbool.h>

#include "base/json.h"

/* New mount namespace that receives the host's mounts but shows none of its own to it. */
int rootfs_private_ns(struct err *err);
/* spec as in node/node.h; mountpoint is rootfs_mountpoint(), made here. The volume's driver mounts
 * it. Call after rootfs_private_ns. */
int rootfs_assemble(const json_t *spec, const char *mountpoint, struct err *err);
/* The volume has been written to since it was assembled at this path, by whoever fills it: what is
 * remembered of the root's owner and mode is read anew. */
int rootfs_refresh(const char *mountpoint, struct err *err);
/* A small tmpfs at this folder, made when missing, and the working directory then. */
int rootfs_stage(const char *stage, struct err *err);

/* Where the root of a container is assembled, in a folder of its liblxc folder, and a place beside
 * it for what else is mounted there; the caller frees. */
char *rootfs_mountpoint(const char *lxcpath, const char *name);
char *rootfs_beside(const char *lxcpath, const char *name, const char *what);
