/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/instance.h - instances as clients see them, and what all handlers and jobs of them
 * share. The name of an instance is its text form (cluster/model/ref.h) in all of api/work, migrate
 * and node, and in its row: only what clients see parts it. */
#pragma once
#include "api/work/env.h"
#include "base/status.h"
#include "cluster/store/edit.h"

/* LXD's object without status and state; new reference. profiles as for expand_parts. */
json_t *instance_json(struct store *s, json_t *profiles, const json_t *doc);
/* LXD's state object out of a FACT_INSTANCE document (NULL: none); new reference. */
json_t *instance_state_json(const struct api_env *env, const json_t *doc, const json_t *fact);
/* As a member's fact says, NULL when it reports none; STATUS_ERROR when the member is offline, or
 * nothing has been heard of it yet. */
enum status instance_status_of(enum member_life life, const json_t *fact);
/* The same for an instance's row, as it is known here. */
enum status instance_status(const struct api_env *env, const json_t *doc);
/* Members "status" and "status_code". */
void instance_put_status(json_t *j, enum status s);
/* What a client may change: the subject of its ETag. */
json_t *instance_writable(const json_t *doc);

/* ERR_NOT_FOUND "Instance not found". */
int instance_get(const struct api_env *env, const char *name, struct row *ret, struct err *err);
/* instance_get, and ERR_CONFLICT unless it belongs to this member and is ready. */
int instance_get_here(const struct api_env *env, const char *name, struct row *ret,
		      struct err *err);
int instance_check_here(const struct api_env *env, const struct row *row, struct err *err);
/* row_edit() of an instance's row. */
int instance_edit(const struct api_env *env, const char *name,
		  int (*change)(void *arg, struct row *row, struct edit_try *t, struct err *err),
		  void *arg, struct err *err);
/* For a deletion, which waits for the instance's other jobs: also one that an earlier deletion or
 * creation left half-way. */
int instance_get_deletable(const struct api_env *env, const char *name, struct row *ret,
			   struct err *err);
/* New reference. */
json_t *instance_log_url(const char *name, const char *file);
/* A lifecycle event "instance-<action>". */
void instance_event(const struct api_env *env, const char *name, const char *action,
		    json_t *own_context);
