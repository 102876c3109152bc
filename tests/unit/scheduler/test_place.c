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
	struct place_member m = { .online = true,
				  .memory_total_bytes = 16 * GIB,
				  .cpus_total = 8,
				  .memory_requested_bytes = requested,
				  .instances = instances };

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
	m[1].leaving = true;
	snprintf(m[2].architecture, sizeof(m[2].architecture), "aarch64");
	assert_int_equal(place_choose(m, 4, &small, &c, &err), 0);
	assert_string_equal(c.member, "m4");

	assert_int_equal(place_choose(m, 3, &small, &c, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "1 offline, 1 leaving, 1 of another architecture"));
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

/* What the members have, what is asked for, and who is chosen. */
static void shares_are_compared(void **state)
{
	static const struct {
		const char *why;
		struct place_member m1, m2;
		struct place_request r;
		const char *chosen;
	} cases[] = {
		{ "memory goes before cpus",
		  { .memory_total_bytes = 8 * GIB, .cpus_total = 4, .cpus_requested = 4 },
		  { .memory_total_bytes = 8 * GIB, .memory_requested_bytes = GIB, .cpus_total = 4 },
		  { 0 },
		  "m1" },
		{ "cpus go before instances",
		  { .memory_total_bytes = 8 * GIB, .cpus_total = 4, .cpus_requested = 2 },
		  { .memory_total_bytes = 8 * GIB, .cpus_total = 4, .instances = 20 },
		  { 0 },
		  "m2" },
		{ "two of sixteen cpus are less than one of four",
		  { .memory_total_bytes = GIB, .cpus_total = 4, .cpus_requested = 1 },
		  { .memory_total_bytes = GIB, .cpus_total = 16, .cpus_requested = 2 },
		  { 0 },
		  "m2" },
		{ "the instance counts: a smaller member is fuller with it",
		  { .memory_total_bytes = 2 * GIB, .cpus_total = 4 },
		  { .memory_total_bytes = 64 * GIB, .memory_requested_bytes = GIB,
		    .cpus_total = 4 },
		  { .memory_bytes = GIB },
		  "m2" },
		{ "so do its cpus",
		  { .memory_total_bytes = GIB, .cpus_total = 1 },
		  { .memory_total_bytes = GIB, .cpus_total = 8, .cpus_requested = 1 },
		  { .cpus = 1 },
		  "m2" },
		{ "who tells no size is small",
		  { .memory_requested_bytes = 0 },
		  { .memory_total_bytes = 8 * GIB, .cpus_total = 4 },
		  { .memory_bytes = GIB },
		  "m2" },
		{ "but is taken while it is empty",
		  { .instances = 0 },
		  { .memory_total_bytes = 8 * GIB, .memory_requested_bytes = GIB, .cpus_total = 4 },
		  { 0 },
		  "m1" },
		{ "more than all of it is requested everywhere",
		  { .memory_total_bytes = GIB, .memory_requested_bytes = 9 * GIB, .cpus_total = 1 },
		  { .memory_total_bytes = GIB, .memory_requested_bytes = 5 * GIB, .cpus_total = 1 },
		  { .memory_bytes = 100 * GIB },
		  "m2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct place_member m[] = { cases[i].m1, cases[i].m2 };
		struct place_choice c;
		struct err err;

		for (size_t k = 0; k < 2; k++) {
			snprintf(m[k].name, sizeof(m[k].name), "m%zu", k + 1);
			m[k].online = true;
		}
		assert_int_equal(place_choose(m, 2, &cases[i].r, &c, &err), 0);
		if (strcmp(c.member, cases[i].chosen) != 0)
			fail_msg("%s: %s, %s", cases[i].why, c.member, c.reason);
	}
}

static void architectures_fit(void **state)
{
	static const struct {
		const char *member, *asked;
		bool fits;
	} cases[] = {
		{ "x86_64", "x86_64", true },   { "x86_64", "i686", true },
		{ "x86_64", "aarch64", false }, { "aarch64", "x86_64", false },
		{ "i686", "x86_64", false },    { "x86_64", "", true },
		{ "x86_64", NULL, true },       { "", "aarch64", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct place_request r = { .architecture = cases[i].asked };
		struct place_member m = member("m1", 0, 0);
		struct place_choice c;
		struct err err;

		snprintf(m.architecture, sizeof(m.architecture), "%s", cases[i].member);
		if (place_choose(&m, 1, &r, &c, &err) != (cases[i].fits ? 0 : -1))
			fail_msg("%s on %s", cases[i].asked, cases[i].member);
	}
}

/* A member that several rules exclude is counted under the first, so that the sum is right. */
static void the_first_rule_is_told(void **state)
{
	static const char *const labels[] = { "1 not in the group",
					      "1 where it is",
					      "1 offline",
					      "1 leaving",
					      "1 not to be chosen (scheduler.instance)",
					      "1 of another architecture" };

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		struct place_member m = member("m1", 0, 0);
		_free_ char *text = xasprintf("of 1, %s; bring one back", labels[i]);
		struct place_choice c;
		struct err err;

		m.outside = i <= 0;
		m.left = i <= 1;
		m.online = i > 2;
		m.leaving = i <= 3;
		m.by_name = i <= 4;
		snprintf(m.architecture, sizeof(m.architecture), "aarch64");
		assert_int_equal(place_choose(&m, 1, &small, &c, &err), -1);
		assert_int_equal(err.kind, ERR_UNAVAILABLE);
		if (!strstr(err.msg, text))
			fail_msg("%s, not %s", err.msg, text);
	}
}

static void nobody_is_there(void **state)
{
	struct place_choice c;
	struct err err;

	assert_int_equal(place_choose(NULL, 0, &small, &c, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.msg, "no member can take the instance: no member of the cluster is "
				     "known here yet; try again in a moment");
}

static void reasons_are_sentences(void **state)
{
	struct place_request r = { .architecture = "", .memory_bytes = 4 * GIB, .cpus = 1 };
	struct place_member m[] = { member("m1", 4 * GIB, 1), member("m2", 9 * GIB, 3) };
	struct place_choice c;
	struct err err;

	m[0].cpus_requested = 1;
	assert_int_equal(place_choose(m, 1, &r, &c, &err), 0);
	assert_string_equal(c.reason, "m1 has the fewest requested resources of 1 eligible member: "
				      "memory 50.0%, cpu 25.0%, 1 instance");
	m[0].instances = 2;
	assert_int_equal(place_choose(m, 2, &r, &c, &err), 0);
	assert_string_equal(c.reason,
			    "m1 has the fewest requested resources of 2 eligible members: "
			    "memory 50.0%, cpu 25.0%, 2 instances");
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
		cmocka_unit_test(shares_are_compared),
		cmocka_unit_test(architectures_fit),
		cmocka_unit_test(the_first_rule_is_told),
		cmocka_unit_test(nobody_is_there),
		cmocka_unit_test(reasons_are_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
