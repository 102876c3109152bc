/* SPDX-License-Identifier: Apache-2.0 */
/* When another certificate is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/member/renew.h"

#define DAY 86400LL
#define BEGIN (1000 * DAY)
#define END (2000 * DAY)

static void dates(void **state)
{
	static const struct {
		int64_t now;
		enum renew is;
	} cases[] = {
		{ BEGIN - 1, RENEW_EARLY },
		{ BEGIN, RENEW_FINE },
		{ END - 30 * DAY - 1, RENEW_FINE },
		{ END - 30 * DAY, RENEW_SOON },
		{ END, RENEW_SOON },
		{ END + 1, RENEW_OVER },
		{ END + 1000 * DAY, RENEW_OVER },
	};
	static const struct x509_info info = { .not_before = BEGIN, .not_after = END };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(renew_of(&info, cases[i].now), cases[i].is);
}

/* One for less than RENEW_DAYS is due from its first day on, but not before. */
static void a_short_one_is_due_at_once(void **state)
{
	static const struct x509_info info = { .not_before = BEGIN, .not_after = BEGIN + DAY };

	assert_int_equal(renew_of(&info, BEGIN - DAY), RENEW_EARLY);
	assert_int_equal(renew_of(&info, BEGIN), RENEW_SOON);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(a_short_one_is_due_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
