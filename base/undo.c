/* SPDX-License-Identifier: Apache-2.0 */
#include "base/undo.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

struct undo_step {
	const char *label;
	undo_fn fn;
	void *arg;
	struct undo_step *next;
};

void undo_push(struct undo *u, const char *label, undo_fn fn, void *own_arg)
{
	struct undo_step *s = xnew(struct undo_step);

	assert(fn);
	*s = (struct undo_step){ label, fn, own_arg, u->top };
	u->top = s;
}

static void pop(struct undo *u)
{
	struct undo_step *s = u->top;

	u->top = s->next;
	free(s->arg);
	free(s);
}

void undo_keep(struct undo *u)
{
	while (u->top)
		pop(u);
}

void undo_run(struct undo *u)
{
	struct err err;

	while (u->top) {
		log_debug("undo", "step", u->top->label);
		if (u->top->fn(u->top->arg, &err) < 0)
			log_warn("undo failed", "step", u->top->label, "error", err.msg);
		pop(u);
	}
}
