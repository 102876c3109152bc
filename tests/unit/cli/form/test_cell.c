/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/form/cell.h"

static const char item_text[] =
	"{\"name\": \"web\", \"status\": \"Running\", \"managed\": true, \"count\": 3, "
	"\"fingerprint\": \"0123456789abcdef\", \"used_by\": [\"a\", \"b\"], \"empty\": [], "
	"\"config\": {\"source\": \"/var\", \"features.images\": \"true\", \"k\": \"own\"}, "
	"\"expanded_config\": {\"p\": \"profile\", \"k\": \"all\"}, \"nothing\": null, "
	"\"when\": \"2026-11-23T11:30:00Z\", \"never\": \"0001-01-01T00:00:00Z\"}";

static void shows_what_people_read(void **state)
{
	static const struct {
		char *(*cell)(const json_t *item, const char *field);
		const char *field, *text;
	} cases[] = {
		{ cell_text, "name", "web" },
		{ cell_text, "config/source", "/var" },
		{ cell_text, "config/features.images", "true" },
		{ cell_text, "config/none", "" },
		{ cell_text, "none/source", "" },
		{ cell_text, "count", "" },
		{ cell_text, "nothing", "" },
		{ cell_upper, "status", "RUNNING" },
		{ cell_upper, "none", "" },
		{ cell_type, "status", "RUNNING" },
		{ cell_type, "none", "CONTAINER" },
		{ cell_number, "count", "3" },
		{ cell_number, "name", "0" },
		{ cell_number, "none", "0" },
		{ cell_yes, "managed", "YES" },
		{ cell_yes, "config/features.images", "YES" },
		{ cell_yes, "name", "NO" },
		{ cell_yes, "none", "NO" },
		{ cell_small_yes, "managed", "yes" },
		{ cell_small_yes, "nothing", "no" },
		{ cell_count, "used_by", "2" },
		{ cell_count, "empty", "0" },
		{ cell_count, "name", "0" },
		{ cell_lines, "used_by", "a\nb" },
		{ cell_lines, "empty", "" },
		{ cell_lines, "none", "" },
		{ cell_short, "fingerprint", "0123456789ab" },
		{ cell_short, "name", "web" },
		{ cell_time, "when", "2026/11/23 11:30 UTC" },
		{ cell_time, "never", "" },
		{ cell_time, "name", "" },
		{ cell_config, "k", "all" },
		{ cell_config, "p", "profile" },
		{ cell_config, "source", "/var" },
		{ cell_config, "none", "" },
	};
	_json_ json_t *item = json_loads(item_text, 0, NULL);

	assert_non_null(item);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = cases[i].cell(item, cases[i].field);

		assert_string_equal(text, cases[i].text);
	}
}

static void takes_any_kind_of_item(void **state)
{
	_json_ json_t *name = json_string("passwd"), *list = json_array();
	_free_ char *itself = cell_text(name, ""), *inner = cell_text(name, "name");
	_free_ char *of_list = cell_text(list, "a/b"), *of_none = cell_text(NULL, "a");

	assert_string_equal(itself, "passwd");
	assert_string_equal(inner, "");
	assert_string_equal(of_list, "");
	assert_string_equal(of_none, "");
	assert_int_equal(item_int(name, ""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_what_people_read),
		cmocka_unit_test(takes_any_kind_of_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
