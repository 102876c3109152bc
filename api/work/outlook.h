/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/outlook.h - how each instance would move now, as lists and info show it.
 *
 * Each member looks at the containers that it runs, one after the other, whether somebody asks or
 * not (task_look_at_moves()), and tells what it finds as a fact, which travels only when it
 * changes: a list asks nobody. Which member it would move to is not known then: what stands
 * between two members is in the plan of a move only.
 */
#pragma once
#include "api/work/env.h"
#include "base/status.h"

struct outlook;

struct outlook *outlook_new(void);
void outlook_free(struct outlook *o);

/* {"kind": a mode, "refused" or "unknown", "reason": why no better one} of an instance's row, with
 * the FACT_MOVE of its member, or NULL; new reference. */
json_t *outlook_json(const json_t *doc, enum status s, const json_t *fact);
/* The same, as it is known here. */
json_t *outlook_of(const struct api_env *env, const json_t *doc, enum status s);

#define OUTLOOK_EVERY_MS 5000 /* as long as that does not take too much of a processor */

struct outlook_seen {
	char *name;
	int64_t looked_ms; /* INT64_MIN: never */
};
/* Whose turn it is: who was not looked at for longest; n: nobody's yet. */
size_t outlook_next(const struct outlook_seen *v, size_t n, int64_t now);
