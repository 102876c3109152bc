/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of the cluster and its members: before there is one, and of a cluster of one. */
#include "tests/unit/api/api_world.h"

#include "api/rest/localconf.h"
#include "api/work/state.h"

/* --- a single host --------------------------------------------------------------------------- */

static void a_single_host_has_no_members(void **state)
{
	static const struct {
		const char *line, *body;
	} asks[] = {
		{ "GET /1.0/cluster/members", NULL },
		{ "GET /1.0/cluster/members?recursion=1", NULL },
		{ "GET /1.0/cluster/members/none", NULL },
		{ "PUT /1.0/cluster/members/none", "{}" },
		{ "DELETE /1.0/cluster/members/none", NULL },
		{ "POST /1.0/cluster/members", "{\"server_name\":\"m2\"}" },
	};
	struct api_world *t = *state;

	api_expect(t, "GET /1.0/cluster", NULL, 200);
	api_answers(t, "{'server_name':'', 'enabled':false, 'member_config':[]}");
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++)
		api_refused(t, asks[i].line, asks[i].body, 503, "This server is not clustered");
}

static void what_enables_nothing(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *words;
	} cases[] = {
		{ "{\"enabled\":false}", 501, "cluster remove none" },
		{ "{}", 501, "a member leaves by being removed" },
		{ "{\"enabled\":true}", 400, "server_name is missing" },
		{ "{\"enabled\":true, \"server_name\":\"-m\"}", 400, "invalid name \"-m\"" },
		{ "{\"enabled\":true, \"server_name\":\"m1\"}", 400, "core.https_address first" },
		{ "{\"enabled\":true, \"server_name\":\"m1\", \"server_address\":\":8443\"}", 400,
		  "one address that the other members can reach" },
		{ "{\"enabled\":true, \"server_name\":\"m1\", \"server_address\":\"[::]:8443\"}",
		  400, "one address that the other members can reach" },
		{ "{\"enabled\":true, \"server_name\":\"m1\", \"server_address\":\"a b\"}", 400,
		  "core.https_address" },
		{ "{\"enabled\":true, \"cluster_address\":\"10.0.0.1:8443\"}", 400,
		  "joining needs a token" },
		{ "{\"enabled\":true, \"cluster_token\":\"nonsense\"}", 400,
		  "Invalid cluster join token" },
		{ "{\"enabled\":true, \"cluster_password\":\"nonsense\"}", 400,
		  "Invalid cluster join token" },
		{ "{\"enabled\":\"yes\"}", 400, "enabled" },
		{ "{\"enabled\":true, \"speed\":3}", 400, "speed" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		api_refused(t, "PUT /1.0/cluster", cases[i].body, cases[i].status, cases[i].words);
	assert_false(cluster_enabled(t->w.cluster));
}

/* --- a cluster of one ------------------------------------------------------------------------ */

static int open_cluster(void **state)
{
	struct api_world *t;
	_free_ char *body = NULL, *address = NULL;

	api_world_open(state);
	t = *state;
	address = xasprintf("127.0.0.1:%d", api_free_port());
	body = xasprintf("{\"enabled\":true, \"server_name\":\"m1\", \"server_address\":\"%s\"}",
			 address);
	api_expect(t, "PUT /1.0/cluster", body, 202);
	api_await(t);
	assert_true(cluster_enabled(t->w.cluster));
	assert_string_equal(cluster_address(t->w.cluster), address);
	return 0;
}

static void shows_itself(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *m = NULL;

	api_expect(t, "GET /1.0/cluster", NULL, 200);
	api_answers(t, "{'server_name':'m1', 'enabled':true, 'member_config':[]}");
	api_expect(t, "GET /1.0/cluster/members", NULL, 200);
	api_answers(t, "['/1.0/cluster/members/m1']");
	api_expect(t, "GET /1.0/cluster/members/m1", NULL, 200);
	m = api_answer(t);
	assert_string_equal(json_str(m, "server_name", ""), "m1");
	assert_string_equal(json_str(m, "status", ""), "Online");
	api_refused(t, "GET /1.0/cluster/members/m2", NULL, 404,
		    "Cluster member not found: \"m2\"");
	api_refused(t, "PUT /1.0/cluster", "{\"enabled\":true, \"server_name\":\"m2\"}", 409,
		    "already clustered, as member \"m1\"");
}

static void a_member_is_changed(void **state)
{
	static const struct {
		const char *method, *body, *config;
	} steps[] = {
		{ "PATCH", "{\"config\":{\"user.a\":\"1\"}}", "{\"user.a\":\"1\"}" },
		{ "PATCH", "{\"config\":{\"scheduler.instance\":\"manual\"}}",
		  "{\"scheduler.instance\":\"manual\",\"user.a\":\"1\"}" },
		/* what was read may be sent back */
		{ "PATCH", "{\"server_name\":\"m1\"}",
		  "{\"scheduler.instance\":\"manual\",\"user.a\":\"1\"}" },
		{ "PUT", "{\"config\":{\"user.b\":\"2\"}}", "{\"user.b\":\"2\"}" },
		{ "PUT", "{}", "{}" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_free_ char *line = xasprintf("%s /1.0/cluster/members/m1", steps[i].method);
		_free_ char *text = NULL;
		_json_ json_t *m = NULL;

		api_expect(t, line, steps[i].body, 200);
		api_expect(t, "GET /1.0/cluster/members/m1", NULL, 200);
		m = api_answer(t);
		text = json_dumps(json_obj(m, "config"), JSON_SORT_KEYS | JSON_COMPACT);
		assert_string_equal(text, steps[i].config);
	}
}

static void what_no_member_can_be(void **state)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{ "{\"config\":{\"no.such\":\"1\"}}", "no.such" },
		{ "{\"config\":{\"scheduler.instance\":\"never\"}}", "scheduler.instance" },
		{ "{\"roles\":[\"event-hub\"]}", "\"roles\" can't be set" },
		{ "{\"failure_domain\":\"a/b\"}", "\"failure_domain\"" },
		{ "{\"server_name\":\"m2\"}", "\"server_name\" can't be changed to \"m2\"" },
		{ "{\"architecture\":\"mips\"}", "\"architecture\" can't be changed" },
		{ "{\"size\":1}", "size" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		api_refused(t, "PATCH /1.0/cluster/members/m1", cases[i].body, 400, cases[i].words);
}

static void a_member_has_an_etag(void **state)
{
	struct api_world *t = *state;
	_free_ char *tag = NULL, *match = NULL;
	static const char change[] = "{\"config\":{\"user.a\":\"1\"}}";

	api_expect(t, "GET /1.0/cluster/members/m1", NULL, 200);
	tag = api_header(t, "ETag");
	match = xasprintf("If-Match: %s", tag);
	assert_int_equal(api_ask_with(t, "PATCH /1.0/cluster/members/m1", change, match), 200);
	assert_int_equal(api_ask_with(t, "PATCH /1.0/cluster/members/m1", change, match), 412);
}

static void a_token_is_for_a_new_name(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *words;
	} cases[] = {
		{ "{}", 400, "server_name" },
		{ "{\"server_name\":\"2m\"}", 400, "invalid name \"2m\"" },
		{ "{\"server_name\":\"a b\"}", 400, "invalid name \"a b\"" },
		{ "{\"server_name\":\"m1\"}", 409, "m1" },
	};
	struct api_world *t = *state;
	_json_ json_t *op = NULL, *list = NULL;
	const json_t *shown;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		api_refused(t, "POST /1.0/cluster/members", cases[i].body, cases[i].status,
			    cases[i].words);
	api_expect(t, "POST /1.0/cluster/members", "{\"server_name\":\"m2\"}", 202);
	op = api_answer(t);
	assert_string_equal(json_str(op, "class", ""), "token");
	assert_string_equal(json_str(json_obj(op, "metadata"), "serverName", ""), "m2");
	assert_int_equal(strlen(json_str(json_obj(op, "metadata"), "secret", "")), 64);
	api_expect(t, "GET /1.0/operations?recursion=1", NULL, 200);
	list = api_answer(t);
	shown = json_array_get(json_arr(list, "running"), 0);
	assert_string_equal(json_str(json_obj(shown, "metadata"), "secret", "-"), "");
}

static void the_last_member_stays(void **state)
{
	struct api_world *t = *state;

	assert_true(api_ask(t, "DELETE /1.0/cluster/members/m1", NULL) >= 400);
	api_refused(t, "DELETE /1.0/cluster/members/m2", NULL, 404, "\"m2\"");
	api_refused(t, "POST /1.0/cluster/members/m1", "{\"server_name\":\"m2\"}", 501,
		    "renaming a cluster member");
	api_refused(t, "POST /1.0/cluster/members/m1/state", "{\"action\":\"evacuate\"}", 501,
		    "evacuating");
	assert_true(cluster_enabled(t->w.cluster));
}

/* The others must go on reaching this one. */
static void the_address_covers_the_clusters(void **state)
{
	struct api_world *t = *state;
	_free_ char *same = xasprintf("{\"config\":{\"core.https_address\":\"%s\"}}",
				      cluster_address(t->w.cluster));
	_free_ char *is = NULL;

	api_refused(t, "PATCH /1.0", "{\"config\":{\"core.https_address\":\":1\"}}", 400,
		    "the other members reach this one at");
	api_refused(t, "PATCH /1.0", "{\"config\":{\"core.https_address\":\"10.9.9.9:1\"}}", 400,
		    "the other members reach this one at");
	api_expect(t, "PATCH /1.0", same, 200);
	is = localconf_get(t->env.state->conf, "core.https_address");
	assert_string_equal(is, cluster_address(t->w.cluster));
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_world_open, api_world_close)

int main(void)
{
	static const struct CMUnitTest single[] = {
		T(a_single_host_has_no_members),
		T(what_enables_nothing),
	};
	static const struct CMUnitTest clustered[] = {
		cmocka_unit_test(shows_itself),
		cmocka_unit_test(a_member_is_changed),
		cmocka_unit_test(what_no_member_can_be),
		cmocka_unit_test(a_member_has_an_etag),
		cmocka_unit_test(a_token_is_for_a_new_name),
		cmocka_unit_test(the_last_member_stays),
		cmocka_unit_test(the_address_covers_the_clusters),
	};

	return cmocka_run_group_tests(single, NULL, NULL) +
	       cmocka_run_group_tests(clustered, open_cluster, api_world_close);
}
