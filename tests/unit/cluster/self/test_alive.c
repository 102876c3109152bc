/* SPDX-License-Identifier: Apache-2.0 */
/* The one definition of alive. */
#include <string.h>

#include "cluster/self/alive.h"
#include "tests/unit/cluster/still_world.h"

static struct still_world world;

static int open_world(void **state)
{
	still_open(&world);
	still_put(&world, ENT_MEMBER, "m1", 1,
		  "{\"address\":\"10.0.0.1:1\",\"role\":\"voter\"}");
	still_put(&world, ENT_MEMBER, "m2", 2,
		  "{\"address\":\"10.0.0.2:1\",\"role\":\"voter\"}");
	return 0;
}

static int close_world(void **state)
{
	still_close(&world);
	return 0;
}

static void test_life(void **state)
{
	static const struct {
		struct life_evidence e;
		enum member_life life;
	} cases[] = {
		/* one knows that oneself lives, whatever was said */
		{ { true, LIFE_OFFLINE, 9999 }, LIFE_ONLINE },
		{ { true, LIFE_UNKNOWN, 0 }, LIFE_ONLINE },
		/* the leader's word */
		{ { false, LIFE_ONLINE, 0 }, LIFE_ONLINE },
		{ { false, LIFE_OFFLINE, 0 }, LIFE_OFFLINE },
		{ { false, LIFE_UNKNOWN, 0 }, LIFE_UNKNOWN },
		/* its last word, when it is gone */
		{ { false, LIFE_ONLINE, 1 }, LIFE_UNKNOWN },
		{ { false, LIFE_ONLINE, 4999 }, LIFE_UNKNOWN },
		{ { false, LIFE_OFFLINE, 1 }, LIFE_OFFLINE },
		{ { false, LIFE_UNKNOWN, 4999 }, LIFE_UNKNOWN },
		/* nothing heard for the threshold */
		{ { false, LIFE_ONLINE, 5000 }, LIFE_OFFLINE },
		{ { false, LIFE_UNKNOWN, 5000 }, LIFE_OFFLINE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (life_of(&cases[i].e, 5000) != cases[i].life)
			fail_msg("case %zu", i);
	}
}

static void set(const char *key, const char *value)
{
	_free_ char *text = value ? xasprintf("{\"value\":\"%s\"}", value) : NULL;

	still_put(&world, ENT_CONFIG, key, replica_revision(world.c.replica) + 1, text);
}

/* By the threshold, or when it is no election any more: whichever is shorter, and no less than
 * five seconds. */
static void cut_off(void **state)
{
	static const struct {
		const char *threshold, *latency; /* settings; NULL: unset */
		int64_t island_ms;
		bool is;
	} cases[] = {
		{ NULL, NULL, 0, false },	{ NULL, NULL, 100, false },
		{ NULL, NULL, 5001, true },	{ "3", NULL, 100, false },
		{ "3", NULL, 3001, true },	{ "600", NULL, 100, false },
		{ "600", NULL, 5001, true },	{ "600", "20", 100, false },
		{ "600", "20", 5001, true },	{ "600", "500", 20000, false },
		{ "600", "500", 50001, true },	{ "30", "500", 5001, false },
		{ "30", "500", 30001, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		set("cluster.offline_threshold", cases[i].threshold);
		set("cluster.raft_latency_ms", cases[i].latency);
		still_island(&world, cases[i].island_ms);
		if (cluster_is_cut_off(&world.c) != cases[i].is ||
		    cluster_explain_cut_off(&world.c, &err) != cases[i].is)
			fail_msg("case %zu", i);
		assert_int_equal(err.kind, cases[i].is ? ERR_UNAVAILABLE : ERR_NONE);
	}
	set("cluster.offline_threshold", NULL);
	set("cluster.raft_latency_ms", NULL);
}

static void who_is_cut_off_says_whom_it_waits_for(void **state)
{
	struct err err = { 0 };

	still_island(&world, 61000);
	assert_true(cluster_explain_cut_off(&world.c, &err));
	assert_non_null(strstr(err.msg, "m1 has heard of no leader for 6"));
	assert_non_null(strstr(err.msg, "(m1 and m2)"));
	still_put(&world, ENT_MEMBER, "m3", 101, "{\"role\":\"voter\"}");
	still_put(&world, ENT_MEMBER, "m4", 102, "{\"role\":\"standby\"}");
	assert_true(cluster_explain_cut_off(&world.c, &err));
	assert_non_null(strstr(err.msg, "(m1, m2 and m3)"));
	still_put(&world, ENT_MEMBER, "m3", 103, NULL);
	still_put(&world, ENT_MEMBER, "m4", 104, NULL);
}

static void where_a_member_is(void **state)
{
	char buf[ADDRESS_SIZE];
	struct err err = { 0 };

	still_island(&world, 0);
	/* it may live: nobody has said else */
	assert_int_equal(cluster_member_address(&world.c, "m2", buf, sizeof(buf), &err), 0);
	assert_string_equal(buf, "10.0.0.2:1");
	assert_int_equal(cluster_member_address(&world.c, "m9", buf, sizeof(buf), &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	still_put(&world, ENT_MEMBER, "m5", 105, "{}");
	assert_int_equal(cluster_member_address(&world.c, "m5", buf, sizeof(buf), &err), -1);
	assert_non_null(strstr(err.msg, "\"m5\" has no address"));
	still_fact(&world, "m2", "{\"status\":\"Offline\",\"since\":86400}");
	assert_int_equal(cluster_member_address(&world.c, "m2", buf, sizeof(buf), &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "\"m2\" is offline since 1970-01-02T00:00:00"));
	/* the last word, of whoever hears nobody any more */
	still_fact(&world, "m2", "{\"status\":\"Online\"}");
	assert_int_equal(cluster_member_address(&world.c, "m2", buf, sizeof(buf), &err), 0);
	still_island(&world, 100);
	assert_int_equal(cluster_member_address(&world.c, "m2", buf, sizeof(buf), &err), 0);
	still_island(&world, 60000);
	assert_int_equal(cluster_member_address(&world.c, "m2", buf, sizeof(buf), &err), -1);
	assert_non_null(strstr(err.msg, "\"m2\" is not heard"));
	assert_non_null(strstr(err.msg, "no quorum"));
}

static void since_when(void **state)
{
	int64_t since = -1, now = clock_wall();

	still_island(&world, 0);
	still_fact(&world, "m2", "{\"status\":\"Offline\",\"since\":86400}");
	assert_int_equal(cluster_member_life(&world.c, "m2", &since), LIFE_OFFLINE);
	assert_int_equal(since, 86400);
	still_fact(&world, "m2", "{\"status\":\"Online\"}");
	assert_int_equal(cluster_member_life(&world.c, "m2", &since), LIFE_ONLINE);
	assert_int_equal(since, 0);
	still_island(&world, 60000);
	assert_int_equal(cluster_member_life(&world.c, "m2", &since), LIFE_OFFLINE);
	assert_in_range(since, now - 61, now - 50);
	assert_int_equal(cluster_member_life(&world.c, "m1", NULL), LIFE_ONLINE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(who_is_cut_off_says_whom_it_waits_for),
		cmocka_unit_test(where_a_member_is),
		cmocka_unit_test(since_when),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
