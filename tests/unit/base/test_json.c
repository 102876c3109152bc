/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/base/random.h"

static json_t *parse(const char *text)
{
	struct err err = { 0 };
	json_t *j = json_parse(text, strlen(text), "text", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static void reads_any_value(void **state)
{
	static const char *const same[] = {
		"null",
		"true",
		"false",
		"0",
		"-1",
		"\"x\"",
		"[]",
		"{}",
		"[1,[2,{\"a\":null}]]",
		"9223372036854775807",
		"{\"b\":1,\"a\":2}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		_json_ json_t *j = parse(same[i]);
		_free_ char *text = json_text(j);
		_sbuf_ struct sbuf b = SBUF(100);

		assert_string_equal(text, same[i]);
		json_append(&b, j);
		assert_string_equal(b.data, same[i]);
	}
}

static void refuses_what_is_not_json(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{} x",
		"{}{}",
		"[1,]",
		"{\"a\":}",
		"{a:1}",
		"'a'",
		"nul",
		"01",
		"+1",
		"1.",
		"\"\\x\"",
		"\"a\nb\"",
		"\"\xff\"",
		"NaN",
		"[1] ,",
		"{\"a\":1,\"a\":2}",
		"\"\\u0000\"",
		"9223372036854775808",
		"\"\\ud800\"",
		"{\"\\u0000\":1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };
		json_t *j = json_parse(bad[i], strlen(bad[i]), "request body", &err);

		if (j)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_true(str_starts(err.msg, "request body: not valid JSON at line "));
	}
	assert_null(json_parse("{}\0", 3, "x", &(struct err){ 0 }));
}

static void names_the_line(void **state)
{
	static const char text[] = "{\n\"a\": 1,\n\"b\" 2\n}";
	struct err err = { 0 };

	assert_null(json_parse(text, strlen(text), "x", &err));
	assert_non_null(strstr(err.msg, "line 3"));
}

static void depth_is_limited_exactly(void **state)
{
	char text[2 * (JSON_DEPTH_LIMIT + 1)];
	struct err err = { 0 };

	for (int n = JSON_DEPTH_LIMIT - 1; n <= JSON_DEPTH_LIMIT + 1; n++) {
		_json_ json_t *j = NULL;

		memset(text, '[', n);
		memset(text + n, ']', n);
		j = json_parse(text, 2 * n, "text", &err);
		assert_int_equal(j != NULL, n <= JSON_DEPTH_LIMIT);
	}
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, "nested deeper than 64 levels"));
}

static void objects_count_as_depth_too(void **state)
{
	_sbuf_ struct sbuf b = SBUF(10000);
	struct err err = { 0 };

	for (int i = 0; i < 100; i++)
		sbuf_puts(&b, "{\"a\":[");
	for (int i = 0; i < 100; i++)
		sbuf_puts(&b, "]}");
	assert_null(json_parse(b.data, b.len, "text", &err));
	assert_non_null(strstr(err.msg, "nested"));
}

static void lookups_never_fail(void **state)
{
	_json_ json_t *j = parse("{\"s\":\"x\",\"i\":7,\"t\":true,\"f\":false,\"o\":{},\"a\":[],"
				 "\"n\":null,\"e\":\"\",\"r\":1.5}");
	const json_t *const holders[] = { NULL, json_obj(j, "nothing"), json_arr(j, "a") };

	assert_string_equal(json_str(j, "s", "d"), "x");
	assert_string_equal(json_str(j, "e", "d"), "");
	assert_string_equal(json_str(j, "i", "d"), "d");
	assert_string_equal(json_str(j, "n", "d"), "d");
	assert_null(json_str(j, "none", NULL));
	assert_int_equal(json_int(j, "i", -1), 7);
	assert_int_equal(json_int(j, "s", -1), -1);
	assert_int_equal(json_int(j, "r", -1), -1);
	assert_int_equal(json_int(j, "t", -1), -1);
	assert_true(json_bool(j, "t", false));
	assert_false(json_bool(j, "f", true));
	assert_true(json_bool(j, "n", true));
	assert_false(json_bool(j, "i", false));
	assert_non_null(json_obj(j, "o"));
	assert_null(json_obj(j, "a"));
	assert_non_null(json_arr(j, "a"));
	assert_null(json_arr(j, "o"));
	for (size_t i = 0; i < ARRAY_SIZE(holders); i++) {
		assert_string_equal(json_str(holders[i], "s", "d"), "d");
		assert_int_equal(json_int(holders[i], "i", 3), 3);
		assert_true(json_bool(holders[i], "t", true));
		assert_null(json_obj(holders[i], "o"));
		assert_null(json_arr(holders[i], "a"));
	}
}

static void texts_of_lists(void **state)
{
	_json_ json_t *list = json_pack("[s, i, s]", "a", 7, "bc");

	assert_true(json_lists(list, "a"));
	assert_true(json_lists(list, "bc"));
	assert_false(json_lists(list, "b"));
	assert_false(json_lists(list, "7"));
	assert_false(json_lists(list, ""));
	assert_false(json_lists(NULL, "a"));
}

static void setters(void **state)
{
	_json_ json_t *j = json_object();
	_free_ char *text = NULL;

	json_put_str(j, "s", "x");
	json_put_str(j, "none", NULL);
	json_put_str(j, "s", "y");
	json_put_int(j, "i", INT64_MIN);
	json_put_bool(j, "t", true);
	json_put_bool(j, "f", false);
	text = json_text(j);
	assert_string_equal(text,
			    "{\"s\":\"y\",\"i\":-9223372036854775808,\"t\":true,\"f\":false}");
}

static const struct json_field fields[] = {
	{ "name", JW_STR, true },
	{ "size", JW_INT, false },
	{ "stateful", JW_BOOL, false },
	{ "devices", JW_OBJ, false },
	{ "list", JW_ARR, false },
	{ "config", JW_STR_MAP, false },
	{ "profiles", JW_STR_LIST, false },
	{ "any", JW_ANY, false },
	{ NULL, 0, 0 },
};

static void good_bodies_pass(void **state)
{
	static const char *const good[] = {
		"{\"name\":\"x\"}",
		"{\"name\":\"\"}",
		"{\"name\":\"x\",\"size\":-3,\"stateful\":false,\"devices\":{\"a\":{}},"
		"\"list\":[1,\"x\"],\"config\":{\"a\":\"b\"},\"profiles\":[\"a\"],\"any\":[{}]}",
		"{\"name\":\"x\",\"config\":{},\"profiles\":[],\"any\":1}",
		"{\"name\":\"x\",\"size\":null,\"stateful\":null,\"devices\":null,\"list\":null,"
		"\"config\":null,\"profiles\":null,\"any\":null}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_json_ json_t *j = parse(good[i]);
		struct err err = { 0 };

		if (json_check(j, fields, "instance", &err) < 0)
			fail_msg("%s: %s", good[i], err.msg);
	}
}

static void bad_bodies_name_the_field(void **state)
{
	static const struct {
		const char *in, *says;
	} cases[] = {
		{ "[]", "instance must be a JSON object" },
		{ "null", "instance must be a JSON object" },
		{ "\"name\"", "instance must be a JSON object" },
		{ "{}", "instance: field \"name\" is missing" },
		{ "{\"name\":null}", "instance: field \"name\" is missing" },
		{ "{\"name\":1}", "instance: field \"name\" must be a string" },
		{ "{\"NAME\":1}", "instance: field \"name\" must be a string" },
		{ "{\"size\":\"1\"}", "field \"size\" must be an integer" },
		{ "{\"size\":1.5}", "field \"size\" must be an integer" },
		{ "{\"stateful\":0}", "field \"stateful\" must be true or false" },
		{ "{\"devices\":[]}", "field \"devices\" must be an object" },
		{ "{\"list\":{}}", "field \"list\" must be a list" },
		{ "{\"config\":{\"a\":1}}", "must be an object whose values are strings" },
		{ "{\"config\":{\"a\":null}}", "must be an object whose values are strings" },
		{ "{\"config\":[\"a\"]}", "must be an object whose values are strings" },
		{ "{\"profiles\":[\"a\",2]}", "must be a list of strings" },
		{ "{\"profiles\":{\"a\":\"b\"}}", "must be a list of strings" },
		{ "{\"name\":\"x\",\"colour\":1}", "unknown field \"colour\"" },
		{ "{\"name\":\"x\",\"\":1}", "unknown field \"\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *j = parse(cases[i].in);
		struct err err = { 0 };

		assert_int_equal(json_check(j, fields, "instance", &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].in, err.msg);
	}
}

static void keys_get_the_spelling_of_the_table(void **state)
{
	_json_ json_t *j = parse("{\"NAME\":\"x\",\"Config\":{\"User.A\":\"b\"},\"size\":1}");
	struct err err = { 0 };

	assert_int_equal(json_check(j, fields, "instance", &err), 0);
	assert_int_equal(json_object_size(j), 3);
	assert_string_equal(json_str(j, "name", ""), "x");
	assert_string_equal(json_str(json_obj(j, "config"), "User.A", ""), "b");
	assert_int_equal(json_int(j, "size", 0), 1);
}

/* One field under two spellings: which one is meant cannot be known. */
static void one_field_twice_is_refused(void **state)
{
	static const char *const twice[] = {
		"{\"name\":\"x\",\"Name\":\"y\"}",
		"{\"Name\":\"x\",\"name\":\"y\"}",
		"{\"NAME\":\"x\",\"Name\":\"y\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(twice); i++) {
		_json_ json_t *j = parse(twice[i]);
		struct err err = { 0 };

		assert_int_equal(json_check(j, fields, "instance", &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, "field \"name\" appears twice"));
	}
}

static json_t *random_value(struct random *r, int depth)
{
	char text[12];
	size_t n = random_below(r, 4);
	json_t *j;

	switch (random_below(r, depth ? 7 : 5)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(random_below(r, 2));
	case 2:
		return json_integer((int64_t)random_u64(r));
	case 3:
	case 4:
		return json_string(random_text(r, "ab \"\\\n/\t{}", text, sizeof(text)));
	case 5:
		j = json_array();
		for (size_t i = 0; i < n; i++)
			json_array_append_new(j, random_value(r, depth - 1));
		return j;
	default:
		j = json_object();
		for (size_t i = 0; i < n; i++)
			json_object_set_new(j, random_text(r, "abc.\"", text, sizeof(text)),
					    random_value(r, depth - 1));
		return j;
	}
}

static void trees_read_back(void **state)
{
	struct random r = { 42 };

	for (int i = 0; i < 300; i++) {
		_json_ json_t *j = random_value(&r, 4), *back = NULL;
		_free_ char *text = json_text(j);

		back = parse(text);
		assert_true(json_equal(j, back));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_any_value),
		cmocka_unit_test(refuses_what_is_not_json),
		cmocka_unit_test(names_the_line),
		cmocka_unit_test(depth_is_limited_exactly),
		cmocka_unit_test(objects_count_as_depth_too),
		cmocka_unit_test(lookups_never_fail),
		cmocka_unit_test(texts_of_lists),
		cmocka_unit_test(setters),
		cmocka_unit_test(good_bodies_pass),
		cmocka_unit_test(bad_bodies_name_the_field),
		cmocka_unit_test(keys_get_the_spelling_of_the_table),
		cmocka_unit_test(one_field_twice_is_refused),
		cmocka_unit_test(trees_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
