/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/lxcconf.h - a container's description as liblxc's configuration.
 *
 * Only what CRIU can carry over to another member: the console of node/console/console.h, no tty,
 * cgroups under fixed names.
 */
#pragma once
#include "base/json.h"
#include "base/sbuf.h"
#include "node/device/device.h"

#define LXCCONF_START "start.conf" /* beside liblxc's "config" */

struct lxcconf {
	const json_t *spec;
	const char *lxcpath; /* DUNLIN_DIR/containers */
	const char *cgroup_name;
	const char *apparmor; /* the profile; NULL: the host has no AppArmor */
	enum device_use use;  /* not DEVICE_PLUG */
};
/* Appends the text. ERR_INVALID for values that cannot be expressed. */
int lxcconf_text(const struct lxcconf *o, struct sbuf *out, struct err *err);
/* To the container's folder: LXCCONF_START for a start. For a dump or restore it is "config", which
 * all helpers read when they open the container. */
int lxcconf_write(const struct lxcconf *o, struct err *err);
/* For the folder, before the container starts: the filter of system calls that each of them names,
 * with more lines. */
int lxcconf_write_seccomp(const char *dir, const char *more, struct err *err);
/* The key_parser (base/keys.h) of raw.lxc: lines of "lxc.key = value", none of what the server sets
 * itself. Gives the signal that lxc.signal.halt names, as int; 0 when it names none. */
int lxcconf_parse_raw(const char *raw, void *ret, struct err *err);
/* The same, and hands each line to a function. ERR_INVALID names the line. */
int lxcconf_each_raw(const char *raw,
		     int (*line)(void *arg, const char *key, const char *value, struct err *err),
		     void *arg, struct err *err);
/* Asks this host's liblxc whether it takes the lines. Runs a helper. */
int lxcconf_try_raw(const char *raw, struct err *err);
