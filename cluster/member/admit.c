/* SPDX-License-Identifier: Apache-2.0 */
/* Joining a cluster by token: the side that admits. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/member/member.h"
#include "cluster/member/tokens.h"
#include "cluster/store/store.h"

#define PROTOCOL 1

static const struct json_field fields[] = {
	{ "name", JW_STR, true },      { "address", JW_STR, true },
	{ "secret", JW_STR, true },    { "certificate", JW_STR, true },
	{ "uuid", JW_STR, true },      { "architecture", JW_STR, false },
	{ "protocol", JW_INT, false }, { NULL, JW_ANY, false },
};

struct guest {
	const char *name, *address, *secret, *certificate, *uuid, *architecture;
	char fingerprint[SHA256_HEX_SIZE];
};

static int read_guest(const json_t *body, const char *peer_fingerprint, struct guest *g,
		      struct err *err)
{
	*g = (struct guest){ json_str(body, "name", ""),
			     json_str(body, "address", ""),
			     json_str(body, "secret", ""),
			     json_str(body, "certificate", ""),
			     json_str(body, "uuid", ""),
			     json_str(body, "architecture", "unknown"),
			     "" };
	if (json_int(body, "protocol", PROTOCOL) != PROTOCOL)
		return err_set(
			err, ERR_INVALID,
			"The server speaks version %lld of the members' protocol, this cluster %d",
			(long long)json_int(body, "protocol", 0), PROTOCOL);
	if (member_check_name(g->name, err) < 0 || member_check_address(g->address, err) < 0 ||
	    x509_fingerprint(g->certificate, g->fingerprint, err) < 0)
		return -1;
	if (!str_is_uuid(g->uuid))
		return err_set(err, ERR_INVALID, "the uuid of the new member is malformed");
	/* Whoever asks has to hold the key of the certificate that will be trusted. */
	if (!str_eq(g->fingerprint, peer_fingerprint))
		return err_set(err, ERR_FORBIDDEN,
			       "The certificate is not the one of this connection");
	return 0;
}

static int no_operation(struct err *err)
{
	return err_set(err, ERR_FORBIDDEN, "No matching cluster join operation found");
}

static int find_token(struct cluster *c, const struct guest *g, struct row *ret, struct err *err)
{
	_rows_ struct rows rows = { 0 };

	if (store_list(c->store, ENT_TOKEN, "join", &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		const json_t *doc = rows.v[i].doc;

		if (!str_eq(json_str(doc, "name", ""), g->name) ||
		    !token_row_fits(doc, g->secret) || token_row_expired(doc))
			continue;
		*ret = rows.v[i];
		rows.v[i] = (struct row){ 0 };
		return 0;
	}
	return no_operation(err);
}

static bool is_guest(const json_t *doc, const struct guest *g)
{
	return str_eq(json_str(doc, "uuid", ""), g->uuid) &&
	       str_eq(json_str(doc, "fingerprint", ""), g->fingerprint) &&
	       str_eq(json_str(doc, "address", ""), g->address);
}

/* A newcomer whose answer got lost asks again: its row is there, with its own certificate. */
static bool admitted_before(struct cluster *c, const struct guest *g)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	return store_get(c->store, ENT_MEMBER, g->name, &row, &ignored) == 0 &&
	       is_guest(row.doc, g);
}

/* The token that was here is used up: by this newcomer's own earlier request through another
 * member, which this one had not heard of, or by somebody else. */
static int refused_commit(struct cluster *c, const struct guest *g, struct err *err)
{
	_row_ struct row row = { 0 };
	struct err why = *err;

	if (why.kind != ERR_PRECONDITION && why.kind != ERR_NOT_FOUND && why.kind != ERR_CONFLICT)
		return -1;
	if (store_get_latest(c->store, ENT_MEMBER, g->name, &row, 0, err) == 0)
		return is_guest(row.doc, g) ? 0 : no_operation(err);
	return err->kind == ERR_NOT_FOUND ? no_operation(err) : -1;
}

static bool address_taken(struct cluster *c, const char *address)
{
	_json_ json_t *members = peers_json(c->peers);
	json_t *m;
	size_t i;

	json_array_foreach(members, i, m) {
		if (str_eq(json_str(m, "address", ""), address))
			return true;
	}
	return false;
}

/* The token goes in the transaction that makes the member: whoever comes second finds none. */
static int admit(struct cluster *c, const struct guest *g, struct err *err)
{
	struct member_facts m = { g->uuid, g->name, g->address, g->fingerprint, g->architecture };
	_json_ json_t *doc = member_doc(&m);
	_json_ json_t *cert = member_certificate_doc(g->name, g->certificate, g->fingerprint);
	_row_ struct row token = { 0 };
	_tx_ struct tx *t = tx_new();

	if (find_token(c, g, &token, err) < 0)
		return -1;
	if (address_taken(c, g->address))
		return err_set(err, ERR_CONFLICT, "The cluster already has a member at %s",
			       g->address);
	tx_delete(t, ENT_TOKEN, token.key, token.rev);
	tx_put(t, ENT_MEMBER, g->name, REV_NONE, doc);
	tx_put(t, ENT_CERTIFICATE, g->fingerprint, REV_NONE, cert);
	if (store_commit(c->store, t, 0, NULL, err) == 0)
		return 0;
	return refused_commit(c, g, err);
}

static json_t *answer(struct cluster *c)
{
	_json_ json_t *members = NULL;
	int64_t revision = replica_revision(c->replica);
	struct err ignored;
	json_t *j;

	peers_refresh(c->peers, c->replica, &ignored);
	members = peers_json(c->peers);
	pthread_mutex_lock(&c->lock);
	j = json_pack("{s:s,s:s,s:O,s:s,s:s,s:I}", "cluster_certificate", c->creds.cluster_cert,
		      "cluster_key", c->creds.cluster_key, "members", members, "leader_name",
		      c->leader_name, "leader", c->leader_address, "revision",
		      (json_int_t)revision);
	pthread_mutex_unlock(&c->lock);
	return j;
}

json_t *cluster_serve_join(struct cluster *c, const json_t *body, const char *peer_fingerprint,
			   struct err *err)
{
	_json_ json_t *copy = json_deep_copy(body);
	struct guest g;

	if (!cluster_enabled(c)) {
		err_set(err, ERR_INVALID, "This server is not clustered");
		return NULL;
	}
	if (json_check(copy, fields, "join request", err) < 0 ||
	    read_guest(copy, peer_fingerprint, &g, err) < 0)
		return NULL;
	if (!admitted_before(c, &g) && admit(c, &g, err) < 0)
		return NULL;
	log_info("member admitted", "member", g.name, "address", g.address);
	return answer(c);
}
