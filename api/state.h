/* SPDX-License-Identifier: Apache-2.0 */
/* api/state.h - what the handlers keep between requests, and how the daemon starts and stops it.
 *
 *   api_init(&env)  -> env.state; registers the store's watches: before cluster_start()
 *   api_start(env)  -> recovery, networks, autostart, the listener: with the cluster started
 *   api_stop(env)   -> waits for jobs, stops the cluster; before server, pool, node and store go
 */
#pragma once
#include <pthread.h>

#include "api/route.h"

struct address_book;
struct disk_usage;
struct icache;
struct keylock;
struct later;
struct localconf;
struct netsync;
struct server_hooks;
struct serverinfo;

struct api_state {
	struct later *later;
	struct keylock *locks;
	struct address_book *addresses;
	struct icache *instances;
	struct disk_usage *disks;
	struct serverinfo *info;
	struct localconf *conf;
	struct netsync *net;
	/* Background work: how much of it is under way. */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	int background;
	bool stopping;
	bool host_stops; /* instances are stopped with their host (boot.h); atomic */
	bool warming; /* a refresh of the list of instances is due; atomic */
};

/* What the server needs: the endpoints (routes.def), and what the rows say of a request. */
extern const struct route api_routes[];
extern const struct server_hooks api_hooks;

int api_init(struct api_env *env, struct err *err);
int api_start(const struct api_env *env, struct err *err);
/* Shows connections what the cluster gives for them: from the start, and after each change. */
int api_show_certificate(const struct api_env *env, struct err *err);
void api_stop(struct api_env *env);
/* node_opts.instance_changed: arg is the struct api_env. */
void api_instance_changed(void *arg, const char *name, const json_t *state);
/* The member's name, as ops_new and events_new want it: arg is the struct cluster. */
const char *api_location(void *arg);
