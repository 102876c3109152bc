/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/nic.h - the host's side of a container's nics. */
#pragma once
#include "node/node.h"

/* veth pair for a nic of a spec: the host side up (plugged into its bridge when plug), the peer
 * waiting for liblxc (named nic.host_name with suffix 'p'). Idempotent. */
int nic_create(struct node *n, const json_t *nic, bool plug, struct err *err);
int nic_plug(struct node *n, const char *host_name, const char *bridge, bool plug, struct err *err);
int nic_delete(struct node *n, const char *host_name, struct err *err);
/* Before a start, in which liblxc makes the pair: nothing of that name is left, and its bridge is
 * there. After it: the pair is known as ours, and the bridge knows its address. */
int nic_vacate(struct node *n, const json_t *nic, struct err *err);
int nic_adopt(struct node *n, const json_t *nic, struct err *err);
