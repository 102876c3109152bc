/* SPDX-License-Identifier: Apache-2.0 */
/* A first member in this process, and newcomers that are nothing but a request to join. */
#pragma once
#include "base/net/x509.h"
#include "base/rng.h"
#include "cluster/self/state.h"
#include "tests/unit/cluster/store_world.h"

#define FIRST "n1"
#define FIRST_ADDRESS "127.0.0.1:1"

static inline void world_enable(struct store_world *w)
{
	struct err err = { 0 };

	world_open(w);
	world_start(w);
	if (cluster_enable(w->cluster, FIRST, FIRST_ADDRESS, &err) < 0)
		fail_msg("%s", err.msg);
}

struct guest {
	char *cert, *key;
	char fingerprint[SHA256_HEX_SIZE], uuid[UUID_SIZE], secret[256];
};

static inline void guest_done(struct guest *g)
{
	free(g->cert);
	free(g->key);
}

/* With a certificate of its own, and a token of the cluster for this name. */
static inline void guest_init(struct guest *g, struct store_world *w, const char *name)
{
	_json_ json_t *token = NULL;
	struct err err = { 0 };

	assert_int_equal(x509_make(name, &g->cert, &g->key, &err), 0);
	assert_int_equal(x509_fingerprint(g->cert, g->fingerprint, &err), 0);
	rng_uuid(g->uuid);
	token = cluster_token_new(w->cluster, name, 3600, NULL, &err);
	if (!token)
		fail_msg("%s", err.msg);
	str_copy(g->secret, sizeof(g->secret), json_str(token, "secret", ""));
}

static inline json_t *guest_request(const struct guest *g, const char *name, const char *address)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "name", name, "address", address,
			 "secret", g->secret, "certificate", g->cert, "uuid", g->uuid,
			 "architecture", "x86_64", "protocol", 1);
}

/* The cluster has a member more, which is never there. */
static inline void guest_admit(struct store_world *w, const char *name, const char *address)
{
	struct guest g = { 0 };
	_json_ json_t *body = NULL, *answer = NULL;
	struct err err = { 0 };

	guest_init(&g, w, name);
	body = guest_request(&g, name, address);
	answer = cluster_serve_join(w->cluster, body, g.fingerprint, &err);
	if (!answer)
		fail_msg("%s", err.msg);
	guest_done(&g);
}

static inline json_t *world_doc(struct store_world *w, enum entity e, const char *key)
{
	struct row row = { 0 };
	struct err err;

	if (store_get(w->store, e, key, &row, &err) < 0)
		return NULL;
	free(row.key);
	return row.doc;
}
