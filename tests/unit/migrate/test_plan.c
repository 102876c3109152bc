/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "migrate/plan.h"
#include "tests/unit/base/quoted.h"

static const char *text_of(const struct move_plan *plan)
{
	static char buf[8192];

	return move_plan_text(plan, MOVE_LIVE, buf, sizeof(buf));
}

static json_t *facts(const char *member)
{
	return json_pack("{ss,ss,ss,ss,s[sss],s[{ss},{ss}],si,ss,sb,sb}", "member", member,
			 "kernel_architecture", "x86_64", "kernel_version", "6.18.44",
			 "criu_version", "4.2.1", "cpu_flags", "sse4_2", "avx", "avx2",
			 "storage_drivers", "Name", "dir", "Name", "overlay", "page_size", 4096,
			 "lsm", "capability,apparmor", "cgroup2", 1, "idmapped_mounts", 1);
}

static void members_are_compared(void **state)
{
	static const struct {
		const char *source, *target; /* what differs from the usual, as JSON */
		enum move_kind kind;
		const char *words[3];
	} cases[] = {
		{ "{}", "{}", MOVE_LIVE, { "" } },
		{ "{}", "{\"kernel_version\": \"6.19.1\"}", MOVE_LIVE, { "" } },
		{ "{}", "{\"criu_version\": \"4.3\"}", MOVE_LIVE, { "" } },
		{ "{}",
		  "{\"cpu_flags\": [\"sse4_2\", \"avx\", \"avx2\", \"sha_ni\"]}",
		  MOVE_LIVE,
		  { "" } },
		{ "{}",
		  "{\"cpu_flags\": [\"sse4_2\", \"avx2\"]}",
		  MOVE_NEAR_LIVE,
		  { "m2", "avx", "m1" } },
		{ "{}", "{\"kernel_version\": \"6.12.3\"}", MOVE_NEAR_LIVE, { "6.12.3", "older" } },
		{ "{}",
		  "{\"criu_version\": \"\"}",
		  MOVE_NEAR_LIVE,
		  { "CRIU", "not installed", "m2" } },
		{ "{\"criu_version\": \"4.1.1\"}", "{}", MOVE_NEAR_LIVE, { "m1", "needs 4.2" } },
		{ "{\"criu_version\": \"4.3.0\"}", "{}", MOVE_NEAR_LIVE, { "older", "m2" } },
		{ "{\"kernel_version\": \"6.12.0\", \"criu_version\": \"4.1.1\"}",
		  "{}",
		  MOVE_LIVE,
		  { "" } },
		{ "{}", "{\"page_size\": 16384}", MOVE_NEAR_LIVE, { "pages" } },
		{ "{}", "{\"lsm\": \"capability\"}", MOVE_NEAR_LIVE, { "security modules" } },
		{ "{\"lsm\": \"selinux\"}", "{\"lsm\": \"lockdown,selinux\"}", MOVE_LIVE, { "" } },
		{ "{}", "{\"lsm\": \"apparmor,ipe,capability\"}", MOVE_LIVE, { "" } },
		{ "{}",
		  "{\"lsm\": \"capability,apparmors\"}",
		  MOVE_NEAR_LIVE,
		  { "m1 has apparmor" } },
		{ "{}", "{\"cgroup2\": false}", MOVE_NEAR_LIVE, { "cgroups" } },
		{ "{}",
		  "{\"no_live\": \"its hook is missing\"}",
		  MOVE_NEAR_LIVE,
		  { "m2", "hook is missing" } },
		{ "{}", "{\"kernel_architecture\": \"aarch64\"}", MOVE_REFUSED, { "aarch64" } },
		{ "{}",
		  "{\"storage_drivers\": [{\"Name\": \"dir\"}]}",
		  MOVE_REFUSED,
		  { "overlay", "m2" } },
		{ "{}", "{\"idmapped_mounts\": false}", MOVE_REFUSED, { "idmapped" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *s = facts("m1"), *t = facts("m2");
		struct err err;
		_json_ json_t *ds = json_parse(cases[i].source, strlen(cases[i].source), "s", &err);
		_json_ json_t *dt = json_parse(cases[i].target, strlen(cases[i].target), "t", &err);
		struct move_plan plan;

		json_object_update(s, ds);
		json_object_update(t, dt);
		plan_compare(s, t, "overlay", &plan);
		if (plan.kind != cases[i].kind)
			fail_msg("%s %s: %d %s", cases[i].source, cases[i].target, plan.kind,
				 text_of(&plan));
		for (size_t k = 0; k < 3 && cases[i].words[k]; k++)
			assert_non_null(strstr(text_of(&plan), cases[i].words[k]));
	}
}

static void confinement_is_compared(void **state)
{
	static const char own[] = "dunlin-container";
	static const struct {
		const char *label;
		const char *lsm, *profile, *version; /* that member's; NULL: it tells nothing */
		const char *words;                   /* NULL: nothing stands against it */
	} cases[] = {
		{ NULL, "apparmor", NULL, NULL, NULL },
		{ own, "apparmor", own, "a1", NULL },
		{ own, "apparmor", own, "b2", "another version on m2 than on m1" },
		{ own, "apparmor", "x", "a1", "m2 has not loaded AppArmor profile \"dunlin" },
		{ "mine", "apparmor", own, "a1", "\"mine\"" },
		{ "mine", "apparmor", "mine", "b2", NULL },
		{ own, "apparmor", NULL, NULL, "not loaded" },
		/* Without AppArmor there more is told. */
		{ own, "capability", NULL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *s = facts("m1"), *t = facts("m2");
		struct move_plan plan = { .kind = MOVE_LIVE };

		json_object_set_new(s, "confinement", json_pack("{ss}", "version", "a1"));
		json_put_str(t, "lsm", cases[i].lsm);
		if (cases[i].profile)
			json_object_set_new(t, "confinement",
					    json_pack("{s[ss],ss}", "profiles", "other",
						      cases[i].profile, "version",
						      cases[i].version));
		plan_confinement(cases[i].label, s, t, &plan);
		assert_int_equal(plan.kind, cases[i].words ? MOVE_NEAR_LIVE : MOVE_LIVE);
		if (cases[i].words && !strstr(text_of(&plan), cases[i].words))
			fail_msg("%zu: %s", i, text_of(&plan));
	}
}

static void all_that_differs_is_told(void **state)
{
	_json_ json_t *s = facts("m1"), *t = facts("m2");
	struct move_plan plan;

	json_put_int(t, "page_size", 16384);
	json_put_str(t, "lsm", "capability");
	json_put_str(t, "kernel_version", "6.12.3");
	json_object_set_new(t, "cpu_flags", json_array());
	plan_compare(s, t, "overlay", &plan);
	assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 6); /* three processor flags */
	assert_non_null(strstr(text_of(&plan), "security modules"));
	assert_non_null(strstr(text_of(&plan), "\"avx2\""));
}

static void a_list_ends_with_how_many_are_left(void **state)
{
	struct move_plan plan = { .kind = MOVE_LIVE };
	char buf[60];

	for (int i = 0; i < 30; i++)
		move_plan_add(&plan, MOVE_NEAR_LIVE, "reason %d", i);
	_json_ json_t *j = move_plan_json(&plan);
	assert_int_equal(json_array_size(json_arr(j, "reasons")), MOVE_REASONS_MAX);
	assert_int_equal(json_int(j, "more", 0), 10);
	assert_non_null(strstr(json_str(j, "reason", ""), "reason 19; and 10 more"));
	assert_string_equal(move_plan_text(&plan, MOVE_LIVE, buf, sizeof(buf)),
			    "reason 0; reason 1; reason 2; reason 3; and 26 more");
}

static void much_memory_over_a_slow_link_is_not_moved_live(void **state)
{
	static const struct {
		int64_t bytes, rate;
		enum memory_way way;
		enum move_kind kind;
	} rows[] = {
		{ INT64_MAX / 2, 0, WAY_PLAIN, MOVE_LIVE },
		{ 300 << 20, 10 << 20, WAY_PLAIN, MOVE_LIVE },
		{ 320 << 20, 10 << 20, WAY_PLAIN, MOVE_NEAR_LIVE },
		{ 320 << 20, 10 << 20, WAY_POST_COPY, MOVE_LIVE },
		{ 0, 64 << 10, WAY_PLAIN, MOVE_LIVE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct move_plan plan = { .way = rows[i].way };
		struct way_facts f = { .memory = rows[i].bytes, .speed = rows[i].rate };

		plan_memory(&f, &plan);
		assert_int_equal(plan.kind, rows[i].kind);
		if (plan.kind != MOVE_LIVE)
			assert_non_null(strstr(plan.reasons[0].text, "31 s"));
	}
}

static void versions_are_numbers(void **state)
{
	assert_int_equal(plan_version_cmp("4.2", "4.2.0"), 0);
	assert_int_equal(plan_version_cmp("4.10", "4.9"), 1);
	assert_int_equal(plan_version_cmp("6.1.0-13-amd64", "6.16"), -1);
	assert_int_equal(plan_version_cmp("", "1"), -1);
}

static void room_is_asked_for(void **state)
{
	static const struct {
		const char *target;
		int64_t memory, files;
		enum move_kind kind;
		const char *words;
	} cases[] = {
		{ "{'memory_free': 2048, 'pools': {'a': 1000}}", 2048, 1000, MOVE_LIVE, "" },
		{ "{'memory_free': 2048, 'pools': {'a': 1000}}", 2049, 1000, MOVE_NEAR_LIVE,
		  "m2 has 2.0 KiB of memory free" },
		{ "{'memory_free': 2048, 'pools': {'a': 1000}}", 1, 1001, MOVE_REFUSED,
		  "free in the pool \"a\"" },
		{ "{'memory_free': 2048, 'pools': {'b': 1}}", 1, 1001, MOVE_LIVE, "" },
		{ "{'memory_free': 2048, 'pools': {'a': 0}}", 1, -1, MOVE_LIVE, "" },
		{ "{}", 1 << 20, 1 << 20, MOVE_LIVE, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *target = quoted(cases[i].target);
		struct plan_need need = { "a", cases[i].memory, cases[i].files };
		struct move_plan plan = { .kind = MOVE_LIVE };
		char text[512];

		json_put_str(target, "member", "m2");
		plan_space(target, &need, &plan);
		assert_int_equal(plan.kind, cases[i].kind);
		move_plan_text(&plan, MOVE_LIVE, text, sizeof(text));
		if (!strstr(text, cases[i].words))
			fail_msg("%s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_compared),
		cmocka_unit_test(much_memory_over_a_slow_link_is_not_moved_live),
		cmocka_unit_test(confinement_is_compared),
		cmocka_unit_test(versions_are_numbers),
		cmocka_unit_test(room_is_asked_for),
		cmocka_unit_test(all_that_differs_is_told),
		cmocka_unit_test(a_list_ends_with_how_many_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
