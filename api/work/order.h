/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/order.h - which instances of this member start with their host or stop with it, and
 * in which order: the highest priority first, then by name. */
#pragma once
#include "api/work/env.h"
#include "base/status.h"

struct boot_one {
	char *name; /* the key of its row */
	int64_t priority;
	int seconds; /* of delay after it, or until force */
};

struct boot_order {
	struct boot_one *v;
	size_t n;
};

int boot_order_start(const struct api_env *env, struct boot_order *ret, struct err *err);
int boot_order_stop(const struct api_env *env, struct boot_order *ret, struct err *err);
void boot_order_done(struct boot_order *o);
/* The end of those that are equal in priority to the one at `from`: they go at the same time. */
size_t boot_order_group(const struct boot_order *o, size_t from);

/* Of a container that is `now`, with its row and its expanded configuration. */
bool boot_starts(enum status now, const json_t *doc, const json_t *config);
bool boot_stops(enum status now, const json_t *doc, const json_t *config);
