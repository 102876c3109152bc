/* SPDX-License-Identifier: Apache-2.0 */
/* node/node_int.h - the inside of a node, for the files of this folder only.
 *
 * dir, cgroup_name, pool and the callback never change after node_new and need no lock.
 * Everything else belongs to one file, which brings its own lock: containers -> container.c,
 * watch -> watch.c. The slots are for the network and storage files: made on first use under
 * slot_lock, freed by node_free.
 */
#pragma once
#include <pthread.h>

#include "node/node.h"

struct watch;
struct containers;

enum node_slot { SLOT_NETWORK, SLOT_STORAGE, SLOT_IMAGE, NODE_SLOTS };

struct node {
	char *dir;         /* DUNLIN_DIR, absolute */
	char *cgroup_name; /* "dunlin-ab12cd": first component of every cgroup of this member */
	struct pool *pool;
	void (*instance_changed)(void *arg, const char *name, const json_t *state);
	void *arg;

	struct watch *watch;
	struct containers *containers;

	pthread_mutex_t slot_lock;
	void *slot[NODE_SLOTS];
	void (*slot_free[NODE_SLOTS])(void *);
};

/* DUNLIN_DIR "/" and the formatted rest; the caller frees. */
char *node_path(const struct node *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What make() returned the first time; make and drop(at node_free) are called once. */
void *node_slot(struct node *n, enum node_slot s, void *(*make)(struct node *n),
		void (*drop)(void *));
