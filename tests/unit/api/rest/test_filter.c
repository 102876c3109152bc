/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/rest/filter.h"
#include "base/mem.h"

static const char object_text[] =
	"{\"name\":\"web1\",\"status\":\"Running\",\"ephemeral\":false,\"pid\":12,"
	"\"profiles\":[\"default\"],\"config\":{\"image.os\":\"Debian\",\"user.a\":\"x y\"},"
	"\"devices\":{\"eth0\":{\"network\":\"br0\"}}}";

static const struct {
	const char *text;
	bool match;
} cases[] = {
	{ "", true },
	{ "name eq web1", true },
	{ "name eq WEB1", true },
	{ "name eq web", false },
	{ "name eq web.*", true },
	{ "name eq ^web", true },
	{ "name ne web1", false },
	{ "not name eq web1", false },
	{ "not name eq web2", true },
	{ "status eq running and name eq web1", true },
	{ "status eq stopped and name eq web1", false },
	{ "status eq stopped or name eq web1", true },
	{ "status eq stopped or name eq db and name eq web1", false },
	{ "ephemeral eq false", true },
	{ "ephemeral eq true", false },
	{ "pid eq 12", true },
	{ "pid eq 1", false },
	{ "profiles eq [\"\"default\"\"]", false },
	{ "config.image.os eq debian", true },
	{ "config.user.a eq \"x y\"", true },
	{ "devices.eth0.network eq br0", true },
	{ "devices.eth1.network eq br0", false },
	{ "devices.eth1.network ne br0", true },
	{ "nothing eq x", false },
};

static void test_match(void **state)
{
	struct err err = { 0 };
	_json_ json_t *object = json_parse(object_text, strlen(object_text), "object", &err);

	assert_non_null(object);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool ok;
		struct filter *f = filter_parse(cases[i].text, &ok, &err);

		if (!ok || filter_match(f, object) != cases[i].match)
			fail_msg("filter \"%s\": expected %d%s%s", cases[i].text, cases[i].match,
				 ok ? "" : ", got the error ", ok ? "" : err.msg);
		filter_free(f);
	}
}

static const struct {
	const char *text, *error;
} wrong[] = {
	{ "not", "incomplete not clause" },
	{ "name", "clause has no operator" },
	{ "name eq", "clause has no value" },
	{ "name eq \"web", "unterminated quote" },
	{ "name eq web1 xor name eq web2", "invalid clause composition" },
	{ "name eq web1 and", "unterminated compound clause" },
	{ "name like web1", "invalid operator" },
};

static void test_malformed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct err err = { 0 };
		bool ok;

		assert_null(filter_parse(wrong[i].text, &ok, &err));
		assert_false(ok);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, wrong[i].error))
			fail_msg("\"%s\": \"%s\" instead of \"%s\"", wrong[i].text, err.msg,
				 wrong[i].error);
	}
}

static void test_limits(void **state)
{
	_free_ char *longest = xcalloc(1, 6000);
	_sbuf_ struct sbuf many = SBUF(1 << 16);
	struct err err = { 0 };
	bool ok;

	memset(longest, 'a', 5999);
	assert_null(filter_parse(longest, &ok, &err));
	assert_false(ok);
	for (int i = 0; i < 100; i++)
		sbuf_puts(&many, i ? " and a eq b" : "a eq b");
	assert_null(filter_parse(many.data, &ok, &err));
	assert_false(ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
