/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/trim.h"

static void nothing_is_allocated_as_something(void **state)
{
	_free_ void *a = xcalloc(0, 8), *b = xcalloc(8, 0), *c = xrealloc(NULL, 0);

	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	c = xrealloc(c, 0);
	assert_non_null(c);
}

static void memory_is_zero_and_grows(void **state)
{
	_free_ unsigned char *p = xcalloc(100, 3);

	for (int i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	memset(p, 7, 300);
	p = xrealloc(p, 100000);
	for (int i = 0; i < 300; i++)
		assert_int_equal(p[i], 7);
}

static void texts_are_copied(void **state)
{
	_free_ char *none = xstrdup(NULL);
	_free_ char *empty = xstrdup("");
	_free_ char *part = xstrndup("abcdef", 3), *whole = xstrndup("abc", 100);
	_free_ char *formatted = xasprintf("%s-%d", "c", 7);

	assert_null(none);
	assert_string_equal(empty, "");
	assert_string_equal(part, "abc");
	assert_string_equal(whole, "abc");
	assert_string_equal(formatted, "c-7");
}

struct pair {
	int a;
	char *b;
};

static void taking_leaves_nothing_behind(void **state)
{
	char *p = xstrdup("x"), *q = take_ptr(p);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), got = take_fd(&fd);
	struct pair *s = xnew(struct pair);

	assert_null(p);
	assert_string_equal(q, "x");
	assert_int_equal(fd, -1);
	assert_int_equal(take_fd(&fd), -1);
	assert_true(got >= 0);
	assert_int_equal(s->a, 0);
	assert_null(s->b);
	assert_ptr_equal(container_of(&s->b, struct pair, b), s);
	close(got);
	free(q);
	free(s);
}

static void scopes_close_and_free(void **state)
{
	int seen;

	{
		_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		_close_ int never = -1;
		_free_ char *p = xstrdup("freed, or the leak checker tells");

		assert_non_null(p);
		assert_int_equal(never, -1);
		seen = fd;
		assert_true(fcntl(seen, F_GETFD) >= 0);
	}
	assert_int_equal(fcntl(seen, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

/* What was given back is there again when it is needed. */
static void giving_back_loses_nothing(void **state)
{
	static char written[1 << 16] = "initialised";
	static const char constant[1 << 16] = "constant";
	_free_ char *heap = xcalloc(1 << 20, 1);

	memset(heap, 'h', 1 << 20);
	written[sizeof(written) - 1] = 'w';
	for (int i = 0; i < 3; i++) {
		_free_ char *text = NULL;

		mem_give_back();
		text = xasprintf("%s %s", written, constant);
		assert_string_equal(text, "initialised constant");
		assert_int_equal(written[sizeof(written) - 1], 'w');
		for (int k = 0; k < 1 << 20; k += 4096)
			assert_int_equal(heap[k], 'h');
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_allocated_as_something),
		cmocka_unit_test(memory_is_zero_and_grows),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(taking_leaves_nothing_behind),
		cmocka_unit_test(scopes_close_and_free),
		cmocka_unit_test(giving_back_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
