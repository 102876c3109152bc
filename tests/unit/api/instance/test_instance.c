/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of instances that do not run: lists, objects, changes, and what is refused. */
#include "tests/unit/api/instance/instance_world.h"

static void lists(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *objects = NULL;

	api_expect(t, "GET /1.0/instances", NULL, 200);
	api_answers(t, "['/1.0/instances/c1', '/1.0/instances/c2']");
	api_expect(t, "GET /1.0/instances?all-projects=true", NULL, 200);
	api_answers(t, "['/1.0/instances/c1', '/1.0/instances/c2', "
		       "'/1.0/instances/c3?project=web']");
	api_expect(t, "GET /1.0/containers", NULL, 200);
	api_answers(t, "['/1.0/containers/c1', '/1.0/containers/c2']");
	api_expect(t, "GET /1.0/instances?filter=name+eq+c2", NULL, 200);
	api_answers(t, "['/1.0/instances/c2']");
	api_expect(t, "GET /1.0/instances?filter=name+eq+c9", NULL, 200);
	api_answers(t, "[]");
	api_expect(t, "GET /1.0/instances?instance-type=virtual-machine", NULL, 200);
	api_answers(t, "[]");
	api_expect(t, "GET /1.0/instances?filter=name", NULL, 400);
	api_expect(t, "GET /1.0/instances?recursion=1", NULL, 200);
	objects = api_answer(t);
	assert_int_equal(json_array_size(objects), 2);
	assert_string_equal(json_str(json_array_get(objects, 0), "status", ""), "Stopped");
}

static void one(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *j = NULL, *full = NULL;

	api_expect(t, "GET /1.0/instances/c1", NULL, 200);
	j = api_answer(t);
	assert_string_equal(json_str(j, "name", ""), "c1");
	assert_string_equal(json_str(j, "project", ""), "default");
	assert_string_equal(json_str(json_obj(j, "config"), "user.b", ""), "own");
	assert_null(json_object_get(json_obj(j, "config"), "user.a"));
	assert_string_equal(json_str(json_obj(j, "expanded_config"), "user.a", ""), "profile");
	assert_non_null(json_obj(json_obj(j, "expanded_devices"), "root"));
	assert_null(json_object_get(j, "state"));
	api_expect(t, "GET /1.0/instances/c1?recursion=1", NULL, 200);
	full = api_answer(t);
	assert_string_equal(json_str(json_obj(full, "state"), "status", ""), "Stopped");
	api_refused(t, "GET /1.0/instances/c9", NULL, 404, "c9");
	api_refused(t, "GET /1.0/instances/web~c3", NULL, 404, "web~c3");
}

static void its_state(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *words;
	} cases[] = {
		{ "{}", 400, "action" },
		{ "{\"action\":\"fly\"}", 400, "fly" },
		{ "{\"action\":\"stop\", \"timeout\":\"soon\"}", 400, "timeout" },
		{ "{\"action\":\"stop\", \"speed\":1}", 400, "speed" },
	};
	struct api_world *t = *state;
	_json_ json_t *j = NULL;

	api_expect(t, "GET /1.0/instances/c1/state", NULL, 200);
	j = api_answer(t);
	assert_string_equal(json_str(j, "status", ""), "Stopped");
	assert_int_equal(json_int(j, "pid", -1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		api_refused(t, "PUT /1.0/instances/c1/state", cases[i].body, cases[i].status,
			    cases[i].words);
	api_refused(t, "PUT /1.0/instances/c9/state", "{\"action\":\"start\"}", 404, "c9");
}

/* The configuration after a change, as compact text. */
static char *config_of(struct api_world *t, const char *name)
{
	_free_ char *line = xasprintf("GET /1.0/instances/%s", name);
	_json_ json_t *j = NULL;

	api_expect(t, line, NULL, 200);
	j = api_answer(t);
	return json_dumps(json_obj(j, "config"), JSON_SORT_KEYS | JSON_COMPACT);
}

static void is_changed(void **state)
{
	struct api_world *t = *state;
	_free_ char *tag = NULL, *match = NULL, *patched = NULL, *replaced = NULL;

	api_expect(t, "GET /1.0/instances/c1", NULL, 200);
	tag = api_header(t, "ETag");
	match = xasprintf("If-Match: %s", tag);
	assert_int_equal(api_ask_with(t, "PATCH /1.0/instances/c1",
				      "{\"config\":{\"user.c\":\"3\"}}", match),
			 200);
	patched = config_of(t, "c1");
	assert_string_equal(patched, "{\"user.b\":\"own\",\"user.c\":\"3\"}");
	assert_int_equal(api_ask_with(t, "PATCH /1.0/instances/c1",
				      "{\"config\":{\"user.c\":\"4\"}}", match),
			 412);
	assert_int_equal(api_ask_with(t, "PUT /1.0/instances/c1", "{\"config\":{\"user.c\":\"4\"}}",
				      match),
			 412);
	api_expect(t, "PUT /1.0/instances/c1", "{\"config\":{\"user.d\":\"4\"}}", 202);
	api_await(t);
	replaced = config_of(t, "c1");
	assert_string_equal(replaced, "{\"user.d\":\"4\"}");
}

static void what_it_cannot_become(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *words;
	} cases[] = {
		{ "{\"name\":\"c9\"}", 400, "\"name\" can't be changed to \"c9\"" },
		{ "{\"type\":\"virtual-machine\"}", 400, "\"type\" can't be changed" },
		{ "{\"architecture\":\"s390x\"}", 400, "\"architecture\" can't be changed" },
		{ "{\"project\":\"web\"}", 400, "\"project\" can't be changed" },
		{ "{\"stateful\":true}", 400, "stateful" },
		{ "{\"config\":{\"no.such\":\"1\"}}", 400, "no.such" },
		{ "{\"config\":{\"limits.memory\":\"much\"}}", 400, "limits.memory" },
		{ "{\"profiles\":[\"none\"]}", 404, "none" },
		{ "{\"devices\":{\"x\":{\"type\":\"wheel\"}}}", 400, "wheel" },
		{ "{\"devices\":[]}", 400, "devices" },
		{ "{\"wheels\":4}", 400, "wheels" },
	};
	struct api_world *t = *state;
	_free_ char *config = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		api_refused(t, "PATCH /1.0/instances/c2", cases[i].body, cases[i].status,
			    cases[i].words);
		api_refused(t, "PUT /1.0/instances/c2", cases[i].body, cases[i].status,
			    cases[i].words);
	}
	config = config_of(t, "c2");
	assert_string_equal(config, "{\"user.b\":\"own\"}");
}

static void is_renamed_to_a_name(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *words;
	} cases[] = {
		{ "{\"name\":\"a b\"}", 400, "a b" },
		{ "{\"name\":\"c1\"}", 409, "c1" },
		{ "{\"name\":\"c9\", \"speed\":1}", 400, "speed" },
		{ "{\"name\":\"web~c9\"}", 400, "web~c9" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		api_refused(t, "POST /1.0/instances/c2", cases[i].body, cases[i].status,
			    cases[i].words);
	api_refused(t, "POST /1.0/instances/c9", "{\"name\":\"c8\"}", 404, "c9");
}

/* What only makes sense of one that runs, or does not exist yet. */
static void other_routes(void **state)
{
	static const struct {
		const char *line, *body;
		int status;
		const char *words;
	} cases[] = {
		{ "POST /1.0/instances/c1/exec", "{\"command\":[\"true\"]}", 400, "c1" },
		{ "POST /1.0/instances/c1/exec", "{}", 400, "command" },
		{ "POST /1.0/instances/c9/exec", "{\"command\":[\"true\"]}", 404, "c9" },
		{ "POST /1.0/instances/c1/console", "{\"type\":\"vga\"}", 400, "" },
		{ "GET /1.0/instances/c1/files", NULL, 400, "\"path\" is missing" },
		{ "GET /1.0/instances/c9/files?path=/etc", NULL, 404, "c9" },
		{ "POST /1.0/instances/c1/backups", "{}", 501, "backups" },
		{ "GET /1.0/instances/c9/snapshots", NULL, 404, "c9" },
		{ "GET /1.0/instances/c1/move-plan", NULL, 400,
		  "name a member or a group as target" },
		{ "GET /1.0/instances/c1/logs/exec_x.stdout", NULL, 404, "" },
		{ "GET /1.0/instances/c1/logs/..%2Fnode-id", NULL, 404, "" },
		{ "DELETE /1.0/instances/c1/logs/..%2Fnode-id", NULL, 404, "" },
		{ "GET /1.0/instances/c9/logs", NULL, 404, "c9" },
		{ "PUT /1.0/instances", "{}", 400, "state" },
		{ "PUT /1.0/instances", "{\"state\":{\"action\":\"fly\"}}", 400, "fly" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		api_refused(t, cases[i].line, cases[i].body, cases[i].status, cases[i].words);
	api_expect(t, "GET /1.0/instances/c1/snapshots", NULL, 200);
	api_answers(t, "[]");
	api_expect(t, "GET /1.0/instances/c1/metadata", NULL, 200);
	api_answers(t, "{'architecture':'x86_64', 'creation_date':0, 'expiry_date':0, "
		       "'properties':{}, 'templates':{}}");
}

static void put_file(struct api_world *t, const char *name, const char *text)
{
	_free_ char *path = xasprintf("%s/containers/c1/%s", t->w.dir, name);
	struct err err = { 0 };

	assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
}

#define RECORD "exec_00000000-0000-4000-8000-000000000001.stdout"

/* Recorded output, and nothing else of the instance's folder. */
static void logs(void **state)
{
	struct api_world *t = *state;
	_free_ char *dir = xasprintf("%s/containers/c1", t->w.dir);
	_free_ char *link = xasprintf("%s/exec_00000000-0000-4000-8000-000000000002.stdout", dir);
	_free_ char *disposition = NULL;
	struct err err = { 0 };

	assert_int_equal(io_mkdirs(dir, 0700, &err), 0);
	put_file(t, RECORD, "hello");
	put_file(t, "exec_nonsense.stdout", "no");
	put_file(t, "secret", "no");
	assert_int_equal(symlink("secret", link), 0);
	api_expect(t, "GET /1.0/instances/c1/logs/" RECORD, NULL, 200);
	assert_int_equal(t->r->reply.kind, REPLY_FILE);
	assert_int_equal(t->r->reply.parts[0].size, 5);
	disposition = api_header(t, "Content-Disposition");
	assert_string_equal(disposition, "inline;filename=" RECORD);
	assert_true(api_ask(t, "GET /1.0/instances/c1/logs/secret", NULL) >= 400);
	assert_true(api_ask(t, "GET /1.0/instances/c1/logs/exec_nonsense.stdout", NULL) >= 400);
	assert_true(api_ask(t,
			    "GET /1.0/instances/c1/logs/"
			    "exec_00000000-0000-4000-8000-000000000002.stdout",
			    NULL) >= 400);
	api_expect(t, "DELETE /1.0/instances/c1/logs/exec-output/" RECORD, NULL, 200);
	api_expect(t, "GET /1.0/instances/c1/logs/exec-output/" RECORD, NULL, 404);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(one),
		cmocka_unit_test(its_state),
		cmocka_unit_test(is_changed),
		cmocka_unit_test(what_it_cannot_become),
		cmocka_unit_test(is_renamed_to_a_name),
		cmocka_unit_test(other_routes),
		cmocka_unit_test(logs),
	};

	return cmocka_run_group_tests(tests, instance_world_open, api_world_close);
}
