/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "scheduler/place.h"

#define GIB (1ULL << 30)

static struct place_member member(const char *name, uint64_t requested, unsigned instances)
{
	struct place_member m = { .online = true, .memory_total_bytes = 16 * GIB, .cpus_total = 8,
				  .memory_requested_bytes = requested, .instances = instances };

	snprintf(m.name, sizeof(m.name), "%s", name);
	snprintf(m.architecture, sizeof(m.architecture), "x86_64");
	return m;
}

static const struct place_request small = { .architecture = "x86_64", .memory_bytes = GIB };

static void takes_the_least_requested(void **state)
{
	struct place_member m[] = { member("m1", 4 * GIB, 1), member("m2", 2 * GIB, 9),
				    member("m3", 3 * GIB, 0) };
	struct place_choice c;
	struct err err;

	assert_int_equal(place_choose(m, 3, &small, &c, &err), 0);
	assert_string_equal(c.member, "m2");
	assert_non_null(strstr(c.reason, "fewest requested resources of 3 eligible members"));
}

static void ties_go_by_instances_then_name(void **state)
{
	struct place_member m[] = { member("m3", 0, 2), member("m2", 0, 1), member("m1", 0, 1) };
	struct place_choice c;
	struct err err;

	assert_int_equal(place_choose(m, 3, &small, &c, &err), 0);
	assert_string_equal(c.member, "m1");
}

static void bigger_members_take_more(void **state)
{
	struct place_member m[] = { member("m1", 4 * GIB, 0), member("m2", 6 * GIB, 0) };
	struct place_choice c;
	struct err err;

	m[1].memory_total_bytes = 64 * GIB;
	assert_int_equal(place_choose(m, 2, &small, &c, &err), 0);
	assert_string_equal(c.member, "m2");
}

static void filters_rule_out(void **state)
{
	struct place_member m[] = { member("m1", 0, 0), member("m2", 0, 0), member("m3", 0, 0),
				    member("m4", 9 * GIB, 50) };
	struct place_choice c;
	struct err err;

	m[0].online = false;
	m[1].evacuated = true;
	snprintf(m[2].architecture, sizeof(m[2].architecture), "aarch64");
	assert_int_equal(place_choose(m, 4, &small, &c, &err), 0);
	assert_string_equal(c.member, "m4");

	assert_int_equal(place_choose(m, 3, &small, &c, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "1 offline, 1 evacuated, 1 of another architecture"));
}

static void some_take_only_what_asks(void **state)
{
	struct place_request group = { .architecture = "", .group = true };
	struct place_member m[] = { member("m1", 0, 0), member("m2", 0, 0), member("m3", 9, 50) };
	struct place_choice c;
	struct err err;

	m[0].by_name = true;
	m[1].by_group = true;
	assert_int_equal(place_choose(m, 3, &small, &c, &err), 0);
	assert_string_equal(c.member, "m3");
	assert_int_equal(place_choose(m, 3, &group, &c, &err), 0);
	assert_string_equal(c.member, "m2");
	assert_int_equal(place_choose(m, 2, &small, &c, &err), -1);
	assert_non_null(strstr(err.msg, "2 not to be chosen (scheduler.instance)"));
}

static void a_group_is_chosen_from(void **state)
{
	struct place_request group = { .architecture = "", .group = true };
	struct place_member m[] = { member("m1", 0, 0), member("m2", 5, 50), member("m3", 9, 50) };
	struct place_choice c;
	struct err err;

	m[0].outside = true;
	assert_int_equal(place_choose(m, 3, &group, &c, &err), 0);
	assert_string_equal(c.member, "m2");
	m[1].left = true;
	assert_int_equal(place_choose(m, 3, &group, &c, &err), 0);
	assert_string_equal(c.member, "m3");
	m[2].by_name = true; /* a group is no name */
	assert_int_equal(place_choose(m, 3, &group, &c, &err), -1);
	assert_non_null(strstr(err.msg, "of 3, 1 not in the group, 1 where it is, 1 not to be "
					"chosen (scheduler.instance)"));
}

static void order_of_members_does_not_matter(void **state)
{
	struct place_member m[] = { member("b", 0, 0), member("a", 0, 0), member("c", 0, 0) };
	struct place_choice c;
	struct err err;

	for (int rot = 0; rot < 3; rot++) {
		struct place_member first = m[0];

		memmove(&m[0], &m[1], 2 * sizeof(m[0]));
		m[2] = first;
		assert_int_equal(place_choose(m, 3, &small, &c, &err), 0);
		assert_string_equal(c.member, "a");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_least_requested),
		cmocka_unit_test(ties_go_by_instances_then_name),
		cmocka_unit_test(bigger_members_take_more),
		cmocka_unit_test(filters_rule_out),
		cmocka_unit_test(some_take_only_what_asks),
		cmocka_unit_test(a_group_is_chosen_from),
		cmocka_unit_test(order_of_members_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
