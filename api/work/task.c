/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/task.h"

#include <assert.h>
#include <string.h>

#include "api/work/background.h"
#include "api/work/state.h"
#include "base/mem.h"
#include "base/timer.h"
#include "cluster/model/ref.h"

#define FIRST_MS 2000 /* of what is due every some time: what the start has used comes back soon */

static const struct task *task_of(const struct api_env *env, unsigned id)
{
	assert(id < TASK_COUNT);
	return &env->state->tasks[id];
}

struct due {
	const struct api_env *env;
	enum task_id id;
	size_t object_at; /* in text; 0: there are no names */
	char text[];      /* the name, and the object whose lock it takes */
};

static struct due *due_new(const struct api_env *env, enum task_id id, const char *name,
			   const char *object)
{
	size_t len = name ? strlen(name) + 1 : 0;
	size_t size = name ? len + strlen(object) + 1 : 0;
	struct due *d = xcalloc(1, sizeof(*d) + size);

	*d = (struct due){ env, id, len };
	if (name) {
		memcpy(d->text, name, len);
		memcpy(d->text + len, object, size - len);
	}
	return d;
}

static void run(const struct api_env *env, void *own_due)
{
	_free_ struct due *d = own_due;

	assert(own_due);
	/* What comes from here on this run may not see. */
	__atomic_and_fetch(&env->state->gathering, ~(1u << d->id), __ATOMIC_SEQ_CST);
	task_of(env, d->id)->run(env, d->object_at ? d->text : NULL);
	if (task_of(env, d->id)->when == TASK_EVERY)
		task_later(env, d->id, NULL, NULL, task_of(env, d->id)->ms);
}

static void submit(void *own_due)
{
	struct due *d = own_due;
	enum entity kind = task_of(d->env, d->id)->locked;
	_free_ char *key = kind == ENT_MAX ? xasprintf("task/%s", task_of(d->env, d->id)->id)
					   : ref_lock(kind, d->text + d->object_at);

	assert(d->id < TASK_COUNT);
	background(d->env, key, run, d);
}

void task_later(const struct api_env *env, enum task_id id, const char *name, const char *object,
		int64_t ms)
{
	struct due *d = due_new(env, id, name, object ? object : name);

	assert(task_of(env, id)->locked == ENT_MAX || name);
	if (ms == 0)
		submit(d);
	else if (!timer_start(env->state->timers, ms, submit, d))
		free(d);
}

void task_soon(const struct api_env *env, enum task_id id, const char *name)
{
	task_later(env, id, name, NULL, 0);
}

void tasks_row(const struct api_env *env, enum entity e, const char *key, bool gone)
{
	uint64_t what = (gone ? 2ull : 1ull) << (2 * e);

	for (int i = 0; i < TASK_COUNT; i++) {
		unsigned bit = 1u << i;

		if (!(task_of(env, i)->when & what))
			continue;
		if (task_of(env, i)->ms == 0)
			task_soon(env, (enum task_id)i, key);
		else if (!(__atomic_fetch_or(&env->state->gathering, bit, __ATOMIC_SEQ_CST) & bit))
			task_later(env, (enum task_id)i, NULL, NULL, task_of(env, i)->ms);
	}
}

void tasks_start(const struct api_env *env)
{
	for (int i = 0; i < TASK_COUNT; i++) {
		if (task_of(env, i)->when == TASK_EVERY)
			task_later(env, (enum task_id)i, NULL, NULL, FIRST_MS);
	}
}
