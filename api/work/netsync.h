/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/netsync.h - brings the managed networks of the rows up on this member and keeps them so.
 *
 * Changes of networks, members, addresses and instances are noticed through a store watch, gathered
 * for some milliseconds, and applied by one job a network. Overlay networks get their peers and
 * forwarding entries; all members share the gateway's address, and its MAC made of the network's
 * name.
 */
#pragma once
#include "api/work/env.h"

struct netsync;

struct netsync *netsync_new(const struct api_env *env);
void netsync_free(struct netsync *n);
/* A row changed: called from the store's watch. */
void netsync_row(struct netsync *n, enum entity e, const char *key, const char *text);
/* Everything anew, in the background. */
void netsync_all(const struct api_env *env);
/* This member's rules of a network (NULL: of any) were removed by somebody. */
void netsync_lost(const struct api_env *env, const char *name);
/* One network now, in this thread; ERR_NOT_FOUND when it is not a managed one. */
int netsync_now(const struct api_env *env, const char *name, struct err *err);
/* The row of a network was deleted: its bridge goes now. */
void netsync_gone(const struct api_env *env, const char *name);
/* job_need_networks() of api/work/job.h is here. */
