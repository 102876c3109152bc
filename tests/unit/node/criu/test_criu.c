/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/criu/criu.h"

static void the_first_error_is_the_cause(void **state)
{
	static const struct {
		const char *log, *cause;
	} cases[] = {
		{ "", "CRIU ended without giving a reason" },
		{ "(00.1) Warn  (a.c:1): x\n(00.2) Error (criu/net.c:12): net: No route\n"
		  "(00.3) Error (criu/cr-dump.c:1): Dumping FAILED.\n",
		  "net: No route" },
		{ "(00.1) Error (criu/util.c:1): RLIMIT_NOFILE\n(00.2) 12: Error (b.c:3): tty: odd",
		  "tty: odd" },
	};
	char dir[] = "/tmp/test-criu-XXXXXX";
	struct err err;

	assert_non_null(mkdtemp(dir));
	assert_null(criu_cause(dir, "dump.log"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *path = xasprintf("%s/dump.log", dir), *cause = NULL;

		assert_int_equal(
			io_write_file(path, cases[i].log, strlen(cases[i].log), 0600, &err), 0);
		cause = criu_cause(dir, "dump.log");
		assert_string_equal(cause, cases[i].cause);
	}
	io_remove_tree(dir, &err);
}

static void tools_are_few(void **state)
{
	char dir[] = "/tmp/test-criu-XXXXXX";
	struct err err;

	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 2; i++) {
		_free_ char *bin = criu_tools(dir, &err);
		_free_ char *sh = bin ? xasprintf("%s/sh", bin) : NULL;
		_free_ char *map = bin ? xasprintf("%s/newuidmap", bin) : NULL;

		if (!bin && err.kind == ERR_UNAVAILABLE)
			skip();
		assert_int_equal(access(sh, X_OK), 0);
		assert_false(io_exists(map));
	}
	io_remove_tree(dir, &err);
}

static void causes_that_pass_are_known(void **state)
{
	assert_non_null(criu_transient("skqueue: Control messages in queue, not supported"));
	assert_non_null(criu_transient("netlink: The socket has data to read"));
	assert_non_null(criu_transient("unix: Non-empty write queue on an in-flight socket 0x1f"));
	assert_non_null(criu_transient("unix: Found a closed in-flight socket to 0x1f"));
	assert_non_null(criu_transient("cg: Failed opening /a: No such file or directory"));
	assert_non_null(criu_transient("send_fds failed (-109)")); /* ETOOMANYREFS, unix(7) */
	assert_non_null(criu_transient("parse_fdinfo_pid_s: error parsing [inotify wd:20 ino:1f] "
				       "for 8: Invalid argument"));
	assert_null(criu_transient("send_fds failed (-9)"));
	assert_null(criu_transient("mnt: Can't open /x: No such file or directory"));
	assert_null(criu_transient("sk unix: Can't dump half of stream unix connection."));
	assert_null(criu_transient("CRIU wrote no log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_error_is_the_cause),
		cmocka_unit_test(causes_that_pass_are_known),
		cmocka_unit_test(tools_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
