/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/job.h"

#include <assert.h>
#include <unistd.h>

#include "api/work/state.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/model/schema.h"

static void job_free(void *arg)
{
	struct job *j = arg;

	for (size_t i = 0; i < ARRAY_SIZE(j->fd); i++) {
		if (j->fd[i] >= 0)
			close(j->fd[i]);
	}
	free(j->name);
	json_decref(j->args);
	json_decref(j->before);
	expanded_done(&j->x);
	expanded_done(&j->old);
	free(j);
}

static struct job *job_new(const struct api_env *env, const struct job_order *o)
{
	struct job *j = xnew(struct job);

	j->kind = o->kind;
	j->env = env;
	j->name = xstrdup(o->name);
	j->args = o->own_args;
	j->change = o->change;
	j->x = expanded_take(o->own_x);
	j->old = expanded_take(o->own_old);
	for (size_t i = 0; i < ARRAY_SIZE(j->fd); i++)
		j->fd[i] = o->has_fds ? o->own_fd[i] : -1;
	return j;
}

static void take_back(struct job *j, enum err_kind why)
{
	enum job_phase phase = why == ERR_UNKNOWN ? JOB_UNSURE : j->phase;
	struct err err;

	if (!j->kind->undo || phase == JOB_BEGUN || j->phase == JOB_DONE)
		return;
	if (j->kind->undo(j, phase, &err) < 0)
		log_err(LOG_WARN, "what a job that failed has done is not taken back", &err);
}

static int run_whole(struct job *j, struct err *err)
{
	assert(j->phase == JOB_BEGUN);
	if (j->kind->run(j, err) == 0)
		return 0;
	take_back(j, err->kind);
	return -1;
}

static int run(struct op *op, void *arg, struct err *err)
{
	struct job *j = arg;

	j->op = op;
	return run_whole(j, err);
}

int job_call(const struct api_env *env, const struct job_order *o, struct err *err)
{
	struct job *j = job_new(env, o);
	int rc = -1;

	assert(!o->own_metadata);
	if (!j->kind->check || j->kind->check(j, err) == 0)
		rc = run_whole(j, err);
	job_free(j);
	return rc;
}

struct op *job_start(const struct api_env *env, const struct job_order *o, struct err *err)
{
	const struct job_kind *k = o->kind;
	_json_ json_t *metadata = o->own_metadata;
	bool named = k->on != ENT_MAX;
	_free_ char *key = named ? ref_lock(k->on, o->name) : xstrdup(k->lock);
	struct job *j = job_new(env, o);

	assert(k->run);
	assert(named == (o->name != NULL));
	assert(!o->change);
	if (k->check && k->check(j, err) < 0) {
		job_free(j);
		return NULL;
	}
	return op_start(env->ops,
			&(struct op_spec){ .class = OP_TASK,
					   .description = k->description,
					   .resource_kind = named ? entity_table(k->on) : NULL,
					   .resource_name = o->name,
					   .project = json_str(j->args, "project", NULL),
					   .key = key,
					   .metadata = metadata,
					   .run = run,
					   .arg = j,
					   .free_arg = job_free },
			err);
}

const struct job_kind *job_of_state(const struct api_env *env, enum inst_state s)
{
	const struct job_kind *all = env->state->jobs;

	assert(env->state->jobs);
	for (size_t i = 0; i < JOB_COUNT; i++) {
		if (all[i].settle && all[i].state == s)
			return &all[i];
	}
	return NULL;
}
