/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/check.h - may an instance look like this? Configuration, devices, profiles, pool. */
#pragma once
#include "api/work/env.h"
#include "api/work/expand.h"

/* Checks and cleans the writable members of doc in place: config, devices, profiles. old: the row
 * as it is, whose member is this one, NULL for a new instance. tx is committed only while the
 * profiles of doc, and the networks and pools that it uses by them, are as they were checked; NULL:
 * only asked. x: becomes what it is with its profiles, also after an error. */
int instance_check(const struct api_env *env, json_t *doc, const struct expanded *old,
		   struct tx *tx, struct expanded *x, struct err *err);
/* Does liblxc take raw.lxc, where it differs from that of old? */
int config_check_raw(const char *what, const json_t *config, const json_t *old, struct err *err);
/* ERR_INVALID when another instance of the cluster, to any member of which this one may move, has
 * the host_name of an expanded device that old lacks. */
int instance_check_host_names(const struct api_env *env, const char *name, const json_t *devices,
			      const json_t *old, struct err *err);
/* The same for what the row has, and this member alone: before a start. */
int instance_check_host_names_here(const struct api_env *env, const struct expanded *x,
				   struct err *err);
/* After a start that failed: adds to err what is stored, maybe by an older version, and would be
 * refused now, with the command that changes it. */
void instance_explain(const struct api_env *env, const struct expanded *x, struct err *err);
/* May the profile become doc? ERR_INVALID names the instances that could not live with it. */
int instances_check_profile(const struct api_env *env, const char *key, json_t *doc,
			    struct err *err);
/* ERR_INVALID with the rules. */
int instance_check_name(const char *name, struct err *err);
/* Keeps what clients do not send back: volatile keys that old has and doc lacks. */
void instance_keep_volatile(json_t *doc, const json_t *old);
