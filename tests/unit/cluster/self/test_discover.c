/* SPDX-License-Identifier: Apache-2.0 */
/* What proves to a member that it is none any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/self/discover.h"

static void only_who_knows_as_much_can_tell(void **state)
{
	static const struct {
		const char *answer;
		int64_t seen, joined;
		bool proves;
	} cases[] = {
		{ "{\"member\":false,\"revision\":10}", 10, 3, true },
		{ "{\"member\":false,\"revision\":11}", 10, 3, true },
		/* it has not seen what this one has seen: perhaps not even that it joined */
		{ "{\"member\":false,\"revision\":9}", 10, 3, false },
		{ "{\"member\":false,\"revision\":5}", 0, 6, false },
		{ "{\"member\":false,\"revision\":6}", 0, 6, true },
		{ "{\"member\":true,\"revision\":99}", 10, 3, false },
		/* what says nothing proves nothing */
		{ "{\"member\":false}", 0, 0, false },
		{ "{\"revision\":99}", 10, 3, false },
		{ "{}", 0, 0, false },
		{ "{\"member\":\"false\",\"revision\":99}", 10, 3, false },
		{ "{\"member\":false,\"revision\":\"99\"}", 10, 3, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *answer = json_loads(cases[i].answer, 0, NULL);

		if (discover_proves_removal(answer, cases[i].seen, cases[i].joined) !=
		    cases[i].proves)
			fail_msg("%s", cases[i].answer);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_who_knows_as_much_can_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
