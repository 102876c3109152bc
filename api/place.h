/* SPDX-License-Identifier: Apache-2.0 */
/* api/place.h - asks the scheduler, with what rows and facts tell of the members. */
#pragma once
#include "api/env.h"
#include "scheduler/place.h"

int place_instance(const struct api_env *env, const json_t *instance, struct place_choice *ret,
		   struct err *err);
