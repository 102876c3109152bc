/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/object.h"
#include "api/rest/token.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/net/certinfo.h"
#include "base/net/x509.h"
#include "base/str.h"

#define FINGERPRINT_MIN 12

/* By the whole fingerprint or a unique beginning of it. */
static int find(struct req *r, const char *prefix, struct row *ret)
{
	_rows_ struct rows rows = { 0 };
	struct row *found = NULL;

	if (store_list(req_env(r)->store, ENT_CERTIFICATE, NULL, &rows, req_err(r)) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (strlen(prefix) < FINGERPRINT_MIN || !str_starts(rows.v[i].key, prefix))
			continue;
		if (found)
			return err_set(req_err(r), ERR_INVALID,
				       "several certificates begin with \"%s\"", prefix);
		found = &rows.v[i];
	}
	if (!found)
		return err_set(req_err(r), ERR_NOT_FOUND, "no such certificate");
	*ret = *found;
	*found = (struct row){ 0 };
	return 0;
}

/* --- adding ---------------------------------------------------------------------------------- */

static const struct json_field post_fields[] = {
	{ "name", JW_STR, false },
	{ "type", JW_STR, false },
	{ "restricted", JW_BOOL, false },
	{ "projects", JW_STR_LIST, false },
	{ "certificate", JW_STR, false },
	{ "password", JW_STR, false },
	{ "token", JW_BOOL, false },
	{ "trust_token", JW_STR, false },
	{ NULL, 0, 0 },
};

static int check_type(struct req *r, const json_t *body)
{
	const char *type = json_str(body, "type", "client");

	/* One for metrics only must not get a client's rights. */
	if (str_eq(type, "metrics"))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "certificates of type \"metrics\" are not implemented (client)");
	if (!str_eq(type, "client") && !str_empty(type))
		return err_set(req_err(r), ERR_INVALID,
			       "certificate: unknown type \"%.40s\" (client)", type);
	if (json_bool(body, "restricted", false))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "certificates restricted to projects are not implemented");
	return 0;
}

static int check_dates(const char *pem, struct err *err)
{
	struct x509_info info;

	if (x509_describe(pem, &info, err) < 0)
		return -1;
	return clock_wall() > info.not_after
		       ? err_set(err, ERR_INVALID, "the certificate has expired")
		       : 0;
}

static int put_certificate(struct req *r, const char *name, const char *pem, struct tx *tx)
{
	const struct api_env *env = req_env(r);
	_free_ char *url = NULL;
	char fp[SHA256_HEX_SIZE];
	_json_ json_t *doc = NULL;

	if (x509_fingerprint(pem, fp, req_err(r)) < 0 || check_dates(pem, req_err(r)) < 0)
		return -1;
	doc = json_pack("{s:s, s:s, s:b, s:[], s:s}", "name", str_empty(name) ? "client" : name,
			"type", "client", "restricted", 0, "projects", "certificate", pem);
	tx_put(tx, ENT_CERTIFICATE, fp, REV_NONE, doc);
	if (store_commit(env->store, tx, 0, NULL, req_err(r)) < 0) {
		if (req_err(r)->kind == ERR_CONFLICT)
			err_set(req_err(r), ERR_CONFLICT, "Certificate already in trust store");
		return -1;
	}
	url = ref_url("certificates", fp);
	tell_event_at(r, "certificate-created", url, fp);
	return reply_created(r, url);
}

static int add_token(struct req *r, const json_t *body)
{
	_json_ json_t *op = trust_token_new(req_env(r), body, req_err(r));

	if (!op)
		return -1;
	return reply_operation_json(r, json_incref(op));
}

static int add_by_token(struct req *r, const json_t *body)
{
	const char *text = json_str(body, "trust_token", json_str(body, "password", ""));
	const char *pem = req_peer_pem(r);
	_tx_ struct tx *tx = tx_new();
	_free_ char *name = NULL;

	if (!pem)
		return err_set(req_err(r), ERR_INVALID,
			       "a trust token is used over HTTPS with a client certificate");
	name = trust_token_use(req_env(r), text, tx, req_err(r));
	if (!name)
		return -1;
	if (put_certificate(r, name, pem, tx) == 0)
		return 0;
	if (req_err(r)->kind == ERR_PRECONDITION)
		err_set(req_err(r), ERR_FORBIDDEN, "not authorized: the token was used meanwhile");
	return -1;
}

static int add_given(struct req *r, const json_t *body)
{
	const char *given = json_str(body, "certificate", "");
	_tx_ struct tx *tx = tx_new();
	_free_ char *pem = NULL;

	if (str_empty(given))
		return err_set(req_err(r), ERR_INVALID, "Client is already trusted");
	pem = x509_to_pem(given, req_err(r));
	return pem ? put_certificate(r, json_str(body, "name", ""), pem, tx) : -1;
}

int h_certificates_post(struct req *r)
{
	json_t *body = req_json(r, post_fields, "certificate");
	bool by_token;

	if (!body || check_type(r, body) < 0)
		return -1;
	by_token = !str_empty(json_str(body, "password", "")) ||
		   !str_empty(json_str(body, "trust_token", ""));
	if (!caller_trusted(r))
		return by_token ? add_by_token(r, body)
				: err_set(req_err(r), ERR_FORBIDDEN, "not authorized");
	if (json_bool(body, "token", false))
		return add_token(r, body);
	return add_given(r, body);
}

/* --- changing -------------------------------------------------------------------------------- */

/* The certificate of a member is who it is to the others. */
static int check_not_member(struct req *r, struct change *c)
{
	if (!str_eq(json_str(c->old, "type", ""), "server"))
		return 0;
	return err_set(
		req_err(r), ERR_CONFLICT,
		"certificate %.12s belongs to cluster member \"%s\" and cannot be changed or "
		"removed by itself: its member is removed with \"cluster remove\"",
		c->key, json_str(c->old, "name", ""));
}

static int check(struct req *r, struct change *c)
{
	if (check_not_member(r, c) < 0 || check_type(r, c->doc) < 0)
		return -1;
	json_put_str(c->doc, "type", "client");
	return 0;
}

static const struct field fields[] = {
	{ "fingerprint", JW_STR, FIELD_NAME, false },
	{ "certificate", JW_STR, FIELD_FIXED, false },
	{ "name", JW_STR, FIELD_KEEP, false },
	{ "type", JW_STR, FIELD_KEEP, false },
	{ "restricted", JW_BOOL, FIELD_KEEP, false },
	{ "projects", JW_STR_LIST, FIELD_SHOWN, false },
	{ NULL, 0, 0, false },
};

/* The connections that a deleted one opened end on every member, through the watch on the rows. */
const struct kind kind_certificate = {
	.entity = ENT_CERTIFICATE,
	.fields = fields,
	.find = find,
	.check = check,
	.leave = check_not_member,
};
