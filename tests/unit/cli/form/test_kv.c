/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/form/kv.h"

static void splits_pairs(void **state)
{
	static const struct {
		const char *arg, *key, *value; /* key NULL: refused */
	} cases[] = {
		{ "a=b", "a", "b" },     { "a=", "a", "" },
		{ "a=b=c", "a", "b=c" }, { "user.x=y z", "user.x", "y z" },
		{ "a", NULL, NULL },     { "=b", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *key = NULL;
		const char *value = NULL;
		struct err err = { 0 };
		int r = kv_split(cases[i].arg, &key, &value, &err);

		assert_int_equal(r, cases[i].key ? 0 : -1);
		if (r < 0) {
			assert_int_equal(err.kind, ERR_INVALID);
			continue;
		}
		assert_string_equal(key, cases[i].key);
		assert_string_equal(value, cases[i].value);
	}
}

/* The command line of a launch, as far as its keys and devices go. */
static char *launched(const char *const argv[], int argc)
{
	_free_ struct args *a = xnew(struct args);
	_json_ json_t *config = json_object(), *devices = json_object(), *both = NULL;
	struct err err = { 0 };

	assert_int_equal(args_parse(&commands, a, argc, (char **)argv, &err), 0);
	if (kv_options(a, "config", config, &err) < 0 || kv_devices(a, "device", devices, &err) < 0)
		return xstrdup(err.msg);
	both = json_pack("[O,O]", config, devices);
	return json_text(both);
}

static void reads_options(void **state)
{
	static const struct {
		const char *option, *value, *text;
	} cases[] = {
		{ "-c", "limits.cpu=2", "[{\"limits.cpu\":\"2\",\"z\":\"1\"},{}]" },
		{ "-c", "z=3", "[{\"z\":\"1\"},{}]" },
		{ "-c", "limits.cpu", "\"limits.cpu\" is not of the form KEY=VALUE" },
		{ "-c", "a=\xff", "the value of \"a\" is not valid UTF-8" },
		{ "-d", "root,size=1GiB", "[{\"z\":\"1\"},{\"root\":{\"size\":\"1GiB\"}}]" },
		{ "-d", "root,a=b,c=d", "[{\"z\":\"1\"},{\"root\":{\"a\":\"b,c=d\"}}]" },
		{ "-d", "root", "\"root\" is not of the form DEVICE,KEY=VALUE" },
		{ "-d", ",a=b", "\",a=b\" is not of the form DEVICE,KEY=VALUE" },
		{ "-d", "root,a", "\"a\" is not of the form KEY=VALUE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const argv[] = { "dunlin",       "launch", "web", cases[i].option,
					     cases[i].value, "-c",     "z=1" };
		_free_ char *text = launched(argv, ARRAY_SIZE(argv));

		assert_string_equal(text, cases[i].text);
	}
}

static void makes_texts_of_values(void **state)
{
	_json_ json_t *obj = json_pack("{s:{s:i,s:n,s:f},s:{s:i},s:{s:{s:b}},s:i}", "config", "i",
				       1, "n", "f", 0.5, "properties", "p", 2, "devices", "eth0",
				       "on", 0, "size", 3);
	_free_ char *text = NULL;

	config_to_strings(obj);
	text = json_text(obj);
	assert_string_equal(text, "{\"config\":{\"i\":\"1\",\"n\":\"\",\"f\":\"0.5\"},"
				  "\"properties\":{\"p\":\"2\"},"
				  "\"devices\":{\"eth0\":{\"on\":\"false\"}},\"size\":3}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_pairs),
		cmocka_unit_test(reads_options),
		cmocka_unit_test(makes_texts_of_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
