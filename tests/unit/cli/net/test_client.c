/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, requests and what becomes of their answers. */
#include "tests/unit/cli/server_world.h"

#include "base/err.h"

static void escapes_what_it_is_given(void **state)
{
	static const struct {
		const char *name, *path;
	} cases[] = {
		{ "c1", "/1.0/instances/c1/logs" },
		{ "a/b", "/1.0/instances/a%2Fb/logs" },
		{ "a b?c&d#e", "/1.0/instances/a%20b%3Fc%26d%23e/logs" },
		{ "100%", "/1.0/instances/100%25/logs" },
		{ "", "/1.0/instances//logs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *path = api_path("instances/%s/logs", cases[i].name);

		assert_string_equal(path, cases[i].path);
	}
	_free_ char *root = api_path("");

	assert_string_equal(root, "/1.0");
}

static void adds_parameters(void **state)
{
	static const struct {
		const char *path, *value, *want;
	} cases[] = {
		{ "/1.0", "m1", "/1.0?target=m1" },
		{ "/1.0?a=b", "m1", "/1.0?a=b&target=m1" },
		{ "/1.0", "a&b=c/d", "/1.0?target=a%26b%3Dc%2Fd" },
		/* what is empty was not given */
		{ "/1.0", "", "/1.0" },
		{ "/1.0", NULL, "/1.0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *path = api_query(xstrdup(cases[i].path), "target", cases[i].value);

		assert_string_equal(path, cases[i].want);
	}
}

/* Its kind is that of the status, its text the server's. */
static void fails_as_the_server_says(void **state)
{
	static const struct {
		struct answer answer;
		enum err_kind kind;
		const char *msg;
	} cases[] = {
		{ FAILS("GET /1.0/x", "no such x", 404), ERR_NOT_FOUND, "no such x" },
		{ FAILS("GET /1.0/x", "it is there", 409), ERR_CONFLICT, "it is there" },
		{ FAILS("GET /1.0/x", "changed meanwhile", 412), ERR_PRECONDITION,
		  "changed meanwhile" },
		{ FAILS("GET /1.0/x", "no leader", 503), ERR_UNAVAILABLE, "no leader" },
		/* by a socket there is nobody to be told of trust */
		{ FAILS("GET /1.0/x", "not for you", 403), ERR_FORBIDDEN, "not for you" },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		world_answers(w, &cases[i].answer, 1);
		assert_null(api_get(cl, "/1.0/x", &err));
		assert_int_equal(err.kind, cases[i].kind);
		assert_string_equal(err.msg, cases[i].msg);
	}
	WORLD_ANSWER(w, { .request = "GET /1.0/x", .raw = "<html>" });
	assert_null(api_get(cl, "/1.0/x", &err));
	world_end_cli(c);
}

/* The path of one object would become that of the list: nobody is asked. */
static void an_empty_name_is_never_sent(void **state)
{
	static const struct {
		const char *path;
		bool raw, sent;
	} cases[] = {
		{ "/1.0/instances/", false, false },
		{ "/1.0/instances/?target=m1", false, false },
		{ "/1.0/storage-pools//volumes", false, false },
		{ "/1.0/instances?x=//", false, true },
		{ "/1.0/instances/", true, true },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct api_call call = API_CALL("DELETE", cases[i].path);
		_json_ json_t *got = NULL;

		world_answers(w, NULL, 0);
		call.raw = cases[i].raw;
		got = api_run(cl, &call, &err);
		assert_null(got);
		assert_int_equal(*world_asked(w) != '\0', cases[i].sent);
		assert_int_equal(err.kind, cases[i].sent ? ERR_NOT_FOUND : ERR_INVALID);
	}
	world_end_cli(c);
}

static void hands_the_etag_over(void **state)
{
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);
	struct api_call call = API_CALL("PUT", "/1.0/profiles/p");
	_json_ json_t *body = json_pack("{ss}", "description", "d"), *got = NULL, *done = NULL;
	_free_ char *etag = NULL, *none = NULL;

	WORLD_ANSWER(w, TAGGED("GET /1.0/profiles/p", "{\"name\":\"p\"}", "abc"),
		     SAYS("GET /1.0/profiles/q", "{\"name\":\"q\"}"), DONE("PUT /1.0/profiles/p"));
	got = api_get_etag(cl, "/1.0/profiles/p", &etag, &err);
	assert_string_equal(json_str(got, "name", ""), "p");
	assert_string_equal(etag, "abc");
	json_decref(api_get_etag(cl, "/1.0/profiles/q", &none, &err));
	assert_null(none);
	call.json = body;
	call.etag = etag;
	done = api_run(cl, &call, &err);
	assert_non_null(done);
	assert_string_equal(world_asked(w), "GET /1.0/profiles/p\nGET /1.0/profiles/q\n"
					    "PUT /1.0/profiles/p abc {\"description\":\"d\"}\n");
	world_end_cli(c);
}

static void asks_for_its_project(void **state)
{
	static const struct {
		const char *project, *asked;
	} cases[] = {
		{ NULL, "GET /1.0/x?a=b\n" },
		{ "default", "GET /1.0/x?a=b\n" },
		{ "web", "GET /1.0/x?a=b&project=web\n" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cli *c = world_cli(w);
		struct err err = { 0 };

		world_answers(w, NULL, 0);
		c->conf->project = cases[i].project;
		json_decref(api_get(client_open(c, REMOTE_LOCAL, &err), "/1.0/x?a=b", &err));
		assert_string_equal(world_asked(w), cases[i].asked);
		world_end_cli(c);
	}
}

/* Of an operation, its end is the answer. */
static void an_operation_is_waited_for(void **state)
{
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);
	struct api_call call = API_CALL("POST", "/1.0/x");
	_json_ json_t *started = NULL, *done = NULL;

	WORLD_ANSWER(w,
		     { .request = "POST /1.0/x",
		       .body = "{\"id\":\"o1\",\"status_code\":103}",
		       .status = 202 },
		     SAYS("GET /1.0/operations/o1/wait", "{\"id\":\"o1\",\"status_code\":200}"));
	started = api_begin(cl, &call, &err);
	assert_int_equal(json_int(started, "status_code", 0), 103);
	assert_string_equal(world_asked(w), "POST /1.0/x\n");
	done = api_run(cl, &call, &err);
	assert_int_equal(json_int(done, "status_code", 0), 200);
	world_end_cli(c);
}

/* One connection a remote; an address that is none of the configuration has its own. */
static void is_opened_once(void **state)
{
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	const char *name = NULL;
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);

	assert_ptr_equal(client_open(c, REMOTE_LOCAL, &err), cl);
	assert_ptr_equal(client_of(c, REMOTE_LOCAL ":c1", &name, &err), cl);
	assert_string_equal(name, "c1");
	assert_ptr_equal(client_of_remote(c, REMOTE_LOCAL ":", &err), cl);
	assert_false(client_is_remote(cl));
	assert_string_equal(client_remote(cl), REMOTE_LOCAL);
	assert_string_equal(client_peer(cl), "");
	assert_ptr_equal(client_cli(cl), c);
	assert_null(client_of_remote(c, "c1", &err));
	assert_string_equal(err.msg, "\"c1\" is no remote: write \"c1:\"");
	assert_null(client_open(c, "nowhere", &err));
	world_end_cli(c);
}

static void says_who_cannot_be_reached(void **state)
{
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl;

	free(c->conf->socket);
	c->conf->socket = xasprintf("%s/none", w->dir);
	cl = client_open(c, REMOTE_LOCAL, &err);
	assert_null(api_get(cl, "/1.0", &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "/none: is it running? (systemctl start dunlind)"));
	assert_null(client_open_address(c, "127.0.0.1:1", NULL, &err));
	assert_true(str_starts(err.msg, "cannot reach server \"127.0.0.1:1\""));
	world_end_cli(c);
}

/* Another certificate than the one that was pinned is somebody else. */
static void a_server_is_the_one_that_was_added(void **state)
{
	static const char other[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	struct world *w = *state;
	struct err err = { 0 };
	struct cli *c;
	struct client *cl;
	_json_ json_t *got = NULL;

	world_add_remote(w, "far", w->tls.fingerprint);
	world_add_remote(w, "false", other);
	c = world_cli(w);
	WORLD_ANSWER(w, SAYS("GET /1.0/x", "{\"at\":\"far\"}"));
	cl = client_open(c, "far", &err);
	got = api_get(cl, "/1.0/x", &err);
	assert_string_equal(json_str(got, "at", ""), "far");
	assert_true(client_is_remote(cl));
	assert_string_equal(client_peer(cl), w->tls.fingerprint);
	assert_null(api_get(client_open(c, "false", &err), "/1.0/x", &err));
	assert_int_equal(err.kind, ERR_STRANGER);
	assert_non_null(strstr(err.msg, "dunlin remote accept false"));
	/* A refusal, by one that does not know us. */
	WORLD_ANSWER(w, FAILS("GET /1.0/x", "not for you", 403),
		     SAYS("GET /1.0", "{\"auth\":\"untrusted\"}"));
	assert_null(api_get(cl, "/1.0/x", &err));
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	assert_true(str_starts(err.msg, "server \"far\" does not trust this client"));
	world_end_cli(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
		T(escapes_what_it_is_given),   T(adds_parameters),
		T(fails_as_the_server_says),   T(an_empty_name_is_never_sent),
		T(hands_the_etag_over),        T(asks_for_its_project),
		T(an_operation_is_waited_for), T(is_opened_once),
		T(says_who_cannot_be_reached), T(a_server_is_the_one_that_was_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
