/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads, as far as a member knows, and whether it hears a leader. */
#include <string.h>

#include "tests/unit/cluster/still_world.h"

static struct still_world world;

static int open_world(void **state)
{
	still_open(&world);
	return 0;
}

static int close_world(void **state)
{
	still_close(&world);
	return 0;
}

static void assert_leader(const char *want)
{
	char address[ADDRESS_SIZE] = "";

	assert_int_equal(cluster_leader_address(&world.c, address, sizeof(address)),
			 *want != 0);
	assert_string_equal(address, want);
}

static void what_others_say(void **state)
{
	struct cluster *c = &world.c;

	assert_leader("");
	cluster_set_leader(c, "m2", "10.0.0.2:1");
	assert_leader("10.0.0.2:1");
	assert_int_equal(world.told.leader_known, 1);
	/* no news */
	cluster_set_leader(c, "m2", "10.0.0.2:1");
	assert_int_equal(world.told.leader_known, 1);
	/* one that does not answer is forgotten, but not who leads after it */
	cluster_forget_leader(c, "10.0.0.3:1");
	assert_leader("10.0.0.2:1");
	cluster_forget_leader(c, "10.0.0.2:1");
	assert_leader("");
	assert_int_equal(world.told.leader_known, 1);
}

static void who_leads_knows_it(void **state)
{
	struct cluster *c = &world.c;

	cluster_set_leading(c, true);
	assert_true(cluster_is_leader(c));
	assert_false(cluster_is_island(c));
	assert_leader("10.0.0.1:1");
	assert_int_equal(world.told.duties_due, 1);
	/* whatever others say */
	cluster_set_leader(c, "m2", "10.0.0.2:1");
	assert_leader("10.0.0.1:1");
	cluster_forget_leader(c, "10.0.0.1:1");
	assert_leader("10.0.0.1:1");
	cluster_set_leading(c, false);
	assert_false(cluster_is_leader(c));
	assert_true(cluster_is_island(c));
	assert_leader("");
	assert_int_equal(world.told.duties_due, 1);
	/* nobody has heard it for an election already */
	assert_true(c->heard_ms <= clock_ms());
	c->id.latency_ms = 1000;
	cluster_set_leading(c, true);
	cluster_set_leading(c, false);
	assert_in_range(clock_ms() - c->heard_ms, 15000, 60000);
}

static void contact(void **state)
{
	struct cluster *c = &world.c;

	assert_true(cluster_is_island(c));
	cluster_set_contact(c);
	assert_false(cluster_is_island(c));
	assert_int_equal(world.told.duties_due, 1);
	cluster_lose_contact(c, 12345);
	assert_true(cluster_is_island(c));
	assert_int_equal(c->heard_ms, 12345);
	/* there was none: what was heard last stays */
	cluster_lose_contact(c, 0);
	assert_int_equal(c->heard_ms, 12345);
}

static void is_starting_until_it_hears_a_leader(void **state)
{
	struct cluster *c = &world.c;

	still_put(&world, ENT_PROFILE, "p", 1, "{}");
	c->start_until = deadline_in(600000);
	assert_true(cluster_is_starting(c));
	c->id.removed = true;
	assert_false(cluster_is_starting(c));
	c->id.removed = false;
	c->id.enabled = false;
	assert_false(cluster_is_starting(c));
	c->id.enabled = true;
	c->stopping = true;
	assert_false(cluster_is_starting(c));
	c->stopping = false;
	cluster_set_contact(c);
	assert_false(cluster_is_starting(c));
	/* and never again, even without a leader */
	cluster_lose_contact(c, 1);
	assert_false(cluster_is_starting(c));
}

static void who_has_led_is_not_starting(void **state)
{
	struct cluster *c = &world.c;

	c->start_until = deadline_in(600000);
	cluster_set_leading(c, true);
	cluster_set_leading(c, false);
	assert_false(cluster_is_starting(c));
}

/* For so long; then it answers with the rows that it has, if it has any. */
static void a_start_takes_its_time_and_no_more(void **state)
{
	struct cluster *c = &world.c;
	struct err err = { 0 };

	c->start_until = deadline_in(-1);
	assert_true(cluster_is_starting(c));
	assert_int_equal(cluster_await_started(c, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "\"m1\" has just started"));
	still_put(&world, ENT_PROFILE, "p", 1, "{}");
	assert_false(cluster_is_starting(c));
	assert_int_equal(cluster_await_started(c, &err), 0);
}

static void nobody_is_waited_for_when_it_stops(void **state)
{
	struct cluster *c = &world.c;

	assert_true(cluster_wait_leader(c, 0));
	assert_true(cluster_wait_leader(c, deadline_in(600000)));
	assert_false(cluster_wait_leader(c, deadline_in(-1)));
	c->stopping = true;
	assert_true(cluster_wait_leader(c, deadline_in(600000)));
	c->stopping = false;
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(what_others_say),
		T(who_leads_knows_it),
		T(contact),
		T(is_starting_until_it_hears_a_leader),
		T(who_has_led_is_not_starting),
		T(a_start_takes_its_time_and_no_more),
		T(nobody_is_waited_for_when_it_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
