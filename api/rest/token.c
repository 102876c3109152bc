/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/token.h"

#include <string.h>

#include "api/rest/serverinfo.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "cluster/member/tokens.h"
#include "cluster/model/keys.h"

#define TOKEN_MAX 4096

static json_t *trust_metadata(const struct api_env *env, const json_t *doc, const char *secret)
{
	json_t *request = json_pack("{s:s, s:s, s:b, s:[], s:s, s:s, s:b}", "name",
				    json_str(doc, "name", ""), "type", "client", "restricted", 0,
				    "projects", "certificate", "", "password", "", "token", 1);
	json_t *m = json_pack("{s:o, s:s, s:s, s:o}", "addresses", server_addresses(env),
			      "fingerprint", cluster_fingerprint(env->cluster), "secret", secret,
			      "request", request);

	json_put_str(m, "expiresAt", json_str(doc, "expires_at", NULL));
	return m;
}

static json_t *join_metadata(const json_t *doc, const char *secret)
{
	json_t *m = json_object();

	json_put_str(m, "serverName", json_str(doc, "name", ""));
	json_put_str(m, "secret", secret);
	json_put_str(m, "fingerprint", json_str(doc, "fingerprint", ""));
	json_object_set(m, "addresses", json_object_get(doc, "addresses"));
	json_put_str(m, "expiresAt", json_str(doc, "expires_at", ""));
	return m;
}

json_t *token_operation(const struct api_env *env, const struct row *token, const char *secret)
{
	const char *shown = secret ? secret : "";
	bool join = !str_eq(json_str(token->doc, "kind", ""), "trust");
	const char *created = json_str(token->doc, "created_at", "0001-01-01T00:00:00Z");
	json_t *resources = join ? json_pack("{s:n}", "cluster") : json_null();

	if (token_row_expired(token->doc)) {
		json_decref(resources);
		return NULL;
	}
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:b, s:s, s:s}", "id", token->key,
		"class", "token", "description", "Executing operation", "created_at", created,
		"updated_at", created, "status", status_name(STATUS_RUNNING), "status_code",
		STATUS_RUNNING, "resources", resources, "metadata",
		join ? join_metadata(token->doc, shown) : trust_metadata(env, token->doc, shown),
		"may_cancel", 1, "err", "", "location", cluster_member_name(env->cluster));
}

int64_t token_life_s(const struct api_env *env, const char *key)
{
	_json_ json_t *config = server_config(env);
	int64_t s = 0;

	keys_get(&server_keys, config, key, &s);
	return s;
}

static int drop_expired(const struct api_env *env, struct tx *tx, struct err *err)
{
	_rows_ struct rows rows = { 0 };

	if (store_list(env->store, ENT_TOKEN, "trust", &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (token_row_expired(rows.v[i].doc))
			tx_delete(tx, ENT_TOKEN, rows.v[i].key, REV_ANY);
	}
	return 0;
}

json_t *trust_token_new(const struct api_env *env, const json_t *body, struct err *err)
{
	char id[UUID_SIZE], secret[TOKEN_SECRET_SIZE];
	const char *name = json_str(body, "name", "");
	_row_ struct row row = { 0 };
	_json_ json_t *addresses = NULL;
	_tx_ struct tx *tx = tx_new();

	if (!str_is_name(name, 64)) {
		err_set(err, ERR_INVALID, "a trust token needs the client's name (--name)");
		return NULL;
	}
	if (cluster_settle_certificate(env->cluster, err) < 0)
		return NULL;
	addresses = server_addresses(env);
	if (json_array_size(addresses) == 0) {
		err_set(err, ERR_INVALID,
			"trust token for \"%s\": this server does not listen on the network, where "
			"the token would be used; set core.https_address first",
			name);
		return NULL;
	}
	row.doc = token_row_new("trust", name, token_life_s(env, "core.remote_token_expiry"), id,
				secret);
	row.key = xstrdup(id);
	tx_put(tx, ENT_TOKEN, row.key, REV_NONE, row.doc);
	if (drop_expired(env, tx, err) < 0 || store_commit(env->store, tx, 0, NULL, err) < 0)
		return NULL;
	return token_operation(env, &row, secret);
}

/* The secret of a token's text: base64 of JSON, or the bare secret. */
static char *secret_of(const char *text)
{
	_free_ char *json = NULL;
	_json_ json_t *token = NULL;
	struct err err;
	size_t len = 0;

	if (strlen(text) > TOKEN_MAX)
		return xstrdup("");
	json = base64_decode(text, &len);
	token = json ? json_parse(json, len, "token", &err) : NULL;
	return xstrdup(json_is_object(token) ? json_str(token, "secret", "") : text);
}

char *trust_token_use(const struct api_env *env, const char *text, struct tx *tx, struct err *err)
{
	_free_ char *secret = secret_of(text);
	_rows_ struct rows rows = { 0 };

	if (store_list(env->store, ENT_TOKEN, "trust", &rows, err) < 0)
		return NULL;
	for (size_t i = 0; i < rows.n; i++) {
		const json_t *doc = rows.v[i].doc;

		if (!token_row_fits(doc, secret))
			continue;
		if (token_row_expired(doc)) {
			err_set(err, ERR_FORBIDDEN, "the trust token for \"%s\" expired at %s",
				json_str(doc, "name", ""), json_str(doc, "expires_at", ""));
			return NULL;
		}
		tx_delete(tx, ENT_TOKEN, rows.v[i].key, rows.v[i].rev);
		return xstrdup(json_str(doc, "name", ""));
	}
	err_set(err, ERR_FORBIDDEN,
		"not authorized: No matching certificate add operation found: the token was used "
		"or revoked, or is not this server's; ask for a new one");
	return NULL;
}
