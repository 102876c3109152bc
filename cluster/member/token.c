/* SPDX-License-Identifier: Apache-2.0 */
/* Join tokens: rows that a new member's name is bound to, used once. */
#include "cluster/member/token.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cluster/member/member.h"
#include "cluster/member/tokens.h"
#include "cluster/store/store.h"

#define ADDRESSES_MAX 8

/* Addresses of members that are there, this one first. */
static json_t *addresses(struct cluster *c)
{
	json_t *list = json_pack("[s]", cluster_address(c));
	_rows_ struct rows rows = { 0 };
	struct err ignored;
	char address[ADDRESS_SIZE];

	if (store_list(c->store, ENT_MEMBER, NULL, &rows, &ignored) < 0)
		return list;
	for (size_t i = 0; i < rows.n && json_array_size(list) < ADDRESSES_MAX; i++) {
		if (!str_eq(rows.v[i].key, cluster_member_name(c)) &&
		    cluster_member_address(c, rows.v[i].key, address, sizeof(address), &ignored) ==
			    0)
			json_array_append_new(list, json_string(address));
	}
	return list;
}

static int check_new_name(struct cluster *c, const char *name, struct err *err)
{
	if (!cluster_enabled(c))
		return err_set(err, ERR_INVALID, "This server is not clustered");
	if (member_check_name(name, err) < 0)
		return -1;
	if (replica_row_rev(c->replica, ENT_MEMBER, name))
		return err_set(err, ERR_CONFLICT, "The cluster already has a member with name: %s",
			       name);
	return 0;
}

/* A newer token for a name replaces the older ones. */
static void drop_older(struct cluster *c, struct tx *t, const char *name)
{
	_rows_ struct rows rows = { 0 };
	struct err ignored;

	if (store_list(c->store, ENT_TOKEN, "join", &rows, &ignored) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		if (str_eq(json_str(rows.v[i].doc, "name", ""), name) ||
		    token_row_expired(rows.v[i].doc))
			tx_delete(t, ENT_TOKEN, rows.v[i].key, REV_ANY);
	}
}

json_t *cluster_token_new(struct cluster *c, const char *name, int64_t life_s, struct row *ret_row,
			  struct err *err)
{
	char id[UUID_SIZE], secret[TOKEN_SECRET_SIZE];
	_json_ json_t *doc = NULL;
	_tx_ struct tx *t = tx_new();

	if (check_new_name(c, name, err) < 0)
		return NULL;
	doc = token_row_new("join", name, life_s, id, secret);
	json_put_str(doc, "fingerprint", cluster_fingerprint(c));
	json_object_set_new(doc, "addresses", addresses(c));
	drop_older(c, t, name);
	tx_put(t, ENT_TOKEN, id, REV_NONE, doc);
	if (store_commit(c->store, t, 0, NULL, err) < 0)
		return NULL;
	/* Not read back: somebody may have replaced it at once. */
	if (ret_row)
		*ret_row = (struct row){ .key = xstrdup(id), .doc = json_incref(doc) };
	return json_pack("{s:s,s:s,s:s,s:s,s:O,s:s}", "id", id, "serverName", name, "secret",
			 secret, "fingerprint", json_str(doc, "fingerprint", ""), "addresses",
			 json_object_get(doc, "addresses"), "expiresAt",
			 json_str(doc, "expires_at", ""));
}

/* --- the token as people carry it ------------------------------------------------------------- */

static int take_fields(const json_t *j, struct join_token *ret)
{
	json_t *list = json_arr(j, "addresses"), *item;
	size_t i;

	if (!str_copy(ret->name, sizeof(ret->name), json_str(j, "server_name", "")) ||
	    !str_copy(ret->fingerprint, sizeof(ret->fingerprint), json_str(j, "fingerprint", "")) ||
	    !str_copy(ret->secret, sizeof(ret->secret), json_str(j, "secret", "")) ||
	    !str_is_hex(ret->fingerprint, SHA256_HEX_SIZE - 1) || !*ret->name || !*ret->secret)
		return -1;
	json_array_foreach(list, i, item) {
		if (ret->n < JOIN_ADDRESSES_MAX && json_is_string(item) &&
		    str_copy(ret->addresses[ret->n], ADDRESS_SIZE, json_string_value(item)))
			ret->n++;
	}
	return ret->n ? 0 : -1;
}

int token_decode(const char *text, struct join_token *ret, struct err *err)
{
	struct err ignored;
	size_t len;
	_free_ char *plain = base64_decode(text, &len);
	_json_ json_t *j = plain ? json_parse(plain, len, "token", &ignored) : NULL;

	*ret = (struct join_token){ 0 };
	if (!json_is_object(j) || take_fields(j, ret) < 0)
		return err_set(err, ERR_INVALID,
			       "Invalid cluster join token: make another with `cluster add` on a "
			       "member");
	if (token_row_expired(j))
		return err_set(
			err, ERR_FORBIDDEN,
			"The cluster join token has expired: make another with `cluster add` "
			"on a member");
	return 0;
}
