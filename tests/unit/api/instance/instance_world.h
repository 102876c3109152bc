/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/api/instance/instance_world.h - an api_world with instances that do not run: c1 and
 * c2 of the default project, c3 of "web", on a pool of their profile. */
#pragma once
#include "tests/unit/api/api_world.h"

static inline void put_instance(struct api_world *t, const char *key, const char *member)
{
	world_put(&t->w, ENT_INSTANCE, key,
		  json_pack("{s:s,s:s,s:s,s:s,s:s,s:[s],s:{s:s},s:{},s:s,s:s,s:s}", "name", key,
			    "uuid", key, "member", member, "architecture", "x86_64", "description",
			    "", "profiles", "default", "config", "user.b", "own", "devices",
			    "image", "", "power", "off", "state", "ready"));
}

static inline int instance_world_open(void **state)
{
	struct api_world *t;

	api_world_open(state);
	t = *state;
	world_put(&t->w, ENT_POOL, "default", json_pack("{s:s, s:{}}", "driver", "dir", "config"));
	world_put(&t->w, ENT_PROFILE, "default",
		  json_pack("{s:{s:s}, s:{s:{s:s,s:s,s:s}}}", "config", "user.a", "profile",
			    "devices", "root", "type", "disk", "path", "/", "pool", "default"));
	put_instance(t, "c1", "none");
	put_instance(t, "c2", "none");
	put_instance(t, "web~c3", "none");
	return 0;
}
