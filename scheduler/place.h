/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler/place.h - which member should run an instance. Pure: a view in, a choice and its
 * reason out.
 *
 * Hard filters first (in the group that was named, online, not leaving, not reserved,
 * architecture), then the fewest requested resources (memory, then cpus, as shares of what the
 * member has, then instances), then the name.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct place_member {
	char name[64];
	char architecture[32];
	bool online;
	bool leaving; /* it is being removed, or its host shuts down */
	bool by_name, by_group; /* takes what names it, or a group of its, only */
	bool outside; /* of the group that the request names */
	bool left;    /* where the instance is, which shall go elsewhere */
	uint64_t memory_total_bytes;
	unsigned cpus_total;
	uint64_t memory_requested_bytes; /* sum of limits.memory of its instances */
	uint64_t cpus_requested;
	unsigned instances;
};

struct place_request {
	const char *architecture; /* "" for any */
	uint64_t memory_bytes;
	uint64_t cpus;
	bool group; /* one was named */
};

struct place_choice {
	char member[64];
	char reason[300]; /* a sentence for people */
};

/* ERR_UNAVAILABLE, saying what ruled out each kind of member, when none fits. */
int place_choose(const struct place_member *members, size_t n, const struct place_request *req,
		 struct place_choice *ret, struct err *err);
