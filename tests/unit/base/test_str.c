/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/base/random.h"

static void unsigned_numbers(void **state)
{
	static const struct {
		const char *in;
		uint64_t max;
		bool ok;
		uint64_t want;
	} cases[] = {
		{ "0", 0, true, 0 },
		{ "00012", 12, true, 12 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "10", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "", 10, false, 0 },
		{ NULL, 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ "-1", UINT64_MAX, false, 0 },
		{ "-0", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "1x", 10, false, 0 },
		{ "0x1", 10, false, 0 },
		{ "1.0", 10, false, 0 },
		{ "\n1", 10, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 4711;

		assert_int_equal(str_to_u64(cases[i].in, cases[i].max, &v), cases[i].ok);
		assert_int_equal(v, cases[i].ok ? cases[i].want : 4711);
	}
}

static void signed_numbers(void **state)
{
	static const struct {
		const char *in;
		int64_t min, max;
		bool ok;
		int64_t want;
	} cases[] = {
		{ "-5", -5, 5, true, -5 },
		{ "-6", -5, 5, false, 0 },
		{ "5", -5, 5, true, 5 },
		{ "6", -5, 5, false, 0 },
		{ "-0", 0, 0, true, 0 },
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, false, 0 },
		{ "-9223372036854775809", INT64_MIN, INT64_MAX, false, 0 },
		{ "-", -5, 5, false, 0 },
		{ "--1", -5, 5, false, 0 },
		{ "- 1", -5, 5, false, 0 },
		{ "+1", -5, 5, false, 0 },
		{ " 1", -5, 5, false, 0 },
		{ "1-", -5, 5, false, 0 },
		{ "", -5, 5, false, 0 },
		{ NULL, -5, 5, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = 4711;

		assert_int_equal(str_to_i64(cases[i].in, cases[i].min, cases[i].max, &v),
				 cases[i].ok);
		assert_int_equal(v, cases[i].ok ? cases[i].want : 4711);
	}
}

static void numbers_read_back(void **state)
{
	struct random r = { 3 };

	for (int i = 0; i < 1000; i++) {
		uint64_t v = random_u64(&r) >> random_below(&r, 64), u = 0;
		_free_ char *text = xasprintf("%llu", (unsigned long long)v);
		_free_ char *neg = xasprintf("%lld", -(long long)(v >> 1));
		int64_t s = 0;

		assert_true(str_to_u64(text, v, &u));
		assert_true(u == v);
		assert_false(v && str_to_u64(text, v - 1, &u));
		assert_true(str_to_i64(neg, INT64_MIN, INT64_MAX, &s));
		assert_true(s == -(int64_t)(v >> 1));
	}
}

static void booleans(void **state)
{
	static const struct {
		const char *in;
		int want; /* -1: refused */
	} cases[] = {
		{ "true", 1 },   { "TRUE", 1 },  { "1", 1 },   { "yes", 1 },  { "On", 1 },
		{ "false", 0 },  { "False", 0 }, { "0", 0 },   { "NO", 0 },   { "off", 0 },
		{ "", -1 },      { NULL, -1 },   { "2", -1 },  { "t", -1 },   { "true ", -1 },
		{ " true", -1 }, { "y", -1 },    { "01", -1 }, { "onn", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool v = false, w = true;

		assert_int_equal(str_to_bool(cases[i].in, &v), cases[i].want >= 0);
		assert_int_equal(str_to_bool(cases[i].in, &w), cases[i].want >= 0);
		assert_int_equal(v, cases[i].want == 1);
		assert_int_equal(w, cases[i].want != 0);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *in;
		bool ok;
		uint64_t want;
	} cases[] = {
		{ "0", true, 0 },
		{ "512", true, 512 },
		{ "512B", true, 512 },
		{ "2kB", true, 2000 },
		{ "2KB", true, 2000 },
		{ "3MB", true, 3000000 },
		{ "1GB", true, 1000000000 },
		{ "1TB", true, 1000000000000 },
		{ "1KiB", true, 1024 },
		{ "64MiB", true, 64 << 20 },
		{ "5GiB", true, 5ULL << 30 },
		{ "1TiB", true, 1ULL << 40 },
		{ "16777215TiB", true, 16777215ULL << 40 },
		{ "16777216TiB", false, 0 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "", false, 0 },
		{ NULL, false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1 MiB", false, 0 },
		{ "1MiB ", false, 0 },
		{ "1mib", false, 0 },
		{ "1kib", false, 0 },
		{ "1M", false, 0 },
		{ "MiB", false, 0 },
		{ "1.5GiB", false, 0 },
		{ "1e3", false, 0 },
		{ "50%", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 4711;

		if (str_to_size(cases[i].in, &v) != cases[i].ok)
			fail_msg("%s", cases[i].in);
		assert_true(v == (cases[i].ok ? cases[i].want : 4711));
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0: refused */
	} cases[] = {
		{ "30", 30 },
		{ "30S", 30 },
		{ "10M", 600 },
		{ "3H", 10800 },
		{ "1d", 86400 },
		{ "2w", 1209600 },
		{ "1m", 2592000 },
		{ "1y", 31536000 },
		{ "100y", 100 * 31536000LL },
		{ "1H 30M", 5400 },
		{ "1y 1d 1S", 31536000 + 86400 + 1 },
		{ "99y 365d", 100 * 31536000LL },
		{ "99y 366d", 0 },
		{ "101y", 0 },
		{ "99y 2y", 0 },
		{ "9223372036854775807S", 0 },
		{ "99999999999999999999S", 0 },
		{ "", 0 },
		{ NULL, 0 },
		{ "H", 0 },
		{ "1x", 0 },
		{ "1h", 0 },
		{ "-1H", 0 },
		{ "0", 0 },
		{ "0d", 0 },
		{ "1d 0S", 0 },
		{ " 1d", 0 },
		{ "1 d", 0 },
		{ "1dd", 0 },
		{ "1d  2H", 0 },
		{ "1d ", 0 },
		{ "1H30M", 0 },
		{ "1d\t2H", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t s = 0;

		if (str_to_duration(cases[i].text, &s) != (cases[i].seconds != 0) ||
		    s != cases[i].seconds)
			fail_msg("%s: %lld", cases[i].text ? cases[i].text : "NULL", (long long)s);
	}
}

static void sizes_for_people(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 1 << 20, "1.0 MiB" },
		{ 1468006, "1.4 MiB" },
		{ 5ULL << 30, "5.0 GiB" },
		{ 1ULL << 40, "1.0 TiB" },
		{ 1ULL << 50, "1.0 PiB" },
		{ UINT64_MAX, "16384.0 PiB" },
	};
	char buf[16];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(str_of_size(cases[i].bytes, buf), cases[i].text);
}

static void names(void **state)
{
	static const struct {
		const char *in;
		bool host, name, ifname;
	} cases[] = {
		{ "c1", true, true, true },
		{ "C", true, true, true },
		{ "a-b", true, true, true },
		{ "a--b", true, true, true },
		{ "-a", false, false, false },
		{ "a-", false, true, true },
		{ "9a", false, true, true },
		{ "123", false, true, true },
		{ "a_b", false, true, true },
		{ "a.b", false, true, true },
		{ ".a", false, true, true },
		{ "a/b", false, false, false },
		{ "/", false, false, false },
		{ ".", false, false, false },
		{ "..", false, false, false },
		{ "...", false, true, true },
		{ "", false, false, false },
		{ NULL, false, false, false },
		{ "abcdefghijklmno", true, true, true },
		{ "abcdefghijklmnop", true, true, false },
		{ "a b", false, true, false },
		{ " a", false, false, false },
		{ "a ", false, true, false },
		{ "\ta", false, false, false },
		{ "a\nb", false, false, false },
		{ "a\x7f", false, false, false },
		{ "a\x1b[2J", false, false, false },
		{ "caf\xc3\xa9", false, true, false },
		{ "a:b", false, true, false },
		{ "all", true, true, false },
		{ "default", true, true, false },
		{ "defaults", true, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (str_is_hostname(cases[i].in) != cases[i].host ||
		    str_is_name(cases[i].in, 63) != cases[i].name ||
		    str_is_ifname(cases[i].in) != cases[i].ifname)
			fail_msg("%s", cases[i].in ? cases[i].in : "NULL");
	}
}

static void folders(void **state)
{
	static const struct {
		const char *in;
		bool ok;
	} t[] = {
		{ "c1", true },         { "web~c1", true },   { "a.b_c-d~c1", true },
		{ "9~c1", true },       { "", false },        { "web~", false },
		{ "~c1", false },       { "-w~c1", false },   { ".w~c1", false },
		{ "a~b~c1", false },    { "a b~c1", false },  { "web~9", false },
		{ "c1.new", false },    { "web/x~c", false }, { "web~c-", false },
		{ NULL, false },
	};
	char longest[FOLDER_SIZE + 1] = "";

	for (size_t k = 0; k < ARRAY_SIZE(t); k++) {
		if (str_is_folder(t[k].in) != t[k].ok)
			fail_msg("%s", t[k].in ? t[k].in : "NULL");
	}
	memset(longest, 'p', FOLDER_SIZE - 1);
	longest[63] = '~';
	assert_true(str_is_folder(longest));
	longest[FOLDER_SIZE - 1] = 'p';
	assert_false(str_is_folder(longest));
}

static void names_have_a_length(void **state)
{
	char text[66];

	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	assert_true(str_is_hostname(text));
	assert_true(str_is_name(text, 63));
	assert_false(str_is_name(text, 62));
	text[63] = 'a';
	text[64] = '\0';
	assert_false(str_is_hostname(text));
	assert_true(str_is_name(text, 64));
	assert_false(str_is_name("a", 0));
}

static void hex_and_uuids(void **state)
{
	static const char *const bad[] = {
		NULL,
		"",
		"550e8400-e29b-41d4-a716-44665544000",
		"550e8400-e29b-41d4-a716-4466554400000",
		"550e8400e29b-41d4-a716-446655440000-",
		"550e8400-e29b-41d4-a716_446655440000",
		"550e8400-e29b-41d4-a716-44665544000g",
		"{50e8400-e29b-41d4-a716-446655440000",
	};

	assert_true(str_is_uuid("550e8400-e29b-41d4-a716-446655440000"));
	assert_true(str_is_uuid("550E8400-E29B-41D4-A716-446655440000"));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(str_is_uuid(bad[i]));
	assert_true(str_is_hex("09af", 4));
	assert_true(str_is_hex("", 0));
	assert_false(str_is_hex("09af", 3));
	assert_false(str_is_hex("09af", 5));
	assert_false(str_is_hex("09AF", 4));
	assert_false(str_is_hex("09ag", 4));
	assert_false(str_is_hex(NULL, 0));
}

static void comparisons(void **state)
{
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "A"));
	assert_true(str_empty(NULL));
	assert_true(str_empty(""));
	assert_false(str_empty(" "));
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_true(str_starts("abc", "abc"));
	assert_false(str_starts("ab", "abc"));
	assert_false(str_starts(NULL, ""));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", "abc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends(NULL, ""));
	assert_false(str_ends("bc", "abc"));
	assert_false(str_ends("abc", "ab"));
}

/* Each is before all that follow. */
static void natural_order(void **state)
{
	static const char *const sorted[] = {
		"",
		"01",
		"1",
		"2",
		"10",
		"A",
		"a",
		"a-1",
		"a1",
		"a1b",
		"a01b2",
		"a2",
		"a10",
		"a10b9",
		"a10b10",
		"a99999999999999999999",
		"a100000000000000000000",
		"ab",
		"b",
		"n1-2",
		"n01-10",
		"n2",
		"\xc3\xa9",
	};

	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(sorted); k++) {
			int r = str_natural(sorted[i], sorted[k]);

			if ((i < k && r >= 0) || (i > k && r <= 0) || (i == k && r != 0))
				fail_msg("%s, %s: %d", sorted[i], sorted[k], r);
		}
	}
}

/* What sort(3) needs: antisymmetric, transitive, and equal only for equal texts. */
static void natural_order_is_an_order(void **state)
{
	struct random r = { 12 };
	char t[60][8];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		random_text(&r, "01a-", t[i], sizeof(t[i]));
	for (size_t a = 0; a < ARRAY_SIZE(t); a++) {
		for (size_t b = 0; b < ARRAY_SIZE(t); b++) {
			int ab = str_natural(t[a], t[b]);

			assert_int_equal(ab == 0, strcmp(t[a], t[b]) == 0);
			assert_int_equal(ab<0, str_natural(t[b], t[a])> 0);
			for (size_t c = 0; c < ARRAY_SIZE(t); c++) {
				if (ab < 0 && str_natural(t[b], t[c]) < 0)
					assert_true(str_natural(t[a], t[c]) < 0);
			}
		}
	}
}

static void yes_and_no(void **state)
{
	static const struct {
		const char *in;
		int want;
	} cases[] = { { "yes", 1 }, { "YES", 1 },   { "y", 1 },  { "Y", 1 },
		      { "no", 0 },  { "No", 0 },    { "n", 0 },  { "", -1 },
		      { "ye", -1 }, { "yess", -1 }, { "1", -1 }, { "true", -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(str_yes_no(cases[i].in), cases[i].want);
}

static void copies_are_cut_and_ended(void **state)
{
	char buf[4] = "xxx";

	assert_true(str_copy(buf, sizeof(buf), "abc"));
	assert_string_equal(buf, "abc");
	assert_false(str_copy(buf, sizeof(buf), "defg"));
	assert_string_equal(buf, "def");
	assert_true(str_copy(buf, sizeof(buf), NULL));
	assert_string_equal(buf, "");
	assert_false(str_copy(buf, 1, "a"));
	assert_string_equal(buf, "");
}

static void splits(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		const char *parts[3];
	} cases[] = {
		{ "", 1, { "" } },
		{ "a", 1, { "a" } },
		{ "a,b", 2, { "a", "b" } },
		{ ",", 2, { "", "" } },
		{ "a,,b", 3, { "a", "", "b" } },
		{ "a,b,c", 3, { "a", "b", "c" } },
		{ "a,b,c,d", 4, { "a", "b", "c" } },
		{ ",,,,,", 4, { "", "", "" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = xstrdup(cases[i].in);
		char *parts[3] = { NULL };

		assert_int_equal(str_split(text, ',', parts, 3), cases[i].n);
		for (size_t k = 0; k < 3 && k < cases[i].n; k++)
			assert_string_equal(parts[k], cases[i].parts[k]);
	}
}

static void url_decoding(void **state)
{
	static const struct {
		const char *in;
		bool plus;
		const char *out; /* NULL: refused */
	} cases[] = {
		{ "", false, "" },
		{ "a%20b", false, "a b" },
		{ "a+b", true, "a b" },
		{ "a+b", false, "a+b" },
		{ "%2B+", true, "+ " },
		{ "%2f%2F", false, "//" },
		{ "%c3%A9", false, "\xc3\xa9" },
		{ "%2541", false, "%41" },
		{ "%", false, NULL },
		{ "a%2", false, NULL },
		{ "%zz", false, NULL },
		{ "%2g", false, NULL },
		{ "%+1", false, NULL },
		{ "% 1", false, NULL },
		{ "a%00b", false, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = xstrdup(cases[i].in);

		assert_int_equal(str_url_decode(text, cases[i].plus), cases[i].out != NULL);
		if (cases[i].out)
			assert_string_equal(text, cases[i].out);
	}
}

static void url_coding_round_trip(void **state)
{
	struct random r = { 5 };
	_free_ char *special = str_url_encode("a b/\xc3\xbc?#&=+%\"");

	assert_string_equal(special, "a%20b/%C3%BC%3F%23%26%3D%2B%25%22");
	for (int i = 0; i < 500; i++) {
		char text[50];
		_free_ char *coded = NULL;
		size_t n = random_below(&r, sizeof(text));

		for (size_t k = 0; k < n; k++)
			text[k] = (char)(1 + random_below(&r, 255));
		text[n] = '\0';
		coded = str_url_encode(text);
		for (const char *p = coded; *p; p++)
			assert_true((unsigned char)*p > 0x20 && (unsigned char)*p < 0x7f);
		assert_true(str_url_decode(coded, true));
		assert_string_equal(coded, text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers),
		cmocka_unit_test(numbers_read_back),
		cmocka_unit_test(booleans),
		cmocka_unit_test(sizes),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes_for_people),
		cmocka_unit_test(names),
		cmocka_unit_test(folders),
		cmocka_unit_test(names_have_a_length),
		cmocka_unit_test(hex_and_uuids),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(natural_order),
		cmocka_unit_test(natural_order_is_an_order),
		cmocka_unit_test(yes_and_no),
		cmocka_unit_test(copies_are_cut_and_ended),
		cmocka_unit_test(splits),
		cmocka_unit_test(url_decoding),
		cmocka_unit_test(url_coding_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
