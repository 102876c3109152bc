/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/quota.h - what callers hold of the server, counted by their kind and address
 * (api/http/quota.def).
 *
 * Belongs to the loop thread.
 */
#pragma once
#include <stdint.h>

#include "api/http/req.h"

enum quota_what { QUOTA_CONNS, QUOTA_REQUESTS, QUOTA_BODY, QUOTA_WHATS };

struct quota;

struct quota *quota_new(void);
void quota_free(struct quota *q);

/* The network that an address ("10.0.0.1:80", "[fe80::1]:80") stands for. */
uint64_t quota_net(const char *address);

enum quota_verdict { QUOTA_OK, QUOTA_FULL, QUOTA_NET_FULL };
/* Takes n units unless that were too many, for all of the kind or for the network. */
enum quota_verdict quota_take(struct quota *q, enum caller_kind kind, uint64_t net,
			      enum quota_what what, size_t n);
void quota_give(struct quota *q, enum caller_kind kind, uint64_t net, enum quota_what what,
		size_t n);
/* The network with the most strangers' connections. */
uint64_t quota_busiest(const struct quota *q);

/* One unit that somebody holds, or none. */
struct quota_slot {
	bool held;
	enum caller_kind kind;
	uint64_t net;
};
enum quota_verdict quota_hold(struct quota *q, struct quota_slot *slot, enum caller_kind kind,
			      uint64_t net, enum quota_what what);
void quota_drop(struct quota *q, struct quota_slot *slot, enum quota_what what);
