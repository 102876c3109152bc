/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/self/discover.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define ASK_MS 700

/* The row of this member was there at the revision that it has seen itself: at that one or a later
 * one a member that does not find it has seen it go. One that is behind proves nothing. */
bool discover_proves_removal(const json_t *answer, int64_t seen, int64_t joined)
{
	if (seen < joined)
		seen = joined;
	return !json_bool(answer, "member", true) && json_int(answer, "revision", -1) >= seen;
}

static bool knows_better(struct cluster *c, const json_t *answer)
{
	struct identity self;

	cluster_self(c, &self);
	return discover_proves_removal(answer, replica_revision(c->replica), self.joined);
}

/* The others answer for the certificate that they are shown, and know none but the row's. */
static bool shows_another(struct cluster *c)
{
	struct identity self;
	struct peer_info p;
	bool another;

	cluster_self(c, &self);
	if (!peers_by_uuid(c->peers, self.uuid, &p) || !*p.fingerprint)
		return false;
	pthread_mutex_lock(&c->lock);
	another = !str_eq(c->creds.server_fp, p.fingerprint);
	pthread_mutex_unlock(&c->lock);
	return another;
}

void discover_refused(struct cluster *c, const char *address)
{
	struct err err = { 0 };
	_json_ json_t *j = NULL;

	if (shows_another(c)) {
		log_warn("refused by a member", "by", address, "why",
			 "server.crt is not the certificate that the cluster knows this member by",
			 "remedy", "put the old server.crt and server.key back and start again");
		return;
	}
	j = cluster_call(c, address, "GET", "/internal/membership", NULL, deadline_in(ASK_MS),
			 &err);
	if (j && knows_better(c, j))
		cluster_set_removed(c);
	else
		log_warn("refused by a member, but not known to be removed", "by", address, "why",
			 j ? "it knows less than this member" : err.msg);
}

static bool ask(struct cluster *c, const char *address, char *buf, size_t size)
{
	struct err err = { 0 };
	_json_ json_t *j = cluster_call(c, address, "GET", "/internal/leader", NULL,
					deadline_in(ASK_MS), &err);
	const char *leader = json_str(j, "address", "");

	if (!j && err.kind == ERR_FORBIDDEN)
		discover_refused(c, address);
	if (!*leader || !str_copy(buf, size, leader))
		return false;
	cluster_expect_leader(c, json_str(j, "fingerprint", ""));
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

json_t *cluster_serve_leader(struct cluster *c, struct err *err)
{
	char address[ADDRESS_SIZE], pin[SHA256_HEX_SIZE];
	json_t *j = json_object();
	struct err ignored;

	pthread_mutex_lock(&c->lock);
	json_put_str(j, "name", c->leader_name);
	json_put_str(j, "address", c->leader_address);
	str_copy(address, sizeof(address), c->leader_address);
	pthread_mutex_unlock(&c->lock);
	if (*address && cluster_pin(c, address, pin, &ignored) == 0)
		json_put_str(j, "fingerprint", pin);
	return j;
}
