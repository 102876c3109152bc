/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there, in a hub whose thread does not run: time passes when the test says so. */
#include <string.h>

#include "cluster/feed/hub_int.h"
#include "tests/unit/cluster/still_world.h"

#define OFFLINE_MS 600000

static struct still_world world;

static void put_fact(enum fact f, const char *key, const char *member, const char *text)
{
	replica_fact_put(world.c.replica, f, key, member, text, false);
}

static int open_world(void **state)
{
	still_open(&world);
	world.c.hub = hub_new(&world.c);
	world.c.hub->offline_ms = OFFLINE_MS;
	still_put(&world, ENT_MEMBER, "m1", 1, "{}");
	still_put(&world, ENT_MEMBER, "m2", 2, "{}");
	still_put(&world, ENT_MEMBER, "m3", 3, "{}");
	still_island(&world, 0);
	return 0;
}

static int close_world(void **state)
{
	hub_free(world.c.hub);
	still_close(&world);
	return 0;
}

/* A member of a fact's document, as text; "" when either is not there. */
static void said(enum fact f, const char *key, const char *field, char ret[64])
{
	_free_ char *text = replica_fact(world.c.replica, f, key, NULL);
	_json_ json_t *doc = text ? json_loads(text, 0, NULL) : NULL;

	str_copy(ret, 64, json_str(doc, field, ""));
}

static void assert_said(enum fact f, const char *key, const char *want)
{
	char is[64];

	said(f, key, "status", is);
	assert_string_equal(is, want);
}

/* It was heard last so long ago. */
static void lost(const char *name, int64_t ago_ms)
{
	hub_live_lost(world.c.hub, name, clock_ms() - ago_ms);
}

static void a_new_leader_knows_nothing_of_the_others(void **state)
{
	put_fact(FACT_MEMBER, "m2", "m2", "{\"status\":\"Online\"}");
	put_fact(FACT_MEMBER, "m3", "m3", "{\"status\":\"Offline\",\"since\":7}");
	hub_live_begin(world.c.hub);
	assert_said(FACT_MEMBER, "m2", "Unknown");
	assert_said(FACT_MEMBER, "m3", "Offline");
}

/* Of an hour, here: what passes while the test runs is nothing to that. */
static void silence_before_a_new_leader_counts_for_half(void **state)
{
	static const struct {
		int64_t island_ms, held_ms;
	} cases[] = { { 0, 0 }, { 1000000, 1000000 }, { 3000000, 1800000 } };

	still_put(&world, ENT_CONFIG, "cluster.offline_threshold", 4, "{\"value\":\"3600\"}");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		still_island(&world, cases[i].island_ms);
		hub_live_begin(world.c.hub);
		assert_in_range(hub_absent_ms(world.c.hub, "m2"), cases[i].held_ms + 1,
				cases[i].held_ms + 60000);
	}
}

static void absence_is_counted_from_the_last_word(void **state)
{
	hub_live_seen(world.c.hub, "m2");
	assert_int_equal(hub_absent_ms(world.c.hub, "m2"), 0);
	lost("m2", 3000);
	assert_in_range(hub_absent_ms(world.c.hub, "m2"), 3000, 60000);
	/* a second connection that breaks is no younger word */
	lost("m2", 0);
	assert_in_range(hub_absent_ms(world.c.hub, "m2"), 3000, 60000);
	hub_live_seen(world.c.hub, "m2");
	assert_int_equal(hub_absent_ms(world.c.hub, "m2"), 0);
}

static void one_that_is_absent_too_long_is_offline(void **state)
{
	_free_ char *text = NULL;

	hub_live_begin(world.c.hub);
	put_fact(FACT_MEMBER, "m2", "m2", "{\"status\":\"Online\",\"cpus\":8}");
	put_fact(FACT_INSTANCE, "c1", "m2", "{\"status\":\"Running\"}");
	put_fact(FACT_INSTANCE, "c2", "m3", "{\"status\":\"Running\"}");
	put_fact(FACT_OPERATION, "o1", "m2", "{\"status\":\"Running\"}");
	hub_live_seen(world.c.hub, "m2");
	lost("m2", 1000);
	hub_live_tick(world.c.hub);
	assert_said(FACT_MEMBER, "m2", "Online");
	assert_said(FACT_INSTANCE, "c1", "Running");
	/* m3 has connected, and the rest of the threshold has gone by for m2 */
	hub_live_seen(world.c.hub, "m3");
	world.c.hub->offline_ms = 500;
	hub_live_tick(world.c.hub);
	assert_said(FACT_MEMBER, "m2", "Offline");
	assert_said(FACT_INSTANCE, "c1", "Error");
	assert_said(FACT_INSTANCE, "c2", "Running");
	text = replica_fact(world.c.replica, FACT_OPERATION, "o1", NULL);
	assert_null(text);
}

static void what_was_known_of_it_stays_known(void **state)
{
	_free_ char *text = NULL;
	_json_ json_t *doc = NULL;
	int64_t now = clock_wall();

	put_fact(FACT_MEMBER, "m2", "m2", "{\"status\":\"Online\",\"cpus\":8}");
	lost("m2", 700000);
	hub_live_tick(world.c.hub);
	text = replica_fact(world.c.replica, FACT_MEMBER, "m2", NULL);
	doc = json_loads(text, 0, NULL);
	assert_int_equal(json_int(doc, "cpus", 0), 8);
	assert_in_range(json_int(doc, "since", 0), now - 702, now - 600);
}

/* By a leader before this one, or by this one: it is said once. */
static void who_is_offline_stays_so_since_then(void **state)
{
	_free_ char *text = NULL;
	_json_ json_t *doc = NULL;

	put_fact(FACT_MEMBER, "m2", "m2", "{\"status\":\"Offline\",\"since\":7}");
	lost("m2", 700000);
	hub_live_tick(world.c.hub);
	hub_live_tick(world.c.hub);
	text = replica_fact(world.c.replica, FACT_MEMBER, "m2", NULL);
	doc = json_loads(text, 0, NULL);
	assert_int_equal(json_int(doc, "since", 0), 7);
	/* what another put meanwhile is not overwritten each time */
	put_fact(FACT_MEMBER, "m2", "m2", "{\"status\":\"Online\"}");
	hub_live_tick(world.c.hub);
	assert_said(FACT_MEMBER, "m2", "Online");
}

/* One that nobody has ever heard of but by its row. */
static void one_without_any_fact_is_offline_too(void **state)
{
	hub_live_begin(world.c.hub);
	world.c.hub->offline_ms = 0;
	hub_live_tick(world.c.hub);
	assert_said(FACT_MEMBER, "m2", "Offline");
	assert_said(FACT_MEMBER, "m3", "Offline");
	assert_said(FACT_MEMBER, "m1", "");
}

static void who_is_no_member_any_more_is_not_spoken_of(void **state)
{
	lost("m2", 700000);
	lost("gone", 700000);
	still_put(&world, ENT_MEMBER, "m2", 4, NULL);
	hub_live_tick(world.c.hub);
	assert_said(FACT_MEMBER, "m2", "");
	assert_said(FACT_MEMBER, "gone", "");
	assert_int_equal(world.c.hub->n_absent, 1); /* m3, which has not come yet */
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_new_leader_knows_nothing_of_the_others),
		T(silence_before_a_new_leader_counts_for_half),
		T(absence_is_counted_from_the_last_word),
		T(one_that_is_absent_too_long_is_offline),
		T(what_was_known_of_it_stays_known),
		T(who_is_offline_stays_so_since_then),
		T(one_without_any_fact_is_offline_too),
		T(who_is_no_member_any_more_is_not_spoken_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
