/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/base/key_rows.h"

#include "node/storage/keys.h"

static const struct key_value values[] = {
	{ &pool_keys, "source", "/srv/pool", true },
	{ &pool_keys, "source", "srv/pool", false },
	{ &pool_keys, "source", "/srv/../etc", false },
};

static void test_values(void **state)
{
	keys_take(values, ARRAY_SIZE(values));
}

static void test_rows(void **state)
{
	keys_rows_hold(&pool_keys, values, ARRAY_SIZE(values));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
