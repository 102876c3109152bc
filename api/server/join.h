/* SPDX-License-Identifier: Apache-2.0 */
/* api/server/join.h - becoming the first member of a cluster, or a further one. body: LXD's
 * ClusterPut. */
#pragma once
#include "api/work/env.h"

struct op *cluster_enable_start(const struct api_env *env, const json_t *body, struct err *err);
struct op *cluster_join_start(const struct api_env *env, const json_t *body, const char *token,
			      struct err *err);
