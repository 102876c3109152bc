/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/lxcconf.h - a container's description as liblxc's configuration.
 *
 * Only what CRIU can carry over to another member: the console of node/console/console.h, no tty,
 * interfaces as pre-made veth ends, cgroups under fixed names.
 */
#pragma once
#include "base/json.h"
#include "base/sbuf.h"

/* Appends the text; lxcpath is DUNLIN_DIR/containers. ERR_INVALID for values that cannot be
 * expressed. */
int lxcconf_text(const json_t *spec, const char *lxcpath, const char *cgroup_name, struct sbuf *out,
		 struct err *err);
/* DIR/config, where dir is DUNLIN_DIR/containers/NAME. */
int lxcconf_write(const json_t *spec, const char *dir, const char *cgroup_name, struct err *err);
/* "ADDRESS BROADCAST": liblxc's own guess at the broadcast address leaves out the network. NULL
 * stays NULL; the caller frees. */
char *lxcconf_ipv4(const char *address);
/* The key_parser (base/keys.h) of raw.lxc: lines of "lxc.key = value", none of what the server sets
 * itself. Gives the signal that lxc.signal.halt names, as int; 0 when it names none. */
int lxcconf_parse_raw(const char *raw, void *ret, struct err *err);
/* The same, and hands each line to a function. ERR_INVALID names the line. */
int lxcconf_each_raw(const char *raw,
		     int (*line)(void *arg, const char *key, const char *value, struct err *err),
		     void *arg, struct err *err);
/* Asks this host's liblxc whether it takes the lines. Runs a helper. */
int lxcconf_try_raw(const char *raw, struct err *err);
