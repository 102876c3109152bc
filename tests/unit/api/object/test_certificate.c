/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about certificates: beginnings of fingerprints, and those of members. */
#include "tests/unit/api/rest/object_world.h"

#define OF_CLIENT "aaaaaaaaaaaabbbb"
#define OF_OTHER "aaaaaaaaaaaacccc"
#define OF_MEMBER "ddddddddddddeeee"

static void put(struct object_world *t, const char *fingerprint, const char *type)
{
	world_put(&t->w, ENT_CERTIFICATE, fingerprint,
		  json_pack("{s:s, s:s, s:b, s:[], s:s}", "name", "it", "type", type, "restricted",
			    0, "projects", "certificate", "pem"));
}

static void are_found_by_a_beginning(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *message;
	} cases[] = {
		{ "GET /1.0/certificates/" OF_CLIENT, 200, "" },
		{ "GET /1.0/certificates/aaaaaaaaaaaab", 200, "" },
		{ "GET /1.0/certificates/aaaaaaaaaaaa", 400, "several certificates begin with" },
		{ "GET /1.0/certificates/ddddddddddd", 404,
		  "Certificate not found: \"ddddddddddd\"" },
		{ "GET /1.0/certificates/eeeeeeeeeeee", 404, "Certificate not found" },
	};
	struct object_world *t = *state;

	put(t, OF_CLIENT, "client");
	put(t, OF_OTHER, "client");
	put(t, OF_MEMBER, "server");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (ask(t, cases[i].line, NULL) != cases[i].status ||
		    !strstr(t->r->err.msg, cases[i].message))
			fail_msg("%s: %s", cases[i].line, t->r->err.msg);
	}
	assert_int_equal(ask(t, "GET /1.0/certificates/dddddddddddd", NULL), 200);
	assert_answer(t, "{\"name\":\"it\", \"type\":\"server\", \"restricted\":false, "
			 "\"projects\":[], \"certificate\":\"pem\", "
			 "\"fingerprint\":\"" OF_MEMBER "\"}");
	assert_int_equal(ask(t, "DELETE /1.0/certificates/aaaaaaaaaaaab", NULL), 200);
	assert_event(t, 1, "certificate-deleted", "/1.0/certificates/" OF_CLIENT);
}

static void change_their_name_alone(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *message;
	} cases[] = {
		{ "{'name':'new'}", 200, "" },
		{ "{'name':'new', 'type':'client', 'certificate':'pem', 'projects':[]}", 200, "" },
		{ "{'type':''}", 200, "" },
		{ "{'type':'server'}", 400, "unknown type" },
		{ "{'type':'metrics'}", 501, "not implemented" },
		{ "{'restricted':true}", 501, "not implemented" },
		{ "{'certificate':'other'}", 400, "can't be changed to \"other\"" },
		{ "{'fingerprint':'" OF_OTHER "'}", 400, "can't be changed" },
		{ "{'token':true}", 400, "token" },
	};
	struct object_world *t = *state;

	put(t, OF_CLIENT, "client");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = quoted(cases[i].body);
		_free_ char *text = json_text(body);

		if (ask(t, "PUT /1.0/certificates/" OF_CLIENT, text) != cases[i].status ||
		    !strstr(t->r->err.msg, cases[i].message))
			fail_msg("%s: %s", text, t->r->err.msg);
	}
	assert_int_equal(ask(t, "GET /1.0/certificates/" OF_CLIENT, NULL), 200);
	assert_answer(t, "{\"name\":\"new\", \"type\":\"client\", \"restricted\":false, "
			 "\"projects\":[], \"certificate\":\"pem\", "
			 "\"fingerprint\":\"" OF_CLIENT "\"}");
}

static void of_members_stay(void **state)
{
	struct object_world *t = *state;

	put(t, OF_MEMBER, "server");
	assert_int_equal(ask(t, "DELETE /1.0/certificates/" OF_MEMBER, NULL), 409);
	assert_non_null(strstr(t->r->err.msg, "belongs to cluster member \"it\""));
	assert_int_equal(ask(t, "PATCH /1.0/certificates/" OF_MEMBER, "{\"name\":\"x\"}"), 409);
	assert_int_equal(ask(t, "GET /1.0/certificates/" OF_MEMBER, NULL), 200);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(are_found_by_a_beginning, object_world_setup,
						object_world_teardown),
		cmocka_unit_test_setup_teardown(change_their_name_alone, object_world_setup,
						object_world_teardown),
		cmocka_unit_test_setup_teardown(of_members_stay, object_world_setup,
						object_world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
