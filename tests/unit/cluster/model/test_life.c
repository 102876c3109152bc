/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/model/life.h"

/* LXD's clients know these words, and so do members of another version. */
static void words_are_told_and_read(void **state)
{
	static const char *const words[] = {
		[LIFE_ONLINE] = "Online",
		[LIFE_UNKNOWN] = "Unknown",
		[LIFE_OFFLINE] = "Offline",
		[LIFE_REMOVED] = "Removed",
	};

	assert_int_equal(ARRAY_SIZE(words), LIFE_MAX);
	for (enum member_life l = 0; l < LIFE_MAX; l++) {
		_json_ json_t *fact = json_pack("{s:s}", "version", "1");

		life_say(fact, l);
		assert_string_equal(json_str(fact, "status", ""), words[l]);
		assert_string_equal(json_str(fact, "version", ""), "1");
		assert_int_equal(life_said(fact), l);
	}
}

static void what_is_no_word_is_unknown(void **state)
{
	static const char *const none[] = { "", "online", "ONLINE", "Online ", "Evacuated" };
	_json_ json_t *without = json_object(), *number = json_pack("{s:i}", "status", 0);

	assert_int_equal(life_said(NULL), LIFE_UNKNOWN);
	assert_int_equal(life_said(without), LIFE_UNKNOWN);
	assert_int_equal(life_said(number), LIFE_UNKNOWN);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		_json_ json_t *fact = json_pack("{s:s}", "status", none[i]);

		assert_int_equal(life_said(fact), LIFE_UNKNOWN);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_told_and_read),
		cmocka_unit_test(what_is_no_word_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
