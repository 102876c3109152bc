/* SPDX-License-Identifier: Apache-2.0 */
/* A preseed, and what the daemon is asked for then. */
#include "tests/unit/cli/server_world.h"

#include "node/daemon/init/client.h"
#include "node/daemon/init/preseed.h"

static int open_world(void **state)
{
	struct world *w = world_new();
	char path[80];

	snprintf(path, sizeof(path), "%s/unix.socket", w->dir);
	assert_int_equal(symlink(w->socket, path), 0);
	setenv("DUNLIN_DIR", w->dir, 1);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	world_free(*state);
	return 0;
}

#define PROFILE "{\"profiles\":[{\"name\":\"p 1\",\"project\":\"default\","

/* `says`: a word of the error; NULL: it succeeds. */
static const struct dialogue applied[] = {
	{ "null", NULL, { NOTHING }, NULL, "" },
	{ "{\"config\":{}}", NULL, { NOTHING }, NULL, "" },
	/* numbers and booleans of YAML are texts of configurations */
	{ "{\"config\":{\"a\":1,\"b\":true,\"c\":null,\"d\":\"x\"}}",
	  NULL,
	  { DONE("PATCH /1.0") },
	  NULL,
	  "PATCH /1.0 {\"config\":{\"a\":\"1\",\"b\":\"true\",\"c\":\"\",\"d\":\"x\"}}\n" },
	/* what is not there is made, what is there is changed, but for what is fixed */
	{ PROFILE "\"devices\":{\"eth0\":{\"mtu\":1400}}}]}",
	  NULL,
	  { DONE("POST /1.0/profiles") },
	  NULL,
	  "GET /1.0/profiles/p%201\nPOST /1.0/profiles {\"name\":\"p 1\",\"devices\":{"
	  "\"eth0\":{\"mtu\":\"1400\"}}}\n" },
	{ "{\"storage_pools\":[{\"name\":\"a\",\"driver\":\"x\",\"description\":\"d\"}]}",
	  NULL,
	  { DONE("GET /1.0/storage-pools/a"), DONE("PATCH /1.0/storage-pools/a") },
	  NULL,
	  "GET /1.0/storage-pools/a\nPATCH /1.0/storage-pools/a {\"description\":\"d\"}\n" },
	{ "{\"networks\":[{\"name\":\"n\",\"type\":\"x\"}]}",
	  NULL,
	  { DONE("GET /1.0/networks/n"), DONE("PATCH /1.0/networks/n") },
	  NULL,
	  "GET /1.0/networks/n\nPATCH /1.0/networks/n {}\n" },
	/* in the order in which they depend on each other; what was made goes when one fails */
	{ PROFILE "\"config\":{}}],\"storage_pools\":[{\"name\":\"a\"}]}",
	  NULL,
	  { DONE("POST /1.0/storage-pools"), FAILS("POST /1.0/profiles", "no such key", 400),
	    DONE("DELETE /1.0/storage-pools/a") },
	  "profiles: p 1: no such key",
	  "GET /1.0/storage-pools/a\nPOST /1.0/storage-pools {\"name\":\"a\"}\n"
	  "GET /1.0/profiles/p%201\nPOST /1.0/profiles {\"name\":\"p 1\",\"config\":{}}\n"
	  "DELETE /1.0/storage-pools/a\n" },
	/* what is changed is not taken back */
	{ "{\"storage_pools\":[{\"name\":\"a\"}],\"networks\":[{\"name\":\"n\"}]}",
	  NULL,
	  { DONE("GET /1.0/storage-pools/a"), DONE("PATCH /1.0/storage-pools/a"),
	    FAILS("POST /1.0/networks", "no subnet is free", 400) },
	  "networks: n: no subnet is free",
	  "GET /1.0/storage-pools/a\nPATCH /1.0/storage-pools/a {}\nGET /1.0/networks/n\n"
	  "POST /1.0/networks {\"name\":\"n\"}\n" },
	{ "{\"cluster\":{\"enabled\":false,\"cluster_token\":\"\"}}", NULL, { NOTHING }, NULL, "" },
	{ "{\"cluster\":{\"server_name\":\"m1\",\"cluster_certificate_path\":\"/x\"}}",
	  NULL,
	  { DONE("PUT /1.0/cluster") },
	  NULL,
	  "PUT /1.0/cluster {\"server_name\":\"m1\",\"enabled\":true}\n" },
	{ "{\"cluster\":{\"cluster_token\":\"\"}}", NULL, { NOTHING }, "token is empty", "" },
	{ "{\"clusters\":{}}", NULL, { NOTHING }, "clusters", "" },
	{ "{\"cluster\":{\"token\":\"t\"}}", NULL, { NOTHING }, "token", "" },
	{ "{\"profiles\":[{\"config\":{}}]}", NULL, { NOTHING }, "name", "" },
	{ "[]", NULL, { NOTHING }, "preseed", "" },
};

static void is_applied(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(applied); i++) {
		const struct dialogue *d = &applied[i];
		struct err err = { 0 };
		_json_ json_t *preseed = json_parse(d->line, strlen(d->line), "preseed", &err);

		world_answers(w, d->answers, ARRAY_SIZE(d->answers));
		if (preseed_apply(preseed, &err) != (d->says ? -1 : 0))
			fail_msg("%s: %s", d->line, err.msg);
		if (d->says && !strstr(err.msg, d->says))
			fail_msg("%s: %s", d->line, err.msg);
		assert_string_equal(world_asked(w), d->asked);
	}
}

/* What is dumped can be applied: no network of the host's own is in it, and nothing but fields. */
static void is_dumped(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	_json_ json_t *dump = NULL;
	_free_ char *text = NULL;

	WORLD_ANSWER(w, SAYS("GET /1.0", "{\"config\":{\"a\":\"1\"},\"auth\":\"trusted\"}"),
		     SAYS("GET /1.0/storage-pools?recursion=1",
			  "[{\"name\":\"p\",\"driver\":\"x\",\"used_by\":[]}]"),
		     SAYS("GET /1.0/networks?recursion=1",
			  "[{\"name\":\"n\",\"managed\":true},"
			  "{\"name\":\"lo\",\"managed\":false}]"),
		     SAYS("GET /1.0/profiles?recursion=1", "[]"));
	dump = preseed_dump(&err);
	if (!dump)
		fail_msg("%s", err.msg);
	text = json_text(dump);
	assert_string_equal(text, "{\"config\":{\"a\":\"1\"},\"storage_pools\":[{\"name\":\"p\","
				  "\"driver\":\"x\"}],\"networks\":[{\"name\":\"n\"}],"
				  "\"profiles\":[]}");
	WORLD_ANSWER(w, SAYS("GET /1.0", "{\"config\":{}}"));
	assert_null(preseed_dump(&err));
}

/* A device that is made by itself says its type; an address only when one is given. */
static void is_made_by_itself(void **state)
{
	static const char *const addresses[] = { NULL, "10.0.0.1:8443" };

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		_json_ json_t *p = preseed_auto("x", addresses[i]);
		json_t *profile = json_array_get(json_arr(p, "profiles"), 0), *dev;
		const char *name;

		json_object_foreach(json_obj(profile, "devices"), name, dev)
			assert_true(*json_str(dev, "type", ""));
		assert_string_equal(json_str(json_array_get(json_arr(p, "storage_pools"), 0),
					     "driver", ""),
				    "x");
		assert_string_equal(json_str(json_obj(p, "config"), "core.https_address", "-"),
				    addresses[i] ? addresses[i] : "-");
	}
}

/* An operation is waited for, and its failure is that of the request. */
static void an_operation_is_waited_for(void **state)
{
#define OP "11111111-2222-4333-8444-555555555555"
#define RUNS "{\"id\":\"" OP "\",\"class\":\"task\",\"status\":\"Running\",\"status_code\":103}"
	struct world *w = *state;
	struct err err = { 0 };

	WORLD_ANSWER(w, ONCE("POST /1.0/x", RUNS, 202),
		     SAYS("GET /1.0/operations/" OP "/wait", "{\"status_code\":200}"));
	assert_int_equal(init_do("POST", "/1.0/x", NULL, &err), 0);
	assert_string_equal(world_asked(w), "POST /1.0/x\nGET /1.0/operations/" OP "/wait\n");
	WORLD_ANSWER(w, ONCE("POST /1.0/x", RUNS, 202),
		     SAYS("GET /1.0/operations/" OP "/wait",
			  "{\"status_code\":400,\"err\":\"the pool is full\"}"));
	assert_int_equal(init_do("POST", "/1.0/x", NULL, &err), -1);
	assert_string_equal(err.msg, "the pool is full");
	WORLD_ANSWER(w, DONE("GET /1.0/x"), FAILS("GET /1.0/y", "no leader", 503));
	assert_int_equal(init_exists("/1.0/x", &err), 1);
	assert_int_equal(init_exists("/1.0/z", &err), 0);
	assert_int_equal(init_exists("/1.0/y", &err), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_applied),
		cmocka_unit_test(is_dumped),
		cmocka_unit_test(is_made_by_itself),
		cmocka_unit_test(an_operation_is_waited_for),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
