/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "tests/unit/base/random.h"

static void parses(void **state)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{ "", "null" },
		{ "---\n", "null" },
		{ "a: 1\nb: two\n", "{\"a\":1,\"b\":\"two\"}" },
		{ "a: \"1\"\nb: 'true'\n", "{\"a\":\"1\",\"b\":\"true\"}" },
		{ "[true, False, ~, null, NULL, yes, no]",
		  "[true,false,null,null,null,\"yes\",\"no\"]" },
		{ "[0, -1, 007, +1, 0x10, 1.5, -0, 9223372036854775807, 9223372036854775808]",
		  "[0,-1,\"007\",\"+1\",\"0x10\",\"1.5\",\"-0\",9223372036854775807,"
		  "\"9223372036854775808\"]" },
		{ "config:\n  user.x: |\n    one\n    two\ndevices: {}\nlist:\n- a\n- b: c\n",
		  "{\"config\":{\"user.x\":\"one\\ntwo\\n\"},\"devices\":{},"
		  "\"list\":[\"a\",{\"b\":\"c\"}]}" },
		{ "a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}" },
		{ "# a remark\nname: n2 # another\n", "{\"name\":\"n2\"}" },
		{ "{\"json\": [1, \"x\"]}", "{\"json\":[1,\"x\"]}" },
		{ "k: caf\303\251\n", "{\"k\":\"caf\303\251\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		_json_ json_t *j = yaml_parse(cases[i].yaml, strlen(cases[i].yaml), "t", &err);
		_free_ char *text = NULL;

		if (!j)
			fail_msg("%s: %s", cases[i].yaml, err.msg);
		text = json_text(j);
		assert_string_equal(text, cases[i].json);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{ "a: &x 1\n", "anchors" },
		{ "a: &x {b: c}\n", "anchors" },
		{ "a: &x [b]\n", "anchors" },
		{ "a: *x\n", "aliases" },
		{ "a: !!binary aGk=\n", "tags" },
		{ "a: !!map {}\n", "tags" },
		{ "a: 1\nb: 2\na: 3\n", "line 3" },
		{ "? [x]\n: y\n", "key must be a string" },
		{ "a: 1\n---\nb: 2\n", "more than one document" },
		{ "a: [1, 2\n", "t: line" },
		{ "a: b: c\n", "t: line 1" },
		{ "a: \"x\\0y\"\n", "NUL" },
		{ "\ta: 1\n", "t: line" },
		{ "a: \"\xff\xfe\"\n", "t: line" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		json_t *j = yaml_parse(cases[i].yaml, strlen(cases[i].yaml), "t", &err);

		if (j)
			fail_msg("accepted: %s", cases[i].yaml);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s: said \"%s\"", cases[i].yaml, err.msg);
	}
}

static void limits_depth(void **state)
{
	char deep[400];
	struct err err = { 0 };

	memset(deep, '[', 200);
	memset(deep + 200, ']', 200);
	assert_null(yaml_parse(deep, sizeof(deep), "t", &err));
	assert_non_null(strstr(err.msg, "deep"));
}

static void emits(void **state)
{
	static const struct {
		const char *json, *yaml;
	} cases[] = {
		{ "{\"architecture\":\"x86_64\",\"config\":{\"limits.cpu\":\"2\"},\"devices\":{},"
		  "\"profiles\":[\"default\"],\"stateful\":false,\"empty\":[],\"none\":null}",
		  "architecture: x86_64\nconfig:\n  limits.cpu: \"2\"\ndevices: {}\n"
		  "profiles:\n- default\nstateful: false\nempty: []\nnone: null\n" },
		{ "{\"a\":\"\",\"b\":\"yes\",\"c\":\"1.5\",\"d\":\"x: y\",\"e\":\"0x1\"}",
		  "a: \"\"\nb: \"yes\"\nc: \"1.5\"\nd: 'x: y'\ne: \"0x1\"\n" },
		{ "{\"a\":\"one\\ntwo\\n\",\"m\":-5}", "a: |\n  one\n  two\nm: -5\n" },
		{ "[]", "[]\n" },
		{ "[\"10.0.0.1\",\"10.0.0.1:8443\",\"1:30\",\"1e3\",\"1_0\",\".5\","
		  "\"-3\",\"1.2.3\","
		  "\"2026-1-2\",\"2026-x\",\"00:16:3e\",\"20:30:59\",\"20:70\",\"0755\"]",
		  "- 10.0.0.1\n- 10.0.0.1:8443\n- \"1:30\"\n- \"1e3\"\n- \"1_0\"\n- \".5\"\n"
		  "- \"-3\"\n- 1.2.3\n- \"2026-1-2\"\n- 2026-x\n- 00:16:3e\n- \"20:30:59\"\n"
		  "- 20:70\n- \"0755\"\n" },
		{ "{\"t\":\"2026-01-02T03:04:05Z\",\"ip\":\"10.0.0.1/24\","
		  "\"mac\":\"00:16:3e:aa:00:01\"}",
		  "t: \"2026-01-02T03:04:05Z\"\nip: 10.0.0.1/24\nmac: 00:16:3e:aa:00:01\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		_json_ json_t *j = json_parse(cases[i].json, strlen(cases[i].json), "t", &err);
		_sbuf_ struct sbuf b = SBUF(1 << 16);

		assert_non_null(j);
		yaml_emit(&b, j);
		assert_string_equal(b.data, cases[i].yaml);
	}
}

static void returns_what_it_wrote(void **state)
{
	static const char json[] =
		"{\"k\":[\"~\",\"null\",\"true\",\"No\",\"12\",\"-3\",\" lead\",\"tail \",\"#c\","
		"\"a\\tb\",\"a\\n\\n b\",\"\\\"q\\\"\",\"'\",\"- x\",\"*a\",\"&a\","
		"\"!t\",\"%\",\"@\","
		"\"caf\303\251\",\"\\u0007\",\"line\\r\\n\",\"{\",\"[\"],"
		"\"o\":{\"yes\":{\"12\":1}}}";
	struct err err = { 0 };
	_json_ json_t *j = json_parse(json, strlen(json), "t", &err);
	_sbuf_ struct sbuf b = SBUF(1 << 16);
	_json_ json_t *back = NULL;

	assert_non_null(j);
	yaml_emit(&b, j);
	back = yaml_parse(b.data, b.len, "t", &err);
	if (!back)
		fail_msg("%s\n%s", err.msg, b.data);
	assert_true(json_equal(j, back));
}

/* --- any tree comes back ---------------------------------------------------------------------- */

static const char *const pieces[] = {
	"a", "B", "0", "1", "-", ":", ": ", " ", "  ", "\n", "\t", "#", " #", "'", "\"", "\\", "{",
	"}", "[", "]", ",", "&", "*", "!", "|", ">", "%", "@", "`", "?", "=", "~", ".", "e",
	"x", "_", "+", "yes", "null", "true", "---", "...", "\r", "\001", "\x7f", "\xc3\xa9",
	"\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf", "\xf0\x9f\x90\x91",
};

static json_t *random_string(struct random *r)
{
	_sbuf_ struct sbuf b = SBUF(1000);

	for (size_t n = random_below(r, 7); n; n--)
		sbuf_puts(&b, pieces[random_below(r, ARRAY_SIZE(pieces))]);
	return json_string(b.data ? b.data : "");
}

static json_t *random_tree(struct random *r, int depth)
{
	size_t n = random_below(r, 4);
	json_t *j;

	switch (random_below(r, depth ? 8 : 6)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(random_below(r, 2));
	case 2:
		return json_integer((int64_t)random_u64(r) >> random_below(r, 64));
	case 3:
	case 4:
	case 5:
		return random_string(r);
	case 6:
		j = json_array();
		for (size_t i = 0; i < n; i++)
			json_array_append_new(j, random_tree(r, depth - 1));
		return j;
	default:
		j = json_object();
		for (size_t i = 0; i < n; i++) {
			_json_ json_t *key = random_string(r);

			json_object_set_new(j, json_string_value(key), random_tree(r, depth - 1));
		}
		return j;
	}
}

static void any_tree_comes_back(void **state)
{
	struct random r = { 1234 };

	for (int i = 0; i < 3000; i++) {
		_json_ json_t *j = random_tree(&r, 4), *back = NULL;
		_sbuf_ struct sbuf b = SBUF(1 << 16);
		struct err err = { 0 };

		yaml_emit(&b, j);
		back = yaml_parse(b.data, b.len, "t", &err);
		if (!back || !json_equal(j, back)) {
			_free_ char *text = json_text(j);

			fail_msg("%s\n%s\n%s", text, b.data, err.msg);
		}
	}
}

/* Whatever bytes come, the answer is a tree or an error that names the text. */
static void any_bytes_are_an_answer(void **state)
{
	struct random r = { 77 };

	for (int i = 0; i < 3000; i++) {
		_sbuf_ struct sbuf b = SBUF(1000);
		_json_ json_t *j = NULL;
		struct err err = { 0 };

		for (size_t n = random_below(&r, 12); n; n--)
			sbuf_puts(&b, pieces[random_below(&r, ARRAY_SIZE(pieces))]);
		if (random_below(&r, 4) == 0)
			sbuf_putc(&b, (char)random_u64(&r));
		j = yaml_parse(b.data ? b.data : "", b.len, "the text", &err);
		if (j)
			continue;
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(strncmp(err.msg, "the text: line ", 15), 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(emits),
		cmocka_unit_test(returns_what_it_wrote),
		cmocka_unit_test(any_tree_comes_back),
		cmocka_unit_test(any_bytes_are_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
