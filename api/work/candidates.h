/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/candidates.h - asks the scheduler, with what rows and facts tell of the members. */
#pragma once
#include "api/work/env.h"
#include "api/work/expand.h"
#include "scheduler/place.h"

/* group: the request names one; there is only the one of all members. */
int place_instance(const struct api_env *env, const struct expanded *x, bool group,
		   struct place_choice *ret, struct err *err);
