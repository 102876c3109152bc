/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/quota.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"

#define KINDS (CALLER_ADMIN + 1)

/* A network of which strangers hold something. */
struct net {
	struct net *next;
	uint64_t id;
	size_t used[QUOTA_WHATS];
};

struct quota {
	size_t used[KINDS][QUOTA_WHATS];
	struct net *nets;
};

static const struct {
	size_t all[QUOTA_WHATS], each[QUOTA_WHATS];
} limits[KINDS] = {
#define QUOTA(kind, conns, conns_each, reqs, reqs_each, body, body_each) \
	[kind] = { { conns, reqs, body }, { conns_each, reqs_each, body_each } },
#include "api/http/quota.def"
#undef QUOTA
};

struct quota *quota_new(void)
{
	return xnew(struct quota);
}

void quota_free(struct quota *q)
{
	while (q && q->nets) {
		struct net *n = q->nets;

		q->nets = n->next;
		free(n);
	}
	free(q);
}

uint64_t quota_net(const char *address)
{
	struct address a;
	struct err ignored;
	struct in6_addr v6;
	struct in_addr v4;
	uint64_t id;

	if (address_parse(address, &a, &ignored) < 0)
		return 0;
	if (inet_pton(AF_INET, a.host, &v4) == 1)
		return ntohl(v4.s_addr);
	if (inet_pton(AF_INET6, a.host, &v6) != 1)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&v6)) {
		memcpy(&v4, v6.s6_addr + 12, sizeof(v4));
		return ntohl(v4.s_addr);
	}
	memcpy(&id, v6.s6_addr, sizeof(id));
	return id;
}

static struct net *find(const struct quota *q, uint64_t id)
{
	struct net *n = q->nets;

	while (n && n->id != id)
		n = n->next;
	return n;
}

static bool fits(size_t used, size_t n, size_t limit)
{
	return limit == 0 || (n <= limit && used <= limit - n);
}

enum quota_verdict quota_take(struct quota *q, enum caller_kind kind, uint64_t net,
			      enum quota_what what, size_t n)
{
	struct net *at = limits[kind].each[what] ? find(q, net) : NULL;

	if (!fits(at ? at->used[what] : 0, n, limits[kind].each[what]))
		return QUOTA_NET_FULL;
	if (!fits(q->used[kind][what], n, limits[kind].all[what]))
		return QUOTA_FULL;
	q->used[kind][what] += n;
	if (!limits[kind].each[what])
		return QUOTA_OK;
	if (!at) {
		at = xnew(struct net);
		at->id = net;
		at->next = q->nets;
		q->nets = at;
	}
	at->used[what] += n;
	return QUOTA_OK;
}

static void forget_unused(struct quota *q, const struct net *n)
{
	struct net **pp = &q->nets;

	for (int i = 0; i < QUOTA_WHATS; i++) {
		if (n->used[i])
			return;
	}
	while (*pp != n)
		pp = &(*pp)->next;
	*pp = n->next;
	free((void *)n);
}

void quota_give(struct quota *q, enum caller_kind kind, uint64_t net, enum quota_what what,
		size_t n)
{
	struct net *at;

	if (!n)
		return;
	assert(q->used[kind][what] >= n);
	q->used[kind][what] -= n;
	if (!limits[kind].each[what])
		return;
	at = find(q, net);
	assert(at);
	assert(at->used[what] >= n);
	at->used[what] -= n;
	forget_unused(q, at);
}

uint64_t quota_busiest(const struct quota *q)
{
	const struct net *most = NULL;

	for (const struct net *n = q->nets; n; n = n->next) {
		if (!most || n->used[QUOTA_CONNS] > most->used[QUOTA_CONNS])
			most = n;
	}
	return most ? most->id : 0;
}

enum quota_verdict quota_hold(struct quota *q, struct quota_slot *slot, enum caller_kind kind,
			      uint64_t net, enum quota_what what)
{
	enum quota_verdict v;

	assert(!slot->held);
	v = quota_take(q, kind, net, what, 1);
	if (v == QUOTA_OK)
		*slot = (struct quota_slot){ true, kind, net };
	return v;
}

void quota_drop(struct quota *q, struct quota_slot *slot, enum quota_what what)
{
	if (slot->held)
		quota_give(q, slot->kind, slot->net, what, 1);
	slot->held = false;
}
