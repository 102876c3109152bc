/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and their members: who is in which is said from both sides. */
#include "tests/unit/api/rest/object_world.h"

#include "cluster/model/group.h"

/* As the daemon's, but without a cluster. */
static struct kind groups, members;
static const struct route routes[] = {
	{ .method = "GET", .path = "/1.0/groups/{name}", .handler = object_get, .kind = &groups },
	{ .method = "POST", .path = "/1.0/groups", .handler = object_create, .kind = &groups },
	{ .method = "PUT",
	  .path = "/1.0/groups/{name}",
	  .handler = object_change,
	  .kind = &groups },
	{ .method = "POST",
	  .path = "/1.0/groups/{name}",
	  .handler = object_rename,
	  .kind = &groups },
	{ .method = "DELETE",
	  .path = "/1.0/groups/{name}",
	  .handler = object_delete,
	  .kind = &groups },
	{ .method = "GET", .path = "/1.0/members/{name}", .handler = object_get, .kind = &members },
	{ .method = "PUT",
	  .path = "/1.0/members/{name}",
	  .handler = object_change,
	  .kind = &members },
	{ 0 },
};

static int setup(void **state)
{
	struct object_world *t = xnew(struct object_world);

	groups = kind_group;
	groups.ready = NULL;
	members = kind_member;
	members.ready = NULL;
	object_world_open(t, routes);
	world_put(&t->w, ENT_GROUP, GROUP_DEFAULT, json_object());
	world_put(&t->w, ENT_MEMBER, "m1", json_pack("{s:s}", "address", "10.0.0.1:8443"));
	world_put(&t->w, ENT_MEMBER, "m2", json_pack("{s:s}", "address", "10.0.0.2:8443"));
	*state = t;
	return 0;
}

static void assert_list(struct object_world *t, const char *line, const char *field,
			const char *want)
{
	_json_ json_t *j = NULL;

	assert_int_equal(ask(t, line, NULL), 200);
	j = answer(t);
	assert_json(json_arr(j, field), want);
}

static void are_told_from_both_sides(void **state)
{
	struct object_world *t = *state;

	assert_int_equal(ask(t, "POST /1.0/groups", "{\"name\":\"gpu\", \"members\":[\"m2\"]}"),
			 201);
	assert_list(t, "GET /1.0/members/m2", "groups", "[\"default\", \"gpu\"]");
	assert_int_equal(ask(t, "PUT /1.0/members/m1", "{\"groups\":[\"gpu\"]}"), 200);
	assert_list(t, "GET /1.0/groups/gpu", "members", "[\"m1\", \"m2\"]");
	assert_int_equal(ask(t, "PUT /1.0/members/m1", "{\"description\":\"d\"}"), 200);
	assert_list(t, "GET /1.0/members/m1", "groups", "[\"default\", \"gpu\"]");
	assert_int_equal(ask(t, "PUT /1.0/groups/gpu", "{\"description\":\"d\"}"), 200);
	assert_list(t, "GET /1.0/groups/gpu", "members", "[\"m1\", \"m2\"]");
	assert_int_equal(ask(t, "POST /1.0/groups/gpu", "{\"name\":\"cards\"}"), 201);
	assert_list(t, "GET /1.0/groups/cards", "members", "[\"m1\", \"m2\"]");
	assert_int_equal(ask(t, "DELETE /1.0/groups/cards", NULL), 400);
	assert_string_equal(t->r->err.msg, "cluster group \"cards\" is not empty: take its members "
					   "out of it first: \"m1\", \"m2\"");
	assert_int_equal(ask(t, "PUT /1.0/groups/cards", "{\"members\":[]}"), 200);
	assert_list(t, "GET /1.0/members/m1", "groups", "[\"default\"]");
	assert_int_equal(ask(t, "DELETE /1.0/groups/cards", NULL), 200);
}

static void many_members_are_counted(void **state)
{
	struct object_world *t = *state;
	_json_ json_t *names = json_array(), *body = NULL;
	_free_ char *text = NULL;

	for (int i = 10; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		world_put(&t->w, ENT_MEMBER, name, json_object());
		json_array_append_new(names, json_string(name));
	}
	body = json_pack("{s:s, s:O}", "name", "gpu", "members", names);
	text = json_text(body);
	assert_int_equal(ask(t, "POST /1.0/groups", text), 201);
	assert_int_equal(ask(t, "DELETE /1.0/groups/gpu", NULL), 400);
	assert_non_null(strstr(t->r->err.msg, "\"n10\", \"n11\", \"n12\""));
	assert_non_null(strstr(t->r->err.msg, "\"n17\" and 2 more"));
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *line, *body;
		int status;
		const char *message;
	} cases[] = {
		{ "POST /1.0/groups", "{'name':'@a'}", 400, "invalid name" },
		{ "POST /1.0/groups", "{'name':'a', 'members':['ghost']}", 404,
		  "Cluster member not found: \"ghost\"" },
		{ "PUT /1.0/groups/default", "{'members':['m1']}", 400, "\"m2\" can't leave" },
		{ "POST /1.0/groups/default", "{'name':'all'}", 403, "can't be renamed" },
		{ "PUT /1.0/members/m1", "{'groups':['gpu']}", 404, "Cluster group not found" },
		{ "PUT /1.0/members/m1", "{'roles':['database']}", 400, "\"roles\" can't be set" },
		{ "PUT /1.0/members/m1", "{'server_name':'m2'}", 400, "it is \"m1\"" },
		{ "PUT /1.0/members/m1", "{'url':'https://x'}", 400, "https://10.0.0.1:8443" },
		{ "PUT /1.0/members/m1", "{'failure_domain':'a/b'}", 400, "failure_domain" },
		{ "PUT /1.0/members/m1", "{'config':{'none':'1'}}", 400, "none" },
		{ "PUT /1.0/members/m3", "{}", 404, "Cluster member not found: \"m3\"" },
	};
	struct object_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = quoted(cases[i].body);
		_free_ char *text = json_text(body);

		if (ask(t, cases[i].line, text) != cases[i].status ||
		    !strstr(t->r->err.msg, cases[i].message))
			fail_msg("%s %s: %s", cases[i].line, text, t->r->err.msg);
	}
}

/* What a member was shown as may be sent back, and nothing of it gets into its row. */
static void a_member_may_be_sent_back(void **state)
{
	struct object_world *t = *state;
	_json_ json_t *shown = NULL;
	_free_ char *text = NULL, *tag = NULL;
	_row_ struct row row = { 0 };
	struct err err;

	assert_int_equal(ask(t, "PUT /1.0/members/m1",
			     "{\"description\":\"d\", \"failure_domain\":\"rack\"}"),
			 200);
	assert_int_equal(ask(t, "GET /1.0/members/m1", NULL), 200);
	shown = answer(t);
	text = json_text(shown);
	tag = etag(t);
	assert_string_equal(json_str(shown, "url", ""), "https://10.0.0.1:8443");
	assert_non_null(json_str(shown, "status", NULL));
	assert_int_equal(ask_if(t, "PUT /1.0/members/m1", text, tag), 200);
	assert_int_equal(store_get(t->w.store, ENT_MEMBER, "m1", &row, &err), 0);
	assert_json(row.doc, "{\"address\":\"10.0.0.1:8443\", \"description\":\"d\", "
			     "\"failure_domain\":\"rack\", \"config\":{}, "
			     "\"groups\":[\"default\"]}");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(are_told_from_both_sides, setup,
						object_world_teardown),
		cmocka_unit_test_setup_teardown(many_members_are_counted, setup,
						object_world_teardown),
		cmocka_unit_test_setup_teardown(what_is_refused, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(a_member_may_be_sent_back, setup,
						object_world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
