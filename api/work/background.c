/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/background.h"

#include <assert.h>

#include "api/work/state.h"
#include "base/mem.h"
#include "base/timer.h"

#define RETRY_MS 200

struct work {
	const struct api_env *env;
	uint64_t key;
	void (*fn)(const struct api_env *env, void *own_arg);
	void *arg;
};

static void end(const struct api_env *env)
{
	struct api_state *s = env->state;

	pthread_mutex_lock(&s->lock);
	s->background--;
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

static bool begin(const struct api_env *env)
{
	struct api_state *s = env->state;
	bool ok;

	pthread_mutex_lock(&s->lock);
	ok = !s->stopping;
	s->background += ok;
	pthread_mutex_unlock(&s->lock);
	return ok;
}

static void run(void *arg)
{
	struct work *w = arg;
	const struct api_env *env = w->env;

	w->fn(env, w->arg);
	free(w);
	end(env);
}

static void submit(void *arg)
{
	struct work *w = arg;
	const struct api_env *env = w->env;
	struct err err;

	if (pool_submit(env->pool, POOL_JOB, w->key, run, w, &err) == 0 ||
	    timer_start(env->state->timers, RETRY_MS, submit, w))
		return;
	free(w->arg);
	free(w);
	end(env);
}

bool background(const struct api_env *env, const char *key,
		void (*fn)(const struct api_env *env, void *own_arg), void *own_arg)
{
	struct work *w;

	assert(fn);
	if (!begin(env)) {
		free(own_arg);
		return false;
	}
	w = xnew(struct work);
	w->env = env;
	w->key = key ? pool_key(key) : 0;
	w->fn = fn;
	w->arg = own_arg;
	submit(w);
	return true;
}

void background_stop(const struct api_env *env)
{
	struct api_state *s = env->state;

	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->idle);
	while (s->background)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
}
