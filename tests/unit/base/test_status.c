/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/status.h"

static const enum status all[] = {
#define STATUS(id, code, name, alive) STATUS_##id,
#include "base/status.def"
#undef STATUS
};

/* Numbers that clients have compiled in. */
static void test_codes(void **state)
{
	assert_int_equal(STATUS_STOPPED, 102);
	assert_int_equal(STATUS_RUNNING, 103);
	assert_int_equal(STATUS_FROZEN, 110);
	assert_int_equal(STATUS_ERROR, 112);
	assert_int_equal(STATUS_CANCELLED, 401);
	assert_string_equal(status_name(STATUS_RUNNING), "Running");
	assert_string_equal(status_name(STATUS_FAILURE), "Failure");
}

static void test_names_lead_back(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(status_by_name(status_name(all[i])), all[i]);
		if (i)
			assert_true(all[i] > all[i - 1]);
	}
}

static void test_unknown_is_error(void **state)
{
	static const char *const bad[] = { NULL, "", "running", "Running ", "Gone" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(status_by_name(bad[i]), STATUS_ERROR);
}

static void test_kinds(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(status_is_alive(all[i]),
				 all[i] == STATUS_RUNNING || all[i] == STATUS_FROZEN);
		assert_int_equal(status_is_final(all[i]), (int)all[i] >= 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_names_lead_back),
		cmocka_unit_test(test_unknown_is_error),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
