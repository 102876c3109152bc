/* SPDX-License-Identifier: Apache-2.0 */
/* A name has one holder; another name is free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/keylock.h"
#include "tests/unit/base/box.h"
#include "tests/unit/base/patience.h"

#define THREADS 8
#define ROUNDS 500

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

static void a_held_name_waits_and_another_does_not(void **state)
{
	struct keylock *locks = keylock_new();
	struct box box;
	struct holder same = { locks, "a", &box }, other = { locks, "b", &box };
	pthread_t waits, passes;

	box_init(&box);
	keylock_take(locks, "a");
	assert_int_equal(pthread_create(&waits, NULL, take_and_tell, &same), 0);
	assert_int_equal(pthread_create(&passes, NULL, take_and_tell, &other), 0);
	assert_true(box_wait(&box, 1, PATIENCE_MS));
	pthread_join(passes, NULL);
	assert_int_equal(box.count, 1);
	assert_string_equal(box.last, "b");
	keylock_drop(locks, "a");
	assert_true(box_wait(&box, 2, PATIENCE_MS));
	pthread_join(waits, NULL);
	assert_string_equal(box.last, "a");
	keylock_free(locks);
}

struct counter {
	struct keylock *locks;
	int n; /* held by the name only */
};

static void *count(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < ROUNDS; i++) {
		keylock_take(c->locks, "n");
		c->n++;
		keylock_drop(c->locks, "n");
	}
	return NULL;
}

static void one_holder_at_a_time(void **state)
{
	struct counter c = { .locks = keylock_new() };
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, &c), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(c.n, THREADS * ROUNDS);
	keylock_free(c.locks);
}

static void names_are_copied_and_dropped_in_any_order(void **state)
{
	struct keylock *locks = keylock_new();
	char name[] = "instance/c1";

	keylock_take(locks, name);
	name[0] = 'X';
	keylock_take(locks, "b");
	keylock_drop(locks, "instance/c1");
	keylock_take(locks, "instance/c1");
	keylock_drop(locks, "b");
	keylock_drop(locks, "instance/c1");
	keylock_free(locks);
	keylock_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_name_waits_and_another_does_not),
		cmocka_unit_test(one_holder_at_a_time),
		cmocka_unit_test(names_are_copied_and_dropped_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
