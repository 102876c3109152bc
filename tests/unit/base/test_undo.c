/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/undo.h"
#include "tests/unit/base/captured.h"

static char undone[64];

static int forget(void **state)
{
	undone[0] = '\0';
	return 0;
}

static int remember(void *arg, struct err *err)
{
	size_t n = strlen(undone);

	undone[n] = *(char *)arg;
	undone[n + 1] = '\0';
	return 0;
}

static int remember_and_fail(void *arg, struct err *err)
{
	remember(arg, err);
	return err_set(err, ERR_BUSY, "cannot undo %s", (char *)arg);
}

static int count(void *arg, struct err *err)
{
	undone[0]++;
	return arg ? -1 : 0;
}

static void runs_backwards_at_the_end_of_its_scope(void **state)
{
	{
		_undo_ struct undo u = { 0 };

		undo_push(&u, "one", remember, xstrdup("1"));
		undo_push(&u, "two", remember, xstrdup("2"));
		undo_push(&u, "three", remember, xstrdup("3"));
		assert_string_equal(undone, "");
	}
	assert_string_equal(undone, "321");
}

static void nothing_pushed_is_nothing_done(void **state)
{
	struct undo u = { 0 };

	undo_run(&u);
	undo_keep(&u);
	assert_string_equal(undone, "");
}

static void kept_steps_do_not_run(void **state)
{
	{
		_undo_ struct undo u = { 0 };

		undo_push(&u, "one", remember, xstrdup("1"));
		undo_push(&u, "two", remember, xstrdup("2"));
		undo_keep(&u);
	}
	assert_string_equal(undone, "");
}

static void what_is_pushed_after_keep_runs(void **state)
{
	struct undo u = { 0 };

	undo_push(&u, "one", remember, xstrdup("1"));
	undo_keep(&u);
	undo_push(&u, "two", remember, xstrdup("2"));
	undo_run(&u);
	assert_string_equal(undone, "2");
	undo_run(&u);
	assert_string_equal(undone, "2");
}

static void a_failing_step_is_logged_and_the_rest_goes_on(void **state)
{
	struct undo u = { 0 };
	_free_ char *text = NULL;
	struct captured c;

	undo_push(&u, "make the folder", remember, xstrdup("1"));
	undo_push(&u, "take the address", remember_and_fail, xstrdup("2"));
	undo_push(&u, "plug", remember, xstrdup("3"));
	capture(&c, STDERR_FILENO);
	undo_run(&u);
	text = captured_end(&c);
	assert_string_equal(undone, "321");
	assert_non_null(strstr(text, "undo failed step=\"take the address\" "
				     "error=\"cannot undo 2\"\n"));
	assert_null(strstr(text, "make the folder"));
	assert_null(strstr(text, "plug"));
}

static void a_step_needs_no_argument(void **state)
{
	struct undo u = { 0 };

	for (int i = 0; i < 5; i++)
		undo_push(&u, "count", count, NULL);
	undo_run(&u);
	assert_int_equal(undone[0], 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(runs_backwards_at_the_end_of_its_scope, forget),
		cmocka_unit_test_setup(nothing_pushed_is_nothing_done, forget),
		cmocka_unit_test_setup(kept_steps_do_not_run, forget),
		cmocka_unit_test_setup(what_is_pushed_after_keep_runs, forget),
		cmocka_unit_test_setup(a_failing_step_is_logged_and_the_rest_goes_on, forget),
		cmocka_unit_test_setup(a_step_needs_no_argument, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
