/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/net/multipart.h"
#include "tests/unit/base/random.h"

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

#define A10 "aaaaaaaaaa"
#define A70 A10 A10 A10 A10 A10 A10 A10

static void test_boundary(void **state)
{
	static const struct {
		const char *type, *boundary;
	} cases[] = {
		{ "multipart/form-data; boundary=abc", "abc" },
		{ "Multipart/Form-Data; charset=x; boundary=\"a b\"", "a b" },
		{ "multipart/form-data; boundary=abc; charset=x", "abc" },
		{ "multipart/form-data; BOUNDARY=abc", "abc" },
		{ "multipart/form-data; boundary=\"" A70 "\"", A70 },
		{ "multipart/form-data; boundary=" A70, A70 },
		{ "multipart/form-data; boundary=\"" A70 "a\"", NULL },
		{ "multipart/form-data; boundary=" A70 "a", NULL },
		{ "multipart/form-data; boundary=\"\"", NULL },
		{ "multipart/form-data; boundary=", NULL },
		{ "multipart/form-data; boundary=;", NULL },
		{ "multipart/form-data", NULL },
		{ "multipart/mixed; boundary=abc", NULL },
		{ "", NULL },
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

static void test_odd_parts(void **state)
{
	static const struct {
		const char *text, *name, *filename, *data;
	} cases[] = {
		{ "a preamble\r\n" B HEAD("a") "x\r\n--bound--\r\nan epilogue", "a", "f.xz", "x" },
		{ B "\r\nno headers\r\n--bound--", "", "", "no headers" },
		{ B HEAD("a") "\r\n--bound--", "a", "f.xz", "" },
		{ B "content-disposition: form-data; NAME=\"b\"\r\n\r\nx\r\n--bound--", "b", "",
		  "x" },
		{ B "Content-Disposition: form-data; filename=\"only\"\r\n\r\nx\r\n--bound--", "",
		  "only", "x" },
		{ B HEAD("a") "x\n--bound\n--bound--\r\n--bound--", "a", "f.xz",
		  "x\n--bound\n--bound--" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct multipart m = { .n = 0 };
		struct err err = { 0 };
		char buf[64] = "";

		if (split(cases[i].text, strlen(cases[i].text), &m, &err) < 0)
			fail_msg("%zu: %s", i, err.msg);
		assert_int_equal(m.n, 1);
		assert_string_equal(m.names[0], cases[i].name);
		assert_string_equal(m.filenames[0], cases[i].filename);
		assert_int_equal(read(m.fds[0], buf, sizeof(buf)), strlen(cases[i].data));
		assert_string_equal(buf, cases[i].data);
		multipart_free(&m);
	}
}

static void test_empty_bodies(void **state)
{
	struct multipart m = { .n = 0 };
	struct err err = { 0 };

	assert_int_equal(split("", 0, &m, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(multipart_split(-1, -5, "bound", "/tmp", &m, &err), -1);
	assert_int_equal(multipart_split(-1, 100, "bound", "/tmp", &m, &err), -1);
	multipart_free(&m);
}

static void test_no_room_for_parts(void **state)
{
	_close_ int fd = io_temp_fd("/tmp", &(struct err){ 0 });
	static const char text[] = B HEAD("a") "x\r\n--bound--";
	struct multipart m = { .n = 0 };
	struct err err = { 0 };

	assert_int_equal(io_write_full(fd, text, sizeof(text) - 1), 0);
	assert_int_equal(multipart_split(fd, sizeof(text) - 1, "bound", "/nonexistent", &m, &err),
			 -1);
	assert_non_null(strstr(err.msg, "/nonexistent"));
	assert_int_equal(m.n, 0);
}

static struct multipart_file random_file(struct random *r, const char *name, const char *filename)
{
	struct multipart_file f = { name, filename, io_temp_fd("/tmp", &(struct err){ 0 }), 0 };
	/* bytes that delimiters are made of, among others */
	static const char bytes[] = "\r\n-bound\0x";
	char buf[300];

	f.size = (int64_t)random_below(r, sizeof(buf));
	for (int64_t i = 0; i < f.size; i++)
		buf[i] = bytes[random_below(r, sizeof(bytes) - 1)];
	assert_int_equal(io_write_full(f.fd, buf, f.size), 0);
	return f;
}

static void expect_same(int a, int b, int64_t size)
{
	char x[400], y[400];

	assert_int_equal(pread(a, x, sizeof(x), 0), size);
	assert_int_equal(pread(b, y, sizeof(y), 0), size);
	assert_memory_equal(x, y, size);
}

/* What is written as a form comes apart into the same files. */
static void test_round_trip(void **state)
{
	struct random r = { 2046 };

	for (int i = 0; i < 200; i++) {
		struct multipart_file files[MULTIPART_PARTS_MAX];
		_close_ int form = io_temp_fd("/tmp", &(struct err){ 0 });
		int n = 1 + (int)random_below(&r, MULTIPART_PARTS_MAX);
		struct multipart m = { .n = 0 };
		struct err err = { 0 };

		for (int k = 0; k < n; k++)
			files[k] = random_file(&r, k % 2 ? "rootfs" : "metadata",
					       k % 2 ? "" : "f.tar");
		assert_int_equal(multipart_write(form, "bound-ary", files, n, &err), 0);
		assert_int_equal(multipart_split(form, lseek(form, 0, SEEK_END), "bound-ary",
						 "/tmp", &m, &err),
				 0);
		assert_int_equal(m.n, n);
		for (int k = 0; k < n; k++) {
			assert_string_equal(m.names[k], files[k].name);
			assert_string_equal(m.filenames[k], files[k].filename);
			assert_int_equal(lseek(m.fds[k], 0, SEEK_CUR), 0);
			expect_same(m.fds[k], files[k].fd, files[k].size);
			close(files[k].fd);
		}
		multipart_free(&m);
	}
}

static void test_a_file_that_became_shorter(void **state)
{
	_close_ int form = io_temp_fd("/tmp", &(struct err){ 0 });
	struct random r = { 1 };
	struct multipart_file f = random_file(&r, "a", "short.tar");
	struct err err = { 0 };

	f.size += 10;
	assert_int_equal(multipart_write(form, "bound", &f, 1, &err), -1);
	assert_non_null(strstr(err.msg, "short.tar is shorter than it was"));
	close(f.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_parts),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_odd_parts),
		cmocka_unit_test(test_empty_bodies),
		cmocka_unit_test(test_no_room_for_parts),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_a_file_that_became_shorter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
