/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer, or none, says of a transaction: to take one that was committed for one that was
 * not makes clients do it twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/store/verdict.h"

/* By the server, before it looked at what was sent. */
static bool turned_away(enum err_kind kind)
{
	static const enum err_kind kinds[] = { ERR_INVALID,   ERR_FORBIDDEN, ERR_NOT_FOUND,
					       ERR_METHOD,    ERR_TOO_LARGE, ERR_LIMIT,
					       ERR_UNAVAILABLE };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i] == kind)
			return true;
	}
	return false;
}

static void a_call_that_failed(void **state)
{
	for (int k = ERR_NONE + 1; k < ERR_MAX; k++) {
		enum err_kind kind = (enum err_kind)k;

		assert_int_equal(verdict_of_call(CALL_UNSENT, kind), ERR_UNAVAILABLE);
		assert_int_equal(verdict_of_call(CALL_SENT, kind), ERR_UNKNOWN);
		/* what cannot be read may say that it was done */
		assert_int_equal(verdict_of_call(CALL_ANSWERED, kind), ERR_UNKNOWN);
		assert_int_equal(verdict_of_call(CALL_REFUSED, kind),
				 turned_away(kind) ? kind : ERR_UNKNOWN);
	}
}

static void one_result(void **state)
{
	static const struct {
		const char *result;
		int64_t rev;
		enum err_kind kind;
		const char *message;
	} cases[] = {
		{ "{\"revision\":7}", 7, ERR_NONE, "" },
		{ "{\"kind\":\"ERR_CONFLICT\",\"error\":\"it changed\"}", 0, ERR_CONFLICT,
		  "it changed" },
		{ "{\"kind\":\"ERR_PRECONDITION\",\"error\":\"no\"}", 0, ERR_PRECONDITION, "no" },
		{ "{\"kind\":\"ERR_UNKNOWN\"}", 0, ERR_UNKNOWN, "" },
		/* of a later version, or rubbish: not known, rather than refused */
		{ "{\"kind\":\"ERR_LATER\",\"error\":\"no\"}", 0, ERR_UNKNOWN,
		  "the leader's answer is malformed" },
		{ "{}", 0, ERR_UNKNOWN, "the leader's answer is malformed" },
		{ "{\"revision\":0}", 0, ERR_UNKNOWN, "the leader's answer is malformed" },
		{ "{\"revision\":-1}", 0, ERR_UNKNOWN, "the leader's answer is malformed" },
		{ "{\"revision\":\"7\"}", 0, ERR_UNKNOWN, "the leader's answer is malformed" },
		{ "[]", 0, ERR_UNKNOWN, "the leader's answer is malformed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *result = json_loads(cases[i].result, 0, NULL);
		struct err err = { 0 };
		int64_t rev = 0;
		int rc = verdict_of_result(result, &rev, &err);

		assert_int_equal(rc, cases[i].kind ? -1 : 0);
		assert_int_equal(rev, cases[i].rev);
		assert_int_equal(err.kind, cases[i].kind);
		assert_string_equal(err.msg, cases[i].message);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_failed),
		cmocka_unit_test(one_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
