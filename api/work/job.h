/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/job.h - the work behind the operations on instances and images.
 *
 * X_start() checks what can be checked at once, and starts an operation (counted reference, or NULL
 * with err). The work itself runs on the member of the instance, one job at a time for each.
 */
#pragma once
#include "api/work/env.h"

/* For migrate/: arg is the struct api_env. */
int job_need_image(void *arg, const char *fingerprint, struct op *op, struct err *err);
int job_need_networks(void *arg, const json_t *spec, struct err *err);

/* --- instances ------------------------------------------------------------------------------- */

/* doc: a complete row, checked; image: fingerprint or "" for an empty root. placement: why here, or
 * NULL. */
struct op *job_create_start(const struct api_env *env, json_t *own_doc, bool start,
			    const char *placement, struct err *err);
/* Takes back a creation that a crash cut off, or a whole instance: volume, container, row. */
int instance_undo(const struct api_env *env, const json_t *doc, struct err *err);

enum state_action { ACT_START, ACT_STOP, ACT_RESTART, ACT_FREEZE, ACT_UNFREEZE };
struct state_change {
	enum state_action action;
	bool force;
	int timeout_s; /* < 0: the default */
};
/* ERR_INVALID for an unknown action. */
/* {action, timeout, force, stateful} as clients send it. */
int state_change_parse(const json_t *body, struct state_change *ret, struct err *err);
struct op *job_state_start(const struct api_env *env, const char *name,
			   const struct state_change *change, struct err *err);
/* The same in this thread. */
int instance_change_state(const struct api_env *env, const char *name,
			  const struct state_change *change, struct err *err);
int instance_start(const struct api_env *env, const char *name, struct err *err);
/* The same for one whose row says already that it runs. */
int instance_start_noted(const struct api_env *env, const char *name, struct err *err);
/* It has processes, or is about to. */
bool instance_runs(const struct api_env *env, const char *name);
/* Leases for all nics (dynamic), or for those with a fixed address; the row is written and read
 * anew only when something was missing. */
int instance_lease(const struct api_env *env, const char *name, bool dynamic, struct row *row,
		   struct err *err);
/* The container ended by itself: writes that down; an ephemeral instance goes. In the background.
 */
void instance_ended(const struct api_env *env, const char *name);

struct op *job_delete_start(const struct api_env *env, const char *name, struct err *err);
int instance_delete(const struct api_env *env, const char *name, struct err *err);
struct op *job_rename_start(const struct api_env *env, const char *name, const char *new_name,
			    struct err *err);
/* A rename that a crash cut off. */
int instance_rename_settle(const struct api_env *env, const struct row *row, struct err *err);
/* The instance must be stopped and the new name free. `moving`: for a move that begins now. Until
 * that is committed the instance is ready for nothing else, and its old name is nobody's. */
int instance_rename(const struct api_env *env, const char *name, const char *new_name,
		    bool moving, struct err *err);
/* After a move that was not made, or was cut off before its commit: the old name again. Does
 * nothing when it was made. */
int instance_rename_back(const struct api_env *env, const char *new_name, struct err *err);
struct move_request {
	const char *name, *new_name; /* the same: it keeps its name */
	const char *target;          /* a member */
	bool live;
};
struct op *job_move_start(const struct api_env *env, const struct move_request *q,
			  struct err *err);

/* Puts what `next` makes of the row, which it may be called for anew, in place of what a client may
 * change (config, devices, ...). A running instance gets new limits, disks and nics at once; when
 * that fails, the row is as before. */
struct instance_change {
	json_t *(*next)(void *arg, const struct row *row, struct err *err); /* NULL with err */
	void *arg;
};
int instance_update(const struct api_env *env, const char *name, const struct instance_change *c,
		    struct err *err);
/* Makes a running instance of this member like its row and its profiles. */
int instance_apply(const struct api_env *env, const char *name, struct err *err);
struct op *job_update_start(const struct api_env *env, const char *name, int64_t rev,
			    json_t *own_writable, struct err *err);

/* --- images ---------------------------------------------------------------------------------- */

struct image_upload {
	int own_fd, own_rootfs_fd; /* rootfs: -1 for a unified tarball */
	char *own_filename, *own_want_fp;
	bool public;
	json_t *own_properties, *own_profiles, *own_aliases;
};
struct op *job_image_import_start(const struct api_env *env, struct image_upload *own,
				  struct err *err);
struct op *job_image_delete_start(const struct api_env *env, const char *fingerprint,
				  struct err *err);
/* Whether a row or an instance here needs the image. */
bool image_known(const struct api_env *env, const char *fingerprint);
/* Removes the files of an image that no row and no instance here needs any more. */
void image_sweep(const struct api_env *env, const char *fingerprint);
