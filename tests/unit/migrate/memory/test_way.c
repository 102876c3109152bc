/* SPDX-License-Identifier: Apache-2.0 */
/* Which way the memory of a container goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "migrate/memory/way.h"

#define MIB ((int64_t)1 << 20)

static void large_ones_are_fetched_afterwards(void **state)
{
	static const struct {
		int64_t mib, speed, free_mib, files;
		const char *no_post_copy;
		enum memory_way want;
	} cases[] = {
		{ 0, 0, 8000, 20000, "", WAY_PLAIN },
		{ 16, 0, 8000, 20000, "", WAY_PLAIN },
		{ 50, 0, 8000, 20000, "", WAY_PLAIN },
		{ 256, 0, 8000, 20000, "", WAY_POST_COPY },
		{ 4096, 0, 8000, 20000, "", WAY_POST_COPY },
		{ 16, 10 * MIB, 8000, 20000, "", WAY_POST_COPY }, /* a slow link */
		{ 16, MIB - 1, 8000, 20000, "", WAY_PLAIN }, /* too slow for what is waited for */
		{ 50, 4000 * MIB, 8000, 20000, "", WAY_PLAIN },
		{ 256, 0, 8000, 20000, "its kernel is old", WAY_PLAIN },
		{ 4096, 0, 4000, 20000, "", WAY_PLAIN },
		{ 4096, 0, 8000, 8192, "", WAY_PLAIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct way_facts f = { .memory = cases[i].mib * MIB,
				       .speed = cases[i].speed,
				       .target_free = cases[i].free_mib * MIB,
				       .source_files = cases[i].files,
				       .no_post_copy = cases[i].no_post_copy };
		char why[200] = "";

		assert_int_equal(way_choose(WAY_COUNT, &f, why, sizeof(why)), cases[i].want);
		assert_true(*why);
	}
}

static void what_is_wished_for_is_done_where_it_is_possible(void **state)
{
	struct way_facts f = { .memory = 900 * MIB,
			       .target_free = 1000 * MIB,
			       .source_files = 20000,
			       .no_post_copy = "" };
	char why[200];

	assert_int_equal(way_choose(WAY_PLAIN, &f, why, sizeof(why)), WAY_PLAIN);
	assert_string_equal(why, "as configured");
	f.memory = 1;
	assert_int_equal(way_choose(WAY_POST_COPY, &f, why, sizeof(why)), WAY_POST_COPY);
	f.no_post_copy = "m2 is too old";
	assert_int_equal(way_choose(WAY_POST_COPY, &f, why, sizeof(why)), WAY_PLAIN);
	assert_string_equal(why, "m2 is too old");
}

static void standing_still_is_what_counts(void **state)
{
	struct way_facts f = { .memory = 4096 * MIB };

	assert_in_range(way_still_ms(WAY_PLAIN, &f), 10000, 11000);
	assert_in_range(way_still_ms(WAY_POST_COPY, &f), 400, 600);
	f.speed = 100 * MIB;
	assert_in_range(way_still_ms(WAY_PLAIN, &f), 40000, 41000);
	assert_in_range(way_still_ms(WAY_POST_COPY, &f), 400, 600);
}

static void ways_have_words(void **state)
{
	static const struct {
		const char *word;
		enum memory_way way;
	} cases[] = {
#define WAY(id, name, ms, cannot) { name, WAY_##id },
#include "migrate/memory/way.def"
#undef WAY
		{ "best", WAY_COUNT },
	};
	enum memory_way way;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(way_parse(cases[i].word, &way, &err), 0);
		assert_int_equal(way, cases[i].way);
		if (way < WAY_COUNT)
			assert_string_equal(way_name(way), cases[i].word);
	}
	assert_int_equal(way_parse("by hand", &way, &err), -1);
	assert_int_equal(way_parse("", &way, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_ones_are_fetched_afterwards),
		cmocka_unit_test(what_is_wished_for_is_done_where_it_is_possible),
		cmocka_unit_test(standing_still_is_what_counts),
		cmocka_unit_test(ways_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
