/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/resolver.h - names for a container that got its address without asking.
 *
 * Its nics have their addresses before its init runs, so that none need ask by DHCP, which would
 * also tell who answers for names. An /etc/resolv.conf that says nothing, or that this wrote
 * before, is written; one that somebody else has filled, or that is a link (systemd-resolved), is
 * left.
 */
#pragma once
#include "base/json.h"

/* The text for the nics of `spec` ("ipv4_dns", "dns_domain" of a device); the caller frees. NULL
 * when none of their networks answers. */
char *resolver_text(const json_t *spec);
/* Into the assembled root file system; nothing is followed out of it, or through a link. Without a
 * text what this wrote is emptied. `spec` says which ids the files have. */
int resolver_write(const char *root, const json_t *spec, struct err *err);
