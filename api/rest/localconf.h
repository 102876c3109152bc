/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/localconf.h - the few server keys that belong to one member: $DUNLIN_DIR/config.json. */
#pragma once
#include "api/work/env.h"

struct localconf;

struct localconf *localconf_load(const char *dir, struct err *err);
void localconf_free(struct localconf *c);
bool localconf_owns(const char *key);
/* "" when unset; the caller frees. */
char *localconf_get(struct localconf *c, const char *key);
int localconf_set(struct localconf *c, const char *key, const char *value, struct err *err);
/* Listens where core.https_address says, or else where the cluster reaches this member. */
int localconf_listen(const struct api_env *env, struct err *err);
/* Listens at a new core.https_address and keeps it. */
int localconf_set_address(const struct api_env *env, const char *address, struct err *err);
