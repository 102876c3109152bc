/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/step.h - which change of its state a container may make, asked before and under
 * its lock by the same rule and so with the same answer.
 */
#pragma once
#include "base/err.h"
#include "base/status.h"

enum step { STEP_START, STEP_STOP, STEP_FREEZE, STEP_UNFREEZE };

/* ERR_INVALID in the words of LXD's server, on which clients rely, when it is there already or has
 * no processes; ERR_BUSY when another change is under way. */
int step_check(enum step s, enum status now, struct err *err);
