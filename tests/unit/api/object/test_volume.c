/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: each is an instance's root, shown by its pool, and nearly all about it is fixed. */
#include "tests/unit/api/api_world.h"

static void put_instance(struct api_world *t, const char *key, const char *member,
			 const char *pool)
{
	world_put(&t->w, ENT_INSTANCE, key,
		  json_pack("{s:s,s:s,s:s,s:s,s:s,s:[],s:{},s:{s:{s:s,s:s,s:s}},s:s,s:s,s:s,s:s}",
			    "name", key, "uuid", key, "member", member, "architecture", "x86_64",
			    "description", "", "profiles", "config", "devices", "root", "type",
			    "disk", "path", "/", "pool", pool, "image", "", "power", "off", "state",
			    "ready", "created_at", "2026-01-02T03:04:05Z"));
}

static int open_world(void **state)
{
	struct api_world *t;

	api_world_open(state);
	t = *state;
	world_put(&t->w, ENT_POOL, "p1", json_pack("{s:s, s:{}}", "driver", "dir", "config"));
	world_put(&t->w, ENT_POOL, "p2", json_pack("{s:s, s:{}}", "driver", "dir", "config"));
	put_instance(t, "c1", "none", "p1");
	put_instance(t, "c2", "none", "p2");
	put_instance(t, "web~c3", "none", "p1");
	return 0;
}

#define P1 "/1.0/storage-pools/p1/volumes"

static void are_listed_by_pool(void **state)
{
	static const struct {
		const char *line, *answer;
	} cases[] = {
		{ "GET " P1, "['" P1 "/container/c1']" },
		{ "GET " P1 "/container", "['" P1 "/container/c1']" },
		{ "GET " P1 "?all-projects=true",
		  "['" P1 "/container/c1', '" P1 "/container/c3?project=web']" },
		{ "GET /1.0/storage-pools/p2/volumes",
		  "['/1.0/storage-pools/p2/volumes/container/c2']" },
		{ "GET " P1 "/custom", "[]" },
		{ "GET " P1 "/image", "[]" },
		{ "GET " P1 "/virtual-machine", "[]" },
		{ "GET " P1 "?filter=name+eq+c9", "[]" },
		{ "GET " P1 "?filter=name+eq+c1", "['" P1 "/container/c1']" },
		{ "GET " P1 "/container/c1/snapshots", "[]" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		api_expect(t, cases[i].line, NULL, 200);
		api_answers(t, cases[i].answer);
	}
}

static void one(void **state)
{
	static const char want[] =
		"{'name':'c1', 'type':'container', 'used_by':['/1.0/instances/c1'], 'location':"
		"'none', 'content_type':'filesystem', 'project':'default', 'created_at':"
		"'2026-01-02T03:04:05Z', 'config':{}, 'description':''}";
	struct api_world *t = *state;
	_free_ char *list = xasprintf("[%s]", want);

	api_expect(t, "GET " P1 "/container/c1", NULL, 200);
	api_answers(t, want);
	api_expect(t, "GET " P1 "?recursion=1", NULL, 200);
	api_answers(t, list);
}

static void what_is_not_there(void **state)
{
	static const struct api_case cases[] = {
		{ "GET /1.0/storage-pools/p9/volumes", NULL, 404, "Storage pool not found" },
		{ "GET /1.0/storage-pools/p9/volumes/container/c1", NULL, 404,
		  "Storage pool not found: \"p9\"" },
		{ "GET " P1 "/floppy", NULL, 400, "\"floppy\"" },
		{ "GET " P1 "/floppy/c1", NULL, 400, "\"floppy\"" },
		{ "GET " P1 "/custom/c1", NULL, 404, "\"custom/c1\" in pool \"p1\"" },
		{ "GET " P1 "/container/c9", NULL, 404, "\"container/c9\" in pool \"p1\"" },
		/* in another pool, in another project */
		{ "GET " P1 "/container/c2", NULL, 404, "\"container/c2\" in pool \"p1\"" },
		{ "GET " P1 "/container/c3", NULL, 404, "not found" },
		{ "GET " P1 "?filter=name", NULL, 400, "filter" },
	};
	struct api_world *t = *state;

	api_cases(t, cases, ARRAY_SIZE(cases));
}

static void what_is_noted_about_one(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *j = NULL;

	api_expect(t, "PUT " P1 "/container/c1",
		   "{\"config\":{\"user.a\":\"1\", \"user.b\":\"2\"}, \"description\":\"d\"}", 200);
	api_event(t, 1, "storage-volume-updated", P1 "/container/c1");
	api_expect(t, "PATCH " P1 "/container/c1", "{\"config\":{\"user.a\":\"\"}}", 200);
	api_expect(t, "GET " P1 "/container/c1", NULL, 200);
	j = api_answer(t);
	assert_string_equal(json_str(j, "description", ""), "d");
	assert_int_equal(json_object_size(json_obj(j, "config")), 1);
	assert_string_equal(json_str(json_obj(j, "config"), "user.b", ""), "2");
	/* and the rest of the instance's row is as it was */
	api_expect(t, "PUT " P1 "/container/c1", "{}", 200);
	api_expect(t, "GET /1.0/instances/c1", NULL, 200);
	json_decref(j);
	j = api_answer(t);
	assert_string_equal(json_str(j, "created_at", ""), "2026-01-02T03:04:05Z");
	assert_null(json_object_get(j, "volume"));
}

/* What was shown may be sent back, with the tag that it had. */
static void is_sent_back(void **state)
{
	struct api_world *t = *state;
	_free_ char *tag = NULL, *match = NULL, *text = NULL;
	_json_ json_t *shown = NULL;

	api_expect(t, "GET " P1 "/container/c1", NULL, 200);
	shown = api_answer(t);
	text = json_text(shown);
	tag = api_header(t, "ETag");
	match = xasprintf("If-Match: %s", tag);
	assert_int_equal(api_ask_with(t, "PUT " P1 "/container/c1", text, match), 200);
	assert_int_equal(api_ask_with(t, "PUT " P1 "/container/c1", "{\"description\":\"x\"}",
				      match),
			 200);
	assert_int_equal(api_ask_with(t, "PUT " P1 "/container/c1", "{\"description\":\"y\"}",
				      match),
			 412);
}

static void what_is_refused(void **state)
{
	static const struct api_case cases[] = {
		{ "PUT " P1 "/container/c1", "{'config':{'size':'1GiB'}}", 400,
		  "key \"size\": only user.* can be set" },
		{ "PATCH " P1 "/container/c1", "{'config':{'user':'1'}}", 400, "\"user\"" },
		{ "PUT " P1 "/container/c1", "{'location':'m2'}", 400, "location" },
		{ "PUT " P1 "/container/c1", "{'name':'c2'}", 400, "name" },
		{ "PUT " P1 "/container/c1", "{'project':'web'}", 400, "project" },
		{ "PUT " P1 "/container/c1", "{'restore':'snap0'}", 501, "snapshot" },
		{ "PUT " P1 "/container/c1", "{'nonsense':1}", 400, "nonsense" },
		{ "PUT " P1 "/container/c9", "{}", 404, "c9" },
		{ "POST " P1 "/container/c1", "{'name':'c4'}", 400, "move that" },
		{ "DELETE " P1 "/container/c1", NULL, 400, "delete that" },
		{ "DELETE " P1 "/container/c9", NULL, 404, "c9" },
		{ "POST " P1, "{'name':'v'}", 501, "custom storage volumes" },
		{ "POST " P1 "/custom", "{'name':'v'}", 501, "custom storage volumes" },
	};
	struct api_world *t = *state;

	api_cases(t, cases, ARRAY_SIZE(cases));
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, api_world_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(are_listed_by_pool),
		T(one),
		T(what_is_not_there),
		T(what_is_noted_about_one),
		T(is_sent_back),
		T(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
