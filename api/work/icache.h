/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/icache.h - every instance of the cluster, already serialised, for lists and sums.
 *
 * Refreshed on use: only rows, profiles and facts that changed since are rendered again, so that a
 * list of a thousand instances is a concatenation.
 */
#pragma once
#include "api/work/env.h"
#include "base/status.h"

struct icache;

struct icache *icache_new(void);
void icache_free(struct icache *c);

/* What is known of one instance; valid during the callback. */
struct icache_view {
	const char *name, *member;
	enum status status;
	const char *second_name;     /* the name that it gets, or may get back; or NULL */
	const json_t *uses;          /* {profiles[], networks[], host_names[], pools[],
				      * image}: keys */
	uint64_t memory_bytes, cpus; /* requested by limits.* */
	uint64_t memory_percent;     /* of limits.memory, when it is a share */
};
/* In order of names, under the cache's lock: quick, and no calls back. */
void icache_each(const struct api_env *env, void (*cb)(void *arg, const struct icache_view *v),
		 void *arg);
/* The object of recursion 1 or 2 of each instance of the project as text; NULL: of all. */
void icache_each_text(const struct api_env *env, const char *project, int recursion,
		      void (*cb)(void *arg, const char *name, const char *text, size_t len),
		      void *arg);
/* Renders what changed, so that the next list is quick. */
void icache_warm(const struct api_env *env);
struct icache_listing {
	const char *project; /* NULL: of all */
	int recursion;       /* 0: URLs */
	const char *path;    /* of ref_url() */
};
/* "[...]" */
void icache_list(const struct api_env *env, const struct icache_listing *l, struct sbuf *out);

/* Another instance than `except` is being renamed to this name, or may get it back: what bears it
 * on disk is that one's. */
bool instance_name_promised(const struct api_env *env, const char *name, const char *except);
