/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/model/state.h"

static json_t *row_in(const char *word)
{
	json_t *doc = json_pack("{s:s, s:{}}", "name", "c1", "config");

	if (word)
		json_put_str(doc, "state", word);
	return doc;
}

static const char *const words[] = { "creating", "ready",  "deleting",
				     "renaming", "moving", "restoring" };

/* The words are in the rows of clusters that exist. */
static void test_words(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		_json_ json_t *doc = row_in(words[i]);

		assert_int_equal(inst_state(doc), i);
	}
	assert_int_equal(ARRAY_SIZE(words), INST_FOREIGN);
}

static void test_words_that_are_none(void **state)
{
	static const char *const bad[] = { "", "Ready", "ready ", "evacuated" };
	_json_ json_t *without = row_in(NULL);

	assert_int_equal(inst_state(without), INST_READY);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_json_ json_t *doc = row_in(bad[i]);

		assert_int_equal(inst_state(doc), INST_FOREIGN);
		for (int to = 0; to < INST_FOREIGN; to++)
			assert_false(inst_may_become(INST_FOREIGN, (enum inst_state)to));
		assert_null(inst_second_name(doc));
	}
}

/* From each row to each column: the drawing. */
static void test_transitions(void **state)
{
	static const char *const may[] = {
		/* creating ready deleting renaming moving restoring */
		[INST_CREATING] = ".xx...", [INST_READY] = ".xxx.x",  [INST_DELETING] = "..x...",
		[INST_RENAMING] = ".x..x.", [INST_MOVING] = ".x....", [INST_RESTORING] = ".xx...",
	};

	for (int from = 0; from < INST_FOREIGN; from++) {
		for (int to = 0; to < INST_FOREIGN; to++)
			assert_int_equal(inst_may_become((enum inst_state)from,
							 (enum inst_state)to),
					 may[from][to] == 'x');
	}
}

static void test_become(void **state)
{
	_json_ json_t *doc = row_in("creating");
	struct err err;

	assert_int_equal(inst_become(doc, INST_READY, NULL, &err), 0);
	assert_null(inst_second_name(doc));
	assert_int_equal(inst_become(doc, INST_RENAMING, "c2", &err), 0);
	assert_string_equal(inst_second_name(doc), "c2");
	assert_string_equal(inst_moved_from(doc), "");
	assert_int_equal(inst_become(doc, INST_MOVING, "c1", &err), 0);
	assert_string_equal(inst_second_name(doc), "c1");
	assert_string_equal(inst_moved_from(doc), "c1");
	assert_null(json_object_get(doc, "rename_to"));
	assert_int_equal(inst_become(doc, INST_READY, NULL, &err), 0);
	assert_null(inst_second_name(doc));
	assert_null(json_object_get(doc, "moved_from"));
	assert_int_equal(inst_state(doc), INST_READY);
}

static void test_refused(void **state)
{
	_json_ json_t *doc = row_in("renaming"), *before = NULL;
	struct err err;

	json_put_str(doc, "rename_to", "c2");
	before = json_deep_copy(doc);
	assert_int_equal(inst_become(doc, INST_DELETING, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_string_equal(err.msg, "instance \"c1\": it is being renamed");
	assert_true(json_equal(doc, before));
}

static void test_told(void **state)
{
	for (int s = 0; s <= INST_FOREIGN; s++)
		assert_true(strncmp(inst_state_told((enum inst_state)s), "it is ", 6) == 0);
}

static void test_power(void **state)
{
	_json_ json_t *doc = row_in(NULL);

	inst_begin(doc);
	assert_int_equal(inst_state(doc), INST_CREATING);
	assert_false(inst_shall_run(doc));
	assert_string_equal(json_str(json_obj(doc, "config"), "volatile.last_state.power", ""),
			    "STOPPED");
	inst_set_power(doc, true);
	assert_true(inst_shall_run(doc));
	assert_string_equal(json_str(doc, "power", ""), "on");
	assert_string_equal(json_str(json_obj(doc, "config"), "volatile.last_state.power", ""),
			    "RUNNING");
	assert_non_null(json_str(doc, "last_used_at", NULL));
	inst_set_power(doc, false);
	assert_false(inst_shall_run(doc));
	assert_string_equal(json_str(doc, "power", ""), "off");
	assert_non_null(json_str(doc, "last_used_at", NULL));
	json_put_str(doc, "power", "ON");
	assert_false(inst_shall_run(doc));
}

static void test_suspended(void **state)
{
	_json_ json_t *doc = row_in(NULL);

	assert_false(inst_is_suspended(doc));
	inst_set_suspended(doc, true);
	assert_true(inst_is_suspended(doc));
	inst_set_suspended(doc, false);
	assert_false(inst_is_suspended(doc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),       cmocka_unit_test(test_words_that_are_none),
		cmocka_unit_test(test_transitions), cmocka_unit_test(test_become),
		cmocka_unit_test(test_refused),     cmocka_unit_test(test_told),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
