/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/yaml.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(emits),
		cmocka_unit_test(returns_what_it_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
