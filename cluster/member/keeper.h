/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/keeper.h - the thread for what comes round: this member's own fact, copies of the
 * replica and of the list of members on disk, database roles while leading.
 */
#pragma once
#include "cluster/self/state.h"

struct keeper *keeper_new(struct cluster *c);
int keeper_start(struct keeper *k, struct err *err);
void keeper_stop(struct keeper *k);
void keeper_free(struct keeper *k);
void keeper_wake(struct keeper *k); /* members or roles changed */
