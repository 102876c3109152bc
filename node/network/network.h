/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/network.h - networks beyond node/node.h: for whoever compares this member with the
 * rows. */
#pragma once
#include "node/node.h"

/* Names of the networks that have been made here and not been removed; new reference. */
json_t *network_list(struct node *n);
