/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of jobs and background tasks. They name functions of the whole room, which start other
 * jobs and tasks: so these find the tables in the state of the API. */
#include "api/work/job.h"
#include "api/work/state.h"
#include "api/work/task.h"

const struct job_kind jobs[JOB_COUNT] = {
#define JOB(id, description, on, check, run, undo, state, settle, settled) \
	[JOB_##id] = { description, ENT_##on,     NULL,   check,  run, \
		       undo,        INST_##state, settle, settled },
#include "api/work/job.def"
#undef JOB
};

#define CHANGED(kind) (1ull << (2 * ENT_##kind))
#define GONE(kind) (2ull << (2 * ENT_##kind))
#define ANY(kind) (CHANGED(kind) | GONE(kind))
#define EVERY TASK_EVERY
#define ASKED 0ull
_Static_assert(2 * ENT_MAX < 63, "a bit for each kind");
_Static_assert(TASK_COUNT <= 32, "a bit for each task in gathering");

static const struct task tasks[TASK_COUNT] = {
#define TASK(id, when, ms, locked, run) [TASK_##id] = { #id, when, ms, ENT_##locked, run },
#include "api/work/task.def"
#undef TASK
};

void state_give_tables(struct api_state *s)
{
	s->jobs = jobs;
	s->tasks = tasks;
}
