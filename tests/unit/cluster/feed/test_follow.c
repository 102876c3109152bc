/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/feed/follow.h"

/* Quick at first, for most elections are; never so slow that a leader is missed for long. */
static void pauses_get_longer_step_by_step(void **state)
{
	static const struct {
		unsigned failed;
		int ms;
	} cases[] = {
		{ 0, 25 },    { 1, 25 },    { 3, 25 },      { 4, 50 },          { 7, 50 },
		{ 8, 100 },   { 12, 200 },  { 16, 400 },    { 20, 800 },        { 23, 800 },
		{ 24, 1000 }, { 28, 1000 }, { 1000, 1000 }, { UINT_MAX, 1000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(follow_pause_ms(cases[i].failed), cases[i].ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_get_longer_step_by_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
