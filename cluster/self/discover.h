/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/self/discover.h - finding out who leads, by asking other members. */
#pragma once
#include "cluster/self/state.h"

/* The leader's address as known, or by asking one more member; false when that one does not know.
 * *asked counts the members asked so far. */
bool discover_leader(struct cluster *c, unsigned *asked, char *buf, size_t size);
/* A member that showed its own certificate refused this one, or called it removed. Whether that is
 * so is asked of it: only a member that knows at least what this one has seen can tell. */
void discover_refused(struct cluster *c, const char *address);
/* Does a member's answer about this one (GET /internal/membership) prove that it was removed? This
 * one has seen the rows of one revision, and joined at the other. */
bool discover_proves_removal(const json_t *answer, int64_t seen, int64_t joined);
