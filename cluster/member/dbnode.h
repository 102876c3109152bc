/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/dbnode.h - the database node of this member, as its identity says. */
#pragma once
#include "cluster/self/state.h"

struct dqnode *cluster_node(struct cluster *c); /* counted reference or NULL: dqnode_unref() */
int cluster_node_start(struct cluster *c, struct err *err);
void cluster_node_stop(struct cluster *c);
/* The stopped node's folder gets the name database.old. */
int cluster_node_set_aside(struct cluster *c, struct err *err);
/* Its folder is relied on from here on. */
int cluster_node_ready(struct cluster *c, struct err *err);
