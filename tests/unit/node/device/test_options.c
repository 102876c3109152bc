/* SPDX-License-Identifier: Apache-2.0 */
/* The devices that a user gives: what is refused, and by which sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/device/device.h"

static json_t *parsed(const char *text)
{
	struct err err;
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

#define DISK "\"type\":\"disk\",\"path\":\"/x\",\"source\":\"/srv\""

static void tells_what_is_wrong(void **state)
{
	static const struct {
		const char *devices, *wrong; /* NULL: nothing */
	} cases[] = {
		{ "{}", NULL },
		{ "{\"a\":{" DISK "},\"b\":{\"type\":\"none\"}}", NULL },
		{ "{\"a\":[]}", "c1: device \"a\" must be an object" },
		{ "{\"a\":null}", "c1: device \"a\" must be an object" },
		{ "{\"a\":{}}", "c1: device \"a\": \"type\" is missing" },
		{ "{\"a\":{\"type\":7}}", "c1: device \"a\": \"type\" is missing" },
		{ "{\"a\":{\"type\":\"gpu\"}}",
		  "c1: device \"a\": unsupported device type \"gpu\" (disk, nic, none)" },
		{ "{\"a/b\":{" DISK "}}", "c1: device \"a/b\": invalid device name" },
		{ "{\"\":{" DISK "}}", "c1: device \"\": invalid device name" },
		{ "{\"..\":{" DISK "}}", "c1: device \"..\": invalid device name" },
		{ "{\"a\":{" DISK ",\"mtu\":\"1400\"}}",
		  "c1: device \"a\": unknown configuration key \"mtu\": it is one of type nic, "
		  "and this is disk" },
		{ "{\"a\":{" DISK ",\"size\":\"1GiB\"}}",
		  "c1: device \"a\": \"size\" can't be set (to \"1GiB\"): no storage driver has "
		  "quotas" },
		{ "{\"a\":{" DISK ",\"readonly\":\"perhaps\"}}",
		  "c1: device \"a\": invalid value \"perhaps\" for key \"readonly\": must be true "
		  "or false" },
		/* the second is looked at as well */
		{ "{\"a\":{" DISK "},\"b\":{}}", "c1: device \"b\": \"type\" is missing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *devices = parsed(cases[i].devices);
		struct err err = { 0 };
		int rc = devices_check("c1", devices, NULL, &err);

		assert_int_equal(rc, cases[i].wrong ? -1 : 0);
		if (rc < 0) {
			assert_string_equal(err.msg, cases[i].wrong);
			assert_int_equal(err.kind, ERR_INVALID);
		}
	}
}

/* What an older version took does not stand in the way of a change of something else. */
static void what_stays_as_it_was_passes(void **state)
{
	_json_ json_t *old = parsed("{\"a\":{\"type\":\"gpu\"},\"b\":{" DISK "}}");
	_json_ json_t *same = parsed("{\"a\":{\"type\":\"gpu\"}}");
	_json_ json_t *changed = parsed("{\"a\":{\"type\":\"gpu\",\"x\":\"1\"}}");
	struct err err = { 0 };

	assert_int_equal(devices_check("c1", same, old, &err), 0);
	assert_int_equal(devices_check("c1", changed, old, &err), -1);
}

static void many_are_too_many(void **state)
{
	_json_ json_t *devices = json_object();
	struct err err = { 0 };

	for (int i = 0; i < 100; i++) {
		_free_ char *name = xasprintf("d%d", i);

		json_object_set_new(devices, name, json_pack("{ss}", "type", "none"));
	}
	assert_int_equal(devices_check("c1", devices, NULL, &err), 0);
	json_object_set_new(devices, "one more", json_pack("{ss}", "type", "none"));
	assert_int_equal(devices_check("c1", devices, NULL, &err), -1);
	assert_string_equal(err.msg, "c1: more than 100 devices");
}

/* A description has each default, and each value as what it is; free keys are no matter of it. */
static void describes(void **state)
{
	static const struct {
		const char *options, *described;
	} cases[] = {
		{ "{" DISK "}", "{\"device\":\"d\"," DISK ",\"readonly\":false,\"shift\":false,"
				"\"required\":true}" },
		{ "{" DISK ",\"readonly\":\"yes\",\"required\":\"0\",\"user.x\":\"y\"}",
		  "{\"device\":\"d\"," DISK ",\"readonly\":true,\"shift\":false,"
		  "\"required\":false}" },
		{ "{\"type\":\"nic\",\"network\":\"n\",\"mtu\":\"1400\"}",
		  "{\"device\":\"d\",\"type\":\"nic\",\"network\":\"n\","
		  "\"nictype\":\"bridged\",\"mtu\":1400}" },
		{ "{\"type\":\"none\"}", "{\"device\":\"d\",\"type\":\"none\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *options = parsed(cases[i].options);
		_json_ json_t *want = parsed(cases[i].described);
		_json_ json_t *is = device_describe("d", options);

		if (!json_equal(is, want)) {
			_free_ char *text = json_text(is);

			fail_msg("%s became %s", cases[i].options, text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_is_wrong),
		cmocka_unit_test(what_stays_as_it_was_passes),
		cmocka_unit_test(many_are_too_many),
		cmocka_unit_test(describes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
