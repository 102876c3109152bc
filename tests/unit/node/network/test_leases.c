/* SPDX-License-Identifier: Apache-2.0 */
/* Whose addresses leases hold. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/dnsmasq_int.h"

#define A "00:16:3e:00:00:0a"
#define B "00:16:3e:00:00:0b"
#define OLD 60
#define FRESH (-60) /* in the future: fresh however slow the test is */

static int set_up(void **state)
{
	char dir[] = "/tmp/dunlin-test-leases-XXXXXX";

	assert_non_null(mkdtemp(dir));
	*state = xstrdup(dir);
	return 0;
}

static int tear_down(void **state)
{
	struct err err;

	assert_int_equal(io_remove_tree(*state, &err), 0);
	free(*state);
	return 0;
}

static void put(const char *dir, const char *file, const char *text, size_t len)
{
	_free_ char *path = xasprintf("%s/%s", dir, file);
	struct err err;

	assert_int_equal(io_write_file(path, text, len, 0600, &err), 0);
}

/* The leases were last written so many seconds ago. */
static void age(const char *dir, int seconds)
{
	_free_ char *path = xasprintf("%s/dnsmasq.leases", dir);
	int64_t at = clock_wall_ns() / 1000000000 - seconds;
	struct timespec t[2] = { { .tv_sec = at, .tv_nsec = 5 }, { .tv_sec = at, .tv_nsec = 5 } };

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void finds_former_owners(void **state)
{
	static const struct {
		const char *hosts, *leases;
		const char *kept; /* NULL: all */
	} cases[] = {
		{ "", "", NULL },
		{ A ",10.1.1.2,a\n", "1 " A " 10.1.1.2 a *\n", NULL },
		{ A ",10.1.1.2,a\n", "1 " B " 10.1.1.2 b *\n", "" },
		/* Of an address that is nobody's the owner is the one who leased it. */
		{ A ",10.1.1.2,a\n", "1 " B " 10.1.1.3 b *\n", NULL },
		{ A ",10.1.1.2,a\n" B ",10.1.1.3\n",
		  "1 " B " 10.1.1.2 b *\n2 " B " 10.1.1.3 b *\n3 " A " 10.1.1.3 a *\n",
		  "2 " B " 10.1.1.3 b *\n" },
		/* Lines that are no lease stay as they are; so does one that is not whole. */
		{ A ",10.1.1.2,a\n", "duid 00:01\n1 " B " 10.1.1.2\n\n", NULL },
		{ A ",10.1.1.2,a\n", "1 " B " 10.1.1.2 b *", NULL },
		{ A "\n", "1 " B " 10.1.1.2 b *\n", NULL },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *kept = cases[i].kept ? cases[i].kept : cases[i].leases;
		_free_ char *path = xasprintf("%s/dnsmasq.leases", (char *)*state), *text = NULL;

		put(*state, "dnsmasq.hosts", cases[i].hosts, strlen(cases[i].hosts));
		put(*state, "dnsmasq.leases", cases[i].leases, strlen(cases[i].leases));
		age(*state, OLD);
		if (dnsmasq_has_former(*state) != (cases[i].kept != NULL))
			fail_msg("%s", cases[i].leases);
		assert_int_equal(dnsmasq_forget_former(*state, &err), 0);
		text = io_read_file(path, 65536, NULL, &err);
		assert_string_equal(text, kept);
		age(*state, OLD);
		assert_false(dnsmasq_has_former(*state));
	}
}

static void nothing_is_nothing(void **state)
{
	struct err err;

	assert_false(dnsmasq_has_former(*state));
	assert_int_equal(dnsmasq_forget_former(*state, &err), 0);
}

/* A file that was just written may be in the middle of it where a piece of stdio's ends. */
static void half_written_files(void **state)
{
	static const struct {
		size_t len;
		int age;
		bool unknown;
	} cases[] = {
		{ 0, FRESH, true },     { 0, OLD, false },     { 1, FRESH, false },
		{ 4095, FRESH, false }, { 4096, FRESH, true }, { 4096, OLD, false },
		{ 4097, FRESH, false }, { 8192, FRESH, true },
	};
	_free_ char *text = xcalloc(1, 8192);

	memset(text, '\n', 8192);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put(*state, "dnsmasq.leases", text, cases[i].len);
		age(*state, cases[i].age);
		if (dnsmasq_has_former(*state) != cases[i].unknown)
			fail_msg("%zu bytes, %d s", cases[i].len, cases[i].age);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(finds_former_owners),
		T(nothing_is_nothing),
		T(half_written_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
