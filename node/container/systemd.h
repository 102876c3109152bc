/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/systemd.h - a container whose init is systemd, made fit for live moves at its
 * start.
 *
 * CRIU carries neither UTS nor IPC namespaces below init's, nor ramfs mounts, nor a watch of memory
 * pressure; systemd makes all of these for the services of a default installation. What is set here
 * has it do without, in the container's memory and not in its files. docs/moving.md has what that
 * costs.
 */
#pragma once
#include <limits.h>

#include "base/json.h"

#define SYSTEMD_NONE 0
#define SYSTEMD_UNKNOWN UINT_MAX

/* The version of systemd that is the init of the root file system at `root`; SYSTEMD_NONE when that
 * is something else, SYSTEMD_UNKNOWN when it does not tell. The init is liblxc's default, or
 * `command`, the value of lxc.init.cmd. Nothing is followed out of the root. */
unsigned systemd_version(const char *root, const char *command);
/* Whether a container is to be made fit: unprivileged, and migration.stateful is not false. */
bool systemd_is_wanted(const json_t *spec);
/* Hands out the lines that liblxc's configuration needs besides, for a systemd of that version. */
int systemd_lines(unsigned version,
		  int (*line)(void *arg, const char *key, const char *value, struct err *err),
		  void *arg, struct err *err);
/* Lines for the filter of system calls: without namespaces that cannot move. */
extern const char systemd_seccomp[];
