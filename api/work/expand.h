/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/expand.h - an instance together with its profiles, as one request sees it.
 *
 * A request makes it once and hands it down, to the job that it starts and to that one's steps:
 * whoever needs expanded configuration or devices takes it as an argument. A step that has read the
 * row anew calls expand() again, which then only lays the row's own over the profiles that are
 * there, unless one of them has another revision by now, or the row has others.
 */
#pragma once
#include "api/work/env.h"
#include "base/json.h"

struct expanded {
	json_t *doc;              /* the row's document, a reference */
	json_t *config, *devices; /* profiles in order, then its own; networks by their keys */
	json_t *profiles;         /* key -> revision as it was read, in order; 0: there is none */
	json_t *profile_config, *profile_devices; /* of those alone; never changed */
};
/* Makes x, which may be empty or of an earlier state, what doc is now. */
void expand(const struct api_env *env, json_t *doc, struct expanded *x);
/* An empty one begins with the profiles of another: for a row as it was and as it will be. */
void expanded_share(const struct expanded *from, struct expanded *to);
/* What is in it, for another owner; of NULL nothing. */
struct expanded expanded_take(struct expanded *own_x);
void expanded_done(struct expanded *x);
#define _expanded_ __attribute__((cleanup(expanded_done)))
/* After a change of the document's own configuration that adds keys. */
void expanded_follow(struct expanded *x);
/* How often profiles were expanded for one instance: what tests hold requests to. */
uint64_t expand_count(const struct api_env *env);

/* For lists; of one instance make a struct expanded. Profiles in order, then the instance's own;
 * both are new references. `profiles` maps keys to profile documents and is filled as needed; NULL
 * when nothing is to be kept. Networks are named by their keys. */
void expand_parts(struct store *s, json_t *profiles, const json_t *instance, json_t **ret_config,
		 json_t **ret_devices);
/* The same, with networks under the names that clients gave. */
void expand_shown(struct store *s, json_t *profiles, const json_t *instance,
		       json_t **ret_config, json_t **ret_devices);
/* Has the instance the profile of this key? */
bool instance_has_profile(const json_t *doc, const char *key);
