/* SPDX-License-Identifier: Apache-2.0 */
/* What a newcomer makes of what the members say. */
#include <string.h>

#include "base/digest.h"
#include "cluster/member/join.h"
#include "tests/unit/cluster/member/guest.h"

static void an_error_says_whether_to_ask_again(void **state)
{
	static const enum err_kind busy[] = { ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_UNKNOWN, ERR_LIMIT,
					      ERR_BUSY };
	static const enum err_kind over[] = { ERR_INVALID,  ERR_CONFLICT,    ERR_NOT_FOUND,
					      ERR_INTERNAL, ERR_UNSUPPORTED, ERR_METHOD };

	for (size_t i = 0; i < ARRAY_SIZE(busy); i++)
		assert_int_equal(join_round_of(busy[i]), ROUND_BUSY);
	for (size_t i = 0; i < ARRAY_SIZE(over); i++)
		assert_int_equal(join_round_of(over[i]), ROUND_OVER);
	/* by one that may not have heard of the token yet */
	assert_int_equal(join_round_of(ERR_FORBIDDEN), ROUND_REFUSED);
	/* the next one is asked after these, and not after those */
	assert_true(ROUND_UNREACHED < ROUND_BUSY && ROUND_BUSY < ROUND_REFUSED);
}

static void an_answer_fits_the_token(void **state)
{
	_free_ char *cert = NULL, *key = NULL, *other = NULL, *other_key = NULL;
	struct join_token token = { .name = "n2" };
	struct err err = { 0 };

	assert_int_equal(x509_make("cluster", &cert, &key, &err), 0);
	assert_int_equal(x509_make("cluster", &other, &other_key, &err), 0);
	assert_int_equal(x509_fingerprint(cert, token.fingerprint, &err), 0);
	{
		struct {
			json_t *own_answer;
			bool fits;
		} cases[] = {
			{ json_pack("{s:s,s:s,s:[]}", "cluster_certificate", cert, "cluster_key",
				    key, "members"),
			  true },
			/* of a cluster of the same name */
			{ json_pack("{s:s,s:s,s:[]}", "cluster_certificate", other, "cluster_key",
				    other_key, "members"),
			  false },
			{ json_pack("{s:s,s:[]}", "cluster_certificate", cert, "members"), false },
			{ json_pack("{s:s,s:s}", "cluster_certificate", cert, "cluster_key", key),
			  false },
			{ json_pack("{s:s,s:[]}", "cluster_key", key, "members"), false },
			{ json_pack("{s:s,s:s,s:[]}", "cluster_certificate", "rubbish",
				    "cluster_key", key, "members"),
			  false },
			{ json_object(), false },
		};

		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			_json_ json_t *answer = cases[i].own_answer;

			err.kind = ERR_NONE;
			if ((join_check_answer(answer, &token, &err) == 0) != cases[i].fits)
				fail_msg("case %zu: %s", i, err.msg);
			assert_int_equal(err.kind, cases[i].fits ? ERR_NONE : ERR_INVALID);
			if (!cases[i].fits)
				assert_non_null(strstr(err.msg, "does not fit the token"));
		}
	}
}

/* Before anybody is asked. */
static void who_may_not_join(void **state)
{
	struct store_world w;
	struct err err = { 0 };
	_json_ json_t *token = NULL;
	_free_ char *text = NULL, *shown = NULL;
	_json_ json_t *carried = NULL;

	world_enable(&w);
	token = cluster_token_new(w.cluster, "n2", 3600, NULL, &err);
	assert_non_null(token);
	carried = json_pack("{s:s,s:s,s:O,s:s,s:s}", "server_name", "n2", "fingerprint",
			    json_str(token, "fingerprint", ""), "addresses",
			    json_arr(token, "addresses"), "secret", json_str(token, "secret", ""),
			    "expires_at", json_str(token, "expiresAt", ""));
	shown = json_text(carried);
	text = base64_encode(shown, strlen(shown));
	assert_int_equal(cluster_join(w.cluster, "n2", "127.0.0.1:2", "rubbish", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(cluster_join(w.cluster, "a b", "127.0.0.1:2", text, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(cluster_join(w.cluster, "n2", "nowhere", text, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(cluster_join(w.cluster, "n2", "127.0.0.1:2", text, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "already clustered"));
	world_close(&w);

	world_open(&w);
	world_start(&w);
	world_put(&w, ENT_INSTANCE, "c1", json_pack("{s:s}", "member", "none"));
	assert_int_equal(cluster_join(w.cluster, "n2", "127.0.0.1:2", text, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "has 1 instances: joining replaces its database"));
	world_close(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_says_whether_to_ask_again),
		cmocka_unit_test(an_answer_fits_the_token),
		cmocka_unit_test(who_may_not_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
