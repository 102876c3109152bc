/* SPDX-License-Identifier: Apache-2.0 */
/* Which way an instance moves, by what stands against each and what was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrate/migrate.h"

/* One reason for each letter: against live only, near-live too, all. */
static struct move_plan plan_of(const char *against)
{
	struct move_plan plan = { .kind = MOVE_LIVE };
	size_t n = 0;

	for (; *against; against++) {
		if (*against == 'l')
			move_plan_add(&plan, MOVE_NEAR_LIVE, "process %zu", ++n);
		else if (*against == 'n')
			move_plan_add(&plan, MOVE_COLD, "a disk");
		else
			move_plan_add(&plan, MOVE_REFUSED, "a host");
	}
	return plan;
}

static void the_best_that_is_allowed_is_taken(void **state)
{
	static const struct {
		const char *mode, *against;
		bool stopped;
		enum move_kind kind;
		const char *why;
	} cases[] = {
		{ "best", "", false, MOVE_LIVE, "nothing stands against it" },
		{ "best", "l", false, MOVE_NEAR_LIVE, "process 1" },
		{ "best", "ll", false, MOVE_NEAR_LIVE, "process 1; process 2" },
		{ "best", "ln", false, MOVE_COLD, "process 1; a disk" },
		{ "best", "n", false, MOVE_COLD, "a disk" },
		{ "best", "lx", false, MOVE_REFUSED, "process 1; a host" },
		{ "live", "", false, MOVE_LIVE, "as asked for" },
		{ "live", "l", false, MOVE_REFUSED, "process 1" },
		{ "live", "x", false, MOVE_REFUSED, "a host" },
		{ "near-live", "", false, MOVE_NEAR_LIVE, "as asked for" },
		/* what stands against live only is nobody's business then */
		{ "near-live", "l", false, MOVE_NEAR_LIVE, "as asked for" },
		{ "near-live", "ln", false, MOVE_REFUSED, "a disk" },
		{ "cold", "", false, MOVE_COLD, "as asked for" },
		{ "cold", "ln", false, MOVE_COLD, "as asked for" },
		{ "cold", "lnx", false, MOVE_REFUSED, "a host" },
		/* the plan of a stopped one has but that one reason */
		{ "best", "n", true, MOVE_COLD, "a disk" },
		{ "live", "n", true, MOVE_COLD, "a disk" },
		{ "near-live", "n", true, MOVE_COLD, "a disk" },
		{ "cold", "n", true, MOVE_COLD, "a disk" },
		{ "live", "x", true, MOVE_REFUSED, "a host" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct move_plan plan = plan_of(cases[i].against);
		struct err err = { 0 };
		enum move_kind kind;
		unsigned modes = 0;
		char why[100];

		assert_int_equal(move_modes_parse(cases[i].mode, &modes, &err), 0);
		kind = move_choose(&plan, modes, !cases[i].stopped, why, sizeof(why));
		if (kind != cases[i].kind || strcmp(why, cases[i].why) != 0)
			fail_msg("%s of \"%s\": %s: %s", cases[i].mode, cases[i].against,
				 move_kind_name(kind), why);
	}
}

static void modes_have_names(void **state)
{
	static const struct {
		const char *word;
		unsigned modes; /* 0: it is none */
	} cases[] = {
		{ "best", 7 },    { "live", 1 }, { "near-live", 2 }, { "cold", 4 }, { "", 0 },
		{ "refused", 0 }, { "Live", 0 }, { "liv", 0 },       { "hot", 0 },  { "live ", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		unsigned modes = 0;
		int rc = move_modes_parse(cases[i].word, &modes, &err);

		if (rc != (cases[i].modes ? 0 : -1) || modes != cases[i].modes)
			fail_msg("\"%s\": %d, %u", cases[i].word, rc, modes);
		if (rc < 0 &&
		    (err.kind != ERR_INVALID || !strstr(err.msg, "best, live, near-live, cold")))
			fail_msg("%s", err.msg);
	}
	assert_string_equal(move_kind_name(MOVE_NEAR_LIVE), "near-live");
	assert_string_equal(move_kind_name(MOVE_REFUSED), "refused");
}

static bool allows(const json_t *plan, const char *mode)
{
	return json_bool(json_obj(json_obj(plan, "modes"), mode), "possible", false);
}

static size_t reasons(const json_t *plan, const char *mode)
{
	return json_array_size(json_arr(json_obj(json_obj(plan, "modes"), mode), "reasons"));
}

static void a_plan_tells_what_stands_against_each(void **state)
{
	struct move_plan plan = plan_of("llnlllllllllllllllllllll");
	_json_ json_t *plain = move_plan_json(&plan), *j = NULL;
	const json_t *live;

	assert_string_equal(json_str(plain, "note", "?"), "");
	assert_string_equal(json_str(plain, "memory", "?"), "");
	str_copy(plan.note, sizeof(plan.note), "two will end");
	plan.way = WAY_POST_COPY;
	str_copy(plan.way_why, sizeof(plan.way_why), "it is large");
	j = move_plan_json(&plan);
	live = json_obj(json_obj(j, "modes"), "live");
	assert_string_equal(json_str(j, "note", ""), "two will end");
	assert_string_equal(json_str(j, "memory", ""), "post-copy");
	assert_string_equal(json_str(j, "memory_reason", ""), "it is large");

	assert_string_equal(json_str(j, "kind", ""), "cold");
	assert_false(allows(j, "live"));
	assert_false(allows(j, "near-live"));
	assert_true(allows(j, "cold"));
	assert_int_equal(reasons(j, "live"), MOVE_REASONS_MAX);
	assert_int_equal(json_int(live, "more", 0), 4);
	assert_int_equal(reasons(j, "near-live"), 1);
	assert_int_equal(reasons(j, "cold"), 0);
	assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 24);
	assert_int_equal(move_plan_count(&plan, MOVE_NEAR_LIVE), 1);
	assert_int_equal(move_plan_count(&plan, MOVE_COLD), 0);
}

static void what_is_said_already_is_not_said_again(void **state)
{
	struct move_plan plan = plan_of("l");

	move_plan_add(&plan, MOVE_NEAR_LIVE, "process %d", 1);
	assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 1);
	/* The same words may forbid more. */
	move_plan_add(&plan, MOVE_COLD, "process 1");
	assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 2);
	assert_int_equal(plan.kind, MOVE_COLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_that_is_allowed_is_taken),
		cmocka_unit_test(modes_have_names),
		cmocka_unit_test(a_plan_tells_what_stands_against_each),
		cmocka_unit_test(what_is_said_already_is_not_said_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
