/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/dnsmasq_int.h - what arguments.c, dnsmasq.c, hosts.c and leases.c share. */
#pragma once
#include <sys/types.h>

#include "node/network/network_int.h"

#define DNSMASQ_TEXT_MAX (4 << 20)
#define NAMES_DIR "names" /* read by dnsmasq when something in it changes */

#define DNSMASQ_ARGS_MAX 64

struct dnsmasq_args {
	char *v[DNSMASQ_ARGS_MAX + 1]; /* up to a NULL */
	size_t n;
	bool overflow;
};
/* Its command line, for dnsmasq_args_done() also after an error. */
int dnsmasq_args(struct dnsmasq_args *a, const struct net *net, const char *dir, struct err *err);
void dnsmasq_args_done(struct dnsmasq_args *a);

/* Writes what differs; *ret_changed says whether it did. */
int dnsmasq_write(const char *path, const char *text, mode_t mode, bool *ret_changed,
		  struct err *err);
/* Leases of addresses that belong to another container by now; only while it does not run. */
int dnsmasq_forget_former(const char *dir, struct err *err);
