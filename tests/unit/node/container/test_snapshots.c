/* SPDX-License-Identifier: Apache-2.0 */
/* How long snapshots are kept, and what they are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/container/snapshots.h"

#define START 1772323200 /* 2026-03-01 00:00:00 */
#define DAY 86400

static void spans(void **state)
{
	static const struct {
		const char *text;
		int64_t after; /* -1: it is none */
	} cases[] = {
		{ "1M", 60 },
		{ "2H", 7200 },
		{ "3d", 3 * DAY },
		{ "4w", 28 * DAY },
		{ "1m", 31 * DAY },
		{ "1y", 365 * DAY },
		{ "1M 2H 3d", 60 + 7200 + 3 * DAY },
		{ " 1d ", DAY },
		{ "5", -1 },
		{ "d", -1 },
		{ "0d", -1 },
		{ "-1d", -1 },
		{ "1D", -1 },
		{ "1d2H", -1 },
		{ "1.5d", -1 },
		{ "100001d", -1 },
		{ "99999999999999999999d", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool wrong = snapshots_expiry_wrong(cases[i].text) != NULL;
		int64_t at = snapshots_expire_at(cases[i].text, START);

		if (wrong != (cases[i].after < 0) ||
		    at != (wrong ? 0 : START + cases[i].after))
			fail_msg("\"%s\": %lld", cases[i].text, (long long)(at - START));
	}
	assert_null(snapshots_expiry_wrong(""));
	assert_int_equal(snapshots_expire_at("", START), 0);
	assert_int_equal(snapshots_expire_at(NULL, START), 0);
	/* A year of five digits is no time that clients read. */
	assert_int_equal(snapshots_expire_at("90000y", START), 253402300799);
}

static void patterns(void **state)
{
	static const char *const good[] = {
		"snap%d", "x", "%d-a", "{{ creation_date|date:'2006-01-02_15-04-05' }}-%d",
		"{{creation_date|date:'20060102'}}",
	};
	static const char *const bad[] = {
		"",	  "a/b",   "a b", "-a", "%d%d", "%s%d%",	"{{ name }}",
		"{{ creation_date }}", "{{ creation_date|date:'2006",
		"{{ creation_date|date:'2006' }", "{{ creation_date|date:'15:04 2006' }}", ".",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (snapshots_pattern_wrong(good[i]))
			fail_msg("\"%s\" is taken for wrong", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!snapshots_pattern_wrong(bad[i]))
			fail_msg("\"%s\" is taken for good", bad[i]);
}

static void names(void **state)
{
	static const struct {
		const char *pattern, *there[4], *name;
	} cases[] = {
		{ "snap%d", { NULL }, "snap0" },
		{ "snap%d", { "snap0", "other" }, "snap1" },
		{ "snap%d", { "snap7", "snap3" }, "snap8" },
		{ "snap%d", { "snap", "snap1x", "xsnap4", "snap-5" }, "snap0" },
		{ "snap%d", { "snap99999999999999999999" }, "snap0" },
		{ "a%dz", { "a4z", "a9", "9z" }, "a5z" },
		{ "daily", { "x" }, "daily" },
		{ "daily", { "daily" }, "daily-0" },
		{ "daily", { "daily", "daily-0" }, "daily-1" },
		{ "{{ creation_date|date:'2006-01-02_15-04-05' }}", { NULL },
		  "2026-03-01_00-00-00" },
		{ "on-{{creation_date|date:'0102'}}-%d", { "on-0301-4", "on-0302-8" },
		  "on-0301-5" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *name = NULL;
		int n = 0;

		while (n < 4 && cases[i].there[n])
			n++;
		name = snapshots_name(cases[i].pattern, START, cases[i].there, n);
		assert_string_equal(name, cases[i].name);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans),
		cmocka_unit_test(patterns),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
