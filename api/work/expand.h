/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/expand.h - an instance together with its profiles, as one request or job sees it.
 *
 * Made once, by the check of what is to be written or by the step that begins, and handed down:
 * whoever needs expanded configuration or devices takes it as an argument.
 */
#pragma once
#include "api/work/env.h"
#include "base/json.h"

struct expanded {
	json_t *doc;              /* the row's document, a reference */
	json_t *config, *devices; /* profiles in order, then its own; networks by their keys */
	json_t *profiles;         /* key -> revision as it was read; 0: there is none */
};
void expand(const struct api_env *env, json_t *doc, struct expanded *ret);
void expanded_done(struct expanded *x);
#define _expanded_ __attribute__((cleanup(expanded_done)))
/* After a change of the document's own configuration that adds keys. */
void expanded_follow(struct expanded *x);
/* How often expand() was called: what tests hold requests to. */
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
