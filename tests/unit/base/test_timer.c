/* SPDX-License-Identifier: Apache-2.0 */
/* Timers fire once, in the order of their times, or never when they were cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/timer.h"
#include "tests/unit/base/box.h"
#include "tests/unit/base/patience.h"

#define NEVER_MS (3600 * INT64_C(1000))

struct note {
	struct box *box;
	const char *text;
};

static void tell(void *arg)
{
	struct note *n = arg;

	box_put(n->box, n->text);
}

struct letter {
	char *word; /* that it is added to */
	char c;
};

static void add(void *arg)
{
	struct letter *l = arg;

	l->word[strlen(l->word)] = l->c;
}

/* None is due before all are there, so that only the order of their times can tell. */
static void fire_in_the_order_of_their_times(void **state)
{
	static const struct {
		int hours;
		char c;
	} rows[] = { { 3, 'd' }, { 1, 'a' }, { 2, 'b' }, { 2, 'c' } };
	struct timers *all = timers_new();
	struct letter letters[ARRAY_SIZE(rows)];
	char word[ARRAY_SIZE(rows) + 1] = "";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		letters[i] = (struct letter){ word, rows[i].c };
		assert_int_not_equal(timer_start(all, rows[i].hours * NEVER_MS, add, &letters[i]),
				     0);
	}
	/* what is still due fires at the end, so that what it holds is released */
	timers_free(all);
	assert_string_equal(word, "abcd");
}

static void fires_once(void **state)
{
	struct timers *all = timers_new();
	struct box box;
	struct note n = { &box, "x" };

	box_init(&box);
	assert_int_not_equal(timer_start(all, 1, tell, &n), 0);
	assert_true(box_wait(&box, 1, PATIENCE_MS));
	timers_free(all);
	assert_int_equal(box.count, 1);
}

/* The thread sleeps for the first one, which is not the first to be due. */
static void a_sooner_one_does_not_wait_for_others(void **state)
{
	struct timers *all = timers_new();
	struct box box;
	struct note late = { &box, "late" }, soon = { &box, "soon" };
	uint64_t id;

	box_init(&box);
	id = timer_start(all, NEVER_MS, tell, &late);
	assert_int_not_equal(timer_start(all, 1, tell, &soon), 0);
	assert_true(box_wait(&box, 1, PATIENCE_MS));
	assert_string_equal(box.last, "soon");
	assert_true(timer_cancel(all, id));
	timers_free(all);
	assert_int_equal(box.count, 1);
}

static void a_cancelled_one_never_fires(void **state)
{
	struct timers *all = timers_new();
	struct box box;
	struct note gone = { &box, "gone" }, kept = { &box, "kept" };
	uint64_t id;

	box_init(&box);
	id = timer_start(all, NEVER_MS, tell, &gone);
	assert_int_not_equal(timer_start(all, NEVER_MS, tell, &kept), id);
	assert_true(timer_cancel(all, id));
	assert_false(timer_cancel(all, id));
	assert_false(timer_cancel(all, 999));
	timers_free(all);
	assert_int_equal(box.count, 1);
	assert_string_equal(box.last, "kept");
}

static void one_that_fired_cannot_be_cancelled(void **state)
{
	struct timers *all = timers_new();
	struct box box;
	struct note n = { &box, "x" };
	uint64_t id;

	box_init(&box);
	id = timer_start(all, 0, tell, &n);
	assert_true(box_wait(&box, 1, PATIENCE_MS));
	assert_false(timer_cancel(all, id));
	timers_free(all);
	timers_free(NULL);
}

struct chain {
	struct timers *all;
	struct box *box;
	uint64_t next; /* what starting another one from within told */
};

static void start_another(void *arg)
{
	struct chain *c = arg;
	struct note n = { c->box, "first" };

	c->next = timer_start(c->all, NEVER_MS, start_another, c);
	tell(&n);
}

static void one_may_start_another_until_they_end(void **state)
{
	struct box box;
	struct chain c = { .all = timers_new(), .box = &box };

	box_init(&box);
	assert_int_not_equal(timer_start(c.all, 0, start_another, &c), 0);
	assert_true(box_wait(&box, 1, PATIENCE_MS));
	assert_int_not_equal(c.next, 0);
	/* the second one fires now, and its own is refused */
	timers_free(c.all);
	assert_int_equal(box.count, 2);
	assert_int_equal(c.next, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fire_in_the_order_of_their_times),
		cmocka_unit_test(fires_once),
		cmocka_unit_test(a_sooner_one_does_not_wait_for_others),
		cmocka_unit_test(a_cancelled_one_never_fires),
		cmocka_unit_test(one_that_fired_cannot_be_cancelled),
		cmocka_unit_test(one_may_start_another_until_they_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
