/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/net/multipart.h"

#define B "--bound\r\n"
#define HEAD(name) "Content-Disposition: form-data; name=\"" name "\"; filename=\"f.xz\"\r\n\r\n"

static int split(const char *text, size_t len, struct multipart *m, struct err *err)
{
	_close_ int fd = io_temp_fd("/tmp", err);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, len), 0);
	return multipart_split(fd, (int64_t)len, "bound", "/tmp", m, err);
}

static void test_two_parts(void **state)
{
	static const char text[] = B HEAD("metadata") "one\r\ntwo\r\n" B HEAD(
		"rootfs") "\0\r\n--boun\r\n--bound--\r\n";
	struct multipart m = { .n = 0 };
	struct err err = { 0 };
	char buf[32];

	assert_int_equal(split(text, sizeof(text) - 1, &m, &err), 0);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.names[0], "metadata");
	assert_string_equal(m.names[1], "rootfs");
	assert_string_equal(m.filenames[1], "f.xz");
	assert_int_equal(read(m.fds[0], buf, sizeof(buf)), 8);
	assert_memory_equal(buf, "one\r\ntwo", 8);
	assert_int_equal(read(m.fds[1], buf, sizeof(buf)), 9);
	assert_memory_equal(buf, "\0\r\n--boun", 9);
	multipart_free(&m);
}

static const char *const malformed[] = {
	"nothing",
	"--bound",
	"--boundX" HEAD("a") "x",
	B "no end of headers",
	B HEAD("a") "no end of the part",
	B HEAD("a") "x\r\n" B HEAD("b") "x\r\n" B HEAD("c") "x\r\n" B HEAD("d") "x\r\n" B HEAD(
		"e") "x\r\n--bound--",
};

static void test_malformed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		struct multipart m = { .n = 0 };
		struct err err = { 0 };

		assert_int_equal(split(malformed[i], strlen(malformed[i]), &m, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(m.n, 0);
	}
}

static void test_boundary(void **state)
{
	static const struct {
		const char *type, *boundary;
	} cases[] = {
		{ "multipart/form-data; boundary=abc", "abc" },
		{ "Multipart/Form-Data; charset=x; boundary=\"a b\"", "a b" },
		{ "multipart/form-data", NULL },
		{ "application/json", NULL },
		{ NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *b = multipart_boundary(cases[i].type);

		if (cases[i].boundary)
			assert_string_equal(b, cases[i].boundary);
		else
			assert_null(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_parts),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_boundary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
