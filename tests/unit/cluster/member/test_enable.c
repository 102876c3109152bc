/* SPDX-License-Identifier: Apache-2.0 */
/* A single host becomes the first member: its rows, its name, and how it is shown. */
#include <string.h>

#include "cluster/member/member.h"
#include "tests/unit/cluster/member/guest.h"

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

static void a_single_host_has_a_row(void **state)
{
	_json_ json_t *doc = world_doc(&world, ENT_MEMBER, "none");

	assert_false(cluster_enabled(world.cluster));
	assert_string_equal(cluster_member_name(world.cluster), "none");
	assert_string_equal(cluster_address(world.cluster), "");
	assert_string_equal(json_str(doc, "role", ""), "voter");
	assert_string_equal(json_str(doc, "architecture", ""), member_architecture());
	assert_true(cluster_is_leader(world.cluster));
	assert_false(cluster_is_island(world.cluster));
	assert_int_equal(cluster_island_ms(world.cluster), 0);
}

static void bad_names_and_addresses_change_nothing(void **state)
{
	static const struct {
		const char *name, *address;
	} cases[] = {
		{ "none", FIRST_ADDRESS }, { "", FIRST_ADDRESS },     { "a b", FIRST_ADDRESS },
		{ "-a", FIRST_ADDRESS },   { "9a", FIRST_ADDRESS },   { FIRST, "" },
		{ FIRST, "0.0.0.0:8443" }, { FIRST, "[::]:8443" },    { FIRST, "host" },
		{ FIRST, "host:0" },       { FIRST, "fd00::1:8443" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(
			cluster_enable(world.cluster, cases[i].name, cases[i].address, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_false(cluster_enabled(world.cluster));
	}
	assert_int_equal(member_check_name(NULL, &(struct err){ 0 }), -1);
}

static void what_needs_a_cluster_says_so(void **state)
{
	struct removal r;
	_json_ json_t *body = json_object();
	struct err err = { 0 };

	assert_null(cluster_token_new(world.cluster, "n2", 60, NULL, &err));
	assert_string_equal(err.msg, "This server is not clustered");
	assert_null(cluster_serve_join(world.cluster, body, "", &err));
	assert_string_equal(err.msg, "This server is not clustered");
	assert_int_equal(cluster_remove(world.cluster, "none", true, &r, &err), -1);
	assert_string_equal(err.msg, "This server is not clustered");
}

/* Every form in which a row names a member. */
static void rows_speak_of_the_new_name(void **state)
{
	static const struct {
		enum entity e;
		const char *key, *before, *after;
	} cases[] = {
		{ ENT_INSTANCE, "c1", "{\"member\":\"none\"}", "{\"member\":\"n1\"}" },
		{ ENT_INSTANCE, "c2", "{\"member\":\"other\"}", "{\"member\":\"other\"}" },
		{ ENT_PROFILE, "p1", "{\"location\":\"none\",\"x\":\"none\"}",
		  "{\"location\":\"n1\",\"x\":\"none\"}" },
		{ ENT_POOL, "p1", "{\"members\":{\"none\":{\"source\":\"/x\"}}}",
		  "{\"members\":{\"n1\":{\"source\":\"/x\"}}}" },
		{ ENT_NETWORK, "net", "{\"members\":[\"none\",\"a\",\"none\"]}",
		  "{\"members\":[\"n1\",\"a\",\"n1\"]}" },
		{ ENT_IMAGE, "f", "{\"members\":\"none\"}", "{\"members\":\"none\"}" },
	};
	_free_ char *shown = xstrdup(cluster_fingerprint(world.cluster));
	int64_t revs[ARRAY_SIZE(cases)];
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		world_put(&world, cases[i].e, cases[i].key,
			  json_parse(cases[i].before, strlen(cases[i].before), "doc", &err));
		revs[i] = store_revision(world.store);
	}
	if (cluster_enable(world.cluster, FIRST, FIRST_ADDRESS, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_row_ struct row row = { 0 };
		_free_ char *text = NULL;

		assert_int_equal(store_get(world.store, cases[i].e, cases[i].key, &row, &err), 0);
		text = json_text(row.doc);
		assert_string_equal(text, cases[i].after);
		/* a row that names nobody of that name is left alone */
		assert_int_equal(row.rev == revs[i], str_eq(cases[i].before, cases[i].after));
	}
	/* clients keep the certificate that they know */
	assert_string_equal(cluster_fingerprint(world.cluster), shown);
}

static void the_host_has_its_name(void **state)
{
	_json_ json_t *old = world_doc(&world, ENT_MEMBER, "none");
	_json_ json_t *doc = world_doc(&world, ENT_MEMBER, FIRST);
	_json_ json_t *fact = store_fact_get(world.store, FACT_MEMBER, FIRST, NULL);
	char leader[ADDRESS_SIZE] = "", name[NAME_SIZE] = "", buf[ADDRESS_SIZE];
	struct err err = { 0 };

	assert_null(old);
	assert_string_equal(json_str(doc, "address", ""), FIRST_ADDRESS);
	assert_true(cluster_enabled(world.cluster));
	assert_string_equal(cluster_member_name(world.cluster), FIRST);
	assert_string_equal(cluster_address(world.cluster), FIRST_ADDRESS);
	assert_true(cluster_leader_address(world.cluster, leader, sizeof(leader)));
	assert_string_equal(leader, FIRST_ADDRESS);
	assert_string_equal(json_str(fact, "status", ""), "Online");
	assert_true(json_bool(fact, "raft", false));
	assert_true(cluster_is_member_cert(world.cluster, json_str(doc, "fingerprint", ""), name));
	assert_string_equal(name, FIRST);
	assert_int_equal(cluster_member_address(world.cluster, FIRST, buf, sizeof(buf), &err), 0);
	assert_int_equal(cluster_member_address(world.cluster, "none", buf, sizeof(buf), &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(cluster_enable(world.cluster, "n9", FIRST_ADDRESS, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(cluster_join(world.cluster, "n9", FIRST_ADDRESS, "nonsense", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

/* --- as it is shown --------------------------------------------------------------------------- */

static json_t *shown(const char *name)
{
	_row_ struct row row = { 0 };
	struct err err;

	assert_int_equal(store_get(world.store, ENT_MEMBER, name, &row, &err), 0);
	return cluster_member_json(world.cluster, &row);
}

static bool has_role(const json_t *j, const char *role)
{
	json_t *r;
	size_t i;

	json_array_foreach(json_arr(j, "roles"), i, r)
		if (str_eq(json_string_value(r), role))
			return true;
	return false;
}

static void members_are_shown(void **state)
{
	_json_ json_t *self = shown(FIRST), *other = NULL;

	assert_string_equal(json_str(self, "server_name", ""), FIRST);
	assert_string_equal(json_str(self, "url", ""), "https://" FIRST_ADDRESS);
	assert_string_equal(json_str(self, "status", ""), "Online");
	assert_string_equal(json_str(self, "message", ""), "Fully operational");
	assert_true(json_bool(self, "database", false));
	assert_true(has_role(self, "database-leader"));
	assert_true(has_role(self, "database"));
	assert_string_equal(json_str(self, "failure_domain", ""), "default");
	assert_non_null(json_obj(self, "config"));
	assert_non_null(json_arr(self, "groups"));
	guest_admit(&world, "n2", "127.0.0.1:2");
	other = shown("n2");
	/* never heard of: it is not known whether it runs */
	assert_string_equal(json_str(other, "status", ""), "Unknown");
	assert_false(json_bool(other, "database", true));
	assert_int_equal(json_array_size(json_arr(other, "roles")), 0);
}

struct shown_case {
	const char *field, *value; /* of the row */
	const char *said;          /* of its fact, by the leader */
	const char *status, *message;
};

static void the_row_and_the_fact_make_the_status(void **state)
{
	static const struct shown_case cases[] = {
		{ "description", "d", "Offline", "Offline", "No heartbeat has been seen" },
		{ "description", "d", "", "Unknown", "The leader has not heard of it yet" },
		{ "description", "d", "Online", "Online", "Fully operational" },
		{ "role", "standby", "Online", "Online", "Fully operational" },
		{ "removing", "true", "Online", "Online", "Being removed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *doc = world_doc(&world, ENT_MEMBER, "n2");
		_json_ json_t *j = NULL;
		_free_ char *fact = xasprintf("{\"status\":\"%s\"}", cases[i].said);

		if (str_eq(cases[i].value, "true"))
			json_put_bool(doc, cases[i].field, true);
		else
			json_put_str(doc, cases[i].field, cases[i].value);
		world_put(&world, ENT_MEMBER, "n2", doc);
		replica_fact_put(world.cluster->replica, FACT_MEMBER, "n2", "n2", fact, false);
		j = shown("n2");
		assert_string_equal(json_str(j, "status", ""), cases[i].status);
		assert_string_equal(json_str(j, "message", ""), cases[i].message);
		assert_int_equal(has_role(j, "database-standby"), str_eq(cases[i].field, "role"));
		replica_fact_put(world.cluster->replica, FACT_MEMBER, "n2", "n2", NULL, false);
		doc = world_doc(&world, ENT_MEMBER, "n2");
		json_put_str(doc, "role", "none");
		world_put(&world, ENT_MEMBER, "n2", doc);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_host_has_a_row),
		cmocka_unit_test(bad_names_and_addresses_change_nothing),
		cmocka_unit_test(what_needs_a_cluster_says_so),
		cmocka_unit_test(rows_speak_of_the_new_name),
		cmocka_unit_test(the_host_has_its_name),
		cmocka_unit_test(members_are_shown),
		cmocka_unit_test(the_row_and_the_fact_make_the_status),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
