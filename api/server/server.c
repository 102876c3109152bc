/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/handle.h"
#include "api/rest/localconf.h"
#include "api/rest/serverinfo.h"
#include "api/work/state.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/keys.h"

#define INFO_MAX (64 << 20)

int h_root(struct req *r)
{
	return reply_sync_text(r, "[\"/1.0\"]", 8);
}

int h_server_get(struct req *r)
{
	_sbuf_ struct sbuf b = SBUF(INFO_MAX);
	char etag[SHA256_HEX_SIZE];

	serverinfo_write(req_env(r), req_caller(r), &b, etag);
	if (b.overflow)
		return err_set(req_err(r), ERR_LIMIT,
			       "the server's configuration is larger than %d bytes: unset what is "
			       "not needed",
			       INFO_MAX);
	reply_etag(r, etag);
	return reply_sync_text(r, b.data, b.len);
}

/* Puts what differs; with replace, what is missing goes. */
static size_t plan_config(struct tx *tx, const struct rows *have, const json_t *want, bool replace)
{
	size_t n = 0;
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)want, key, v) {
		_json_ json_t *doc = json_pack("{s:O}", "value", v);

		if (localconf_owns(key))
			continue;
		tx_put(tx, ENT_CONFIG, key, REV_ANY, doc);
		n++;
	}
	for (size_t i = 0; replace && i < have->n; i++) {
		if (json_object_get(want, have->v[i].key))
			continue;
		tx_delete(tx, ENT_CONFIG, have->v[i].key, REV_ANY);
		n++;
	}
	return n;
}

/* "" unsets a key: it must be deleted even by a PATCH. */
static size_t plan_unset(struct tx *tx, const struct rows *have, const json_t *body,
			 const json_t *want)
{
	size_t n = 0;

	for (size_t i = 0; i < have->n; i++) {
		const char *key = have->v[i].key;

		if (!json_object_get(body, key) || json_object_get(want, key))
			continue;
		tx_delete(tx, ENT_CONFIG, key, REV_ANY);
		n++;
	}
	return n;
}

static int apply_local(struct req *r, const json_t *body, const json_t *want, bool replace)
{
	const struct api_env *env = req_env(r);
	const char *key = "core.https_address";

	if (!replace && !json_object_get(body, key))
		return 0;
	return localconf_set_address(env, json_str(want, key, ""), req_err(r));
}

/* Clients send back the whole configuration they read, with what nobody can set. */
static int drop_readonly(struct req *r, json_t *body)
{
	const char *v = json_str(body, "cluster.https_address", NULL);

	if (v && *v && !str_eq(v, cluster_address(req_env(r)->cluster)))
		return err_set(req_err(r), ERR_INVALID,
			       "cluster.https_address can't be changed: remove the member and join "
			       "it again");
	json_object_del(body, "cluster.https_address");
	return 0;
}

static int write_config(struct req *r, json_t *config, bool replace)
{
	const struct api_env *env = req_env(r);
	_json_ json_t *want = json_copy(config), *old = server_config(env);
	_rows_ struct rows have = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (keys_check(&server_keys, "server", want, old, req_err(r)) < 0 ||
	    store_list(env->store, ENT_CONFIG, NULL, &have, req_err(r)) < 0 ||
	    apply_local(r, config, want, replace) < 0)
		return -1;
	if (plan_config(tx, &have, want, replace) +
		    (replace ? 0 : plan_unset(tx, &have, config, want)) ==
	    0)
		return 0;
	return store_commit(env->store, tx, 0, NULL, req_err(r));
}

int h_server_put(struct req *r)
{
	static const struct json_field fields[] = { { "config", JW_OBJ, false }, { NULL, 0, 0 } };
	const struct api_env *env = req_env(r);
	_json_ json_t *present = server_config(env);
	json_t *body = req_json(r, fields, "server"), *config;

	if (!body || check_etag(r, present) < 0)
		return -1;
	config = json_obj(body, "config");
	if (!config)
		config = json_object();
	else
		json_incref(config);
	if (drop_readonly(r, config) < 0 || write_config(r, config, !is_patch(r)) < 0) {
		json_decref(config);
		return -1;
	}
	json_decref(config);
	serverinfo_stale(env->state->info);
	tell_event(r, "config-updated", "/1.0", NULL);
	return reply_sync(r, NULL);
}
