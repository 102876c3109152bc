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

/* A timerfd entry of files.img: ticks, seconds left, nanoseconds left, period in seconds. */
struct timer {
	uint8_t ticks, left_s, left_ns, every_s;
	int fixed;
};

static size_t build(uint8_t *buf, const struct timer *t)
{
	const uint8_t msg[] = { 0x08, 1,          0x10,     0,          0x1a, 0,    0x20,
				1,    0x28,       t->ticks, 0x30,       0,    0x38, t->left_s,
				0x40, t->left_ns, 0x48,     t->every_s, 0x50, 0 };
	const uint8_t head[] = { 0x08, 17, 0x10, 5, 0x62, sizeof(msg) };
	uint32_t size = sizeof(head) + sizeof(msg);

	memset(buf, 0, 8);
	memcpy(buf + 8, &size, 4);
	memcpy(buf + 12, head, sizeof(head));
	memcpy(buf + 12 + sizeof(head), msg, sizeof(msg));
	return 12 + size;
}

static void expired_periodic_timers_go_on(void **state)
{
	static const struct timer cases[] = {
		{ 3, 0, 0, 1, 1 },                    /* expired unread, periodic */
		{ 0, 0, 0, 1, 0 },                    /* disarmed */
		{ 3, 1, 0, 1, 0 },                    /* time left */
		{ 3, 0, 5, 1, 0 }, { 3, 0, 0, 0, 0 }, /* single shot */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t buf[128], was[128];
		size_t len = build(buf, &cases[i]);

		memcpy(was, buf, len);
		assert_int_equal(criu_fix_timers_in(buf, len), cases[i].fixed);
		assert_int_equal(buf[12 + 6 + 15], cases[i].fixed ? 1 : was[12 + 6 + 15]);
		buf[12 + 6 + 15] = was[12 + 6 + 15];
		assert_memory_equal(buf, was, len);
	}
}

static void broken_files_are_left_alone(void **state)
{
	static const struct timer t = { 3, 0, 0, 1, 1 };
	uint8_t buf[128];
	size_t len = build(buf, &t);

	for (size_t part = 0; part < len; part++) {
		_free_ uint8_t *copy = xcalloc(part + 1, 1);

		memcpy(copy, buf, part);
		assert_int_equal(criu_fix_timers_in(copy, part), 0);
	}
	for (size_t at = 8; at < len; at++) {
		_free_ uint8_t *copy = xcalloc(len, 1);

		memcpy(copy, buf, len);
		copy[at] = 0xff;
		criu_fix_timers_in(copy, len);
	}
}

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
	_free_ char *missing = criu_cause(dir, "dump.log");
	assert_string_equal(missing, "CRIU wrote no log");
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
	assert_null(criu_transient("mnt: Can't open /x: No such file or directory"));
	assert_null(criu_transient("sk unix: Can't dump half of stream unix connection."));
	assert_null(criu_transient("CRIU wrote no log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expired_periodic_timers_go_on),
		cmocka_unit_test(broken_files_are_left_alone),
		cmocka_unit_test(the_first_error_is_the_cause),
		cmocka_unit_test(causes_that_pass_are_known),
		cmocka_unit_test(tools_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
