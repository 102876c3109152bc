/* SPDX-License-Identifier: Apache-2.0 */
/* What an instance may look like: each rule, with the real store and a node that runs nothing. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>

#include "api/work/check.h"
#include "api/work/instance.h"

static int setup(void **state)
{
	struct work_world *t = xnew(struct work_world);

	work_world_open(t);
	world_start(&t->w);
	world_put(&t->w, ENT_POOL, "default", quoted("{'driver': 'dir', 'config': {}}"));
	world_put(&t->w, ENT_POOL, "other", quoted("{'driver': 'dir', 'config': {}}"));
	world_put(&t->w, ENT_NETWORK, "br0",
		  quoted("{'type': 'bridge', 'config': {'ipv4.address': '10.203.0.1/24'}}"));
	world_put(&t->w, ENT_NETWORK, "br6",
		  quoted("{'type': 'bridge', 'config': {'ipv4.address': 'none'}}"));
	world_put(&t->w, ENT_PROFILE, "default",
		  quoted("{'config': {}, 'devices': {'root': {'type': 'disk', 'path': '/', "
			 "'pool': 'default'}}}"));
	world_put(&t->w, ENT_PROFILE, "empty", quoted("{'config': {}, 'devices': {}}"));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct work_world *t = *state;

	work_world_close(t);
	free(t);
	return 0;
}

static json_t *instance(struct work_world *t, const char *profiles, const char *config,
			const char *devices)
{
	_json_ json_t *p = quoted(profiles), *c = quoted(config), *d = quoted(devices);

	return json_pack("{s:s, s:s, s:s, s:O, s:O, s:O, s:s}", "name", "c1", "uuid", "c1",
			 "member", cluster_member_name(t->w.cluster), "profiles", p, "config", c,
			 "devices", d, "image", "");
}

/* --- names and keys -------------------------------------------------------------------------- */

static void names_are_host_names(void **state)
{
	static const char longest[] =
		"a23456789012345678901234567890123456789012345678901234567890123";
	static const char *const good[] = { "a", "web", "Web-1", "a--b", longest };
	static const char *const bad[] = { "",    "-a",  "a-", "1a",       "a_b", "a.b",
					   "a b", "a/b", "..", "\xc3\xa4", "a\n" };
	_free_ char *longer = xasprintf("%s4", longest);
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (instance_check_name(good[i], &err) < 0)
			fail_msg("%s", err.msg);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (instance_check_name(bad[i], &err) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, "letters, digits and hyphens"));
	}
	assert_int_equal(instance_check_name(longer, &err), -1);
}

static void volatile_keys_stay(void **state)
{
	static const struct {
		const char *why, *sent, *old, *kept;
	} cases[] = {
		{ "what was not sent", "{}", "{'volatile.eth0.hwaddr': 'a'}",
		  "{'volatile.eth0.hwaddr': 'a'}" },
		{ "what was sent is new", "{'volatile.eth0.hwaddr': 'b'}",
		  "{'volatile.eth0.hwaddr': 'a'}", "{'volatile.eth0.hwaddr': 'b'}" },
		{ "nobody sends a uuid", "{'volatile.uuid': 'b'}", "{'volatile.uuid': 'a'}",
		  "{'volatile.uuid': 'a'}" },
		{ "nor a state", "{'volatile.last_state.power': 'b'}",
		  "{'volatile.last_state.power': 'a'}", "{'volatile.last_state.power': 'a'}" },
		{ "others go when they are not sent", "{'user.b': '2'}", "{'user.a': '1'}",
		  "{'user.b': '2'}" },
		{ "there was nothing", "{'user.a': '1'}", "{}", "{'user.a': '1'}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = json_pack("{s:o}", "config", quoted(cases[i].sent));
		_json_ json_t *old = json_pack("{s:o}", "config", quoted(cases[i].old));
		_json_ json_t *kept = quoted(cases[i].kept);

		instance_keep_volatile(doc, old);
		if (!json_equal(json_obj(doc, "config"), kept))
			fail_msg("%s", cases[i].why);
	}
}

/* --- a new instance -------------------------------------------------------------------------- */

static void an_instance_may_look_like_this(void **state)
{
	static const struct {
		const char *profiles, *config, *devices;
	} cases[] = {
		{ "['default']", "{}", "{}" },
		{ "['default', 'empty']", "{'limits.memory': '1GiB'}", "{}" },
		{ "[]", "{}", "{'root': {'type': 'disk', 'path': '/', 'pool': 'other'}}" },
		{ "['default']", "{}", "{'eth0': {'type': 'nic', 'network': 'br0'}}" },
		{ "['default']", "{}",
		  "{'eth0': {'type': 'nic', 'network': 'br0', 'ipv4.address': '10.203.0.9'}}" },
		{ "['default']", "{'volatile.eth0.hwaddr': '00:16:3e:aa:bb:01'}",
		  "{'eth0': {'type': 'nic', 'network': 'br6'}}" },
	};
	struct work_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc =
			instance(t, cases[i].profiles, cases[i].config, cases[i].devices);
		_expanded_ struct expanded x = { 0 };
		struct err err = { 0 };

		if (instance_check(&t->env, doc, NULL, NULL, &x, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
	}
}

static void and_not_like_that(void **state)
{
	static const struct {
		const char *profiles, *config, *devices;
		enum err_kind kind;
		const char *words;
	} cases[] = {
		{ "['default', 'default']", "{}", "{}", ERR_INVALID,
		  "profile \"default\" is named twice" },
		{ "['default', 'nope']", "{}", "{}", ERR_NOT_FOUND, "Profile not found: \"nope\"" },
		{ "['empty']", "{}", "{}", ERR_INVALID, "No root device could be found" },
		{ "['default']", "{'limits.memory': 'much'}", "{}", ERR_INVALID, "limits.memory" },
		{ "['default']", "{}", "{'root': {'type': 'disk', 'path': '/', 'pool': 'nope'}}",
		  ERR_NOT_FOUND, "Storage pool not found: \"nope\"" },
		{ "['default']", "{}", "{'eth0': {'type': 'nic', 'network': 'nope'}}",
		  ERR_NOT_FOUND, "device \"eth0\": Network not found: \"nope\"" },
		{ "['default']", "{}",
		  "{'eth0': {'type': 'nic', 'network': 'br6', 'ipv4.address': '10.203.0.9'}}",
		  ERR_INVALID, "\"br6\" is no managed network with IPv4" },
		{ "['default']", "{}",
		  "{'eth0': {'type': 'nic', 'network': 'br0', 'host_name': 'h0'}, "
		  "'eth1': {'type': 'nic', 'network': 'br0', 'host_name': 'h0'}}",
		  ERR_INVALID, "host_name \"h0\" is that of device \"eth0\" already" },
		{ "['default']", "{'volatile.eth7.hwaddr': '00:16:3e:aa:bb:01'}", "{}", ERR_INVALID,
		  "there is no nic \"eth7\"" },
		{ "['default']", "{'volatile.root.hwaddr': '00:16:3e:aa:bb:01'}", "{}", ERR_INVALID,
		  "there is no nic \"root\"" },
	};
	struct work_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc =
			instance(t, cases[i].profiles, cases[i].config, cases[i].devices);
		_expanded_ struct expanded x = { 0 };
		struct err err = { 0 };

		if (instance_check(&t->env, doc, NULL, NULL, &x, &err) == 0)
			fail_msg("case %zu was taken", i);
		if (err.kind != cases[i].kind || !strstr(err.msg, cases[i].words) ||
		    !strstr(err.msg, "instance \"c1\""))
			fail_msg("case %zu: %d %s", i, (int)err.kind, err.msg);
	}
}

static void profiles_are_bounded(void **state)
{
	struct work_world *t = *state;
	_json_ json_t *doc = instance(t, "['default']", "{}", "{}");
	_expanded_ struct expanded x = { 0 };
	struct err err = { 0 };

	for (int i = 0; i < 50; i++)
		json_array_append_new(json_arr(doc, "profiles"), json_string("empty"));
	assert_int_equal(instance_check(&t->env, doc, NULL, NULL, &x, &err), -1);
	assert_non_null(strstr(err.msg, "more than 50 profiles"));
}

/* --- one that is there ----------------------------------------------------------------------- */

static void a_root_stays_in_its_pool(void **state)
{
	struct work_world *t = *state;
	_json_ json_t *old = instance(t, "['default']", "{}", "{}");
	_json_ json_t *doc = instance(t, "['default']", "{}",
				      "{'root': {'type': 'disk', 'path': '/', 'pool': 'other'}}");
	_expanded_ struct expanded x = { 0 }, before = { 0 };
	struct err err = { 0 };

	expand(&t->env, old, &before);
	assert_int_equal(instance_check(&t->env, doc, &before, NULL, &x, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, "can't be moved from pool \"default\""));
}

/* What an older version took, or has gone since, is in no other change's way. */
static void what_stays_is_not_looked_at(void **state)
{
	static const char devices[] = "{'eth0': {'type': 'nic', 'network': 'nope'}}";
	struct work_world *t = *state;
	_json_ json_t *old = instance(t, "['default', 'nope']", "{}", devices);
	_json_ json_t *doc = instance(t, "['default', 'nope']", "{'user.a': '1'}", devices);
	_expanded_ struct expanded x = { 0 }, before = { 0 };
	struct err err = { 0 };

	expand(&t->env, old, &before);
	if (instance_check(&t->env, doc, &before, NULL, &x, &err) < 0)
		fail_msg("%s", err.msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_host_names),
		cmocka_unit_test(volatile_keys_stay),
		cmocka_unit_test(an_instance_may_look_like_this),
		cmocka_unit_test(and_not_like_that),
		cmocka_unit_test(profiles_are_bounded),
		cmocka_unit_test(a_root_stays_in_its_pool),
		cmocka_unit_test(what_stays_is_not_looked_at),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
