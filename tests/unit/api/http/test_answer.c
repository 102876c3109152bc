/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: bytes, files, several files, and those that come later. */
#include "tests/unit/api/http/http_world.h"
#include "tests/unit/base/patience.h"

#define LARGE (700 << 10)

static struct http_world world;

/* Of so many bytes; returns the descriptor, at its end. */
static int file_of(char c, size_t size)
{
	_free_ char *data = xcalloc(1, size + 1);
	struct err err;
	int fd = io_temp_fd(world.w.dir, &err);

	memset(data, c, size);
	assert_int_equal(pwrite(fd, data, size, 0), size);
	return fd;
}

static int say_bytes(struct req *r)
{
	_free_ char *data = xcalloc(1, LARGE + 1);

	memset(data, 'l', LARGE);
	reply_header(r, "X-Test", "one");
	return reply_bytes(r, 203, "text/plain", data, LARGE);
}

static int say_file(struct req *r)
{
	return reply_file(r, file_of('f', LARGE), LARGE, "application/test");
}

static int say_empty(struct req *r)
{
	return reply_file(r, file_of('f', 0), 0, "application/test");
}

static int say_parts(struct req *r)
{
	struct file_part parts[] = { { file_of('a', 3), 3 },
				     { file_of('-', 0), 0 },
				     { file_of('b', LARGE), LARGE },
				     { file_of('c', 2), 2 } };

	return reply_files(r, parts, ARRAY_SIZE(parts), "application/test");
}

/* It promises more than there is. */
static int say_too_much(struct req *r)
{
	return reply_file(r, file_of('f', 10), 20, "application/test");
}

static struct box gone;
static struct late *late;

static void tell_gone(void *arg)
{
	box_put(&gone, "");
}

static int say_later(struct req *r)
{
	late = reply_late(r, tell_gone, NULL);
	return 0;
}

static const struct route routes[] = {
	{ "GET", "/bytes", say_bytes, .flags = 0 },  { "GET", "/file", say_file, .flags = 0 },
	{ "GET", "/empty", say_empty, .flags = 0 },  { "GET", "/parts", say_parts, .flags = 0 },
	{ "GET", "/much", say_too_much, .flags = 0 }, { "GET", "/later", say_later, .flags = 0 },
	{ 0 },
};

static int open_world(void **state)
{
	box_init(&gone);
	http_world_open(&world, routes);
	return 0;
}

static int close_world(void **state)
{
	http_world_close(&world);
	return 0;
}

#define REST(path) path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/* The body is this many times these characters, one after the other; "" none. */
static void assert_body(const char *answer, const char *chars, const size_t *counts)
{
	const char *at = strstr(answer, "\r\n\r\n");

	assert_non_null(at);
	at += 4;
	for (size_t i = 0; chars[i]; i++) {
		for (size_t k = 0; k < counts[i]; k++) {
			if (*at++ != chars[i])
				fail_msg("'%c' %zu of %zu", chars[i], k, counts[i]);
		}
	}
	assert_string_equal(at, "");
}

static void bytes_and_files(void **state)
{
	static const struct {
		const char *request, *first, *header, *chars;
		size_t counts[3];
	} cases[] = {
		{ REST("GET /bytes"), "HTTP/1.1 203 ", "X-Test: one\r\n", "l", { LARGE } },
		{ REST("GET /bytes"), "HTTP/1.1 203 ", "Content-Length: 716800\r\n", "l",
		  { LARGE } },
		{ REST("GET /file"), "HTTP/1.1 200 ", "Content-Type: application/test\r\n", "f",
		  { LARGE } },
		{ REST("GET /empty"), "HTTP/1.1 200 ", "Content-Length: 0\r\n", "", { 0 } },
		{ REST("GET /parts"), "HTTP/1.1 200 ", "Content-Length: 716805\r\n", "abc",
		  { 3, LARGE, 2 } },
		/* HEAD has the head of GET */
		{ REST("HEAD /bytes"), "HTTP/1.1 203 ", "Content-Length: 716800\r\n", "", { 0 } },
		{ REST("HEAD /file"), "HTTP/1.1 200 ", "Content-Length: 716800\r\n", "", { 0 } },
		{ REST("HEAD /parts"), "HTTP/1.1 200 ", "Content-Length: 716805\r\n", "", { 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *answer = http_exchange(&world, cases[i].request);

		if (!str_starts(answer, cases[i].first) || !strstr(answer, cases[i].header))
			fail_msg("%.400s", answer);
		assert_body(answer, cases[i].chars, cases[i].counts);
	}
}

/* The length was promised: only the end of the connection tells. */
static void a_file_that_became_shorter(void **state)
{
	_free_ char *answer =
		http_exchange(&world, "GET /much HTTP/1.1\r\nHost: a\r\n\r\n");

	assert_non_null(strstr(answer, "Content-Length: 20\r\n"));
	assert_body(answer, "f", (size_t[]){ 10 });
}

static void comes_later(void **state)
{
	static const char text[] = "{\"later\":true}";
	_free_ char *head = NULL, *rest = NULL;
	int fd = http_connect(&world);

	http_say_text(fd, REST("GET /later"));
	head = http_hear_head(fd);
	assert_true(str_starts(head, "HTTP/1.1 200 "));
	assert_non_null(strstr(head, "Content-Type: application/json\r\n"));
	assert_false(late_is_abandoned(late));
	reply_late_end(late, text, strlen(text));
	rest = http_hear_all(fd);
	assert_string_equal(rest, "e\r\n{\"later\":true}\r\n0\r\n\r\n");
	assert_int_equal(gone.count, 0);
}

/* Whoever answers is told, and may answer all the same. */
static void nobody_waits_for_it(void **state)
{
	_free_ char *head = NULL;
	int fd = http_connect(&world);

	http_say_text(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	head = http_hear_head(fd);
	close(fd);
	assert_true(box_wait(&gone, 1, PATIENCE_MS));
	assert_true(late_is_abandoned(late));
	reply_late_end(late, "x", 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_files),
		cmocka_unit_test(a_file_that_became_shorter),
		cmocka_unit_test(comes_later),
		cmocka_unit_test(nobody_waits_for_it),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
