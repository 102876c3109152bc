/* SPDX-License-Identifier: Apache-2.0 */
/* Timers fire once, in the order of their times, or never when they were cancelled; a named lock
 * has one holder. */
#include "tests/unit/cluster/store_world.h"

#include <string.h>

#include "base/timer.h"

/* --- timers ---------------------------------------------------------------------------------- */

struct note {
	struct box *box;
	const char *text;
};

static void tell(void *arg)
{
	struct note *n = arg;

	box_put(n->box, n->text);
}

static void fire_in_order(void **state)
{
	struct later *l = later_new();
	struct box box;
	struct note first = { &box, "first" }, second = { &box, "second" };

	box_init(&box);
	assert_int_not_equal(later_call(l, 60, tell, &second), 0);
	assert_int_not_equal(later_call(l, 1, tell, &first), 0);
	assert_true(box_wait(&box, 1, 5000));
	if (box.count == 1)
		assert_string_equal(box.last, "first");
	assert_true(box_wait(&box, 2, 5000));
	assert_string_equal(box.last, "second");
	later_free(l);
	assert_int_equal(box.count, 2);
}

static void a_cancelled_one_never_fires(void **state)
{
	struct later *l = later_new();
	struct box box;
	struct note gone = { &box, "gone" }, kept = { &box, "kept" };
	uint64_t id;

	box_init(&box);
	id = later_call(l, 60000, tell, &gone);
	assert_int_not_equal(later_call(l, 60000, tell, &kept), id);
	assert_true(later_cancel(l, id));
	assert_false(later_cancel(l, id));
	assert_false(later_cancel(l, 999));
	/* what is still due fires at the end, so that what it holds is released */
	later_free(l);
	assert_int_equal(box.count, 1);
	assert_string_equal(box.last, "kept");
}

static void one_that_fired_cannot_be_cancelled(void **state)
{
	struct later *l = later_new();
	struct box box;
	struct note n = { &box, "x" };
	uint64_t id;

	box_init(&box);
	id = later_call(l, 0, tell, &n);
	assert_true(box_wait(&box, 1, 5000));
	assert_false(later_cancel(l, id));
	later_free(l);
	assert_int_equal(box.count, 1);
	later_free(NULL);
}

/* --- locks ----------------------------------------------------------------------------------- */

struct holder {
	struct keylock *locks;
	const char *name;
	struct box *box;
};

static void *take_and_tell(void *arg)
{
	struct holder *h = arg;

	keylock_take(h->locks, h->name);
	box_put(h->box, h->name);
	keylock_drop(h->locks, h->name);
	return NULL;
}

static void a_name_has_one_holder(void **state)
{
	struct keylock *locks = keylock_new();
	struct box box;
	struct holder same = { locks, "a", &box }, other = { locks, "b", &box };
	pthread_t waits, passes;

	box_init(&box);
	keylock_take(locks, "a");
	assert_int_equal(pthread_create(&waits, NULL, take_and_tell, &same), 0);
	assert_int_equal(pthread_create(&passes, NULL, take_and_tell, &other), 0);
	/* another name is free; the same one is told of only after it was dropped */
	assert_true(box_wait(&box, 1, 5000));
	pthread_join(passes, NULL);
	assert_int_equal(box.count, 1);
	assert_string_equal(box.last, "b");
	keylock_drop(locks, "a");
	assert_true(box_wait(&box, 2, 5000));
	pthread_join(waits, NULL);
	assert_string_equal(box.last, "a");
	keylock_take(locks, "a");
	keylock_drop(locks, "a");
	keylock_free(locks);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fire_in_order),
		cmocka_unit_test(a_cancelled_one_never_fires),
		cmocka_unit_test(one_that_fired_cannot_be_cancelled),
		cmocka_unit_test(a_name_has_one_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
