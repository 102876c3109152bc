/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/base/random.h"

static void clocks_agree(void **state)
{
	int64_t ms = clock_ms(), us = clock_us(), s = clock_wall(), ns = clock_wall_ns();

	assert_in_range(us / 1000 - ms, 0, 60000);
	assert_in_range(ns / 1000000000 - s, 0, 60);
	assert_true(s > 1700000000);
	assert_true(clock_ms() >= ms);
	assert_true(clock_us() >= us);
}

static void deadlines_count_down(void **state)
{
	assert_int_equal(deadline_left(0), -1);
	assert_int_equal(deadline_left(1), 0);
	assert_int_equal(deadline_left(-5), 0);
	assert_int_equal(deadline_left(clock_ms() - 1), 0);
	assert_in_range(deadline_left(deadline_in(3600000)), 3000000, 3600000);
	assert_int_equal(deadline_left(INT64_MAX), INT_MAX);
	assert_int_equal(deadline_left(clock_ms() + INT_MAX + 100000LL), INT_MAX);
}

static void deadlines_as_timespec(void **state)
{
	static const struct {
		int64_t ms;
		time_t s;
		long ns;
	} cases[] = { { 0, 0, 0 },
		      { 1, 0, 1000000 },
		      { 999, 0, 999000000 },
		      { 1000, 1, 0 },
		      { 123456789, 123456, 789000000 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct timespec ts = deadline_timespec(cases[i].ms);

		assert_int_equal(ts.tv_sec, cases[i].s);
		assert_int_equal(ts.tv_nsec, cases[i].ns);
	}
}

static void writes_times(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000000Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ 1700000000123456789LL, "2023-11-14T22:13:20.123456789Z" },
		{ 951782400000000000LL, "2000-02-29T00:00:00.000000000Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z" },
		{ -1000000000LL, "1969-12-31T23:59:59.000000000Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
	};
	char buf[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(clock_text(cases[i].ns, buf), cases[i].text);
	assert_in_range(clock_parse(clock_now_text(buf)), clock_wall() - 60, clock_wall());
}

static void reads_times(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2023-11-14T22:13:20Z", 1700000000 },
		{ "2023-11-14T22:13:20.5Z", 1700000000 },
		{ "2023-11-14T22:13:20.123456789Z", 1700000000 },
		{ "2023-11-14T23:13:20+01:00", 1700000000 },
		{ "2023-11-14T20:43:20-01:30", 1700000000 },
		{ "2023-11-14T22:13:20.25+00:00", 1700000000 },
		{ "2024-02-29T00:00:00Z", 1709164800 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(clock_parse(cases[i].text), cases[i].s);
}

static void refuses_what_is_no_time(void **state)
{
	static const char *const bad[] = {
		NULL,
		"",
		"yesterday",
		"2023-11-14",
		"2023-11-14T22:13:20",
		"2023-11-14 22:13:20Z",
		"2023-11-14T22:13:20Zx",
		"2023-11-14T22:13:20 Z",
		"2023-11-14T22:13:20+01",
		"2023-11-14T22:13:20+0100",
		"2023-11-14T22:13:20+01:00x",
		"2023-11-14T22:13:20+1:00",
		"2023-11-14T22:13:20+-1:00",
		"2023-11-14T22:13:20+24:00",
		"2023-11-14T22:13:20+01:60",
		"2023-11-14T22:13:20*01:00",
		"2023-11-14T22:13:20.Z",
		"2023-13-14T22:13:20Z",
		"2023-11-31T22:13:20Z",
		"2023-02-29T00:00:00Z",
		"2023-11-14T24:13:20Z",
		"2023-11-14T22:60:20Z",
		" 2023-11-14T22:13:20Z",
		"2023-1-4T2:3:0Z",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (clock_parse(bad[i]) != -1)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void what_is_written_reads_back(void **state)
{
	struct random r = { 99 };
	char buf[CLOCK_TEXT_SIZE];

	for (int i = 0; i < 1000; i++) {
		int64_t ns = (int64_t)(random_u64(&r) >> 1);

		assert_int_equal(clock_parse(clock_text(ns, buf)), ns / 1000000000);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_agree),
		cmocka_unit_test(deadlines_count_down),
		cmocka_unit_test(deadlines_as_timespec),
		cmocka_unit_test(writes_times),
		cmocka_unit_test(reads_times),
		cmocka_unit_test(refuses_what_is_no_time),
		cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
