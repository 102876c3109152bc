/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

#define MANY 2000

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, UUID_SIZE);
}

static void uuids_are_of_version_4_and_differ(void **state)
{
	_free_ char *all = xcalloc(MANY, UUID_SIZE);

	for (int i = 0; i < MANY; i++) {
		char *u = all + (size_t)i * UUID_SIZE;

		assert_ptr_equal(rng_uuid(u), u);
		assert_true(str_is_uuid(u));
		assert_int_equal(u[14], '4');
		assert_non_null(strchr("89ab", u[19]));
	}
	qsort(all, MANY, UUID_SIZE, compare);
	for (int i = 1; i < MANY; i++)
		assert_string_not_equal(all + (size_t)(i - 1) * UUID_SIZE,
					all + (size_t)i * UUID_SIZE);
}

static void hex_has_its_length(void **state)
{
	char buf[80];

	for (size_t n = 1; n <= 32; n++) {
		memset(buf, 'x', sizeof(buf));
		rng_hex(buf, n);
		assert_true(str_is_hex(buf, 2 * n));
		assert_int_equal(buf[2 * n + 1], 'x');
	}
}

/* Every value of every byte comes up, and nothing beside the buffer is written. */
static void bytes_fill_the_buffer(void **state)
{
	_free_ unsigned char *buf = xcalloc(300002, 1);
	size_t seen[256] = { 0 };

	rng_bytes(buf + 1, 0);
	assert_int_equal(buf[1], 0);
	rng_bytes(buf + 1, 300000); /* more than one call of the kernel gives for sure */
	assert_int_equal(buf[0], 0);
	assert_int_equal(buf[300001], 0);
	for (size_t i = 1; i <= 300000; i++)
		seen[buf[i]]++;
	for (int i = 0; i < 256; i++)
		assert_in_range(seen[i], 800, 1600); /* 1172 expected, 34 deviation */
}

static void numbers_use_all_bits(void **state)
{
	uint64_t any = 0, all = UINT64_MAX;

	for (int i = 0; i < 200; i++) {
		uint64_t v = rng_u64();

		any |= v;
		all &= v;
	}
	assert_true(any == UINT64_MAX);
	assert_true(all == 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(uuids_are_of_version_4_and_differ),
		cmocka_unit_test(hex_has_its_length),
		cmocka_unit_test(bytes_fill_the_buffer),
		cmocka_unit_test(numbers_use_all_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
