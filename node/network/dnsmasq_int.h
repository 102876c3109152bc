/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/dnsmasq_int.h - what dnsmasq.c and hosts.c share. */
#pragma once
#include <sys/types.h>

#include "node/network/network_int.h"

#define DNSMASQ_TEXT_MAX (4 << 20)
#define NAMES_DIR "names" /* read by dnsmasq when something in it changes */

/* Writes what differs; *ret_changed says whether it did. */
int dnsmasq_write(const char *path, const char *text, mode_t mode, bool *ret_changed,
		  struct err *err);
/* Leases of addresses that belong to another container by now; only while it does not run. */
int dnsmasq_forget_former(const char *dir, struct err *err);
