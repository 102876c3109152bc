/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "node/device/device.h"

static void writes_a_line(void **state)
{
	_sbuf_ struct sbuf b = SBUF(1000);
	struct err err = { 0 };

	assert_int_equal(device_line(&b, "lxc.net.0.name", "eth0", &err), 0);
	assert_int_equal(device_line(&b, "lxc.net.0.mtu", "", &err), 0);
	assert_string_equal(b.data, "lxc.net.0.name = eth0\nlxc.net.0.mtu = \n");
}

/* A value that holds a line break would be a line of the configuration of its own. */
static void no_value_becomes_a_line(void **state)
{
	static const char *const values[] = { "a\nlxc.idmap =", "a\r", "\n", "a\r\nb" };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_sbuf_ struct sbuf b = SBUF(1000);
		struct err err = { 0 };

		assert_int_equal(device_line(&b, "lxc.net.0.name", values[i], &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_string_equal(err.msg, "lxc.net.0.name: a line break in the value");
		assert_int_equal(b.len, 0);
	}
}

/* Each device of each container has a place of its own, beside the root's. */
static void stages_apart(void **state)
{
	_free_ char *a = device_stage("/srv/lxc", "c1", "data");
	_free_ char *b = device_stage("/srv/lxc", "c1", "more");
	_free_ char *c = device_stage("/srv/lxc", "c2", "data");

	assert_string_equal(a, "/srv/lxc/c1/stage/dev-data");
	assert_string_not_equal(a, b);
	assert_string_not_equal(a, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_line),
		cmocka_unit_test(no_value_becomes_a_line),
		cmocka_unit_test(stages_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
