/* SPDX-License-Identifier: Apache-2.0 */
/* What the cluster reads of its own configuration. */
#include "tests/unit/cluster/store_world.h"

#include "cluster/store/settings.h"

static int setup(void **state)
{
	struct store_world *w = xnew(struct store_world);

	world_open(w);
	world_start(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	free(*state);
	return 0;
}

static void set(struct store_world *w, const char *name, const char *value)
{
	world_put(w, ENT_CONFIG, name, json_pack("{s:s}", "value", value));
}

static void defaults(void **state)
{
	struct store_world *w = *state;

	assert_int_equal(setting_get(w->store, "cluster.max_voters"), 3);
	assert_int_equal(setting_get(w->store, "cluster.max_standby"), 2);
	assert_int_equal(setting_get(w->store, "cluster.offline_threshold"), 5);
	assert_int_equal(setting_get(w->store, "cluster.raft_latency_ms"), 50);
}

static void values(void **state)
{
	struct store_world *w = *state;

	set(w, "cluster.max_voters", "5");
	set(w, "cluster.max_standby", "0");
	assert_int_equal(setting_get(w->store, "cluster.max_voters"), 5);
	assert_int_equal(setting_get(w->store, "cluster.max_standby"), 0);
}

/* An older version may have taken it: the cluster goes on with the default. */
static void what_can_not_be_read_is_unset(void **state)
{
	static const char *const wrong[] = { "4", "9", "-3", "many", "" };
	struct store_world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		set(w, "cluster.max_voters", wrong[i]);
		assert_int_equal(setting_get(w->store, "cluster.max_voters"), 3);
	}
}

static void elsewhere(void **state)
{
	assert_int_equal(setting_of("cluster.raft_latency_ms", "20"), 20);
	assert_int_equal(setting_of("cluster.raft_latency_ms", "500"), 500);
	assert_int_equal(setting_of("cluster.raft_latency_ms", "501"), 50);
	assert_int_equal(setting_of("cluster.raft_latency_ms", "-1"), 50);
	assert_int_equal(setting_of("cluster.raft_latency_ms", NULL), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(values, setup, teardown),
		cmocka_unit_test_setup_teardown(what_can_not_be_read_is_unset, setup, teardown),
		cmocka_unit_test(elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
