/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/discover.h"

#include "base/clock.h"
#include "base/str.h"

#define ASK_MS 700
#define REFUSED_MS 10000

static bool ask(struct cluster *c, const char *address, char *buf, size_t size)
{
	struct err ignored = { 0 };
	_json_ json_t *j = cluster_call(c, address, "GET", "/internal/leader", NULL,
					deadline_in(ASK_MS), &ignored);
	const char *leader = json_str(j, "address", "");

	if (!*leader || !str_copy(buf, size, leader))
		return false;
	cluster_set_leader(c, json_str(j, "name", ""), leader);
	return true;
}

bool discover_leader(struct cluster *c, unsigned *asked, char *buf, size_t size)
{
	struct identity self;
	struct peer_info p;

	if (cluster_leader_address(c, buf, size) && !cluster_is_leader(c))
		return true;
	cluster_self(c, &self);
	if (!peers_ask(c->peers, (*asked)++, &p) || str_eq(p.uuid, self.uuid) || !*p.address)
		return false;
	return ask(c, p.address, buf, size) && !str_eq(buf, self.address);
}

void discover_refused(struct cluster *c, const char *address, const struct err *err)
{
	bool removed = false;

	pthread_mutex_lock(&c->lock);
	if (err->kind != ERR_FORBIDDEN) {
		c->refused_ms = 0;
	} else if (!c->refused_ms) {
		c->refused_ms = clock_ms();
	} else {
		removed = clock_ms() - c->refused_ms > REFUSED_MS;
	}
	pthread_mutex_unlock(&c->lock);
	cluster_forget_leader(c, address);
	if (removed)
		cluster_set_removed(c);
}
