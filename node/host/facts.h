/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/facts.h - what this host is and has. */
#pragma once
#include "node/node.h"

/* "6.18.0", criu version or "", cpu flags: for the checks before a move. */
json_t *node_facts(struct node *n);
json_t *node_load(struct node *n);	/* load, memory, cpus, disk: for FACT_MEMBER */
json_t *node_resources(struct node *n); /* LXD's resources object */
