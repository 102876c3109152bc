/* SPDX-License-Identifier: Apache-2.0 */
/* The one definition of alive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/self/alive.h"

static void test_life(void **state)
{
	static const struct {
		struct life_evidence e;
		enum member_life life;
	} cases[] = {
		/* one knows that oneself lives, whatever was said */
		{ { true, "Offline", 9999 }, LIFE_ONLINE },
		{ { true, "", 0 }, LIFE_ONLINE },
		/* the leader's word */
		{ { false, "Online", 0 }, LIFE_ONLINE },
		{ { false, "Offline", 0 }, LIFE_OFFLINE },
		{ { false, "Unknown", 0 }, LIFE_UNKNOWN },
		{ { false, "", 0 }, LIFE_UNKNOWN },
		/* its last word, when it is gone */
		{ { false, "Online", 1 }, LIFE_UNKNOWN },
		{ { false, "Online", 4999 }, LIFE_UNKNOWN },
		{ { false, "Offline", 1 }, LIFE_OFFLINE },
		{ { false, "", 4999 }, LIFE_UNKNOWN },
		/* nothing heard for the threshold */
		{ { false, "Online", 5000 }, LIFE_OFFLINE },
		{ { false, "", 5000 }, LIFE_OFFLINE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (life_of(&cases[i].e, 5000) != cases[i].life)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_life) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
