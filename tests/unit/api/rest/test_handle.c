/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers have in common. */
#include "tests/unit/api/api_world.h"

#include "api/rest/handle.h"

static void maps_are_replaced_or_merged(void **state)
{
	static const struct {
		const char *doc, *body;
		bool patch;
		const char *want;
	} cases[] = {
		{ "{'c': {'a': '1'}}", "{'c': {'b': '2'}}", false, "{'c': {'b': '2'}}" },
		{ "{'c': {'a': '1'}}", "{'c': {'b': '2'}}", true, "{'c': {'a': '1', 'b': '2'}}" },
		{ "{'c': {'a': '1'}}", "{'c': {'a': '2'}}", true, "{'c': {'a': '2'}}" },
		{ "{'c': {'a': '1'}}", "{}", false, "{'c': {}}" },
		{ "{'c': {'a': '1'}}", "{}", true, "{'c': {'a': '1'}}" },
		{ "{'c': {'a': '1'}}", "{'c': {}}", false, "{'c': {}}" },
		{ "{'c': {'a': '1'}}", "{'c': {}}", true, "{'c': {'a': '1'}}" },
		{ "{}", "{'c': {'a': '1'}}", false, "{'c': {'a': '1'}}" },
		{ "{}", "{'c': {'a': '1'}}", true, "{'c': {'a': '1'}}" },
		{ "{}", "{}", true, "{}" },
		{ "{'d': 1}", "{'d': 2, 'c': {'a': ''}}", true, "{'d': 1, 'c': {'a': ''}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = quoted(cases[i].doc), *body = quoted(cases[i].body),
			      *want = quoted(cases[i].want), *kept = json_deep_copy(body);
		_free_ char *text = NULL;

		merge_map(doc, "c", body, cases[i].patch);
		text = json_text(doc);
		if (!json_equal(doc, want))
			fail_msg("%s %s: %s", cases[i].doc, cases[i].body, text);
		assert_true(json_equal(body, kept));
	}
}

/* Readers of a row hold what the merge begins with. */
static void the_map_of_before_stays_as_it_was(void **state)
{
	_json_ json_t *doc = quoted("{'c': {'a': '1'}}"), *body = quoted("{'c': {'a': '2'}}");
	_json_ json_t *before = json_incref(json_object_get(doc, "c"));

	merge_map(doc, "c", body, true);
	assert_string_equal(json_str(before, "a", ""), "1");
}

static void what_is_fixed_may_be_sent_back(void **state)
{
	static const char *const fields[] = { "type", "driver", NULL };
	static const struct {
		const char *body;
		const char *words; /* NULL: it may be */
	} cases[] = {
		{ "{}", NULL },
		{ "{'type': 'bridge'}", NULL },
		{ "{'type': '', 'driver': ''}", NULL },
		{ "{'other': 'x'}", NULL },
		{ "{'type': 'Bridge'}", "net: \"type\" can't be changed to \"Bridge\": it is "
					"\"bridge\"" },
		{ "{'type': 'bridge', 'driver': 'x'}",
		  "\"driver\" can't be changed to \"x\": it is \"\"" },
	};
	struct api_world *t = *state;
	_json_ json_t *present = quoted("{'type': 'bridge'}");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = quoted(cases[i].body);
		struct req *r = api_request(t, "PUT /1.0/networks/net", NULL);

		assert_int_equal(check_fixed(r, "net", body, present, fields),
				 cases[i].words ? -1 : 0);
		if (cases[i].words && !strstr(r->err.msg, cases[i].words))
			fail_msg("%s: %s", cases[i].body, r->err.msg);
	}
}

static void tags_tell_whether_it_is_as_it_was(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *was = quoted("{'a': '1', 'b': '2'}"), *same = quoted("{'b': '2', 'a': '1'}"),
		      *now = quoted("{'a': '1', 'b': '3'}");
	_free_ char *tag = NULL, *header = NULL;
	struct req *r = api_request(t, "GET /1.0", NULL);

	set_etag(r, was);
	tag = api_header(t, "ETag");
	assert_non_null(tag);
	header = xasprintf("If-Match: %s", tag);
	r = api_request(t, "PUT /1.0", header);
	assert_int_equal(check_etag(r, same), 0);
	assert_int_equal(check_etag(r, now), -1);
	assert_int_equal(err_http(r->err.kind), 412);
	r = api_request(t, "PUT /1.0", NULL);
	assert_int_equal(check_etag(r, now), 0);
}

static void what_only_a_cluster_has_is_refused(void **state)
{
	struct api_world *t = *state;
	struct req *r = api_request(t, "GET /1.0/cluster", NULL);

	assert_int_equal(need_cluster(r), -1);
	assert_int_equal(r->err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(r->err.msg, "cluster enable NAME"));
}

static void only_a_patch_is_one(void **state)
{
	struct api_world *t = *state;

	assert_true(is_patch(api_request(t, "PATCH /1.0", NULL)));
	assert_false(is_patch(api_request(t, "PUT /1.0", NULL)));
	assert_false(is_patch(api_request(t, "POST /1.0", NULL)));
}

/* An event says who asked for it, and by which way. */
static void events_name_their_cause(void **state)
{
	static const struct {
		struct caller caller;
		const char *username, *protocol;
	} cases[] = {
		{ { .kind = CALLER_ADMIN, .name = "root", .address = "@" }, "root", "unix" },
		{ { .kind = CALLER_CLIENT, .name = "laptop", .fingerprint = "f00d" },
		  "f00d",
		  "tls" },
		{ { .kind = CALLER_MEMBER, .name = "m2", .fingerprint = "beef" }, "m2", "cluster" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *event = NULL;
		const json_t *who;

		t->caller = cases[i].caller;
		tell_event(api_request(t, "GET /1.0", NULL), "thing-made", "/1.0/things/a",
			   "web~a");
		api_event(t, (int)i + 1, "thing-made", "/1.0/things/a?project=web");
		event = json_loads(t->events.last, 0, NULL);
		who = json_obj(json_obj(event, "metadata"), "requestor");
		assert_string_equal(json_str(who, "username", ""), cases[i].username);
		assert_string_equal(json_str(who, "protocol", ""), cases[i].protocol);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, api_world_open, api_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_are_replaced_or_merged),
		cmocka_unit_test(the_map_of_before_stays_as_it_was),
		T(what_is_fixed_may_be_sent_back),
		T(tags_tell_whether_it_is_as_it_was),
		T(what_only_a_cluster_has_is_refused),
		T(only_a_patch_is_one),
		T(events_name_their_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
