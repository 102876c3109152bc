/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/background.h - work in the pool that no client waits for. */
#pragma once
#include "api/work/env.h"

/* Runs fn(env, own_arg) exactly once in the job lane, one at a time for each key (NULL: any). When
 * the queue is full it is tried again a little later. False when the daemon is stopping: it is not
 * run, and own_arg is freed. */
bool background(const struct api_env *env, const char *key,
		void (*fn)(const struct api_env *env, void *own_arg), void *own_arg);

/* Nothing new from here on; waits for what runs. */
void background_stop(const struct api_env *env);
