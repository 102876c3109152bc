/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/net/certinfo.h"
#include "base/net/x509.h"

#define DAY_S 86400

static void what_was_made_is_described(void **state)
{
	static const char *const names[] = { "n1", "a-longer.name.example", "caf\xc3\xa9",
					     "x, O=y" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_free_ char *cert = NULL, *key = NULL;
		struct x509_info info;
		struct err err = { 0 };

		assert_int_equal(x509_make(names[i], &cert, &key, &err), 0);
		assert_int_equal(x509_describe(cert, &info, &err), 0);
		assert_string_equal(info.common_name, names[i]);
		/* a member whose clock is late takes it, and it lasts ten years */
		assert_in_range(info.not_before, clock_wall() - DAY_S - 60, clock_wall() - DAY_S);
		assert_in_range(info.not_after, clock_wall() + 3649LL * DAY_S,
				clock_wall() + 3651LL * DAY_S);
	}
}

static void a_long_name_is_cut_as_certificates_need(void **state)
{
	_free_ char *cert = NULL, *key = NULL;
	struct x509_info info;
	struct err err = { 0 };
	char name[101];

	memset(name, 'n', 100);
	name[100] = '\0';
	assert_int_equal(x509_make(name, &cert, &key, &err), 0);
	assert_int_equal(x509_describe(cert, &info, &err), 0);
	assert_int_equal(strlen(info.common_name), 64);
	assert_int_equal(strncmp(info.common_name, name, 64), 0);
}

static void the_first_of_several_counts(void **state)
{
	_free_ char *a = NULL, *b = NULL, *key = NULL, *key2 = NULL, *both = NULL;
	struct x509_info info;
	struct err err = { 0 };

	assert_int_equal(x509_make("first", &a, &key, &err), 0);
	assert_int_equal(x509_make("second", &b, &key2, &err), 0);
	both = xasprintf("a remark\n%s%s", a, b);
	assert_int_equal(x509_describe(both, &info, &err), 0);
	assert_string_equal(info.common_name, "first");
}

static void no_certificate_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"hello",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct x509_info info = { .not_after = 7 };
		struct err err = { 0 };

		assert_int_equal(x509_describe(bad[i], &info, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(info.not_after, 7);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_made_is_described),
		cmocka_unit_test(a_long_name_is_cut_as_certificates_need),
		cmocka_unit_test(the_first_of_several_counts),
		cmocka_unit_test(no_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
