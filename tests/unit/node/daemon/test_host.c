/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the kernel that are too low for many containers; a plain file stands for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/daemon/host.h"

static void raises_what_is_less(void **state)
{
	static const struct {
		const char *was, *is; /* NULL: refused, and as it was */
	} cases[] = {
		{ "128\n", "4096\n" },  { "0", "4096\n" },      { "-1\n", "4096\n" },
		{ "4096\n", "4096\n" }, { "4097\n", "4097\n" }, { "", NULL },
		{ "many\n", NULL },     { "1 2\n", NULL },
	};
	char path[] = "/tmp/dunlin-test-limit-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *was = cases[i].was, *is = cases[i].is;
		_free_ char *text = NULL;
		struct err err = { 0 };

		assert_int_equal(io_write_file(path, was, strlen(was), 0600, &err), 0);
		assert_int_equal(host_raise(path, 4096, &err), is ? 0 : -1);
		text = io_read_file(path, 64, NULL, &err);
		assert_string_equal(text, is ? is : was);
	}
	unlink(path);
}

/* A kernel without it. */
static void says_which_one_is_missing(void **state)
{
	struct err err = { 0 };

	assert_int_equal(host_raise("/nowhere/limit", 1, &err), -1);
	assert_non_null(strstr(err.msg, "/nowhere/limit"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raises_what_is_less),
		cmocka_unit_test(says_which_one_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
