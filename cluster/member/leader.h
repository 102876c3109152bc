/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/leader.h - watches who leads; while this member does, it is the thread that
 * commits.
 *
 * On gaining leadership the replica is brought up to the database before anything is accepted; on
 * losing it, or when a commit's outcome is unknown, everything that waits is answered and the feed
 * starts over.
 */
#pragma once
#include "cluster/self/state.h"

struct leader *leader_new(struct cluster *c);
int leader_start(struct leader *l, struct err *err);
void leader_stop(struct leader *l);
void leader_free(struct leader *l);
