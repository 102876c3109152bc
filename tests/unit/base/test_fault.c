/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"

static const struct {
	enum fault fault;
	const char *name;
} points[] = {
#define FAULT(name, doc) { FAULT_##name, #name },
#include "base/fault.def"
#undef FAULT
};

static int arm(const char *text, struct err *err)
{
	setenv("DUNLIN_FAULT", text, 1);
	return fault_init(err);
}

/* Fires what a test left armed. */
static int disarm(void **state)
{
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(points); i++)
		fault_fire(points[i].fault, &err);
	unsetenv("DUNLIN_FAULT");
	return 0;
}

static void nothing_is_armed_without_the_variable(void **state)
{
	struct err err = { 0 };

	unsetenv("DUNLIN_FAULT");
	assert_int_equal(fault_init(&err), 0);
	assert_int_equal(arm("", &err), 0);
	assert_false(fault_armed);
	assert_int_equal(fault_point(create_after_row, &err), 0);
	assert_int_equal(fault_fire(FAULT_create_after_row, &err), 0);
	assert_int_equal(err.kind, ERR_NONE);
}

static void each_point_fires_once_and_alone(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		_free_ char *text = xasprintf("%s=error", points[i].name);
		struct err err = { 0 };

		assert_int_equal(arm(text, &err), 0);
		assert_true(fault_armed);
		for (size_t k = 0; k < ARRAY_SIZE(points); k++) {
			if (k != i)
				assert_int_equal(fault_fire(points[k].fault, &err), 0);
		}
		assert_int_equal(fault_fire(points[i].fault, &err), -1);
		assert_int_equal(err.kind, ERR_INTERNAL);
		assert_non_null(strstr(err.msg, points[i].name));
		assert_int_equal(fault_fire(points[i].fault, &err), 0);
	}
}

static void several_are_armed_at_once(void **state)
{
	struct err err = { 0 };

	assert_int_equal(arm("stop_after_runtime=error,create_after_row=error", &err), 0);
	assert_int_equal(fault_point(create_after_row, &err), -1);
	assert_int_equal(fault_point(stop_after_runtime, &err), -1);
}

static void late_goes_on_after_a_while(void **state)
{
	struct err err = { 0 };
	int64_t start = clock_ms();

	assert_int_equal(arm("stop_after_runtime=late", &err), 0);
	assert_int_equal(fault_point(stop_after_runtime, &err), 0);
	assert_true(clock_ms() - start >= 900);
	start = clock_ms();
	assert_int_equal(fault_point(stop_after_runtime, &err), 0);
	assert_true(clock_ms() - start < 900);
}

static void bad_texts_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "nonsense=error", "no fault point \"nonsense\"" },
		{ "stop_after_runtime=dance", "\"stop_after_runtime=dance\" is not name=action" },
		{ "stop_after_runtime", "\"stop_after_runtime\" is not name=action" },
		{ "stop_after_runtime=", "is not name=action" },
		{ "=error", "no fault point \"\"" },
		{ ",", "\"\" is not name=action" },
		{ "stop_after_runtime=error,", "\"\" is not name=action" },
		{ "stop_after_runtime=Error", "is not name=action" },
		{ " stop_after_runtime=error", "no fault point" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(arm(cases[i].text, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].text, err.msg);
	}
}

/* In a child: the signal it ended by, 0 when it went on. */
static int signal_of_child(const char *text, int send)
{
	pid_t pid = fork();
	struct err err;
	int status;

	if (pid == 0) {
		if (arm(text, &err) == 0)
			fault_fire(FAULT_start_after_runtime, &err);
		_exit(0);
	}
	if (send)
		kill(pid, send);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void crash_ends_the_process_and_hang_stays(void **state)
{
	assert_int_equal(signal_of_child("start_after_runtime=error", 0), 0);
	assert_int_equal(signal_of_child("start_after_runtime=crash", 0), SIGKILL);
	assert_int_equal(signal_of_child("start_after_runtime=hang", SIGTERM), SIGTERM);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nothing_is_armed_without_the_variable, disarm),
		cmocka_unit_test_teardown(each_point_fires_once_and_alone, disarm),
		cmocka_unit_test_teardown(several_are_armed_at_once, disarm),
		cmocka_unit_test_teardown(late_goes_on_after_a_while, disarm),
		cmocka_unit_test_teardown(bad_texts_are_refused, disarm),
		cmocka_unit_test_teardown(crash_ends_the_process_and_hang_stays, disarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
