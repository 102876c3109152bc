/* SPDX-License-Identifier: Apache-2.0 */
/* The side that admits a newcomer, and the one that takes it out again. */
#include <string.h>

#include "base/digest.h"
#include "cluster/member/member.h"
#include "tests/unit/cluster/member/guest.h"

static struct store_world world;

static int open_world(void **state)
{
	world_enable(&world);
	return 0;
}

static int close_world(void **state)
{
	world_close(&world);
	return 0;
}

static json_t *serve(const struct guest *g, json_t *own_body, struct err *err)
{
	_json_ json_t *body = own_body;

	*err = (struct err){ 0 };
	return cluster_serve_join(world.cluster, body, g->fingerprint, err);
}

static void a_newcomer_is_admitted_once(void **state)
{
	struct guest g = { 0 }, other = { 0 };
	_json_ json_t *answer = NULL, *again = NULL, *doc = NULL, *cert = NULL;
	char name[NAME_SIZE] = "";
	struct err err;

	guest_init(&g, &world, "n2");
	answer = serve(&g, guest_request(&g, "n2", "127.0.0.1:2"), &err);
	if (!answer)
		fail_msg("%s", err.msg);
	/* what a member needs: the pair, whom there is, and since when it is one */
	assert_string_equal(json_str(answer, "cluster_certificate", ""),
			    cluster_cert_pem(world.cluster));
	assert_true(str_starts(json_str(answer, "cluster_key", ""), "-----BEGIN"));
	assert_int_equal(json_array_size(json_arr(answer, "members")), 2);
	assert_true(json_int(answer, "revision", 0) >= store_revision(world.store));
	doc = world_doc(&world, ENT_MEMBER, "n2");
	assert_string_equal(json_str(doc, "address", ""), "127.0.0.1:2");
	assert_string_equal(json_str(doc, "uuid", ""), g.uuid);
	assert_string_equal(json_str(doc, "role", ""), "none");
	cert = world_doc(&world, ENT_CERTIFICATE, g.fingerprint);
	assert_string_equal(json_str(cert, "type", ""), "server");
	assert_true(cluster_is_member_cert(world.cluster, g.fingerprint, name));
	assert_string_equal(name, "n2");
	assert_int_equal(store_count(world.store, ENT_TOKEN, "join"), 0);
	/* one whose answer was lost is told again, another with the same token not */
	again = serve(&g, guest_request(&g, "n2", "127.0.0.1:2"), &err);
	assert_non_null(again);
	other = g;
	assert_int_equal(x509_make("x", &other.cert, &other.key, &err), 0);
	assert_int_equal(x509_fingerprint(other.cert, other.fingerprint, &err), 0);
	assert_null(serve(&other, guest_request(&other, "n2", "127.0.0.1:2"), &err));
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	assert_null(serve(&g, guest_request(&g, "n2", "127.0.0.1:9"), &err));
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	guest_done(&other);
	guest_done(&g);
}

struct bad_request {
	const char *field;
	const char *value; /* NULL: taken out */
	enum err_kind kind;
	const char *says;
};

static void bad_requests_are_refused_and_use_nothing_up(void **state)
{
	static const struct bad_request cases[] = {
		{ "name", NULL, ERR_INVALID, "\"name\" is missing" },
		{ "name", "", ERR_INVALID, "member name" },
		{ "name", "none", ERR_INVALID, "member name" },
		{ "name", "n4", ERR_FORBIDDEN, "No matching cluster join operation found" },
		{ "address", NULL, ERR_INVALID, "\"address\" is missing" },
		{ "address", "127.0.0.1", ERR_INVALID, "HOST:PORT is needed" },
		{ "address", "0.0.0.0:8443", ERR_INVALID, "wildcard" },
		{ "address", "[::]:8443", ERR_INVALID, "wildcard" },
		{ "address", ":8443", ERR_INVALID, "wildcard" },
		{ "address", "10.0.0.1:0", ERR_INVALID, "HOST:PORT is needed" },
		{ "address", "fd00::1:8443", ERR_INVALID, "needs brackets: [fd00::1]:8443" },
		{ "address", FIRST_ADDRESS, ERR_CONFLICT,
		  "already has a member at " FIRST_ADDRESS },
		{ "secret", "wrong", ERR_FORBIDDEN, "No matching cluster join operation found" },
		{ "secret", "", ERR_FORBIDDEN, "No matching cluster join operation found" },
		{ "certificate", "nonsense", ERR_INVALID, "not valid PEM" },
		{ "uuid", "x", ERR_INVALID, "uuid" },
		{ "colour", "red", ERR_INVALID, "unknown field \"colour\"" },
	};
	int64_t members = store_count(world.store, ENT_MEMBER, NULL);
	_json_ json_t *answer = NULL, *old = NULL;
	struct guest g = { 0 };
	struct err err;

	guest_init(&g, &world, "n3");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *body = guest_request(&g, "n3", "127.0.0.1:3");

		json_object_del(body, cases[i].field);
		json_put_str(body, cases[i].field, cases[i].value);
		assert_null(serve(&g, body, &err));
		if (err.kind != cases[i].kind || !strstr(err.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].field, err.msg);
	}
	old = guest_request(&g, "n3", "127.0.0.1:3");
	json_put_int(old, "protocol", 99);
	assert_null(serve(&g, json_incref(old), &err));
	assert_non_null(strstr(err.msg, "version 99"));
	assert_int_equal(store_count(world.store, ENT_MEMBER, NULL), members);
	answer = serve(&g, guest_request(&g, "n3", "127.0.0.1:3"), &err);
	assert_non_null(answer);
	guest_done(&g);
}

/* Whoever asks has to hold the key of the certificate that will be trusted. */
static void the_connection_shows_the_certificate(void **state)
{
	struct guest g = { 0 };
	_json_ json_t *body = NULL;
	struct err err = { 0 };

	guest_init(&g, &world, "n5");
	body = guest_request(&g, "n5", "127.0.0.1:5");
	assert_null(cluster_serve_join(world.cluster, body, "", &err));
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	assert_null(
		cluster_serve_join(world.cluster, body, cluster_fingerprint(world.cluster), &err));
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	guest_done(&g);
}

static void addresses_are_checked(void **state)
{
	static const char *const good[] = { "10.0.0.1:8443", "[fd00::1]:1", "host.example:65535" };
	static const char *const bad[] = { "",       "host",       "host:",        "host:x",
					   "host:0", "host:65536", ":1",           "0.0.0.0:1",
					   "[::]:1", "*:1",        "fd00::1:8443", "[]:1" };
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(member_check_address(good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err = (struct err){ 0 };
		if (member_check_address(bad[i], &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, bad[i]));
	}
	assert_int_equal(member_check_address(NULL, &err), -1);
}

/* --- taking out ------------------------------------------------------------------------------- */

static void what_cannot_be_removed_is_told(void **state)
{
	struct removal r = { 0 };
	struct err err = { 0 };

	guest_admit(&world, "holder", "127.0.0.1:6");
	world_put(&world, ENT_INSTANCE, "c1", json_pack("{s:s}", "member", "holder"));
	assert_int_equal(cluster_remove(world.cluster, "holder", false, &r, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "\"holder\" still has 1 instances"));
	assert_int_equal(cluster_remove(world.cluster, "stranger", false, &r, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* By force its instances are forgotten, their addresses are free again, and whatever it could know
 * is worth nothing: its certificate, the tokens and the cluster's key. */
static void a_removal_takes_all_trust(void **state)
{
	_free_ char *before = xstrdup(cluster_fingerprint(world.cluster));
	_json_ json_t *member = world_doc(&world, ENT_MEMBER, "holder"), *lease = NULL;
	const char *fingerprint = json_str(member, "fingerprint", "");
	_json_ json_t *token = NULL;
	struct removal r = { 0 };
	char name[NAME_SIZE];
	struct err err = { 0 };

	world_put(&world, ENT_ADDRESS, "net/10.0.0.9",
		  json_pack("{s:s,s:s,s:s,s:s}", "network", "net", "ip", "10.0.0.9", "instance",
			    "c1", "hwaddr", "00:16:3e:00:00:01"));
	token = cluster_token_new(world.cluster, "next", 3600, NULL, &err);
	assert_true(cluster_is_member_cert(world.cluster, fingerprint, name));
	if (cluster_remove(world.cluster, "holder", true, &r, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(r.tokens >= 1);
	assert_true(str_is_hex(r.fingerprint, SHA256_HEX_SIZE - 1));
	assert_string_not_equal(r.fingerprint, before);
	assert_string_equal(cluster_fingerprint(world.cluster), r.fingerprint);
	assert_false(cluster_is_member_cert(world.cluster, fingerprint, name));
	assert_int_equal(store_count(world.store, ENT_INSTANCE, NULL), 0);
	assert_int_equal(store_count(world.store, ENT_TOKEN, NULL), 0);
	lease = world_doc(&world, ENT_ADDRESS, "net/10.0.0.9");
	assert_true(json_bool(lease, "freed", false));
	assert_null(json_str(lease, "instance", NULL));
	assert_string_equal(json_str(lease, "ip", ""), "10.0.0.9");
	assert_int_equal(cluster_remove(world.cluster, "holder", true, &r, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* A member that asks gets the new pair; what fits it is not told to others by this. */
static void the_new_pair_is_served(void **state)
{
	struct err err = { 0 };
	_json_ json_t *j = cluster_serve_certificate(world.cluster, &err);
	char shown[SHA256_HEX_SIZE];

	assert_non_null(j);
	assert_int_equal(x509_fingerprint(json_str(j, "certificate", ""), shown, &err), 0);
	assert_string_equal(shown, cluster_fingerprint(world.cluster));
	assert_true(str_starts(json_str(j, "key", ""), "-----BEGIN"));
	assert_int_equal(cluster_settle_certificate(world.cluster, &err), 0);
}

static void the_last_one_stays(void **state)
{
	static const char *const others[] = { "n2", "n3" };
	struct removal r = { 0 };
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(cluster_remove(world.cluster, others[i], false, &r, &err), 0);
	assert_int_equal(store_count(world.store, ENT_MEMBER, NULL), 1);
	assert_int_equal(cluster_remove(world.cluster, FIRST, true, &r, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "is the last one and cannot be removed"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_newcomer_is_admitted_once),
		cmocka_unit_test(bad_requests_are_refused_and_use_nothing_up),
		cmocka_unit_test(the_connection_shows_the_certificate),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(what_cannot_be_removed_is_told),
		cmocka_unit_test(a_removal_takes_all_trust),
		cmocka_unit_test(the_new_pair_is_served),
		cmocka_unit_test(the_last_one_stays),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
