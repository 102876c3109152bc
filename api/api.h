/* SPDX-License-Identifier: Apache-2.0 */
/* api/api.h - how the daemon starts and stops what answers requests.
 *
 *   api_init(&env)  -> env.state; registers the store's watches: before cluster_start()
 *   api_start(env)  -> recovery, networks, autostart, the listener: with the cluster started
 *   api_stop(env)   -> waits for jobs, stops the cluster; before server, pool, node and store go
 */
#pragma once
#include "api/http/route.h"
#include "api/rest/where.h"
#include "api/work/env.h"

extern const struct route api_routes[]; /* routes.def, for the server */

int api_init(struct api_env *env, struct err *err);
int api_start(const struct api_env *env, struct err *err);
/* Shows connections what the cluster gives for them: from the start, and after each change. */
int api_show_certificate(const struct api_env *env, struct err *err);
void api_stop(struct api_env *env);
/* node_opts.instance_changed and network_lost: arg is the struct api_env. */
void api_instance_changed(void *arg, const char *name, const json_t *state);
void api_network_lost(void *arg, const char *network);
/* The member's name, as ops_new and events_new want it: arg is the struct cluster. */
const char *api_location(void *arg);
