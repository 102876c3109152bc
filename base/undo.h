/* SPDX-License-Identifier: Apache-2.0 */
/* base/undo.h - a stack of steps that take back what a job did.
 *
 * Push right after each reversible success; leaving scope runs the stack in reverse, unless
 * undo_keep() was called. A failing step is logged with its label and the rest goes on.
 */
#pragma once
#include "base/err.h"

typedef int (*undo_fn)(void *arg, struct err *err);

struct undo_step;
struct undo {
	struct undo_step *top;
};

/* `own_arg` is freed with free(3) after the step ran or was dropped; label is a literal. */
void undo_push(struct undo *u, const char *label, undo_fn fn, void *own_arg);
void undo_keep(struct undo *u);
void undo_run(struct undo *u);

#define _undo_ __attribute__((cleanup(undo_run)))
