/* SPDX-License-Identifier: Apache-2.0 */
/* node/node.h - what one host does: run containers, keep their volumes and images, plug their
 * networks. Knows nothing of the cluster: callers hand in plain descriptions and get plain
 * answers.
 *
 * Folders below DUNLIN_DIR:
 *   images/FP                       the tarball;  images/FP.root/ unpacked once (ids unshifted)
 *   storage-pools/POOL/containers/NAME/   one volume: rootfs/ (dir), or upper/ work/ (overlay);
 *                                   memory/ that a stateful stop has kept
 *   containers/NAME/                liblxc's folder: config, lxc.log, console.log, spec.json
 *   run/                            sockets, leases, CRIU images (tmpfs where there is one)
 *
 * The mounts of a container are made by the helper that starts it, in a private mount namespace
 * that its monitor keeps: they vanish with it, whatever dies first.
 */
#pragma once
#include "base/json.h"

struct node; /* made in node/daemon/host.h */

const char *node_dir(const struct node *n);
