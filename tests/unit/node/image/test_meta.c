/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/image/image_int.h"

#define HEAD "\"architecture\":\"x86_64\",\"creation_date\":1600000000"

static json_t *parse(const char *text)
{
	struct err err = { 0 };
	json_t *j = json_parse(text, strlen(text), "sample", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static json_t *make(const char *yaml, const char *files, struct err *err)
{
	_json_ json_t *y = parse(yaml), *f = parse(files);

	return image_meta_make(y, f, err);
}

static void good_ones(void **state)
{
	static const char yaml[] =
		"{" HEAD ",\"expiry_date\":1700000000,"
		"\"properties\":{\"os\":\"Test\",\"release\":12,\"lts\":true,\"variant\":null},"
		"\"templates\":{\"/etc/hostname\":{\"template\":\"hostname.tpl\","
		"\"when\":[\"create\",\"copy\"],\"create_only\":true,"
		"\"properties\":{\"a\":1}},\"/etc/hosts\":{\"template\":\"hosts.tpl\"}}}";
	struct err err = { 0 };
	_json_ json_t *meta =
		make(yaml, "{\"hostname.tpl\":\"{{ name }}\",\"hosts.tpl\":\"\",\"unused\":\"x\"}",
		     &err);
	const json_t *properties = json_obj(meta, "properties"), *hostname, *hosts;

	if (!meta)
		fail_msg("%s", err.msg);
	assert_string_equal(json_str(meta, "architecture", ""), "x86_64");
	assert_string_equal(json_str(meta, "type", ""), "container");
	assert_string_equal(json_str(meta, "created_at", ""), "2020-09-13T12:26:40Z");
	assert_string_equal(json_str(meta, "expires_at", ""), "2023-11-14T22:13:20Z");
	assert_string_equal(json_str(properties, "release", ""), "12");
	assert_string_equal(json_str(properties, "lts", ""), "true");
	assert_string_equal(json_str(properties, "variant", "?"), "");
	assert_int_equal(json_object_size(json_obj(meta, "templates")), 2);
	hostname = json_obj(json_obj(meta, "templates"), "/etc/hostname");
	assert_string_equal(json_str(hostname, "content", ""), "{{ name }}");
	assert_true(json_bool(hostname, "create_only", false));
	assert_int_equal(json_array_size(json_arr(hostname, "when")), 2);
	assert_string_equal(json_str(json_obj(hostname, "properties"), "a", ""), "1");
	hosts = json_obj(json_obj(meta, "templates"), "/etc/hosts");
	assert_string_equal(json_str(hosts, "content", "?"), "");
	assert_false(json_bool(hosts, "create_only", true));
	assert_int_equal(json_array_size(json_arr(hosts, "when")), 0);
}

/* What may be missing, and LXD's other names of an architecture. */
static void short_ones(void **state)
{
	static const struct {
		const char *yaml, *architecture, *expires_at;
	} rows[] = {
		{ "{" HEAD "}", "x86_64", "1970-01-01T00:00:00Z" },
		{ "{" HEAD ",\"properties\":null,\"templates\":null}", "x86_64",
		  "1970-01-01T00:00:00Z" },
		{ "{\"architecture\":\"amd64\",\"creation_date\":1}", "x86_64",
		  "1970-01-01T00:00:00Z" },
		{ "{\"architecture\":\"arm64\",\"creation_date\":1,\"expiry_date\":2}", "aarch64",
		  "1970-01-01T00:00:02Z" },
		{ "{" HEAD ",\"unknown\":[1,2]}", "x86_64", "1970-01-01T00:00:00Z" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		_json_ json_t *meta = make(rows[i].yaml, "{}", &err);

		if (!meta)
			fail_msg("%s: %s", rows[i].yaml, err.msg);
		assert_string_equal(json_str(meta, "architecture", ""), rows[i].architecture);
		assert_string_equal(json_str(meta, "expires_at", ""), rows[i].expires_at);
		assert_int_equal(json_object_size(json_obj(meta, "properties")), 0);
		assert_int_equal(json_object_size(json_obj(meta, "templates")), 0);
	}
}

static void bad_ones(void **state)
{
	static const struct {
		const char *yaml, *says;
	} rows[] = {
		{ "[]", "no map" },
		{ "{}", "\"architecture\" is missing" },
		{ "{\"architecture\":7,\"creation_date\":1}", "\"architecture\" is missing" },
		{ "{\"architecture\":\"vax\",\"creation_date\":1}", "\"vax\"" },
		{ "{\"architecture\":\"x86_64\"}", "\"creation_date\" is missing" },
		{ "{\"architecture\":\"x86_64\",\"creation_date\":\"1\"}", "\"creation_date\"" },
		{ "{\"architecture\":\"x86_64\",\"creation_date\":-1}", "\"creation_date\"" },
		{ "{\"architecture\":\"x86_64\",\"creation_date\":9999999999999}", "out of range" },
		{ "{" HEAD ",\"expiry_date\":\"soon\"}", "seconds since 1970" },
		{ "{" HEAD ",\"expiry_date\":-1}", "out of range" },
		{ "{" HEAD ",\"properties\":[]}", "\"properties\" is no map" },
		{ "{" HEAD ",\"properties\":{\"a\":{\"b\":1}}}", "properties.a is no text" },
		{ "{" HEAD ",\"properties\":{\"a\":1.5}}", "properties.a is no text" },
		{ "{" HEAD ",\"templates\":[]}", "\"templates\" is no map" },
		{ "{" HEAD ",\"templates\":{\"etc/x\":{\"template\":\"t\"}}}", "\"etc/x\"" },
		{ "{" HEAD ",\"templates\":{\"/a/../../x\":{\"template\":\"t\"}}}",
		  "not absolute" },
		{ "{" HEAD ",\"templates\":{\"/a/..\":{\"template\":\"t\"}}}", "not absolute" },
		{ "{" HEAD ",\"templates\":{\"/x\":{}}}", "not in the image" },
		{ "{" HEAD ",\"templates\":{\"/x\":\"t\"}}", "not in the image" },
		{ "{" HEAD ",\"templates\":{\"/x\":{\"template\":\"none\"}}}", "\"none\"" },
		{ "{" HEAD ",\"templates\":{\"/x\":{\"template\":\"a/t\"}}}", "\"a/t\"" },
		{ "{" HEAD ",\"templates\":{\"/x\":{\"template\":\"t\",\"when\":[1]}}}",
		  "\"when\"" },
		{ "{" HEAD ",\"templates\":{\"/x\":{\"template\":\"t\",\"properties\":[]}}}",
		  "\"properties\" is no map" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		_json_ json_t *meta = make(rows[i].yaml, "{\"t\":\"x\",\"a/t\":\"x\"}", &err);

		assert_null(meta);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, rows[i].says))
			fail_msg("%s: \"%s\" does not say %s", rows[i].yaml, err.msg, rows[i].says);
		assert_true(str_starts(err.msg, "image: "));
	}
}

static void missing_ones(void **state)
{
	_json_ json_t *null = json_null(), *files = json_object();
	struct err err = { 0 };

	assert_null(image_meta_make(NULL, files, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	assert_null(image_meta_make(null, files, &err));
	assert_non_null(strstr(err.msg, "missing or empty"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones),
		cmocka_unit_test(short_ones),
		cmocka_unit_test(bad_ones),
		cmocka_unit_test(missing_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
