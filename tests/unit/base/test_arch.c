/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arch.h"
#include "base/mem.h"

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

/* --- the table -------------------------------------------------------------------------------- */

static const struct {
	const char *name, *alias, *alias2, *also_runs;
} rows[] = {
#define ARCH(name, alias, alias2, also_runs) { name, alias, alias2, also_runs },
#include "base/arch.def"
#undef ARCH
};

static void every_name_is_one_architectures(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const names[] = { rows[i].name, rows[i].alias, rows[i].alias2 };

		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			if (names[k])
				assert_string_equal(arch_canonical(names[k]), rows[i].name);
		}
	}
}

/* The chains end, and lead over canonical names only. */
static void every_architecture_runs_itself_and_its_chain(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = 0;

		assert_true(arch_runs(rows[i].name, rows[i].name));
		if (rows[i].also_runs)
			assert_string_equal(arch_canonical(rows[i].also_runs), rows[i].also_runs);
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
			n += arch_runs(rows[i].name, rows[k].name);
		assert_in_range(n, 1, 4);
		/* both ways would make them one */
		assert_false(rows[i].also_runs && arch_runs(rows[i].also_runs, rows[i].name));
	}
}

static void the_list_names_all_and_is_cut(void **state)
{
	char list[256], small[10];

	arch_list(list, sizeof(list));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_non_null(strstr(list, rows[i].name));
	assert_true(strlen(list) < sizeof(list) - 1);
	arch_list(small, sizeof(small));
	assert_true(strlen(small) < sizeof(small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(every_name_is_one_architectures),
		cmocka_unit_test(every_architecture_runs_itself_and_its_chain),
		cmocka_unit_test(the_list_names_all_and_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
