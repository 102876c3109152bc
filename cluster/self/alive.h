/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/self/alive.h - the one definition of alive, and what a member without a leader says.
 *
 * A member is alive as long as its last word is younger than `cluster.offline_threshold`. The
 * leader hears every member on the feed and tells what it knows in the facts of the members; a new
 * leader knows nothing of one until it hears it. Whoever has no leader knows nothing of the others,
 * and when that lasts for the threshold takes them for offline. It is cut off by then, and with a
 * long threshold as soon as it is no election any more: it refuses at once what needs a majority.
 */
#pragma once
#include "cluster/cluster.h"

struct life_evidence {
	bool self;
	enum member_life said; /* by the leader, now or when it was last heard */
	int64_t island_ms;     /* since a leader was last heard; 0 while one is heard */
};
enum member_life life_of(const struct life_evidence *e, int64_t threshold_ms);
