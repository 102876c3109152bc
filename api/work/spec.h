/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/spec.h - from rows to the description of a container that node/node.h takes.
 *
 * An instance row: {name, uuid, member, epoch, type, architecture, description, created_at,
 * last_used_at, ephemeral, stateful, profiles[], config{}, devices{}, image}, and what
 * cluster/model/state.h keeps in it.
 */
#pragma once
#include "api/work/env.h"
#include "api/work/expand.h"

#define IDMAP_BASE 1000000
#define IDMAP_SIZE 65536

/* Borrowed; NULL when there is none. */
json_t *spec_root_device(const json_t *devices);
/* The pool document of the instance's root disk; new reference. */
json_t *spec_pool(const struct api_env *env, const struct expanded *x, struct err *err);
/* The same of a row that nothing else is asked of. */
json_t *spec_pool_of_row(const struct api_env *env, const json_t *instance, struct err *err);
/* What node/ takes as a pool: {name, driver, config}. */
json_t *spec_pool_of(const struct api_env *env, const char *name, struct err *err);
/* The whole description; ret_pool may be NULL. */
json_t *spec_build(const struct api_env *env, const struct expanded *x, json_t **ret_pool,
		   struct err *err);
/* expand() and spec_build() as migrate/ wants it: arg is the struct api_env, view the struct
 * expanded that the move's request has, or NULL. */
json_t *spec_for_move(void *arg, const json_t *instance, void *view, json_t **ret_pool,
		      struct err *err);
