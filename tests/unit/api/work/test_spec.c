/* SPDX-License-Identifier: Apache-2.0 */
/* From rows to specs, addresses and lists: with the real store, and a node that runs nothing. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>

#include "api/work/check.h"
#include "api/work/instance.h"
#include "api/work/spec.h"

struct world {
	struct work_world work;
	bool running; /* what the plans are told */
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);

	work_world_open(&t->work);
	world_start(&t->work.w);
	world_put(&t->work.w, ENT_POOL, "default",
		  json_pack("{s:s, s:{}}", "driver", "overlay", "config"));
	world_put(&t->work.w, ENT_NETWORK, "br0",
		  json_pack("{s:s, s:{s:s}}", "type", "bridge", "config", "ipv4.address",
			    "10.7.0.1/29"));
	world_put(&t->work.w, ENT_PROFILE, "default",
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

	work_world_close(&t->work);
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
	struct address_wish wish = { .dynamic = dynamic, .running = t->running };
	_expanded_ struct expanded x = { 0 };
	int n;

	expand(&t->work.env, doc, &x);
	n = address_plan(&t->work.env, &x, &wish, tx, &picks, err);
	if (n > 0)
		assert_int_equal(store_commit(t->work.w.store, tx, 0, NULL, err), 0);
	return n;
}

static void test_expand(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *config = NULL, *devices = NULL;

	json_put_str(json_obj(doc, "config"), "user.a", "instance");
	json_object_set_new(json_obj(doc, "devices"), "eth0", json_pack("{s:s}", "type", "none"));
	expand_parts(t->work.w.store, NULL, doc, &config, &devices);
	assert_string_equal(json_str(config, "user.a", ""), "instance");
	assert_string_equal(json_str(config, "limits.memory", ""), "64MiB");
	assert_string_equal(json_str(json_obj(devices, "eth0"), "type", ""), "none");
	assert_non_null(spec_root_device(devices));
}

static void test_build(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *spec = NULL, *pool = NULL;
	_expanded_ struct expanded x = { 0 };
	struct err err = { 0 };
	json_t *nic;

	assert_int_equal(lease(t, doc, true, &err), 1);
	expand(&t->work.env, doc, &x);
	spec = spec_build(&t->work.env, &x, &pool, &err);
	assert_non_null(spec);
	assert_false(json_bool(spec, "privileged", true));
	assert_int_equal(json_int(json_obj(spec, "idmap"), "base", 0), 1000000);
	assert_string_equal(json_str(json_obj(spec, "rootfs"), "driver", ""), "overlay");
	assert_string_equal(json_str(pool, "name", ""), "default");
	nic = json_array_get(json_arr(spec, "devices"), 0);
	assert_string_equal(json_str(nic, "bridge", ""), "br0");
	assert_string_equal(json_str(nic, "ipv4", ""), "10.7.0.2/29");
	assert_string_equal(json_str(nic, "ipv4_gateway", ""), "10.7.0.1");
	assert_string_equal(json_str(nic, "ipv4_dns", ""), "10.7.0.1");
	assert_string_equal(json_str(nic, "dns_domain", ""), "lxd");
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
		assert_true(address_of(&t->work.env, name, "eth0", "br0", ip));
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
	assert_true(address_of(&t->work.env, "c1", "eth0", "br0", ip));
	assert_string_equal(ip, "10.7.0.5");
	json_object_set_new(json_obj(bad, "devices"), "eth0",
			    json_pack("{s:s,s:s,s:s}", "type", "nic", "network", "br0",
				      "ipv4.address", "10.8.0.5"));
	assert_int_equal(lease(t, bad, false, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	/* A nic that goes gives its address back. */
	json_object_set_new(json_obj(doc, "devices"), "eth0", json_pack("{s:s}", "type", "none"));
	assert_int_equal(lease(t, doc, false, &err), 1);
	assert_false(address_of(&t->work.env, "c1", "eth0", "br0", ip));
}

static void fix(json_t *doc, const char *device, const char *ip)
{
	json_object_set_new(json_obj(doc, "devices"), device,
			    json_pack("{s:s,s:s,s:s}", "type", "nic", "network", "br0",
				      "ipv4.address", ip));
}

static const char *address(struct world *t, const char *name, const char *device)
{
	static char ip[16];

	return address_of(&t->work.env, name, device, "br0", ip) ? ip : "none";
}

static void release(struct world *t, const char *name)
{
	_tx_ struct tx *tx = tx_new();
	struct err err;

	assert_int_equal(address_release(&t->work.env, name, tx, &err), 0);
	assert_int_equal(store_commit(t->work.w.store, tx, 0, NULL, &err), 0);
}

/* Those that nobody ever had come first, then the one that was given back first. */
static void longest_free_comes_next(void **state)
{
	static const char *const freed[] = { "c3", "c2", "c5" };
	static const char *const next[] = { "10.7.0.6", "10.7.0.3", "10.7.0.2", "10.7.0.5" };
	struct world *t = *state;
	struct err err = { 0 };

	for (int i = 2; i <= 5; i++) {
		_free_ char *name = xasprintf("c%d", i);
		_json_ json_t *doc = instance(name);

		assert_int_equal(lease(t, doc, true, &err), 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(freed); i++)
		release(t, freed[i]);
	for (size_t i = 0; i < ARRAY_SIZE(next); i++) {
		_free_ char *name = xasprintf("n%zu", i);
		_json_ json_t *doc = instance(name);

		assert_int_equal(lease(t, doc, true, &err), 1);
		assert_string_equal(address(t, name, "eth0"), next[i]);
	}
}

/* Each range counts, in whatever order they are named, and once where they overlap. */
static void all_ranges_are_given_out(void **state)
{
	static const char *const want[] = { "10.7.0.3", "10.7.0.9", "10.7.0.10", "10.7.0.11" };
	struct world *t = *state;
	struct err err = { 0 };
	_json_ json_t *full = instance("full");

	world_put(&t->work.w, ENT_NETWORK, "br0",
		  json_pack("{s:s, s:{s:s, s:s}}", "type", "bridge", "config", "ipv4.address",
			    "10.7.0.1/16", "ipv4.dhcp.ranges",
			    "10.7.0.10-10.7.0.11,10.7.0.3-10.7.0.3,10.7.0.9-10.7.0.10"));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		_free_ char *name = xasprintf("c%zu", i);
		_json_ json_t *doc = instance(name);

		assert_int_equal(lease(t, doc, true, &err), 1);
		assert_string_equal(address(t, name, "eth0"), want[i]);
	}
	assert_int_equal(lease(t, full, true, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	release(t, "c1");
	assert_int_equal(lease(t, full, true, &err), 1);
	assert_string_equal(address(t, "full", "eth0"), "10.7.0.9");
}

static void ranges_lie_in_their_subnet(void **state)
{
	static const struct {
		const char *ranges;
		int rc;
	} cases[] = {
		{ "10.7.0.2-10.7.0.6", 0 },
		{ "10.7.0.2-10.7.0.2, 10.7.0.4-10.7.0.6", 0 },
		{ "10.7.0.2-10.7.0.7", -1 },
		{ "10.7.0.0-10.7.0.3", -1 },
		{ "10.7.0.2-10.7.0.3,10.8.0.2-10.8.0.3", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = json_pack("{s:{s:s, s:s}}", "config", "ipv4.address",
					       "10.7.0.1/29", "ipv4.dhcp.ranges", cases[i].ranges);
		struct err err;

		assert_int_equal(net4_check_ranges(doc, "br0", &err), cases[i].rc);
	}
}

/* A lost race is no reason to meet again, and chance has no part in it. */
static void attempts_spread_and_repeat(void **state)
{
	struct world *t = *state;
	bool differ = false;
	char first[16];

	world_put(&t->work.w, ENT_NETWORK, "br0",
		  json_pack("{s:s, s:{s:s}}", "type", "bridge", "config", "ipv4.address",
			    "10.7.0.1/16"));
	for (int i = 0; i < 8; i++) {
		_free_ char *name = xasprintf("c%d", i);
		_json_ json_t *doc = instance(name);
		char ip[2][16];

		for (int k = 0; k < 2; k++) {
			struct address_wish wish = { .dynamic = true, .attempt = 1 };
			_picks_ struct address_picks picks = { 0 };
			_tx_ struct tx *tx = tx_new();
			_expanded_ struct expanded x = { 0 };
			struct err err;

			expand(&t->work.env, doc, &x);
			assert_int_equal(address_plan(&t->work.env, &x, &wish, tx, &picks, &err),
					 1);
			str_copy(ip[k], sizeof(ip[k]),
				 json_object_iter_key(json_object_iter(picks.keys)) + 4);
		}
		assert_string_equal(ip[0], ip[1]);
		if (i == 0)
			str_copy(first, sizeof(first), ip[0]);
		differ |= !str_eq(first, ip[0]);
	}
	assert_true(differ);
}

/* What a container runs with belongs to it until it has stopped. */
static void running_keeps_its_address(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *other = instance("c2");
	struct err err = { 0 };

	assert_int_equal(lease(t, doc, true, &err), 1);
	fix(doc, "eth0", "10.7.0.5");
	t->running = true;
	assert_int_equal(lease(t, doc, false, &err), 1);
	assert_string_equal(address(t, "c1", "eth0"), "10.7.0.2");
	assert_int_equal(lease(t, doc, false, &err), 0);
	t->running = false;
	assert_int_equal(lease(t, other, true, &err), 1);
	assert_string_equal(address(t, "c2", "eth0"), "10.7.0.3");
	fix(other, "eth0", "10.7.0.2");
	assert_int_equal(lease(t, other, false, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "\"c1\""));
	fix(other, "eth0", "10.7.0.5");
	assert_int_equal(lease(t, other, false, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	/* The next start has the new one, and the old one is free. */
	assert_int_equal(lease(t, doc, true, &err), 2);
	assert_string_equal(address(t, "c1", "eth0"), "10.7.0.5");
	fix(other, "eth0", "10.7.0.2");
	assert_int_equal(lease(t, other, false, &err), 2);
}

static void use_mac(json_t *doc, const char *device, const char *network, const char *mac)
{
	json_object_set_new(json_obj(doc, "devices"), device,
			    json_pack("{s:s,s:s,s:s}", "type", "nic", "network", network, "hwaddr",
				      mac));
}

/* Two nics of a network with one hardware address take each other's frames. */
static void hardware_addresses_are_unique(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *other = instance("c2");
	struct err err = { 0 };

	use_mac(doc, "eth0", "br0", "00:16:3e:aa:00:01");
	assert_int_equal(lease(t, doc, true, &err), 1);
	assert_int_equal(lease(t, doc, true, &err), 0);
	use_mac(other, "eth0", "br0", "00:16:3E:AA:00:01");
	for (int dynamic = 0; dynamic < 2; dynamic++) {
		assert_int_equal(lease(t, other, dynamic, &err), -1);
		assert_int_equal(err.kind, ERR_CONFLICT);
		assert_non_null(strstr(err.msg, "\"c1\""));
	}
	use_mac(other, "eth0", "br0", "00:16:3e:aa:00:02");
	use_mac(other, "eth1", "br0", "00:16:3E:AA:00:02");
	assert_int_equal(lease(t, other, true, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, "\"eth0\""));
	/* The same nic under another name. */
	use_mac(doc, "eth1", "br0", "00:16:3e:aa:00:01");
	json_object_set_new(json_obj(doc, "devices"), "eth0", json_pack("{s:s}", "type", "none"));
	assert_true(lease(t, doc, true, &err) > 0);
	/* Elsewhere it disturbs nobody, and what has gone neither. */
	world_put(&t->work.w, ENT_NETWORK, "br1",
		  json_pack("{s:s, s:{s:s}}", "type", "bridge", "config", "ipv4.address",
			    "10.8.0.1/29"));
	use_mac(other, "eth1", "br1", "00:16:3e:aa:00:01");
	assert_int_equal(lease(t, other, true, &err), 2);
	release(t, "c1");
	use_mac(other, "eth0", "br0", "00:16:3e:aa:00:01");
	assert_int_equal(lease(t, other, true, &err), 1);
}

static void second_nic_gets_another(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *twice = instance("c2");
	struct err err = { 0 };

	assert_int_equal(lease(t, doc, true, &err), 1);
	fix(doc, "eth1", "10.7.0.2");
	for (int running = 0; running < 2; running++) {
		t->running = running;
		assert_int_equal(lease(t, doc, true, &err), -1);
		assert_int_equal(err.kind, ERR_CONFLICT);
		assert_non_null(strstr(err.msg, "\"eth0\""));
	}
	t->running = false;
	fix(twice, "eth1", "10.7.0.4");
	fix(twice, "eth2", "10.7.0.4");
	assert_int_equal(lease(t, twice, true, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	/* A fixed one is out of the reach of what is picked beside it. */
	json_object_del(json_obj(twice, "devices"), "eth2");
	fix(twice, "eth1", "10.7.0.3");
	assert_int_equal(lease(t, twice, true, &err), 2);
	assert_string_equal(address(t, "c2", "eth0"), "10.7.0.4");
	/* Stopped, two devices may change places. */
	fix(twice, "eth0", "10.7.0.3");
	fix(twice, "eth1", "10.7.0.4");
	assert_int_equal(lease(t, twice, true, &err), 2);
	assert_string_equal(address(t, "c2", "eth0"), "10.7.0.3");
	assert_string_equal(address(t, "c2", "eth1"), "10.7.0.4");
}

static void impossible_addresses_are_refused(void **state)
{
	static const char *const bad[] = { "10.7.0.0", "10.7.0.1", "10.7.0.7", "10.7.0.8",
					   "10.8.0.5" };
	struct world *t = *state;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_json_ json_t *doc = instance("c1");

		fix(doc, "eth0", bad[i]);
		assert_int_equal(lease(t, doc, false, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, bad[i]));
	}
	world_put(&t->work.w, ENT_NETWORK, "br0",
		  json_pack("{s:s, s:{s:s}}", "type", "bridge", "config", "ipv4.address", "none"));
	{
		_json_ json_t *doc = instance("c1");

		fix(doc, "eth0", "10.7.0.5");
		assert_int_equal(lease(t, doc, false, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

/* A profile can't give one address to two, nor what somebody else has. */
static void profile_addresses_are_checked(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *profile = json_pack("{s:{}}", "devices");
	struct err err = { 0 };

	assert_int_equal(lease(t, doc, true, &err), 1);
	world_put(&t->work.w, ENT_INSTANCE, "c1", instance("c1"));
	fix(profile, "eth0", "10.7.0.2");
	assert_int_equal(address_check_profile(&t->work.env, "default", profile, &err), 0);
	fix(profile, "eth0", "10.7.0.1");
	assert_int_equal(address_check_profile(&t->work.env, "default", profile, &err), -1);
	fix(profile, "eth0", "10.7.0.3");
	assert_int_equal(address_check_profile(&t->work.env, "default", profile, &err), 0);
	world_put(&t->work.w, ENT_INSTANCE, "c2", instance("c2"));
	assert_int_equal(address_check_profile(&t->work.env, "default", profile, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	use_mac(profile, "eth0", "br0", "00:16:3e:aa:00:01");
	assert_int_equal(address_check_profile(&t->work.env, "default", profile, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "\"c2\""));
}

static void test_check(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance("c1"), *other = instance("c2"), *old = instance("c3");
	_expanded_ struct expanded x = { 0 };
	struct err err = { 0 };

	assert_int_equal(instance_check(&t->work.env, doc, NULL, NULL, &x, &err), 0);
	json_array_append_new(json_arr(doc, "profiles"), json_string("nope"));
	assert_int_equal(instance_check(&t->work.env, doc, NULL, NULL, &x, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	json_array_clear(json_arr(other, "profiles"));
	assert_int_equal(instance_check(&t->work.env, other, NULL, NULL, &x, &err), -1);
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

	icache_list(&t->work.env, &(struct icache_listing){ NULL, recursion, "instances" }, &b);
	j = json_parse(b.data, b.len, "list", &err);
	assert_non_null(j);
	return j;
}

static void fact(struct world *t, const char *name, const char *status)
{
	_json_ json_t *j = json_pack("{s:s,s:i}", "status", status, "pid", 7);

	store_fact_put(t->work.w.store, FACT_INSTANCE, name, j);
}

static void test_lists(void **state)
{
	struct world *t = *state;

	for (int i = 0; i < 3; i++) {
		_free_ char *name = xasprintf("c%d", i);

		world_put(&t->work.w, ENT_INSTANCE, name, instance(name));
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
	world_put(&t->work.w, ENT_PROFILE, "default",
		  json_pack("{s:{s:s}, s:{}}", "config", "user.a", "changed", "devices"));
	{
		_json_ json_t *full = list(t, 2);
		json_t *c0 = json_array_get(full, 0);

		assert_string_equal(json_str(c0, "status", ""), "Running");
		assert_int_equal(json_int(json_obj(c0, "state"), "pid", 0), 7);
		assert_string_equal(json_str(json_obj(c0, "expanded_config"), "user.a", ""),
				    "changed");
	}
	store_fact_put(t->work.w.store, FACT_INSTANCE, "c0", NULL);
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
		cmocka_unit_test_setup_teardown(longest_free_comes_next, setup, teardown),
		cmocka_unit_test_setup_teardown(attempts_spread_and_repeat, setup, teardown),
		cmocka_unit_test_setup_teardown(running_keeps_its_address, setup, teardown),
		cmocka_unit_test_setup_teardown(all_ranges_are_given_out, setup, teardown),
		cmocka_unit_test(ranges_lie_in_their_subnet),
		cmocka_unit_test_setup_teardown(hardware_addresses_are_unique, setup, teardown),
		cmocka_unit_test_setup_teardown(second_nic_gets_another, setup, teardown),
		cmocka_unit_test_setup_teardown(impossible_addresses_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(profile_addresses_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
