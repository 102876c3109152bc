/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/reach.h - a state folder below one that others may not enter.
 *
 * liblxc looks for the root file system as the container's root user, so each parent must be
 * searchable for all. /root and what mktemp(1) makes are not. For helpers in a mount namespace
 * of their own.
 */
#pragma once
#include "base/err.h"

/* Covers the first closed parent of `dir` by an empty folder that is open, with `dir`, this
 * program's folder and CRIU's brought in again, mounts included. Does nothing when all parents
 * are open. The working directory becomes "/". */
int reach_open_parents(const char *dir, struct err *err);
/* liblxc believes in a bridge that it sees in /sys, which shows the network of whoever mounted
 * it: a daemon in a network namespace of its own mounts another. */
int reach_see_link(const char *link, struct err *err);
