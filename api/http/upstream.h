/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/upstream.h - the loop's TLS connections to other members, kept for a while between
 * requests. */
#pragma once
#include "api/http/server_int.h"

struct upstream;

struct upstream_ops {
	void (*data)(void *arg);    /* bytes may be read */
	void (*flushed)(void *arg); /* part of what was sent is out */
	void (*gone)(void *arg, const struct err *why); /* last: it has ended */
};

/* An idle connection to the address, or one that is being made; requests may be sent at once. NULL
 * with err when it is hopeless. fresh: no idle one. */
struct upstream *upstream_get(struct server *s, const char *address, bool fresh,
			      const struct upstream_ops *ops, void *arg, struct err *err);
bool upstream_was_idle(const struct upstream *u);
/* The member was connected to, and may have been given what was sent. */
bool upstream_reached(const struct upstream *u);
struct link *upstream_link(struct upstream *u); /* NULL while the name is being resolved */
void upstream_send(struct upstream *u, const void *data, size_t len);
size_t upstream_queued(const struct upstream *u);
/* Back into the pool; it must stand between two requests. */
void upstream_put(struct upstream *u);
/* Ends it; ops are not called any more. */
void upstream_drop(struct upstream *u);
