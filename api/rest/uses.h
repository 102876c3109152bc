/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/uses.h - objects that name others: who names one, and whether those that it names are
 * there.
 */
#pragma once
#include "api/rest/object.h"

/* Who uses an object: URLs of instances and profiles. kind: "profiles", "networks" or "pools". */
json_t *used_by(const struct api_env *env, const char *kind, const char *key);
/* Refuses with the names of what uses the object; `what` begins the sentence. */
int refuse_used(struct req *r, const char *what, const char *kind, const char *name);
/* Refuses with the names, if any: "... is not empty: take its members out of it first: ...". */
int refuse_held(struct req *r, const char *what, const char *held, const json_t *names);

/* For a kind's check(): the row that the object names, in its project, must be there, also when c
 * is committed. what begins the sentence of the error. */
int change_needs(struct req *r, struct change *c, const char *what, enum entity e,
		 const char *name);
/* The same of a list of names; c->what begins the sentence. */
int change_needs_all(struct req *r, struct change *c, enum entity e, const json_t *names);
