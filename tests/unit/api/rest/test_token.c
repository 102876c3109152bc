/* SPDX-License-Identifier: Apache-2.0 */
/* Trust tokens, from their making to their use: each is good once, and for its time. */
#include "tests/unit/api/api_world.h"

#include "api/rest/token.h"
#include "base/digest.h"
#include "cluster/member/tokens.h"

static char *use(struct api_world *t, const char *text, struct err *err)
{
	_tx_ struct tx *tx = tx_new();
	char *name = trust_token_use(&t->env, text, tx, err);

	if (name)
		assert_int_equal(store_commit(t->w.store, tx, 0, NULL, err), 0);
	return name;
}

/* A token of so many seconds, as its bare secret. */
static void put_token(struct api_world *t, const char *kind, int64_t life_s,
		      char secret[TOKEN_SECRET_SIZE])
{
	char id[UUID_SIZE];

	json_t *doc = token_row_new(kind, "laptop", life_s, id, secret);

	world_put(&t->w, ENT_TOKEN, id, doc);
}

static size_t tokens(struct api_world *t)
{
	return (size_t)store_count(t->w.store, ENT_TOKEN, NULL);
}

static void is_used_once(void **state)
{
	struct api_world *t = *state;
	char secret[TOKEN_SECRET_SIZE];
	_free_ char *name = NULL;
	struct err err = { 0 };

	put_token(t, "trust", 600, secret);
	name = use(t, secret, &err);
	if (!name)
		fail_msg("%s", err.msg);
	assert_string_equal(name, "laptop");
	assert_int_equal(tokens(t), 0);
	assert_null(use(t, secret, &err));
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	assert_non_null(strstr(err.msg, "was used or revoked"));
}

/* What clients send is base64 of JSON, as "trust add" printed it. */
static void is_used_as_it_was_printed(void **state)
{
	struct api_world *t = *state;
	char secret[TOKEN_SECRET_SIZE];
	_free_ char *json = NULL, *text = NULL, *name = NULL;
	struct err err = { 0 };

	put_token(t, "trust", 600, secret);
	json = xasprintf("{\"client_name\":\"laptop\",\"secret\":\"%s\"}", secret);
	text = base64_encode(json, strlen(json));
	name = use(t, text, &err);
	assert_non_null(name);
}

static void what_opens_nothing(void **state)
{
	struct api_world *t = *state;
	char join[TOKEN_SECRET_SIZE], old[TOKEN_SECRET_SIZE], good[TOKEN_SECRET_SIZE];
	_free_ char *empty = base64_encode("{}", 2), *list = base64_encode("[]", 2);
	_free_ char *longest = xcalloc(1, 8192);
	struct err err = { 0 };

	put_token(t, "join", 600, join);
	put_token(t, "trust", -1, old);
	put_token(t, "trust", 600, good);
	memset(longest, 'a', 8191);
	{
		const char *const bad[] = { "", "x", join, empty, list, longest, "e30" };

		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			err = (struct err){ 0 };
			assert_null(use(t, bad[i], &err));
			assert_int_equal(err.kind, ERR_FORBIDDEN);
		}
	}
	assert_null(use(t, old, &err));
	assert_non_null(strstr(err.msg, "the trust token for \"laptop\" expired at"));
	good[0] = good[0] == 'a' ? 'b' : 'a';
	assert_null(use(t, good, &err));
	assert_int_equal(tokens(t), 3);
}

static void what_cannot_be_made(void **state)
{
	static const struct {
		const char *name, *words;
	} cases[] = {
		{ "", "needs the client's name" },
		{ "a/b", "needs the client's name" },
		/* nobody could use it */
		{ "laptop", "set core.https_address first" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = json_pack("{s:s}", "name", cases[i].name);
		struct err err = { 0 };

		assert_null(trust_token_new(&t->env, body, &err));
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].words))
			fail_msg("%s: %s", cases[i].name, err.msg);
	}
	assert_int_equal(tokens(t), 0);
}

/* It says where it is good, and takes those with it whose time has passed. */
static void is_made(void **state)
{
	struct api_world *t = *state;
	_free_ char *address = xasprintf("127.0.0.1:%d", api_free_port()), *name = NULL;
	_free_ char *config = xasprintf("{\"config\":{\"core.https_address\":\"%s\"}}", address);
	_json_ json_t *body = json_pack("{s:s}", "name", "laptop"), *op = NULL;
	char old[TOKEN_SECRET_SIZE];
	const json_t *told;
	struct err err = { 0 };

	api_expect(t, "PATCH /1.0", config, 200);
	put_token(t, "trust", -1, old);
	op = trust_token_new(&t->env, body, &err);
	if (!op)
		fail_msg("%s", err.msg);
	told = json_obj(op, "metadata");
	assert_string_equal(json_string_value(json_array_get(json_arr(told, "addresses"), 0)),
			    address);
	assert_string_equal(json_str(told, "fingerprint", ""), cluster_fingerprint(t->w.cluster));
	assert_int_equal(tokens(t), 1);
	name = use(t, json_str(told, "secret", ""), &err);
	assert_string_equal(name, "laptop");
}

static void a_life_is_configured(void **state)
{
	struct api_world *t = *state;
	int64_t before = token_life_s(&t->env, "core.remote_token_expiry");

	assert_true(before >= 0);
	api_expect(t, "PATCH /1.0", "{\"config\":{\"core.remote_token_expiry\":\"2H\"}}", 200);
	assert_int_equal(token_life_s(&t->env, "core.remote_token_expiry"), 7200);
	assert_int_not_equal(before, 7200);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_world_open, api_world_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(is_used_once),
		T(is_used_as_it_was_printed),
		T(what_opens_nothing),
		T(what_cannot_be_made),
		T(is_made),
		T(a_life_is_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
