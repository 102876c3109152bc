/* SPDX-License-Identifier: Apache-2.0 */
/* From rows to specs, addresses and lists: with the real store, and a node that runs nothing. */
#include "tests/unit/store_world.h"

#include <string.h>

#include "api/address.h"
#include "api/icache.h"
#include "api/instance.h"
#include "api/instance_check.h"
#include "api/spec.h"
#include "api/state.h"

struct world {
	struct store_world w;
	struct api_env env;
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);
	struct node_opts o = { .cgroup_name = "dunlin-test-spec" };
	struct err err = { 0 };

	world_open(&t->w);
	o.dir = t->w.dir;
	o.pool = t->w.pool;
	t->env = (struct api_env){
		.dir = t->w.dir, .cluster = t->w.cluster, .store = t->w.store, .pool = t->w.pool
	};
	t->env.node = node_new(&o, &err);
	assert_non_null(t->env.node);
	t->env.state = xnew(struct api_state);
	t->env.state->addresses = address_book_new();
	t->env.state->instances = icache_new();
	world_start(&t->w);
	world_put(&t->w, ENT_POOL, "default",
		  json_pack("{s:s, s:{}}", "driver", "overlay", "config"));
	world_put(&t->w, ENT_NETWORK, "br0",
		  json_pack("{s:s, s:{s:s}}", "type", "bridge", "config", "ipv4.address",
			    "10.7.0.1/29"));
	world_put(&t->w, ENT_PROFILE, "default",
		  json_pack("{s:{s:s,s:s}, s:{s:{s:s,s:s}, s:{s:s,s:s,s:s}}}", "config", "user.a",
			    "profile", "limits.memory", "64MiB", "devices", "eth0", "type", "nic",
			    "network", "br0", "root", "type", "disk", "path", "/", "pool",
			    "default"));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	node_free(t->env.node);
	address_book_free(t->env.state->addresses);
	icache_free(t->env.state->instances);
	free(t->env.state);
	world_close(&t->w);
	free(t);
	return 0;
}

static json_t *instance(const char *name)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:[s],s:{s:s},s:{},s:s,s:s,s:s}", "name", name,
			 "uuid", name, "project", "default", "member", "none", "architecture",
			 "x86_64", "profiles", "default", "config", "user.b", "own", "devices",
			 "image", "", "power", "off", "state", "ready");
}

static int lease(struct world *t, json_t *doc, bool dynamic, struct err *err)
{
	_picks_ struct address_picks picks = { 0 };
	_tx_ struct tx *tx = tx_new();
	int n = address_plan(&t->env, doc, dynamic, 0, tx, &picks, err);

	if (n > 0)
		assert_int_equal(store_commit(t->w.store, tx, 0, NULL, err), 0);
	return n;
}

static void test_expand(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *config = NULL, *devices = NULL;

	json_put_str(json_obj(doc, "config"), "user.a", "instance");
	json_object_set_new(json_obj(doc, "devices"), "eth0", json_pack("{s:s}", "type", "none"));
	spec_expand(t->w.store, NULL, doc, &config, &devices);
	assert_string_equal(json_str(config, "user.a", ""), "instance");
	assert_string_equal(json_str(config, "limits.memory", ""), "64MiB");
	assert_string_equal(json_str(json_obj(devices, "eth0"), "type", ""), "none");
	assert_non_null(spec_root_device(devices));
}

static void test_build(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *spec = NULL, *pool = NULL;
	struct err err = { 0 };
	json_t *nic;

	assert_int_equal(lease(t, doc, true, &err), 1);
	spec = spec_build(&t->env, doc, &pool, &err);
	assert_non_null(spec);
	assert_false(json_bool(spec, "privileged", true));
	assert_int_equal(json_int(json_obj(spec, "idmap"), "base", 0), 1000000);
	assert_string_equal(json_str(json_obj(spec, "rootfs"), "driver", ""), "overlay");
	assert_string_equal(json_str(pool, "name", ""), "default");
	nic = json_array_get(json_arr(spec, "nics"), 0);
	assert_string_equal(json_str(nic, "bridge", ""), "br0");
	assert_string_equal(json_str(nic, "ipv4", ""), "10.7.0.2/29");
	assert_string_equal(json_str(nic, "ipv4_gateway", ""), "10.7.0.1");
	assert_true(str_starts(json_str(nic, "hwaddr", ""), "00:16:3e:"));
	assert_true(strlen(json_str(nic, "host_name", "")) <= 14);
}

/* Lowest free first, the gateway left out, the same again, and an end. */
static void test_addresses(void **state)
{
	struct world *t = *state;
	struct err err = { 0 };
	char ip[16];

	for (int i = 2; i <= 6; i++) {
		_free_ char *name = xasprintf("c%d", i), *want = xasprintf("10.7.0.%d", i);
		_json_ json_t *doc = instance(name);

		assert_int_equal(lease(t, doc, false, &err), 0);
		assert_int_equal(lease(t, doc, true, &err), 1);
		assert_int_equal(lease(t, doc, true, &err), 0);
		assert_true(address_of(&t->env, name, "eth0", "br0", ip));
		assert_string_equal(ip, want);
	}
	{
		_json_ json_t *doc = instance("c7");

		assert_int_equal(lease(t, doc, false, &err), 0);
		assert_int_equal(lease(t, doc, true, &err), -1);
		assert_int_equal(err.kind, ERR_LIMIT);
	}
}

static void test_static_address(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *bad = instance("c2");
	struct err err = { 0 };
	char ip[16];

	json_object_set_new(json_obj(doc, "devices"), "eth0",
			    json_pack("{s:s,s:s,s:s}", "type", "nic", "network", "br0",
				      "ipv4.address", "10.7.0.5"));
	assert_int_equal(lease(t, doc, false, &err), 1);
	assert_true(address_of(&t->env, "c1", "eth0", "br0", ip));
	assert_string_equal(ip, "10.7.0.5");
	json_object_set_new(json_obj(bad, "devices"), "eth0",
			    json_pack("{s:s,s:s,s:s}", "type", "nic", "network", "br0",
				      "ipv4.address", "10.8.0.5"));
	assert_int_equal(lease(t, bad, false, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	/* A nic that goes gives its address back. */
	json_object_set_new(json_obj(doc, "devices"), "eth0", json_pack("{s:s}", "type", "none"));
	assert_int_equal(lease(t, doc, false, &err), 1);
	assert_false(address_of(&t->env, "c1", "eth0", "br0", ip));
}

static void test_check(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *other = instance("c2"), *old = instance("c3");
	struct err err = { 0 };

	assert_int_equal(instance_check(&t->env, doc, NULL, &err), 0);
	json_array_append_new(json_arr(doc, "profiles"), json_string("nope"));
	assert_int_equal(instance_check(&t->env, doc, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	json_array_clear(json_arr(other, "profiles"));
	assert_int_equal(instance_check(&t->env, other, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "No root device"));
	json_put_str(json_obj(old, "config"), "volatile.eth0.hwaddr", "00:16:3e:00:00:01");
	json_put_str(json_obj(old, "config"), "volatile.uuid", "right");
	json_put_str(json_obj(other, "config"), "volatile.uuid", "wrong");
	instance_keep_volatile(other, old);
	assert_string_equal(json_str(json_obj(other, "config"), "volatile.uuid", ""), "right");
	assert_non_null(json_str(json_obj(other, "config"), "volatile.eth0.hwaddr", NULL));
	assert_int_equal(instance_check_name("a-b", &err), 0);
	assert_int_equal(instance_check_name("-b", &err), -1);
}

static json_t *list(struct world *t, int recursion)
{
	_sbuf_ struct sbuf b = SBUF(1 << 20);
	struct err err = { 0 };
	json_t *j;

	icache_list(&t->env, recursion, "/1.0/instances", &b);
	j = json_parse(b.data, b.len, "list", &err);
	assert_non_null(j);
	return j;
}

static void fact(struct world *t, const char *name, const char *status)
{
	_json_ json_t *j = json_pack("{s:s,s:i}", "status", status, "pid", 7);

	store_fact_put(t->w.store, FACT_INSTANCE, name, j);
}

static void test_lists(void **state)
{
	struct world *t = *state;

	for (int i = 0; i < 3; i++) {
		_free_ char *name = xasprintf("c%d", i);

		world_put(&t->w, ENT_INSTANCE, name, instance(name));
	}
	{
		_json_ json_t *urls = list(t, 0), *objects = list(t, 1), *full = list(t, 2);
		json_t *c0 = json_array_get(full, 0);

		assert_int_equal(json_array_size(urls), 3);
		assert_string_equal(json_string_value(json_array_get(urls, 1)),
				    "/1.0/instances/c1");
		assert_null(json_object_get(json_array_get(objects, 0), "state"));
		assert_string_equal(json_str(c0, "status", ""), "Stopped");
		assert_string_equal(json_str(json_obj(c0, "expanded_config"), "user.a", ""),
				    "profile");
		assert_non_null(json_obj(c0, "state"));
	}
	/* Facts, rows and profiles that change show at once. */
	fact(t, "c0", "Running");
	world_put(&t->w, ENT_PROFILE, "default",
		  json_pack("{s:{s:s}, s:{}}", "config", "user.a", "changed", "devices"));
	{
		_json_ json_t *full = list(t, 2);
		json_t *c0 = json_array_get(full, 0);

		assert_string_equal(json_str(c0, "status", ""), "Running");
		assert_int_equal(json_int(json_obj(c0, "state"), "pid", 0), 7);
		assert_string_equal(json_str(json_obj(c0, "expanded_config"), "user.a", ""),
				    "changed");
	}
	store_fact_put(t->w.store, FACT_INSTANCE, "c0", NULL);
	{
		_json_ json_t *full = list(t, 2);

		assert_string_equal(json_str(json_array_get(full, 0), "status", ""), "Stopped");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_expand, setup, teardown),
		cmocka_unit_test_setup_teardown(test_build, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_static_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
