/* SPDX-License-Identifier: Apache-2.0 */
/* What a member says to others and believes of them: proofs, pins, and answers to their calls. */
#include <string.h>

#include "base/digest.h"
#include "cluster/self/discover.h"
#include "cluster/store/tx.h"
#include "tests/unit/cluster/member/guest.h"

static struct store_world world;

static int open_world(void **state)
{
	world_enable(&world);
	guest_admit(&world, "n2", "127.0.0.1:2");
	return 0;
}

static int close_world(void **state)
{
	world_close(&world);
	return 0;
}

/* --- vouching --------------------------------------------------------------------------------- */

static void a_proof_is_for_one_caller_and_one_way(void **state)
{
	const char *self = world.cluster->creds.server_fp;
	char proof[VOUCH_SIZE], other[VOUCH_SIZE];

	/* towards ourselves, so that this member can look at it */
	cluster_vouch(world.cluster, self, "caller", proof);
	assert_true(str_is_hex(proof, SHA256_HEX_SIZE - 1));
	assert_true(cluster_is_vouched(world.cluster, self, "caller", proof));
	assert_false(cluster_is_vouched(world.cluster, self, "caller2", proof));
	assert_false(cluster_is_vouched(world.cluster, self, "", proof));
	assert_false(cluster_is_vouched(world.cluster, "f2", "caller", proof));
	cluster_vouch(world.cluster, "f2", "caller", other);
	assert_string_not_equal(proof, other);
	assert_false(cluster_is_vouched(world.cluster, self, "caller", other));
}

static void rubbish_proves_nothing(void **state)
{
	const char *self = world.cluster->creds.server_fp;
	static const char *const rubbish[] = { "", ",", ",,", "x", "0123456789abcdef" };
	char proof[VOUCH_SIZE];
	_free_ char *three = NULL, *cut = NULL;

	cluster_vouch(world.cluster, self, "caller", proof);
	for (size_t i = 0; i < ARRAY_SIZE(rubbish); i++)
		assert_false(cluster_is_vouched(world.cluster, self, "caller", rubbish[i]));
	cut = xstrndup(proof, SHA256_HEX_SIZE - 2);
	assert_false(cluster_is_vouched(world.cluster, self, "caller", cut));
	three = xasprintf("x,y,%s", proof);
	assert_false(cluster_is_vouched(world.cluster, self, "caller", three));
}

/* While the cluster's key is exchanged, two that have different ones understand each other. */
static void a_proof_holds_over_an_exchange(void **state)
{
	const char *self = world.cluster->creds.server_fp;
	char before[VOUCH_SIZE], after[VOUCH_SIZE], last[VOUCH_SIZE];
	struct removal r = { 0 };
	struct err err = { 0 };

	cluster_vouch(world.cluster, self, "caller", before);
	guest_admit(&world, "n3", "127.0.0.1:3");
	assert_int_equal(cluster_remove(world.cluster, "n3", true, &r, &err), 0);
	assert_string_equal(cluster_fingerprint(world.cluster), r.fingerprint);
	assert_true(cluster_is_vouched(world.cluster, self, "caller", before));
	cluster_vouch(world.cluster, self, "caller", after);
	assert_non_null(strchr(after, ','));
	assert_true(cluster_is_vouched(world.cluster, self, "caller", after));
	/* after another one the first key is no member's any more */
	guest_admit(&world, "n4", "127.0.0.1:4");
	assert_int_equal(cluster_remove(world.cluster, "n4", true, &r, &err), 0);
	assert_false(cluster_is_vouched(world.cluster, self, "caller", before));
	assert_true(cluster_is_vouched(world.cluster, self, "caller", after));
	cluster_vouch(world.cluster, self, "caller", last);
	assert_true(cluster_is_vouched(world.cluster, self, "caller", last));
}

/* --- pins ------------------------------------------------------------------------------------- */

static void members_are_expected_with_their_certificates(void **state)
{
	_json_ json_t *doc = world_doc(&world, ENT_MEMBER, "n2");
	char pin[SHA256_HEX_SIZE];
	struct err err = { 0 };

	assert_int_equal(cluster_pin(world.cluster, "127.0.0.1:2", pin, &err), 0);
	assert_string_equal(pin, json_str(doc, "fingerprint", ""));
	assert_int_equal(cluster_pin(world.cluster, FIRST_ADDRESS, pin, &err), 0);
	assert_string_equal(pin, world.cluster->creds.server_fp);
	assert_int_equal(cluster_pin(world.cluster, "127.0.0.1:99", pin, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "127.0.0.1:99"));
	assert_string_equal(pin, "");
}

static void who_cannot_be_reached_is_named(void **state)
{
	struct err err = { 0 };

	assert_null(cluster_call(world.cluster, "127.0.0.1:2", "GET", "/internal/leader", NULL,
				 deadline_in(2000), &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "127.0.0.1:2"));
	assert_null(cluster_call(world.cluster, "127.0.0.1:99", "GET", "/", NULL, deadline_in(2000),
				 &err));
	assert_non_null(strstr(err.msg, "127.0.0.1:99"));
	assert_null(cluster_connect(world.cluster, "127.0.0.1:2", "/", "dqlite", deadline_in(2000),
				    &err));
	assert_int_equal(cluster_download(world.cluster, "127.0.0.1:2", "/", -1, deadline_in(2000),
					  &err),
			 -1);
	/* refused by one that does not answer: nothing is concluded */
	discover_refused(world.cluster, "127.0.0.1:2");
	assert_false(cluster_is_removed(world.cluster));
}

/* --- served to others ------------------------------------------------------------------------- */

#define ID "0123456789abcdef0123456789abcdef"

static json_t *body_of(const char *text)
{
	struct err err = { 0 };
	json_t *j = json_parse(text, strlen(text), "body", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static void transactions_of_others_are_committed(void **state)
{
	_json_ json_t *body = body_of("{\"txs\":[{\"id\":\"" ID
				      "\",\"changes\":[[\"put\",\"profiles\",\"a\",0,\"{}\"]]},"
				      "{\"id\":\"1123456789abcdef0123456789abcdef\",\"changes\":"
				      "[[\"put\",\"profiles\",\"a\",0,\"{}\"]]}]}");
	_json_ json_t *answer = NULL, *again = NULL, *first = NULL;
	struct err err = { 0 };
	json_t *results;

	json_put_int(json_array_get(json_arr(body, "txs"), 0), "base", store_revision(world.store));
	json_put_int(json_array_get(json_arr(body, "txs"), 1), "base", store_revision(world.store));
	answer = cluster_serve_tx(world.cluster, body, &err);
	if (!answer)
		fail_msg("%s", err.msg);
	results = json_arr(answer, "results");
	assert_int_equal(json_array_size(results), 2);
	assert_true(json_int(json_array_get(results, 0), "revision", 0) > 0);
	assert_string_equal(json_str(json_array_get(results, 1), "kind", ""), "ERR_CONFLICT");
	assert_string_equal(json_str(json_array_get(results, 1), "error", ""),
			    "profile \"a\" already exists");
	/* an attempt that comes twice is answered with what became of the first */
	again = cluster_serve_tx(world.cluster, body, &err);
	assert_int_equal(json_int(json_array_get(json_arr(again, "results"), 0), "revision", -1),
			 json_int(json_array_get(results, 0), "revision", -2));
	first = body_of("{\"id\":\"" ID "\"}");
	json_put_int(first, "base", store_revision(world.store));
	json_decref(again);
	again = cluster_serve_outcome(world.cluster, first, &err);
	assert_true(json_bool(again, "committed", false));
}

static void an_outcome_burns_what_never_came(void **state)
{
	static const char id[] = "abcdef0123456789abcdef0123456789";
	int64_t base = store_revision(world.store);
	_json_ json_t *body = json_pack("{s:s,s:I}", "id", id, "base", (json_int_t)base);
	_json_ json_t *late = json_pack("{s:[{s:s,s:I,s:[[s,s,s,i,s]]}]}", "txs", "id", id, "base",
					(json_int_t)base, "changes", "put", "profiles", "burnt", 0,
					"{}");
	_json_ json_t *answer = NULL, *refused = NULL;
	struct err err = { 0 };

	assert_non_null(late);
	answer = cluster_serve_outcome(world.cluster, body, &err);
	assert_non_null(answer);
	assert_false(json_bool(answer, "committed", true));
	/* and never will be: it arrives late */
	refused = cluster_serve_tx(world.cluster, late, &err);
	assert_string_equal(json_str(json_array_get(json_arr(refused, "results"), 0), "kind", ""),
			    "ERR_CANCELLED");
	assert_int_equal(store_count(world.store, ENT_PROFILE, NULL), 1);
}

static void rows_are_read_for_others(void **state)
{
	_json_ json_t *body = body_of("{\"table\":\"profiles\",\"key\":\"a\"}");
	_json_ json_t *none = body_of("{\"table\":\"profiles\",\"key\":\"b\",\"commit\":false}");
	int64_t before = store_revision(world.store);
	_json_ json_t *answer = NULL, *nothing = NULL;
	struct err err = { 0 };

	answer = cluster_serve_row(world.cluster, body, &err);
	assert_string_equal(json_str(answer, "doc", ""), "{}");
	/* a commit proves that this member leads */
	assert_true(json_int(answer, "revision", 0) > before);
	before = store_revision(world.store);
	nothing = cluster_serve_row(world.cluster, none, &err);
	assert_non_null(nothing);
	assert_null(json_str(nothing, "doc", NULL));
	assert_int_equal(json_int(nothing, "rev", -1), 0);
	assert_int_equal(store_revision(world.store), before);
}

static void malformed_calls_are_refused(void **state)
{
	typedef json_t *serve(struct cluster * c, const json_t *body, struct err *err);
	static const struct {
		serve *serve;
		const char *body;
		enum err_kind kind;
	} cases[] = {
		{ cluster_serve_tx, "{\"txs\":[{}]}", ERR_INVALID },
		{ cluster_serve_tx, "{\"txs\":[{\"id\":\"" ID "\",\"changes\":[[]]}]}",
		  ERR_INVALID },
		{ cluster_serve_outcome, "{}", ERR_INVALID },
		{ cluster_serve_outcome, "{\"id\":\"x\"}", ERR_INVALID },
		{ cluster_serve_row, "{}", ERR_INVALID },
		{ cluster_serve_row, "{\"table\":\"sqlite_master\",\"key\":\"a\"}", ERR_INVALID },
		{ cluster_serve_row, "{\"table\":\"profiles\"}", ERR_INVALID },
		{ cluster_serve_raft, "{}", ERR_INVALID },
		{ cluster_serve_raft, "{\"action\":\"start\"}", ERR_INVALID },
		{ cluster_serve_raft, "{\"action\":\"start\",\"id\":\"1\"}", ERR_INVALID },
		{ cluster_serve_raft, "{\"action\":\"start\",\"id\":\"-2\"}", ERR_INVALID },
		{ cluster_serve_raft, "{\"action\":\"dance\",\"id\":\"7\"}", ERR_INVALID },
		{ cluster_serve_raft, "{\"action\":\"start\",\"id\":\"18446744073709551615\"}",
		  ERR_INVALID },
		/* the leader's own node is nobody's to start or stop */
		{ cluster_serve_raft, "{\"action\":\"stop\",\"id\":\"0\"}", ERR_CONFLICT },
		{ cluster_serve_raft, "{\"action\":\"start\",\"id\":\"7\"}", ERR_CONFLICT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = body_of(cases[i].body);
		struct err err = { 0 };

		assert_null(cases[i].serve(world.cluster, body, &err));
		if (err.kind != cases[i].kind)
			fail_msg("%s: %s", cases[i].body, err.msg);
	}
	assert_true(cluster_is_leader(world.cluster));
}

static void others_learn_who_leads_and_who_is_a_member(void **state)
{
	_json_ json_t *doc = world_doc(&world, ENT_MEMBER, "n2");
	struct err err = { 0 };
	_json_ json_t *leader = cluster_serve_leader(world.cluster, &err);
	_json_ json_t *member =
		cluster_serve_membership(world.cluster, json_str(doc, "fingerprint", ""));
	_json_ json_t *stranger = cluster_serve_membership(world.cluster, "f9");
	_json_ json_t *nobody = cluster_serve_membership(world.cluster, "");

	assert_string_equal(json_str(leader, "name", ""), FIRST);
	assert_string_equal(json_str(leader, "address", ""), FIRST_ADDRESS);
	assert_string_equal(json_str(leader, "fingerprint", ""), world.cluster->creds.server_fp);
	assert_true(json_bool(member, "member", false));
	assert_int_equal(json_int(member, "revision", 0), store_revision(world.store));
	assert_false(json_bool(stranger, "member", true));
	assert_false(json_bool(nobody, "member", true));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proof_is_for_one_caller_and_one_way),
		cmocka_unit_test(rubbish_proves_nothing),
		cmocka_unit_test(a_proof_holds_over_an_exchange),
		cmocka_unit_test(members_are_expected_with_their_certificates),
		cmocka_unit_test(who_cannot_be_reached_is_named),
		cmocka_unit_test(transactions_of_others_are_committed),
		cmocka_unit_test(an_outcome_burns_what_never_came),
		cmocka_unit_test(rows_are_read_for_others),
		cmocka_unit_test(malformed_calls_are_refused),
		cmocka_unit_test(others_learn_who_leads_and_who_is_a_member),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
