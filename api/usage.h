/* SPDX-License-Identifier: Apache-2.0 */
/* api/usage.h - the whole states of running instances at this moment, asked of their members: what
 * they use is no fact that the cluster is told. */
#pragma once
#include "api/env.h"

/* {name: LXD's state object}; new reference. `disk` walks the volumes, too. */
json_t *usage_here(const struct api_env *env, bool disk);
/* Of all members, as far as they answer in time. */
json_t *usage_all(const struct api_env *env, bool disk);
