/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/base/key_rows.h"

#include "cluster/model/keys.h"

static const struct key_value values[] = {
	{ &server_keys, "cluster.max_voters", "4", false },
	{ &server_keys, "cluster.max_voters", "9", false },
	{ &server_keys, "cluster.max_voters", "5", true },
	{ &server_keys, "cluster.max_standby", "6", false },
	{ &server_keys, "cluster.raft_latency_ms", "19", false },
	{ &server_keys, "cluster.raft_latency_ms", "501", false },
	{ &server_keys, "core.https_address", "a\nb", false },
	{ &server_keys, "core.https_address", "10.0.0.5:8443", true },
	{ &server_keys, "core.https_address", "10.0.0.5", true },
	{ &server_keys, "core.https_address", ":8443", true },
	{ &server_keys, "core.https_address", "[fd00::1]:8443", true },
	{ &server_keys, "core.https_address", "fd00::1:8443", false },
	{ &server_keys, "core.https_address", "10.0.0.5:99999", false },
	{ &server_keys, "cluster.join_token_expiry", "3H", true },
	{ &server_keys, "cluster.join_token_expiry", "1H 30M", true },
	{ &server_keys, "cluster.join_token_expiry", "soon", false },
	{ &server_keys, "cluster.join_token_expiry", "30", false },
	{ &server_keys, "core.remote_token_expiry", "1d 30", false },
	{ &server_keys, "core.remote_token_expiry", "0", false },
	{ &server_keys, "core.remote_token_expiry", "-1H", false },
	{ &server_keys, "core.remote_token_expiry", "101y", false },
	{ &server_keys, "core.trust_password", "x", false },
	{ &server_keys, "move.bandwidth", "64KiB", true },
	{ &server_keys, "move.bandwidth", "1TiB", true },
	{ &server_keys, "move.bandwidth", "65535", false },
	{ &server_keys, "move.bandwidth", "2TiB", false },
	{ &server_keys, "move.bandwidth", "100Mbit", false },
	{ &member_keys, "user.rack", "7", true },
	{ &member_keys, "scheduler.instance", "sometimes", false },
	{ &image_keys, "os", "Debian", true },
	{ &image_keys, "o s", "Debian", false },
};

static void test_values(void **state)
{
	keys_take(values, ARRAY_SIZE(values));
}

static void test_voters(void **state)
{
	struct err err = { 0 };
	int64_t n = 0;

	assert_int_equal(keys_read_value(&server_keys, "cluster.max_voters", "7", &n, &err), 1);
	assert_int_equal(n, 7);
	assert_int_equal(keys_read_value(&server_keys, "cluster.max_voters", NULL, &n, &err), 1);
	assert_int_equal(n, 3);
	assert_int_equal(keys_read_value(&server_keys, "cluster.max_voters", "6", &n, &err), -1);
	assert_string_equal(err.msg, "invalid value \"6\" for key \"cluster.max_voters\": must "
				     "be 3, 5 or 7");
	assert_int_equal(n, 3);
}

static void test_rate(void **state)
{
	struct err err = { 0 };
	int64_t n = 0;

	assert_int_equal(keys_read_value(&server_keys, "move.bandwidth", "100MiB", &n, &err), 1);
	assert_int_equal(n, 100 << 20);
	assert_int_equal(keys_read_value(&server_keys, "move.bandwidth", NULL, &n, &err), 0);
}

static void test_rows(void **state)
{
	keys_rows_hold(&server_keys, values, ARRAY_SIZE(values));
	keys_rows_hold(&member_keys, values, ARRAY_SIZE(values));
	keys_rows_hold(&image_keys, values, ARRAY_SIZE(values));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_voters),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
