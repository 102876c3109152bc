/* SPDX-License-Identifier: Apache-2.0 */
/* api/instance_check.h - may an instance look like this? Configuration, devices, profiles, pool. */
#pragma once
#include "api/env.h"

/* Checks and cleans the writable members of doc in place: config, devices, profiles. old: the row
 * as it is, NULL for a new instance. */
int instance_check(const struct api_env *env, json_t *doc, const json_t *old, struct err *err);
/* ERR_INVALID with the rules. */
int instance_check_name(const char *name, struct err *err);
/* Keeps what clients do not send back: volatile keys that old has and doc lacks. */
void instance_keep_volatile(json_t *doc, const json_t *old);
