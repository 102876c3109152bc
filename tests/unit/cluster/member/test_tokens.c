/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/digest.h"
#include "cluster/member/token.h"
#include "cluster/member/tokens.h"
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

/* --- rows ------------------------------------------------------------------------------------- */

static void a_row_keeps_no_secret(void **state)
{
	char id[UUID_SIZE], secret[TOKEN_SECRET_SIZE];
	_json_ json_t *doc = token_row_new("join", "n2", 60, id, secret);
	_free_ char *text = json_text(doc);

	assert_true(str_is_uuid(id));
	assert_true(str_is_hex(secret, TOKEN_SECRET_SIZE - 1));
	assert_null(strstr(text, secret));
	assert_string_equal(json_str(doc, "id", ""), id);
	assert_string_equal(json_str(doc, "kind", ""), "join");
	assert_string_equal(json_str(doc, "name", ""), "n2");
	assert_in_range(clock_parse(json_str(doc, "expires_at", "")), clock_wall() + 50,
			clock_wall() + 60);
}

static void only_its_secret_fits(void **state)
{
	char id[UUID_SIZE], secret[TOKEN_SECRET_SIZE], other[TOKEN_SECRET_SIZE];
	_json_ json_t *doc = token_row_new("join", "n2", 60, id, secret);
	_json_ json_t *next = token_row_new("join", "n2", 60, id, other);
	_json_ json_t *nothing = json_object();

	assert_true(token_row_fits(doc, secret));
	assert_true(token_row_fits(next, other));
	assert_false(token_row_fits(doc, other));
	assert_false(token_row_fits(doc, ""));
	assert_false(token_row_fits(doc, NULL));
	assert_false(token_row_fits(doc, json_str(doc, "secret_sha256", "")));
	assert_false(token_row_fits(nothing, secret));
	assert_false(token_row_fits(nothing, ""));
}

static void rows_expire(void **state)
{
	static const struct {
		const char *expires_at;
		bool expired;
	} cases[] = {
		{ "2999-01-01T00:00:00Z", false },
		{ "2001-01-01T00:00:00Z", true },
		{ "", true },
		{ "never", true },
	};
	_json_ json_t *nothing = json_object();
	char id[UUID_SIZE], secret[TOKEN_SECRET_SIZE];
	_json_ json_t *over = token_row_new("join", "n2", 0, id, secret);
	_json_ json_t *long_over = token_row_new("join", "n2", -5, id, secret);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = json_pack("{s:s}", "expires_at", cases[i].expires_at);

		assert_int_equal(token_row_expired(doc), cases[i].expired);
	}
	assert_true(token_row_expired(nothing));
	assert_true(token_row_expired(over));
	assert_true(token_row_expired(long_over));
}

/* --- as people carry it ----------------------------------------------------------------------- */

static int decode(const char *json, struct join_token *ret, struct err *err)
{
	_free_ char *text = base64_encode(json, strlen(json));

	return token_decode(text, ret, err);
}

#define F "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OF(name, fp, secret, addresses, expires)                                        \
	"{\"server_name\":\"" name "\",\"fingerprint\":\"" fp "\",\"secret\":\"" secret \
	"\",\"addresses\":" addresses ",\"expires_at\":\"" expires "\"}"
#define SOON "2999-01-01T00:00:00Z"

static void a_token_is_read(void **state)
{
	struct join_token t;
	struct err err = { 0 };

	assert_int_equal(decode(OF("n2", F, "s3cret", "[\"10.0.0.1:8443\",7,\"[::1]:1\"]", SOON),
				&t, &err),
			 0);
	assert_string_equal(t.name, "n2");
	assert_string_equal(t.fingerprint, F);
	assert_string_equal(t.secret, "s3cret");
	assert_int_equal(t.n, 2);
	assert_string_equal(t.addresses[0], "10.0.0.1:8443");
	assert_string_equal(t.addresses[1], "[::1]:1");
}

static void many_addresses_are_cut(void **state)
{
	_sbuf_ struct sbuf b = SBUF(10000);
	struct join_token t;
	struct err err = { 0 };

	sbuf_puts(&b, "{\"server_name\":\"n2\",\"fingerprint\":\"" F "\",\"secret\":\"s\","
		      "\"expires_at\":\"" SOON "\",\"addresses\":[\"10.0.0.1:1\"");
	for (int i = 0; i < 50; i++)
		sbuf_puts(&b, ",\"10.0.0.2:1\"");
	sbuf_puts(&b, "]}");
	assert_int_equal(decode(b.data, &t, &err), 0);
	assert_int_equal(t.n, JOIN_ADDRESSES_MAX);
}

static void bad_tokens_are_told_from_old_ones(void **state)
{
	static const struct {
		const char *json;
		enum err_kind kind;
	} cases[] = {
		{ OF("n2", F, "s", "[\"a:1\"]", "2001-01-01T00:00:00Z"), ERR_FORBIDDEN },
		{ OF("n2", F, "s", "[\"a:1\"]", ""), ERR_FORBIDDEN },
		{ OF("", F, "s", "[\"a:1\"]", SOON), ERR_INVALID },
		{ OF("n2", "", "s", "[\"a:1\"]", SOON), ERR_INVALID },
		{ OF("n2", "0123", "s", "[\"a:1\"]", SOON), ERR_INVALID },
		{ OF("n2", F "0", "s", "[\"a:1\"]", SOON), ERR_INVALID },
		{ OF("n2", F, "", "[\"a:1\"]", SOON), ERR_INVALID },
		{ OF("n2", F, "s", "[]", SOON), ERR_INVALID },
		{ OF("n2", F, "s", "[7]", SOON), ERR_INVALID },
		{ OF("n2", F, "s", "\"a:1\"", SOON), ERR_INVALID },
		{ "[]", ERR_INVALID },
		{ "{}", ERR_INVALID },
		{ "nonsense", ERR_INVALID },
		{ "", ERR_INVALID },
	};
	struct join_token t;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		err = (struct err){ 0 };
		assert_int_equal(decode(cases[i].json, &t, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_non_null(strstr(err.msg, "make another with `cluster add`"));
	}
	assert_int_equal(token_decode("not base64!", &t, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

/* --- making one ------------------------------------------------------------------------------- */

static json_t *make(const char *name, int64_t life_s)
{
	struct err err = { 0 };
	json_t *j = cluster_token_new(world.cluster, name, life_s, NULL, &err);

	if (!j)
		fail_msg("%s", err.msg);
	return j;
}

static void what_is_made_is_committed(void **state)
{
	struct row row = { 0 };
	struct err err = { 0 };
	_json_ json_t *j = cluster_token_new(world.cluster, "n2", 60, &row, &err), *doc = NULL;

	assert_non_null(j);
	doc = world_doc(&world, ENT_TOKEN, json_str(j, "id", ""));
	assert_non_null(doc);
	assert_string_equal(row.key, json_str(j, "id", ""));
	assert_true(token_row_fits(doc, json_str(j, "secret", "")));
	assert_true(token_row_fits(row.doc, json_str(j, "secret", "")));
	assert_string_equal(json_str(j, "fingerprint", ""), cluster_fingerprint(world.cluster));
	assert_string_equal(json_string_value(json_array_get(json_arr(j, "addresses"), 0)),
			    FIRST_ADDRESS);
	assert_string_equal(json_str(j, "expiresAt", "x"), json_str(doc, "expires_at", "y"));
	row_free(&row);
}

static void a_newer_one_replaces_the_older(void **state)
{
	_json_ json_t *a = make("n3", 60), *other = make("n4", 60), *b = make("n3", 60);
	_json_ json_t *a_doc = world_doc(&world, ENT_TOKEN, json_str(a, "id", ""));
	_json_ json_t *other_doc = world_doc(&world, ENT_TOKEN, json_str(other, "id", ""));
	_json_ json_t *b_doc = world_doc(&world, ENT_TOKEN, json_str(b, "id", ""));

	assert_null(a_doc);
	assert_non_null(other_doc);
	assert_non_null(b_doc);
}

static void expired_ones_go_with_the_next(void **state)
{
	_json_ json_t *old = make("n5", 0), *next = make("n6", 60);
	_json_ json_t *doc = world_doc(&world, ENT_TOKEN, json_str(old, "id", ""));

	assert_non_null(next);
	assert_null(doc);
}

static void names_are_checked(void **state)
{
	static const struct {
		const char *name;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ FIRST, ERR_CONFLICT, "The cluster already has a member with name: " FIRST },
		{ "none", ERR_INVALID, "member name \"none\"" },
		{ "", ERR_INVALID, "member name \"\"" },
		{ "a_b", ERR_INVALID, "letters, digits and hyphens" },
		{ "../x", ERR_INVALID, "letters, digits and hyphens" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		assert_null(cluster_token_new(world.cluster, cases[i].name, 60, NULL, &err));
		assert_int_equal(err.kind, cases[i].kind);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s", err.msg);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_keeps_no_secret),
		cmocka_unit_test(only_its_secret_fits),
		cmocka_unit_test(rows_expire),
		cmocka_unit_test(a_token_is_read),
		cmocka_unit_test(many_addresses_are_cut),
		cmocka_unit_test(bad_tokens_are_told_from_old_ones),
		cmocka_unit_test(what_is_made_is_committed),
		cmocka_unit_test(a_newer_one_replaces_the_older),
		cmocka_unit_test(expired_ones_go_with_the_next),
		cmocka_unit_test(names_are_checked),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
