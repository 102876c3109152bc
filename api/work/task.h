/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/task.h - background tasks: a function and a row of task.def each.
 *
 * A task runs once for each time it is due, in the job lane; when the queue is full it is tried
 * again a little later, and when the daemon stops it is dropped.
 */
#pragma once
#include "api/work/env.h"
#include "cluster/model/row.h"

enum task_id {
#define TASK(id, when, ms, locked, run) TASK_##id,
#include "api/work/task.def"
#undef TASK
	TASK_COUNT
};

/* name: the key of the object, or NULL. */
#define TASK(id, when, ms, locked, run) void run(const struct api_env *env, const char *name);
#include "api/work/task.def"
#undef TASK

struct task {
	const char *id;
	uint64_t when; /* bits of tables.c, or TASK_EVERY */
	int64_t ms;
	enum entity locked;
	void (*run)(const struct api_env *env, const char *name);
};
#define TASK_EVERY (1ull << 63)

/* Begins those that are due every some time. */
void tasks_start(const struct api_env *env);
/* A row has changed or is gone; quick, from any thread. */
void tasks_row(const struct api_env *env, enum entity e, const char *key, bool gone);
/* name: as the task is told. */
void task_soon(const struct api_env *env, enum task_id id, const char *name);
/* After some time (0: soon), in line with the jobs of `object` instead of `name`'s (NULL: that). */
void task_later(const struct api_env *env, enum task_id id, const char *name, const char *object,
		int64_t ms);
