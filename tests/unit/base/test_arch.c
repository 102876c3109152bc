/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arch.h"

static void test_names(void **state)
{
	char list[256];

	assert_string_equal(arch_canonical("amd64"), "x86_64");
	assert_string_equal(arch_canonical("x86_64"), "x86_64");
	assert_string_equal(arch_canonical("i586"), "i686");
	assert_string_equal(arch_canonical("arm64"), "aarch64");
	assert_null(arch_canonical("2"));
	assert_null(arch_canonical("X86_64"));
	assert_null(arch_canonical(""));
	assert_null(arch_canonical(NULL));
	arch_list(list, sizeof(list));
	assert_non_null(strstr(list, "x86_64, "));
	assert_non_null(strstr(list, "loongarch64"));
}

static void test_runs(void **state)
{
	assert_true(arch_runs("x86_64", "x86_64"));
	assert_true(arch_runs("x86_64", "i686"));
	assert_false(arch_runs("i686", "x86_64"));
	assert_true(arch_runs("aarch64", "armv6l"));
	assert_false(arch_runs("x86_64", "aarch64"));
	assert_false(arch_runs("unknown", "x86_64"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
