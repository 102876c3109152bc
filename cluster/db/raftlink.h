/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/db/raftlink.h - one outbound Raft connection: from dqlite's end of a socket pair to a
 * peer.
 *
 * dqlite notices that a connection is gone only when it writes, and drops what it wrote: a vote
 * that went to a peer which was restarted since would be lost, and an election period with it. So a
 * connection that was quiet when the peer went away is not given up: the next bytes dial anew,
 * after the greeting that dqlite opened the first connection with.
 */
#pragma once
#include "base/net/stream.h"

struct raftlink_opts {
	/* Dials until it succeeds or has to give up (NULL). Publishes the stream to those who
	 * may shut it down; NULL takes the published one back before it is freed. */
	struct stream *(*dial)(void *arg);
	void (*publish)(void *arg, struct stream *remote);
	void *arg;
};

/* Until either side ends it. */
void raftlink_run(struct stream *local, const struct raftlink_opts *o);
