/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/snapshot.h - snapshots of instances: their rows, and what their jobs and handlers share.
 *
 * A row: {instance: its key, name, id: of the copy in the volume (node/storage/storage.h),
 * created_at, expires_at, stateful} and of the instance as it was then {architecture, config,
 * devices, ephemeral, profiles, last_used_at}. It comes before its copy, with "making", and "thaw"
 * when the instance stands still for it, and goes after it, with "leaving": what has one of these
 * is no snapshot, and is removed by the job or, when that was cut off, by recovery.
 */
#pragma once
#include "api/work/env.h"
#include "cluster/store/edit.h"

#define SNAPSHOTS_MAX 1000 /* of an instance */
#define SNAPSHOT_NEVER "0001-01-01T00:00:00Z" /* when it expires that does not */

/* "instance/name"; the caller frees. */
char *snapshot_key(const char *instance, const char *name);
/* It is made, and not about to leave. */
bool snapshot_is_ready(const json_t *doc);
/* The name of its row's member as long as it is made, and once it is to leave. */
#define SNAPSHOT_MAKING "making"
#define SNAPSHOT_LEAVING "leaving"
/* ERR_INVALID with the rules. */
int snapshot_check_name(const char *name, struct err *err);
/* ERR_NOT_FOUND names both; also of one that is not made yet. */
int snapshot_get(const struct api_env *env, const char *instance, const char *name, struct row *ret,
		 struct err *err);
/* Those of an instance, also half-made ones. */
int snapshot_rows(const struct api_env *env, const char *instance, struct rows *ret,
		  struct err *err);
/* LXD's object; new reference. */
json_t *snapshot_json(struct store *s, const json_t *doc);
/* What a client may change: the subject of its ETag. */
json_t *snapshot_writable(const json_t *doc);
/* Those of an instance as objects, the oldest first; null when there are none. New reference. */
json_t *snapshots_json(struct store *s, const char *instance);
/* "/1.0/instances/c1/snapshots/s0", in its project; the caller frees. */
char *snapshot_url(const char *path, const char *instance, const char *name);
/* A lifecycle event "instance-snapshot-<action>". */
void snapshot_event(const struct api_env *env, const char *instance, const char *name,
		    const char *action, json_t *own_context);

/* With a transaction that renames or deletes their instance. */
int snapshots_rename(const struct api_env *env, const char *instance, const char *new_name,
		     struct tx *tx, struct err *err);
int snapshots_release(const struct api_env *env, const char *instance, struct tx *tx,
		      struct err *err);
/* Takes back what is half-made, and ends what is half-deleted, of those of this member's
 * instances: in line with their jobs. */
void snapshots_settle_later(const struct api_env *env);
