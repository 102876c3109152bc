/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/model/group.h"

static void assert_groups(const json_t *member, const char *want)
{
	_json_ json_t *groups = member_groups(member);
	_free_ char *text = json_text(groups);

	assert_string_equal(text, want);
}

/* Also rows that say nothing of groups, or not what is always so. */
static void all_are_in_the_default_one(void **state)
{
	static const struct {
		const char *row, *groups;
	} cases[] = {
		{ "{}", "[\"default\"]" },
		{ "{\"groups\":[]}", "[\"default\"]" },
		{ "{\"groups\":[\"default\"]}", "[\"default\"]" },
		{ "{\"groups\":[\"gpu\"]}", "[\"default\",\"gpu\"]" },
		{ "{\"groups\":[\"gpu\",\"default\",\"ssd\"]}", "[\"default\",\"gpu\",\"ssd\"]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *member = json_loads(cases[i].row, 0, NULL);

		assert_non_null(member);
		assert_groups(member, cases[i].groups);
		assert_true(member_is_in(member, GROUP_DEFAULT));
		assert_false(member_is_in(member, "other"));
	}
}

static void has_a_failure_domain(void **state)
{
	_json_ json_t *member = json_object();

	assert_string_equal(member_domain(member), DOMAIN_DEFAULT);
	json_put_str(member, "failure_domain", "rack2");
	assert_string_equal(member_domain(member), "rack2");
}

static void joins_and_leaves(void **state)
{
	_json_ json_t *member = json_object();

	member_set_group(member, "gpu", true);
	member_set_group(member, "ssd", true);
	member_set_group(member, "gpu", true);
	assert_groups(member, "[\"default\",\"ssd\",\"gpu\"]");
	assert_true(member_is_in(member, "gpu"));
	member_set_group(member, "gpu", false);
	member_set_group(member, "never", false);
	member_set_group(member, GROUP_DEFAULT, true);
	assert_groups(member, "[\"default\",\"ssd\"]");
	assert_false(member_is_in(member, "gpu"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_in_the_default_one),
		cmocka_unit_test(joins_and_leaves),
		cmocka_unit_test(has_a_failure_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
