/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/self/state.h"

static bool certificate_row(struct cluster *c, const char *fingerprint, char *ret_name)
{
	int64_t rev;
	struct err ignored;
	_free_ char *text = replica_text(c->replica, ENT_CERTIFICATE, fingerprint, &rev);
	_json_ json_t *doc = text ? json_parse(text, strlen(text), "certificate", &ignored) : NULL;

	if (!str_eq(json_str(doc, "type", ""), "server"))
		return false;
	return str_copy(ret_name, NAME_SIZE, json_str(doc, "name", ""));
}

bool cluster_is_member_cert(struct cluster *c, const char *fingerprint, char *ret_name)
{
	struct peer_info p;
	bool loaded;

	if (str_empty(fingerprint))
		return false;
	if (certificate_row(c, fingerprint, ret_name))
		return true;
	pthread_mutex_lock(&c->lock);
	loaded = c->loaded;
	pthread_mutex_unlock(&c->lock);
	/* Before the leader has been reached the list on disk has to do. */
	if (loaded || !peers_by_fingerprint(c->peers, fingerprint, &p))
		return false;
	return str_copy(ret_name, NAME_SIZE, p.name);
}

json_t *cluster_serve_membership(struct cluster *c, const char *peer_fingerprint)
{
	/* In this order: who is missing now was missing at this revision. */
	int64_t revision = replica_revision(c->replica);
	char name[NAME_SIZE];
	bool member = cluster_is_member_cert(c, peer_fingerprint, name);

	return json_pack("{s:b,s:I}", "member", member, "revision", (json_int_t)revision);
}
