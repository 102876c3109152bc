/* SPDX-License-Identifier: Apache-2.0 */
/* node/daemon/host.h - this host as one thing, made of the rooms of node/. */
#pragma once
#include <stdint.h>

#include "base/pool.h"
#include "node/node.h"

struct node_opts {
	const char *dir;
	const char *cgroup_name; /* prefix of this member's cgroups, unique on the kernel */
	struct pool *pool;
	/* The status of a container changed by itself or by us (any thread): Running, Stopped,
	 * Frozen, Error. state is what container_state gives, NULL when it is gone. */
	void (*instance_changed)(void *arg, const char *name, const json_t *state);
	/* Somebody removed firewall rules of the network, NULL: perhaps of any (from the watch's
	 * thread, quick); network_ensure makes them again. NULL: nobody wants to know. */
	void (*network_lost)(void *arg, const char *network);
	void *arg;
};
/* A number below /proc/sys becomes `least` when it is less. */
int host_raise(const char *path, int64_t least, struct err *err);
struct node *node_new(const struct node_opts *o, struct err *err);
/* Nothing of the node submits work or calls back by itself any more: call it before pool_free. */
void node_stop(struct node *n);
void node_free(struct node *n); /* leaves containers running */
