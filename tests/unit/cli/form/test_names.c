/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of names: as they are typed, and where a name is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/form/names.h"

static void are_split_at_commas(void **state)
{
	static const struct {
		const char *text, *list;
	} cases[] = {
		{ "", "[]" },
		{ ",,", "[]" },
		{ "a", "[\"a\"]" },
		{ "a,b,a", "[\"a\",\"b\",\"a\"]" },
		{ ",a,,b,", "[\"a\",\"b\"]" },
		{ " a, b", "[\" a\",\" b\"]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *list = names_split(cases[i].text);
		_free_ char *text = json_text(list);

		assert_string_equal(text, cases[i].list);
	}
}

static void are_found_whole(void **state)
{
	_json_ json_t *list = names_split("web,db,web");

	assert_int_equal(names_find(list, "web"), 0);
	assert_int_equal(names_find(list, "db"), 1);
	assert_int_equal(names_find(list, "we"), -1);
	assert_int_equal(names_find(list, ""), -1);
	assert_int_equal(names_find(NULL, "web"), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(are_split_at_commas),
		cmocka_unit_test(are_found_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
