/* SPDX-License-Identifier: Apache-2.0 */
/* node/node_int.h - the inside of a node, for the rooms below node/ only.
 *
 * dir, cgroup_name, pool and the callbacks never change after node_new and need no lock.
 * Everything else belongs to one file, which brings its own lock: containers -> container.c,
 * watch -> watch.c.
 */
#pragma once
#include "base/pool.h"
#include "node/node.h"

struct watch;
struct containers;

struct node {
	char *dir;         /* DUNLIN_DIR, absolute */
	char *cgroup_name; /* "dunlin-ab12cd": first component of every cgroup of this member */
	struct pool *pool;
	void (*instance_changed)(void *arg, const char *name, const json_t *state);
	void (*network_lost)(void *arg, const char *network);
	void *arg;

	struct watch *watch;
	struct containers *containers;
	int announce_fd; /* announce_open(); -1: nothing can be announced */
};

/* DUNLIN_DIR "/" and the formatted rest; the caller frees. */
char *node_path(const struct node *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What is in a folder, but for what is hidden: a list, empty when there is no folder. */
json_t *node_names(const char *path);
