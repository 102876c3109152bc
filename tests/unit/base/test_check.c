/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"

#define A31 "abcdefghijklmnopqrstuvwxyz01234"
#define A63 A31 "-" A31
#define HEX16 "0123456789abcdef"

static const struct {
	const char *(*check)(const char *v);
	const char *value;
	bool ok;
} cases[] = {
	{ check_line, "a b\xc3\xa4", true },
	{ check_line, "a\nb", false },
	{ check_line, "a\x7f", false },
	{ check_path, "/", true },
	{ check_path, "/srv/pool", true },
	{ check_path, "/a/b/", true },
	{ check_path, "/..a/.b", true },
	{ check_path, "srv/pool", false },
	{ check_path, "//", false },
	{ check_path, "/a//b", false },
	{ check_path, "/a/./b", false },
	{ check_path, "/srv/../etc", false },
	{ check_path, "/srv/..", false },
	{ check_path, "/a\tb", false },
	{ check_path, "/" A63 A63 A63 A63 "abc", true },
	{ check_path, "/a/" A63 A63 A63 A63 "abcd/b", false },
	{ check_name, "default", true },
	{ check_name, "a b", true },
	{ check_name, A63 "a", true },
	{ check_name, A63 "ab", false },
	{ check_name, "a/b", false },
	{ check_name, "..", false },
	{ check_ifname, "br0", true },
	{ check_ifname, "veth56789012345", true },
	{ check_ifname, "veth567890123456", false },
	{ check_ifname, "all", false },
	{ check_ifname, "br 0", false },
	{ check_uuid, "6f1b9a64-1c70-4a2e-9d0f-3b1f8f0f1b11", true },
	{ check_uuid, "6f1b9a641c704a2e9d0f3b1f8f0f1b11", false },
	{ check_fingerprint, HEX16 HEX16 HEX16 HEX16, true },
	{ check_fingerprint, HEX16 HEX16 HEX16, false },
	{ check_fingerprint, HEX16 HEX16 HEX16 "0123456789abcdeg", false },
};

static void test_checks(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *wrong = cases[i].check(cases[i].value);

		if (!wrong != cases[i].ok)
			fail_msg("\"%s\": %s", cases[i].value, wrong ? wrong : "taken");
		if (wrong)
			assert_memory_equal(wrong, "must be ", 8);
	}
}

static void test_life(void **state)
{
	static const struct {
		const char *value;
		int64_t seconds; /* 0: refused */
	} lives[] = {
		{ "1S", 1 },       { "3H", 3 * 3600 }, { "1H 30M", 5400 }, { "1d 12H", 129600 },
		{ "1m", 2592000 }, { "30", 0 },        { "1d 30", 0 },     { "0S", 0 },
		{ "-1H", 0 },      { "101y", 0 },      { "soon", 0 },      { "H", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
		struct err err = { 0 };
		int64_t s = 0;
		int rc = parse_life(lives[i].value, &s, &err);

		if ((rc == 0) != (lives[i].seconds > 0))
			fail_msg("\"%s\": %s", lives[i].value, rc ? err.msg : "taken");
		assert_int_equal(s, lives[i].seconds);
		assert_int_equal(parse_life(lives[i].value, NULL, &err), rc);
		if (rc < 0)
			assert_int_equal(err.kind, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
