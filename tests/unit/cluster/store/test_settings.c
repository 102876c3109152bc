/* SPDX-License-Identifier: Apache-2.0 */
/* The server keys that the cluster reads, and the rows of leases, in a real store. */
#include <string.h>

#include "cluster/replica/settings.h"
#include "cluster/self/alive.h"
#include "cluster/self/state.h"
#include "cluster/store/lease.h"
#include "tests/unit/cluster/store_world.h"

static struct store_world world;

static int open_world(void **state)
{
	world_open(&world);
	world_start(&world);
	return 0;
}

static int close_world(void **state)
{
	world_close(&world);
	return 0;
}

static const struct {
	const char *name;
	int64_t usual, least, most;
} settings[] = {
	{ "cluster.max_standby", 2, 0, 5 },
	{ "cluster.max_voters", 3, 3, 7 },
	{ "cluster.offline_threshold", 5, 3, 3600 },
	{ "cluster.raft_latency_ms", 50, 20, 500 },
};

static void unset_is_the_default(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		assert_int_equal(setting_get(world.cluster->replica, settings[i].name),
				 settings[i].usual);
		assert_int_equal(setting_of(settings[i].name, NULL), settings[i].usual);
	}
}

static void what_is_out_of_range_is_the_default(void **state)
{
	static const char *const odd[] = { "", "x", "-1", "99999999", "1.5", " 3" };

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		_free_ char *least = xasprintf("%lld", (long long)settings[i].least);
		_free_ char *most = xasprintf("%lld", (long long)settings[i].most);
		_free_ char *more = xasprintf("%lld", (long long)settings[i].most + 1);

		assert_int_equal(setting_of(settings[i].name, least), settings[i].least);
		assert_int_equal(setting_of(settings[i].name, most), settings[i].most);
		assert_int_equal(setting_of(settings[i].name, more), settings[i].usual);
		for (size_t k = 0; k < ARRAY_SIZE(odd); k++)
			assert_int_equal(setting_of(settings[i].name, odd[k]), settings[i].usual);
	}
}

static void the_row_counts(void **state)
{
	static const struct {
		const char *value;
		int64_t want;
	} cases[] = { { "7", 7 }, { "3600", 3600 }, { "2", 5 }, { "soon", 5 }, { "", 5 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		world_put(&world, ENT_CONFIG, "cluster.offline_threshold",
			  json_pack("{s:s}", "value", cases[i].value));
		assert_int_equal(setting_get(world.cluster->replica, "cluster.offline_threshold"),
				 cases[i].want);
		assert_int_equal(cluster_offline_ms(world.cluster), 1000 * cases[i].want);
	}
	/* a row without a value, as a newer release might write it */
	world_put(&world, ENT_CONFIG, "cluster.offline_threshold", json_object());
	assert_int_equal(setting_get(world.cluster->replica, "cluster.offline_threshold"), 5);
}

/* --- leases ----------------------------------------------------------------------------------- */

static void a_freed_lease_keeps_its_address_only(void **state)
{
	_row_ struct row lease = { 0 }, freed = { 0 };
	_tx_ struct tx *t = tx_new();
	_free_ char *text = NULL;
	struct err err = { 0 };
	int64_t rev;

	world_put(&world, ENT_ADDRESS, "net/10.0.0.5",
		  json_pack("{s:s,s:s,s:s,s:s,s:s}", "network", "net", "ip", "10.0.0.5", "instance",
			    "c1", "device", "eth0", "hwaddr", "00:16:3e:00:00:01"));
	assert_int_equal(store_get(world.store, ENT_ADDRESS, "net/10.0.0.5", &lease, &err), 0);
	assert_false(lease_is_free(lease.doc));
	assert_int_equal(store_count(world.store, ENT_ADDRESS, "c1"), 1);
	lease_free(t, &lease);
	assert_int_equal(store_commit(world.store, t, 0, &rev, &err), 0);
	assert_int_equal(store_get(world.store, ENT_ADDRESS, "net/10.0.0.5", &freed, &err), 0);
	assert_true(lease_is_free(freed.doc));
	text = json_text(freed.doc);
	assert_string_equal(text, "{\"network\":\"net\",\"ip\":\"10.0.0.5\",\"freed\":true}");
	/* its revision tells how long it has been free */
	assert_int_equal(freed.rev, rev);
	assert_int_equal(store_count(world.store, ENT_ADDRESS, "c1"), 0);
}

/* Somebody took it meanwhile: freeing it would take it away again. */
static void a_lease_that_changed_is_not_freed(void **state)
{
	_row_ struct row lease = { 0 };
	_tx_ struct tx *t = tx_new();
	struct err err = { 0 };

	assert_int_equal(store_get(world.store, ENT_ADDRESS, "net/10.0.0.5", &lease, &err), 0);
	world_put(&world, ENT_ADDRESS, "net/10.0.0.5",
		  json_pack("{s:s,s:s,s:s}", "network", "net", "ip", "10.0.0.5", "instance", "c2"));
	lease_free(t, &lease);
	assert_int_equal(store_commit(world.store, t, 0, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_int_equal(store_count(world.store, ENT_ADDRESS, "c2"), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(unset_is_the_default),
		cmocka_unit_test(what_is_out_of_range_is_the_default),
		cmocka_unit_test(the_row_counts),
		cmocka_unit_test(a_freed_lease_keeps_its_address_only),
		cmocka_unit_test(a_lease_that_changed_is_not_freed),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
