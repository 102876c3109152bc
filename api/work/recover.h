/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/recover.h - what a start of the daemon sets right on this host.
 *
 * Running containers are found again; creations, deletions and renames that a crash cut off are
 * taken back or finished; moves are settled; networks come up; and after a boot of the host what
 * shall run is started.
 */
#pragma once
#include "api/work/env.h"

/* The quick part, before requests are answered. */
int recover_containers(const struct api_env *env, struct err *err);
/* The rest, in the background; it waits for a leader, since old rows could mislead it. */
void recover_later(const struct api_env *env);
/* The same for one instance whose job could not end it properly, until it succeeds. */
void recover_instance_later(const struct api_env *env, const char *name);
/* Reports the state of the instances that run here anew. */
void facts_republish(const struct api_env *env);
