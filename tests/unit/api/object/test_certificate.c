/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about certificates: beginnings of fingerprints, and those of members. */
#include "tests/unit/api/rest/object_world.h"

#include "base/net/x509.h"

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

static int post(struct object_world *t, json_t *own_body)
{
	_free_ char *text = json_text(own_body);

	json_decref(own_body);
	return ask(t, "POST /1.0/certificates", text);
}

static void are_given_by_who_is_trusted(void **state)
{
	struct object_world *t = *state;
	_free_ char *pem = NULL, *key = NULL, *url = NULL, *get = NULL;
	char fingerprint[SHA256_HEX_SIZE];
	_json_ json_t *shown = NULL;
	struct err err = { 0 };

	assert_int_equal(x509_make("laptop", &pem, &key, &err), 0);
	assert_int_equal(x509_fingerprint(pem, fingerprint, &err), 0);
	url = xasprintf("/1.0/certificates/%s", fingerprint);
	get = xasprintf("GET %s", url);
	assert_int_equal(post(t, json_pack("{s:s, s:s, s:s}", "certificate", pem, "name", "lap",
					   "type", "client")),
			 201);
	assert_event(t, 1, "certificate-created", url);
	assert_int_equal(ask(t, get, NULL), 200);
	shown = answer(t);
	assert_string_equal(json_str(shown, "name", ""), "lap");
	assert_string_equal(json_str(shown, "type", ""), "client");
	assert_string_equal(json_str(shown, "certificate", ""), pem);
	assert_int_equal(post(t, json_pack("{s:s}", "certificate", pem)), 409);
	assert_string_equal(t->r->err.msg, "Certificate already in trust store");
}

static void are_not_taken(void **state)
{
	static const struct {
		enum caller_kind who;
		const char *body;
		int status;
		const char *message;
	} cases[] = {
		{ CALLER_ADMIN, "{}", 400, "Client is already trusted" },
		{ CALLER_ADMIN, "{'certificate':'rubbish'}", 400, "certificate" },
		{ CALLER_ADMIN, "{'type':'server'}", 400, "unknown type \"server\"" },
		{ CALLER_ADMIN, "{'type':'metrics'}", 501, "not implemented" },
		{ CALLER_ADMIN, "{'restricted':true}", 501, "restricted to projects" },
		{ CALLER_ADMIN, "{'fingerprint':'a'}", 400, "fingerprint" },
		/* a stranger has a token, or is one */
		{ CALLER_NOBODY, "{}", 403, "not authorized" },
		{ CALLER_NOBODY, "{'certificate':'rubbish'}", 403, "not authorized" },
		{ CALLER_NOBODY, "{'token':true}", 403, "not authorized" },
		{ CALLER_NOBODY, "{'trust_token':'x'}", 400, "used over HTTPS" },
		{ CALLER_NOBODY, "{'password':'x'}", 400, "used over HTTPS" },
		{ CALLER_MEMBER, "{'certificate':'rubbish'}", 403, "not authorized" },
	};
	struct object_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = quoted(cases[i].body);
		int status;

		t->caller.kind = cases[i].who;
		status = post(t, json_incref(body));
		if (status != cases[i].status || !strstr(t->r->err.msg, cases[i].message))
			fail_msg("%s: %d %s", cases[i].body, status, t->r->err.msg);
	}
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
		cmocka_unit_test_setup_teardown(are_given_by_who_is_trusted, object_world_setup,
						object_world_teardown),
		cmocka_unit_test_setup_teardown(are_not_taken, object_world_setup,
						object_world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
