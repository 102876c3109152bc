/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler is told of the members, by rows and facts. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>

#include "api/work/candidates.h"

static struct work_world world;

static void put_member(const char *name, json_t *own_more, json_t *own_fact)
{
	_json_ json_t *fact = own_fact;
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:[s], s:{}}", "uuid", name, "fingerprint",
				name, "address", "10.0.0.1:1", "architecture", "x86_64", "groups",
				"default", "config");

	json_object_update(doc, own_more);
	json_decref(own_more);
	world_put(&world.w, ENT_MEMBER, name, doc);
	store_fact_put(world.w.store, FACT_MEMBER, name, fact);
}

/* Alive, with so much memory in GiB. */
static json_t *host(int gib)
{
	return json_pack("{s:s, s:i, s:{s:I}}", "status", "Online", "cpus", 8, "memory", "total",
			 (json_int_t)gib << 30);
}

/* The server itself, which takes nothing here. */
static void remove_self(void)
{
	_row_ struct row row = { 0 };
	struct err err;

	assert_int_equal(store_get(world.w.store, ENT_MEMBER, "none", &row, &err), 0);
	json_put_bool(row.doc, "removing", true);
	world_put(&world.w, ENT_MEMBER, "none", json_incref(row.doc));
}

static int open_world(void **state)
{
	work_world_open(&world);
	world_start(&world.w);
	world_calm(&world.w);
	remove_self();
	return 0;
}

static int close_world(void **state)
{
	work_world_close(&world);
	return 0;
}

/* The member that gets it, or "" with the error. */
static void placed(const char *config, const struct place_order *order, char ret[64],
		   struct err *err)
{
	_json_ json_t *doc = json_pack("{s:s}", "architecture", "x86_64");
	_json_ json_t *parsed = json_loads(config, 0, NULL);
	struct expanded x = { .doc = doc, .config = parsed };
	struct place_order o = *order;
	struct place_choice choice = { 0 };
	int rc;

	o.instance = &x;
	*err = (struct err){ 0 };
	assert_non_null(parsed);
	rc = place_instance(&world.env, &o, &choice, err);
	assert_int_equal(rc, err->kind ? -1 : 0);
	str_copy(ret, 64, choice.member);
}

#define ANY (&(struct place_order){ 0 })

static void assert_placed(const char *config, const struct place_order *order, const char *want)
{
	char is[64];
	struct err err;

	placed(config, order, is, &err);
	if (strcmp(is, want) != 0)
		fail_msg("\"%s\", not \"%s\" %s: %s", is, want, config, err.msg);
}

/* Each is ruled out by one thing, which its row or its fact tells. */
static void who_can_take_nothing(void **state)
{
	struct err err;
	char is[64];

	put_member("dead", json_object(), json_pack("{s:s}", "status", "Offline"));
	put_member("silent", json_object(), NULL);
	put_member("going", json_pack("{s:b}", "removing", 1), host(8));
	put_member("down", json_object(),
		   json_pack("{s:s, s:b}", "status", "Online", "host_stops", 1));
	put_member("arm", json_pack("{s:s}", "architecture", "aarch64"), host(8));
	put_member("asked", json_pack("{s:{s:s}}", "config", "scheduler.instance", "manual"),
		   host(8));
	put_member("gpu",
		   json_pack("{s:{s:s}, s:[s]}", "config", "scheduler.instance", "group", "groups",
			     "gpu"),
		   host(8));
	placed("{}", ANY, is, &err);
	assert_string_equal(is, "");
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
}

static void a_group_reserves_a_member(void **state)
{
	struct err err;
	char is[64];

	assert_placed("{}", &(struct place_order){ .group = "gpu" }, "gpu");
	placed("{}", &(struct place_order){ .group = "none" }, is, &err);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "cluster group \"none\""));
}

static void put_instance(const char *name, const char *member, const char *key, const char *value)
{
	world_put(&world.w, ENT_INSTANCE, name,
		  json_pack("{s:s,s:s,s:s,s:{s:s},s:{},s:[]}", "name", name, "member", member,
			    "state", "ready", "config", key, value, "devices", "profiles"));
}

/* The share of what each has, of bytes and of percents alike. */
static void the_emptiest_gets_it(void **state)
{
	put_member("m1", json_object(), host(8));
	put_member("m2", json_object(), host(16));
	assert_placed("{}", ANY, "m1");
	put_instance("a", "m1", "limits.memory", "2GiB");
	assert_placed("{}", ANY, "m2");
	put_instance("b", "m2", "limits.memory", "50%");
	assert_placed("{}", ANY, "m1");
	put_instance("c", "m1", "limits.memory", "4GiB");
	assert_placed("{}", ANY, "m2");
	/* of an equal share of memory, cpus decide, and then how many there are */
	put_instance("b", "m2", "limits.memory", "8GiB");
	put_instance("c", "m1", "limits.memory", "2GiB");
	assert_placed("{}", ANY, "m2");
	put_instance("d", "m2", "limits.cpu", "4");
	put_instance("e", "m1", "user.none", "1");
	assert_placed("{}", ANY, "m1");
}

static void where_it_is_it_does_not_go(void **state)
{
	assert_placed("{}", &(struct place_order){ .leave = "m2" }, "m1");
	assert_placed("{}", &(struct place_order){ .leave = "m1" }, "m2");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_can_take_nothing),
		cmocka_unit_test(a_group_reserves_a_member),
		cmocka_unit_test(the_emptiest_gets_it),
		cmocka_unit_test(where_it_is_it_does_not_go),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
