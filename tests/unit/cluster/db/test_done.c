/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/db/done.h"
#include "tests/unit/base/random.h"

#define ID_SIZE 33

static const char *id_of(int64_t n, char id[ID_SIZE])
{
	snprintf(id, ID_SIZE, "%016llx%016llx", (unsigned long long)n * 0x9e3779b97f4a7c15ULL,
		 (unsigned long long)n);
	return id;
}

static bool has(const struct done *d, int64_t n, bool want_burnt)
{
	bool burnt = !want_burnt;
	int64_t revision = -1;
	char id[ID_SIZE];

	if (!done_find(d, id_of(n, id), &revision, &burnt))
		return false;
	assert_int_equal(revision, n);
	assert_int_equal(burnt, want_burnt);
	return true;
}

static void what_is_added_is_found(void **state)
{
	struct done *d = done_new();
	char id[ID_SIZE];

	assert_false(has(d, 1, false));
	/* more than there are buckets at first, several times */
	for (int64_t i = 1; i <= 5000; i++)
		done_add(d, id_of(i, id), i, i % 3 == 0);
	for (int64_t i = 1; i <= 5000; i++)
		assert_true(has(d, i, i % 3 == 0));
	assert_false(has(d, 5001, false));
	assert_int_equal(done_floor(d), 0);
	done_free(d);
}

static void the_floor_is_before_the_first(void **state)
{
	struct done *d = done_new();
	char id[ID_SIZE];

	/* loaded from a database whose earlier ids are gone */
	done_add(d, id_of(100, id), 100, false);
	assert_int_equal(done_floor(d), 99);
	done_add(d, id_of(101, id), 101, false);
	assert_int_equal(done_floor(d), 99);
	done_forget(d, 50);
	assert_int_equal(done_floor(d), 99);
	assert_true(has(d, 100, false));
	done_forget(d, 100);
	assert_int_equal(done_floor(d), 100);
	assert_false(has(d, 100, false));
	assert_true(has(d, 101, false));
	done_forget(d, 200);
	assert_int_equal(done_floor(d), 200);
	done_clear(d);
	assert_int_equal(done_floor(d), 0);
	done_free(d);
	done_free(NULL);
}

static void texts_that_are_no_ids_are_left_out(void **state)
{
	static const char *const bad[] = { "", "short", "0123456789abcdef0123456789abcdef0",
					   "0123456789abcdef0123456789abcde" };
	struct done *d = done_new();
	int64_t revision;
	bool burnt;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		done_add(d, bad[i], 1, false);
		assert_false(done_find(d, bad[i], &revision, &burnt));
	}
	assert_int_equal(done_floor(d), 0);
	done_free(d);
}

/* Added, forgotten and cleared at random, beside a plain list of what must be there. */
static void it_agrees_with_a_plain_list(void **state)
{
	static bool there[20000];
	struct random r = { 11 };
	struct done *d = done_new();
	int64_t next = 1;
	char id[ID_SIZE];

	for (int step = 0; step < 3000; step++) {
		size_t what = random_below(&r, 100);
		int64_t up_to = random_below(&r, (size_t)next + 1);

		if (what < 90) {
			for (size_t n = random_below(&r, 6); n; n--, next++) {
				done_add(d, id_of(next, id), next, next % 2);
				there[next] = true;
			}
		} else if (what < 99) {
			done_forget(d, up_to);
			memset(there, 0, (size_t)up_to + 1);
			assert_true(done_floor(d) >= up_to);
		} else {
			done_clear(d);
			memset(there, 0, sizeof(there));
		}
		for (int k = 0; k < 5; k++) {
			int64_t n = 1 + (int64_t)random_below(&r, (size_t)next);

			assert_int_equal(has(d, n, n % 2), there[n]);
		}
	}
	done_free(d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_found),
		cmocka_unit_test(the_floor_is_before_the_first),
		cmocka_unit_test(texts_that_are_no_ids_are_left_out),
		cmocka_unit_test(it_agrees_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
