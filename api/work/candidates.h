/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/candidates.h - asks the scheduler, with what rows and facts tell of the members. */
#pragma once
#include "api/work/env.h"
#include "api/work/expand.h"
#include "scheduler/place.h"

struct place_order {
	const struct expanded *instance;
	const char *group; /* the request names it; or NULL */
	const char *leave; /* the member that it shall leave; or NULL */
};
/* ERR_UNAVAILABLE names the group when none of its members can take the instance. */
int place_instance(const struct api_env *env, const struct place_order *o,
		   struct place_choice *ret, struct err *err);
/* Where a move to target goes: a member, or of "@group" another of its members. For a group the row
 * is expanded into x. */
int place_move(const struct api_env *env, const struct row *row, const char *target,
	       struct expanded *x, struct place_choice *ret, struct err *err);
