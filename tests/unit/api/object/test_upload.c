/* SPDX-License-Identifier: Apache-2.0 */
/* What the headers of an image's upload say. */
#include "tests/unit/api/api_world.h"

#include "api/object/upload.h"

static void headers(void **state)
{
	static const struct {
		const char *headers, *field, *want; /* JSON with single quotes; NULL: not there */
	} cases[] = {
		{ NULL, "project", "default" },
		{ NULL, "fingerprint", NULL },
		{ "X-LXD-fingerprint: abc", "fingerprint", "abc" },
		{ NULL, "public", "false" },
		{ "X-LXD-public: 1", "public", "true" },
		{ "X-LXD-public: true", "public", "true" },
		{ "X-LXD-public: 0", "public", "false" },
		{ "X-LXD-public: perhaps", "public", "false" },
		{ NULL, "properties", "{}" },
		{ "X-LXD-properties: os=Debian&release=12", "properties",
		  "{\"os\":\"Debian\",\"release\":\"12\"}" },
		{ "X-LXD-properties: a=1=2&b=", "properties", "{\"a\":\"1=2\",\"b\":\"\"}" },
		{ "X-LXD-properties: d=a+b%26c%3Dd", "properties", "{\"d\":\"a b&c=d\"}" },
		{ "X-LXD-properties: a&b=1", "properties", "{\"b\":\"1\"}" },
		{ "X-LXD-properties: &a=1&&b=2&", "properties", "{\"a\":\"1\",\"b\":\"2\"}" },
		{ "X-LXD-properties: a&=1", "properties", "{\"\":\"1\"}" },
		{ "X-LXD-properties: a=%zz&b=2", "properties", "{\"b\":\"2\"}" },
		{ NULL, "profiles", NULL },
		{ "X-LXD-profiles: profile=", "profiles", "[\"\"]" },
		{ "X-LXD-profiles: profile=a&profile=b&other=c", "profiles", "[\"a\",\"b\"]" },
		{ "X-LXD-profiles: other=c", "profiles", NULL },
		{ NULL, "aliases", "[]" },
		{ "X-LXD-aliases: alias=a%2Fb&alias=c", "aliases",
		  "[{\"name\":\"a/b\"},{\"name\":\"c\"}]" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *args =
			upload_args(api_request(t, "POST /1.0/images", cases[i].headers));
		const json_t *v = json_object_get(args, cases[i].field);
		_free_ char *text = !v			  ? NULL
				    : json_is_string(v) ? xstrdup(json_string_value(v))
							: json_dumps(v, JSON_ENCODE_ANY |
									JSON_SORT_KEYS |
									JSON_COMPACT);

		if (!str_eq(text, cases[i].want))
			fail_msg("%s: %s, not %s", cases[i].headers, text, cases[i].want);
	}
}

static void what_is_no_upload(void **state)
{
	static const struct {
		const char *headers, *body;
		int status;
		const char *words;
	} cases[] = {
		{ NULL, "", 400, "image upload: empty body" },
		{ "Content-Type: application/json", "{\"source\":{\"type\":\"image\"}}", 501,
		  "image source \"image\" is not implemented: upload a tarball" },
		{ "Content-Type: application/json", "[", 400, "" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = api_ask_with(t, "POST /1.0/images", cases[i].body, cases[i].headers);

		if (status != cases[i].status || !strstr(t->r->err.msg, cases[i].words))
			fail_msg("%s: %d %s", cases[i].headers, status, t->r->err.msg);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(what_is_no_upload),
	};

	return cmocka_run_group_tests(tests, api_world_open, api_world_close);
}
