/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/duties.h - the leader takes the steps of roles.h, one at a time. */
#pragma once
#include "cluster/self/state.h"

/* Blocks while a step is taken; 1 when one was, 0 when nothing is to do. */
int roles_run(struct cluster *c, struct err *err);
/* Hands leadership to another voter that is there, if any, and waits for it. */
void roles_hand_over(struct cluster *c);
