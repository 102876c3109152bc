/* SPDX-License-Identifier: Apache-2.0 */
/* GET, PUT and PATCH /1.0: who sees what of the server, and how its configuration changes. */
#include "tests/unit/api/api_world.h"

static void strangers_see_little(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *full = NULL, *reduced = NULL;
	static const char *const hidden[] = { "config", "environment", "auth_user_name" };

	api_expect(t, "GET /1.0", NULL, 200);
	full = api_answer(t);
	assert_string_equal(json_str(full, "auth", ""), "trusted");
	assert_string_equal(json_str(full, "auth_user_name", ""), "root");
	assert_string_equal(json_str(full, "auth_user_method", ""), "unix");
	assert_string_equal(json_str(json_obj(full, "environment"), "server", ""), "dunlin");
	t->caller = (struct caller){ .kind = CALLER_NOBODY };
	api_expect(t, "GET /1.0", NULL, 200);
	reduced = api_answer(t);
	assert_string_equal(json_str(reduced, "auth", ""), "untrusted");
	assert_true(json_array_size(json_arr(reduced, "api_extensions")) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		assert_non_null(json_object_get(full, hidden[i]));
		assert_null(json_object_get(reduced, hidden[i]));
	}
}

static void a_client_is_called_by_its_certificate(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *j = NULL;

	t->caller =
		(struct caller){ .kind = CALLER_CLIENT, .name = "laptop", .fingerprint = "abc" };
	api_expect(t, "GET /1.0", NULL, 200);
	j = api_answer(t);
	assert_string_equal(json_str(j, "auth_user_name", ""), "abc");
	assert_string_equal(json_str(j, "auth_user_method", ""), "tls");
}

static void assert_config(struct api_world *t, const char *want)
{
	_json_ json_t *j = NULL, *config = NULL;
	_free_ char *text = NULL;

	api_expect(t, "GET /1.0", NULL, 200);
	j = api_answer(t);
	config = json_incref(json_obj(j, "config"));
	text = json_dumps(config, JSON_SORT_KEYS | JSON_COMPACT);
	assert_string_equal(text, want);
}

static void put_replaces_and_patch_adds(void **state)
{
	static const struct {
		const char *method, *body, *config;
	} steps[] = {
		{ "PATCH", "{\"config\":{\"user.a\":\"1\"}}", "{\"user.a\":\"1\"}" },
		{ "PATCH", "{\"config\":{\"user.b\":\"2\"}}",
		  "{\"user.a\":\"1\",\"user.b\":\"2\"}" },
		{ "PATCH", "{}", "{\"user.a\":\"1\",\"user.b\":\"2\"}" },
		{ "PATCH", "{\"config\":{\"user.a\":\"\"}}", "{\"user.b\":\"2\"}" },
		{ "PUT", "{\"config\":{\"user.c\":\"3\"}}", "{\"user.c\":\"3\"}" },
		/* what was read may be sent back, and what is empty means nothing */
		{ "PUT", "{\"config\":{\"user.c\":\"3\",\"cluster.https_address\":\"\"}}",
		  "{\"user.c\":\"3\"}" },
		{ "PUT", "{\"config\":{\"user.d\":4,\"user.e\":true}}",
		  "{\"user.d\":\"4\",\"user.e\":\"true\"}" },
		{ "PUT", "{}", "{}" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_free_ char *line = xasprintf("%s /1.0", steps[i].method);

		api_expect(t, line, steps[i].body, 200);
		assert_config(t, steps[i].config);
	}
	api_event(t, (int)ARRAY_SIZE(steps), "config-updated", "/1.0");
}

static void refuses_what_is_no_configuration(void **state)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{ "{\"config\":[]}", "config" },
		{ "{\"config\":{\"no.such\":\"1\"}}", "no.such" },
		{ "{\"config\":{\"core.remote_token_expiry\":\"soon\"}}",
		  "core.remote_token_expiry" },
		{ "{\"config\":{\"cluster.https_address\":\"10.0.0.1:8443\"}}",
		  "cluster.https_address can't be changed" },
		{ "{\"name\":\"x\"}", "name" },
		{ "nonsense", "server" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		api_refused(t, "PUT /1.0", cases[i].body, 400, cases[i].words);
		api_refused(t, "PATCH /1.0", cases[i].body, 400, cases[i].words);
	}
	assert_config(t, "{}");
	assert_int_equal(t->events.count, 0);
}

static void an_etag_is_of_the_configuration(void **state)
{
	struct api_world *t = *state;
	_free_ char *tag = NULL, *match = NULL, *other = NULL;

	api_expect(t, "GET /1.0", NULL, 200);
	tag = api_header(t, "ETag");
	assert_non_null(tag);
	match = xasprintf("If-Match: %s", tag);
	assert_int_equal(api_ask_with(t, "PATCH /1.0", "{\"config\":{\"user.a\":\"1\"}}", match),
			 200);
	assert_int_equal(api_ask_with(t, "PATCH /1.0", "{\"config\":{\"user.a\":\"2\"}}", match),
			 412);
	assert_config(t, "{\"user.a\":\"1\"}");
	other = api_header(t, "ETag");
	assert_string_not_equal(other, tag);
}

static void the_root_names_the_version(void **state)
{
	struct api_world *t = *state;

	api_expect(t, "GET /", NULL, 200);
	api_answers(t, "['/1.0']");
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_world_open, api_world_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(strangers_see_little),
		T(a_client_is_called_by_its_certificate),
		T(put_replaces_and_patch_adds),
		T(refuses_what_is_no_configuration),
		T(an_etag_is_of_the_configuration),
		T(the_root_names_the_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
