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

/* The image is changed in its place; what is no image stays as it is. */
static void files_are_mended_in_place(void **state)
{
	static const struct timer expired = { 3, 0, 0, 1, 1 }, armed = { 3, 1, 0, 1, 0 };
	char dir[] = "/tmp/test-timers-XXXXXX";
	_free_ char *path = NULL, *target = NULL;
	struct err err = { 0 };

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/files.img", dir);
	target = xasprintf("%s/elsewhere", dir);
	criu_fix_timers(dir); /* there is none */
	for (int i = 0; i < 3; i++) {
		uint8_t buf[128];
		size_t len = build(buf, i == 1 ? &armed : &expired), got = 0;
		_free_ char *data = NULL;

		/* A link may lead anywhere. */
		if (i == 2)
			assert_int_equal(symlink(target, path), 0);
		assert_int_equal(io_write_file(i == 2 ? target : path, buf, len, 0600, &err), 0);
		criu_fix_timers(dir);
		data = io_read_file(i == 2 ? target : path, 1000, &got, &err);
		assert_non_null(data);
		assert_int_equal(got, len);
		if (i == 0)
			assert_int_equal(criu_fix_timers_in(buf, len), 1);
		assert_memory_equal(data, buf, len);
		unlink(path);
	}
	io_remove_tree(dir, &err);
}

/* Two of them, among records of other kinds and unknown fields. */
static void all_timers_of_a_file_are_mended(void **state)
{
	static const struct timer expired = { 3, 0, 0, 1, 1 };
	static const uint8_t other[] = { 9, 0, 0, 0, 0x08, 2, 0x65, 1, 2, 3, 4, 0x7a, 0 };
	uint8_t buf[300], one[128];
	size_t len = build(buf, &expired), tail = build(one, &expired) - 8;

	memcpy(buf + len, other, sizeof(other));
	len += sizeof(other);
	memcpy(buf + len, one + 8, tail);
	len += tail;
	assert_int_equal(criu_fix_timers_in(buf, len), 2);
	assert_int_equal(criu_fix_timers_in(buf, len), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expired_periodic_timers_go_on),
		cmocka_unit_test(broken_files_are_left_alone),
		cmocka_unit_test(files_are_mended_in_place),
		cmocka_unit_test(all_timers_of_a_file_are_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
