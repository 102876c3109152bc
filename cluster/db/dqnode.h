/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/db/dqnode.h - the dqlite node inside this process, and the Raft connections of its peers.
 *
 * The node listens on an abstract unix socket that only this process may connect to. To reach a
 * peer it is given one end of a socket pair at once; a thread dials the peer over the members' TLS
 * and relays, so that dqlite never waits for a network. Addresses are member uuids, opaque to
 * dqlite.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/net/stream.h"

struct dqnode;

struct dqnode_opts {
	uint64_t id; /* 1 makes a new database in an empty dir; any other joins one */
	const char *address;
	const char *dir; /* made when absent */
	unsigned latency_ms;
	/* Connects to the member with this uuid for Raft traffic. Called from threads of its
	 * own. */
	struct stream *(*dial)(void *arg, const char *uuid, int64_t deadline, struct err *err);
	void *arg;
};

struct dqnode *dqnode_start(const struct dqnode_opts *o, struct err *err);
/* Ends everything; the struct lives until the last reference is gone. The first is the
 * starter's. */
void dqnode_stop(struct dqnode *n);
struct dqnode *dqnode_ref(struct dqnode *n);
void dqnode_unref(struct dqnode *n); /* NULL is fine */
uint64_t dqnode_id(const struct dqnode *n);
unsigned dqnode_latency_ms(const struct dqnode *n); /* as it was started with */
const char *dqnode_socket(const struct dqnode *n); /* "@..." for dq_connect() */
/* Relays an inbound Raft connection until it ends; frees the stream. */
void dqnode_serve(struct dqnode *n, struct stream *own_stream);
/* Ends the inbound connections of the peer with this certificate. */
void dqnode_drop_peer(struct dqnode *n, const char *fingerprint);
