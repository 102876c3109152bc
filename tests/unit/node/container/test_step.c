/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/container/step.h"

#define RUNS "The instance is already running"
#define REST "The instance is already stopped"
#define COLD "The instance is already frozen"
#define DEAD "The instance isn't running"
#define BUSY ": try again when that is over"

static const struct {
	enum status now;
	const char *start, *stop, *freeze, *unfreeze; /* NULL: it may */
} rows[] = {
	{ STATUS_STOPPED, NULL, REST, DEAD, DEAD },  { STATUS_STARTING, RUNS, NULL, BUSY, BUSY },
	{ STATUS_RUNNING, RUNS, NULL, NULL, RUNS },  { STATUS_STOPPING, RUNS, NULL, BUSY, BUSY },
	{ STATUS_FREEZING, RUNS, NULL, BUSY, BUSY }, { STATUS_FROZEN, RUNS, NULL, COLD, NULL },
	{ STATUS_ERROR, NULL, NULL, DEAD, DEAD },
};

static void expect(enum step s, enum status now, const char *words)
{
	struct err err = { 0 };

	assert_int_equal(step_check(s, now, &err), words ? -1 : 0);
	if (!words)
		return;
	assert_non_null(strstr(err.msg, words));
	assert_int_equal(err.kind, strcmp(words, BUSY) == 0 ? ERR_BUSY : ERR_INVALID);
}

static void test_every_step_in_every_status(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		expect(STEP_START, rows[i].now, rows[i].start);
		expect(STEP_STOP, rows[i].now, rows[i].stop);
		expect(STEP_FREEZE, rows[i].now, rows[i].freeze);
		expect(STEP_UNFREEZE, rows[i].now, rows[i].unfreeze);
	}
}

static void test_names_the_change_under_way(void **state)
{
	struct err err = { 0 };

	assert_int_equal(step_check(STEP_FREEZE, STATUS_STOPPING, &err), -1);
	assert_non_null(strstr(err.msg, "Stopping"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_step_in_every_status),
		cmocka_unit_test(test_names_the_change_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
