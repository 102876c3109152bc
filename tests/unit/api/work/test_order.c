/* SPDX-License-Identifier: Apache-2.0 */
/* Which instances start and stop with their host, and in which order. */
#include "tests/unit/api/work/work_world.h"

#include "api/work/order.h"

static struct work_world world;

static void put(const char *key, const char *member, const char *power, json_t *own_config)
{
	world_put(&world.w, ENT_INSTANCE, key,
		  json_pack("{s:s,s:s,s:s,s:o,s:{},s:[s]}", "member", member, "state", "ready",
			    "power", power, "config", own_config, "devices", "profiles", "p"));
}

static int open_world(void **state)
{
	work_world_open(&world);
	world_start(&world.w);
	world_put(&world.w, ENT_PROFILE, "p",
		  json_pack("{s:{s:s}, s:{}}", "config", "boot.autostart.delay", "7", "devices"));
	return 0;
}

static int close_world(void **state)
{
	work_world_close(&world);
	return 0;
}

static void what_starts_and_what_stops(void **state)
{
	static const struct {
		enum status now;
		const char *power, *autostart;
		bool starts, stops;
	} cases[] = {
		{ STATUS_STOPPED, "on", NULL, true, false },
		{ STATUS_STOPPED, "off", NULL, false, false },
		/* the key has the last word, whatever it was when the host went down */
		{ STATUS_STOPPED, "off", "true", true, false },
		{ STATUS_STOPPED, "on", "false", false, false },
		/* and nothing is started twice */
		{ STATUS_RUNNING, "on", NULL, false, true },
		{ STATUS_RUNNING, "on", "true", false, true },
		{ STATUS_FROZEN, "on", "true", false, true },
		{ STATUS_RUNNING, "off", "false", false, true },
		{ STATUS_ERROR, "on", "true", false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc =
			json_pack("{s:s, s:s}", "state", "ready", "power", cases[i].power);
		_json_ json_t *config = json_object();

		json_put_str(config, "boot.autostart", cases[i].autostart);
		if (boot_starts(cases[i].now, doc, config) != cases[i].starts ||
		    boot_stops(cases[i].now, doc, config) != cases[i].stops)
			fail_msg("case %zu", i);
	}
}

static void the_order_of_starts(void **state)
{
	static const struct {
		const char *name;
		int64_t priority;
		int seconds;
		size_t group; /* its end */
	} want[] = {
		{ "d", 10, 7, 2 }, { "x", 10, 0, 2 }, { "b", 0, 7, 3 }, { "web~a", -5, 7, 4 },
	};
	struct boot_order o;
	struct err err = { 0 };

	put("x", "none", "on",
	    json_pack("{s:s,s:s}", "boot.autostart.priority", "10", "boot.autostart.delay", "0"));
	put("web~a", "none", "on", json_pack("{s:s}", "boot.autostart.priority", "-5"));
	put("b", "none", "on", json_object());
	put("d", "none", "off",
	    json_pack("{s:s,s:s}", "boot.autostart.priority", "10", "boot.autostart", "true"));
	put("off", "none", "off", json_object());
	put("elsewhere", "m2", "on", json_object());
	assert_int_equal(boot_order_start(&world.env, &o, &err), 0);
	assert_int_equal(o.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < o.n; i++) {
		assert_string_equal(o.v[i].name, want[i].name);
		assert_int_equal(o.v[i].priority, want[i].priority);
		assert_int_equal(o.v[i].seconds, want[i].seconds);
		assert_int_equal(boot_order_group(&o, i), want[i].group);
	}
	boot_order_done(&o);
	assert_null(o.v);
}

static void nothing_stops_where_nothing_runs(void **state)
{
	struct boot_order o;
	struct err err = { 0 };

	put("b", "none", "on", json_object());
	assert_int_equal(boot_order_stop(&world.env, &o, &err), 0);
	assert_int_equal(o.n, 0);
	boot_order_done(&o);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_starts_and_what_stops),
		cmocka_unit_test(the_order_of_starts),
		cmocka_unit_test(nothing_stops_where_nothing_runs),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
