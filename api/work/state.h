/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/state.h - what handlers and jobs keep between requests. */
#pragma once
#include <pthread.h>

#include "api/work/env.h"

struct address_book;
struct disk_usage;
struct icache;
struct keylock;
struct timers;
struct localconf;
struct netsync;
struct outlook;
struct serverinfo;

struct job_kind;
struct task;

struct api_state {
	const struct job_kind *jobs; /* job.def */
	const struct task *tasks;    /* task.def */
	struct timers *timers;
	struct keylock *locks;
	struct address_book *addresses;
	struct icache *instances;
	struct disk_usage *disks;
	struct outlook *outlook;
	struct serverinfo *info;
	struct localconf *conf;
	struct netsync *net;
	int64_t started_ms;
	/* Background work: how much of it is under way. */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	int background;
	bool stopping;
	bool host_stops;     /* instances are stopped with their host (boot.h); atomic */
	uint64_t expansions; /* how often profiles were expanded for one instance; atomic */
	unsigned gathering;  /* tasks that are due already, a bit each; atomic */
	json_t *images;      /* until recovery: what was here before any request could bring more */
};
/* tables.c */
void state_give_tables(struct api_state *s);
