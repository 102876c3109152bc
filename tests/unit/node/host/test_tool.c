/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/host/tool.h"

/* This test is such a program itself. */
static void beside_this_program(void **state)
{
	struct err err;
	_free_ char *path = tool_path(program_invocation_short_name, &err);

	assert_non_null(path);
	assert_true(str_ends(path, program_invocation_short_name));
	assert_int_equal(access(path, X_OK), 0);
}

static void nowhere(void **state)
{
	struct err err = { 0 };

	assert_null(tool_path("dunlin-no-such-tool", &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "dunlin-no-such-tool"));
	assert_non_null(strstr(err.msg, "libexec/dunlin"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_this_program),
		cmocka_unit_test(nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
