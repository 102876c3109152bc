/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about images and their aliases: who sees them, and what may be said of them. */
#include "tests/unit/api/rest/object_world.h"

#define SHOWN "aa11"
#define SECRET "bb22"

static void put(struct object_world *t, const char *fingerprint, bool is_public)
{
	world_put(&t->w, ENT_IMAGE, fingerprint,
		  json_pack("{s:b, s:b, s:{s:s}, s:s, s:[s], s:[s], s:{}, s:{}, s:i}", "public",
			    is_public, "auto_update", 0, "properties", "os", "it", "expires_at",
			    "1970-01-01T00:00:00Z", "profiles", "gone", "members", "m1",
			    "templates", "metadata", "size", 7));
}

static void put_alias(struct object_world *t, const char *name, const char *target)
{
	world_put(&t->w, ENT_ALIAS, name,
		  json_pack("{s:s, s:s, s:s}", "type", "container", "target", target, "description",
			    ""));
}

static void strangers_see_what_is_public(void **state)
{
	struct object_world *t = *state;

	put(t, SHOWN, true);
	put(t, SECRET, false);
	put_alias(t, "shown", SHOWN);
	put_alias(t, "secret", SECRET);
	put_alias(t, "broken", "cc33");
	t->caller = (struct caller){ .kind = CALLER_NOBODY };
	assert_int_equal(ask(t, "GET /1.0/images", NULL), 200);
	assert_answer(t, "[\"/1.0/images/" SHOWN "\"]");
	assert_int_equal(ask(t, "GET /1.0/images/aliases", NULL), 200);
	assert_answer(t, "[\"/1.0/images/aliases/shown\"]");
	assert_int_equal(ask(t, "GET /1.0/images/" SECRET, NULL), 404);
	assert_string_equal(t->r->err.msg, "Image not found: \"" SECRET "\"");
	assert_int_equal(ask(t, "GET /1.0/images/aliases/secret", NULL), 404);
	assert_int_equal(ask(t, "GET /1.0/images/aa", NULL), 200);
	assert_answer(t, "{\"public\":true, \"auto_update\":false, \"properties\":{\"os\":\"it\"}, "
			 "\"expires_at\":\"1970-01-01T00:00:00Z\", \"profiles\":[\"gone\"], "
			 "\"size\":7, \"fingerprint\":\"" SHOWN "\", "
			 "\"aliases\":[{\"name\":\"shown\", \"description\":\"\"}]}");
}

static void what_is_said_of_an_image(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *message;
	} cases[] = {
		{ "{'public':true}", 200, "" },
		{ "{'profiles':['gone']}", 200, "" }, /* what it said before */
		{ "{'profiles':['gone', 'none']}", 404, "Profile not found" },
		{ "{'auto_update':true}", 400, "never updated" },
		{ "{'expires_at':'2030-01-31T12:00:00Z'}", 200, "" },
		{ "{'expires_at':'tomorrow'}", 400, "must be a time" },
		{ "{'properties':{'os':'', 'release':'12'}}", 200, "" },
		{ "{'size':8}", 400, "size" },
	};
	struct object_world *t = *state;

	put(t, SHOWN, false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = quoted(cases[i].body);
		_free_ char *text = json_text(body);

		if (ask(t, "PATCH /1.0/images/" SHOWN, text) != cases[i].status ||
		    !strstr(t->r->err.msg, cases[i].message))
			fail_msg("%s: %s", text, t->r->err.msg);
	}
	assert_int_equal(ask(t, "GET /1.0/images/" SHOWN, NULL), 200);
	assert_answer(t, "{\"public\":true, \"auto_update\":false, "
			 "\"properties\":{\"release\":\"12\"}, "
			 "\"expires_at\":\"2030-01-31T12:00:00Z\", \"profiles\":[\"gone\"], "
			 "\"size\":7, \"fingerprint\":\"" SHOWN "\", \"aliases\":[]}");
}

static void an_alias_has_an_image(void **state)
{
	struct object_world *t = *state;

	put(t, SHOWN, true);
	assert_int_equal(
		ask(t, "POST /1.0/images/aliases", "{\"name\":\"a/b\", \"target\":\"aa\"}"), 201);
	assert_event(t, 1, "image-alias-created", "/1.0/images/aliases/a/b");
	assert_int_equal(ask(t, "POST /1.0/images/aliases", "{\"name\":\"x\", \"target\":\"cc\"}"),
			 404);
	assert_int_equal(ask(t, "POST /1.0/images/aliases",
			     "{\"name\":\"x\", \"target\":\"aa\", \"type\":\"vm\"}"),
			 400);
	assert_non_null(strstr(t->r->err.msg, "must be container"));
	assert_int_equal(ask(t, "POST /1.0/images/aliases", "{\"name\":\"x/\", \"target\":\"aa\"}"),
			 400);
	assert_int_equal(ask(t, "GET /1.0/images/aliases?recursion=1", NULL), 200);
	assert_answer(t, "[{\"name\":\"a/b\", \"type\":\"container\", \"target\":\"" SHOWN "\", "
			 "\"description\":\"\"}]");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(strangers_see_what_is_public, object_world_setup,
						object_world_teardown),
		cmocka_unit_test_setup_teardown(what_is_said_of_an_image, object_world_setup,
						object_world_teardown),
		cmocka_unit_test_setup_teardown(an_alias_has_an_image, object_world_setup,
						object_world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
