/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/apparmor.h - what AppArmor on this host does with containers.
 *
 * Two profiles, by name: our own for unprivileged containers, for all alike (node/container/
 * dunlin-container.apparmor; its rules rely on their user namespace), and liblxc's for privileged
 * ones. A name is all that CRIU has to know to restore a process under the same profile.
 *
 * `sys` is where sysfs is mounted, "/sys" or a test's.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/json.h"

#define APPARMOR_PROFILE "dunlin-container"
#define APPARMOR_UNCONFINED "unconfined"

bool apparmor_enabled(const char *sys);
/* Whether the kernel has a profile of that name. */
bool apparmor_has(const char *sys, const char *profile);
/* What a container is started under: NULL without AppArmor, APPARMOR_UNCONFINED when its profile,
 * *ret_wanted, is not there. A constant. */
const char *apparmor_profile(const char *sys, bool privileged, const char **ret_wanted);
/* Gives the kernel our profile as it is installed, which replaces an older one. ERR_UNAVAILABLE
 * without apparmor_parser(8). Waits for it. */
int apparmor_load(int64_t deadline, struct err *err);
/* {profiles[names], version} for the plan of a move: what the kernel has, and a digest of our
 * profile's text. Empty without AppArmor. */
json_t *apparmor_facts(const char *sys);
/* What confines a process, of the PROC/PID/attr: the profile's name without its mode. The caller
 * frees; NULL when nothing does. */
char *apparmor_label(const char *proc, pid_t pid);
