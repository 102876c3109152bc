/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/usage.h - the whole states of running instances at this moment, asked of their members:
 * what they use is no fact that the cluster is told. */
#pragma once
#include "api/work/env.h"

struct disk_usage;
struct disk_usage *disk_usage_new(void);
void disk_usage_free(struct disk_usage *d);

/* LXD's state object of an instance of this member, stopped ones as well, with what its volume
 * holds; new reference. */
json_t *usage_of(const struct api_env *env, const char *name);
/* The same, of the member that the row names. */
json_t *usage_at(const struct api_env *env, const json_t *doc, struct err *err);
/* {name: LXD's state object} of what runs; new reference. `disk` walks volumes, too, for a fifth of
 * a second: what was not reached shows its last number, at first none. */
json_t *usage_here(const struct api_env *env, bool disk);
/* Of all members, as far as they answer in time. */
json_t *usage_all(const struct api_env *env, bool disk);
