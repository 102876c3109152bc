/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/job.h - the work behind operations (job.def), and what of it others do in their thread.
 *
 * A job is a function and a row. It gets its arguments as JSON, runs on the member of the instance,
 * and one at a time for each object. It notes how far it came: when it fails, the undo of its row
 * takes back what it left. What a crash leaves is told by the state of the instance's row, and
 * settled as the job's row says.
 *
 *     begun --> noted --> made --> done      (some have nothing to note, or to make)
 *        \________|________/
 *                 v
 *              unsure                        the answer to its last commit is lost
 */
#pragma once
#include "api/work/env.h"
#include "api/work/expand.h"
#include "base/status.h"
#include "cluster/model/row.h"
#include "cluster/model/state.h"

/* How far a job came, as a failure finds it. */
enum job_phase {
	JOB_BEGUN,  /* nothing of it is there, so nothing is taken back */
	JOB_NOTED,  /* a row says what it does, or what it makes of it */
	JOB_MADE,   /* and there may be more of it on this host */
	JOB_UNSURE, /* a commit was made or not: a restart, which hears of it, settles the row */
	JOB_DONE,   /* what it is for is committed, and stays whatever fails after that */
};

struct job {
	const struct job_kind *kind;
	const struct api_env *env;
	struct op *op; /* while it runs */
	char *name;    /* the key of the object; NULL: none */
	json_t *args;  /* what they are stands at the function */
	int fd[2];     /* closed with it; -1: none */
	enum job_phase phase; /* noted by the job as it goes on; never JOB_UNSURE */
	const struct instance_change *change; /* of the order */
	json_t *before; /* of an update: what may be changed, as it was */
	/* The instance as the request has expanded it, and, to be changed, as it was; else empty.
	 * For expand(), before it is used. */
	struct expanded x, old;
};

struct job_kind {
	const char *description;
	enum entity on;   /* ENT_MAX: no object */
	const char *lock; /* of one without an object; NULL: none */
	int (*check)(struct job *j, struct err *err);
	int (*run)(struct job *j, struct err *err);
	/* phase: noted, made or unsure. NULL: nothing is taken back. */
	int (*undo)(struct job *j, enum job_phase phase, struct err *err);
	enum inst_state state;
	int (*settle)(const struct api_env *env, const struct row *row, struct err *err);
	const char *settled; /* "removed": what that makes of the instance */
};

enum job_id {
#define JOB(id, description, on, check, run, undo, state, settle, settled) JOB_##id,
#include "api/work/job.def"
#undef JOB
	JOB_COUNT
};
extern const struct job_kind jobs[JOB_COUNT];

struct job_order {
	const struct job_kind *kind;
	const char *name; /* copied */
	json_t *own_args;
	json_t *own_metadata; /* the operation's, or NULL */
	int own_fd[2];        /* used when has_fds */
	bool has_fds;
	struct expanded *own_x, *own_old; /* emptied; NULL: the request has none */
	const struct instance_change *change; /* JOB_UPDATE by job_call(): in place of arguments */
};
/* Checks, and starts an operation: a counted reference, or NULL with err. What the order owns is
 * taken over in any case. */
struct op *job_start(const struct api_env *env, const struct job_order *o, struct err *err);
/* The same in this thread, to its end: without an operation, and not in line with others. */
int job_call(const struct api_env *env, const struct job_order *o, struct err *err);
/* What recovery does with a row of this state; NULL: nothing. */
const struct job_kind *job_of_state(const struct api_env *env, enum inst_state s);

#define JOB(id, description, on, check, run, undo, state, settle, settled) \
	int run(struct job *j, struct err *err);
#include "api/work/job.def"
#undef JOB
int rename_check(struct job *j, struct err *err);
int stop_check(struct job *j, struct err *err);
int move_job_check(struct job *j, struct err *err);
int delete_check(struct job *j, struct err *err);
int take_check(struct job *j, struct err *err);
int restore_check(struct job *j, struct err *err);
int create_undo(struct job *j, enum job_phase phase, struct err *err);
int update_undo(struct job *j, enum job_phase phase, struct err *err);
int rename_undo(struct job *j, enum job_phase phase, struct err *err);
int move_job_undo(struct job *j, enum job_phase phase, struct err *err);
int restore_undo(struct job *j, enum job_phase phase, struct err *err);
int take_undo(struct job *j, enum job_phase phase, struct err *err);
int image_import_undo(struct job *j, enum job_phase phase, struct err *err);
int rename_settle(const struct api_env *env, const struct row *row, struct err *err);
int restore_settle(const struct api_env *env, const struct row *row, struct err *err);
int move_job_settle(const struct api_env *env, const struct row *row, struct err *err);
/* Ends a deletion, or takes back a creation, that a crash cut off: volume, container, row. */
int removal_settle(const struct api_env *env, const struct row *row, struct err *err);

/* The image is present here, fetched from a member that has it when not. op: told how far it is, or
 * NULL. */
int job_need_image(const struct api_env *env, const char *fingerprint, struct op *op,
		   struct err *err);
/* All networks of a spec are up; quick when they are. */
int job_need_networks(const struct api_env *env, const json_t *spec, struct err *err);

/* --- instances ------------------------------------------------------------------------------- */

/* `x` is the instance as the caller has expanded it before, or empty, and becomes what it is. */

/* What a client asks of an instance's state. */
struct state_change {
	enum job_id action; /* JOB_START to JOB_UNFREEZE */
	bool force;
	bool stateful; /* its memory is kept at a stop, and goes on at a start */
	int timeout_s; /* < 0: the default */
};
/* What clients send: checked by its fields, then read; ERR_INVALID for an unknown action. */
extern const struct json_field state_change_fields[];
int state_change_parse(const json_t *body, struct state_change *ret, struct err *err);
/* Of many that are asked, the others are let be. */
bool action_means_something(enum job_id action, enum status now);
/* In this thread. op: asked whether it is to go on. */
int instance_change_state(const struct api_env *env, const char *name,
			  const struct state_change *change, struct op *op, struct err *err);
/* What becomes of memory that a stateful stop has kept. */
enum kept_memory {
	KEPT_DROP, /* it starts anew */
	KEPT_TRY,  /* it goes on from there if there is some */
	KEPT_NEED, /* or does not start */
};
int instance_start(const struct api_env *env, const char *name, enum kept_memory kept,
		   struct err *err);
/* The same for one whose row says already that it runs. */
int instance_start_noted(const struct api_env *env, const char *name, struct expanded *x,
			 struct err *err);
/* It has processes, or is about to. */
bool instance_runs(const struct api_env *env, const char *name);
/* Leases for all nics (dynamic), or for those with a fixed address; the row is written only when
 * something was missing. x becomes what it is then. */
int instance_lease(const struct api_env *env, const char *name, bool dynamic, struct expanded *x,
		   struct err *err);
/* The container ended by itself: writes that down; an ephemeral instance goes. In the background.
 */
void instance_ended(const struct api_env *env, const char *name);
int instance_delete(const struct api_env *env, const char *name, struct expanded *x,
		    struct err *err);
/* As a part of the job, which notes how far it came. The instance must be stopped and the new name
 * free. `moving`: for a move that begins now. Until that is committed the instance is ready for
 * nothing else, and its old name is nobody's. */
int instance_rename(struct job *j, const char *new_name, bool moving, struct err *err);
/* After a move that was not made, or was cut off before its commit: the old name again. Does
 * nothing when it was made. */
int instance_rename_back(const struct api_env *env, const char *new_name, struct expanded *x,
			 struct err *err);
/* What an update puts in place of what a client may change (config, devices, ...): next is called
 * anew for each attempt. */
struct instance_change {
	json_t *(*next)(void *arg, const struct row *row, struct err *err); /* NULL with err */
	void *arg;
};
/* As a part of the job: the row with what is put in place, checked as an update is. */
int instance_replace(struct job *j, const struct instance_change *c, struct err *err);
/* Makes a running instance of this member like its row and its profiles. */
int instance_apply(const struct api_env *env, const char *name, struct expanded *x,
		   struct err *err);

/* --- images ---------------------------------------------------------------------------------- */

/* Whether a row or an instance here needs the image. */
bool image_known(const struct api_env *env, const char *fingerprint);
/* Removes the files of an image that no row and no instance here needs any more. */
void image_sweep(const struct api_env *env, const char *fingerprint);
