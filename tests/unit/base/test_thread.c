/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tests/unit/base/patience.h"

struct seen {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char name[16];
	size_t stack;
	bool terminable, done;
};

static void seen_init(struct seen *s)
{
	*s = (struct seen){ .lock = PTHREAD_MUTEX_INITIALIZER };
	cond_init(&s->changed);
}

static void *look(void *arg)
{
	struct seen *s = arg;
	pthread_attr_t attr;
	sigset_t blocked;

	pthread_mutex_lock(&s->lock);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	s->terminable = !sigismember(&blocked, SIGTERM);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &s->stack);
	pthread_attr_destroy(&attr);
	s->done = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return arg;
}

static void threads_take_no_signals(void **state)
{
	struct seen s;
	struct err err;
	sigset_t mine;
	pthread_t t;
	void *ret;

	seen_init(&s);
	assert_int_equal(thread_start(&t, "looker", look, &s, &err), 0);
	assert_int_equal(pthread_join(t, &ret), 0);
	assert_ptr_equal(ret, &s);
	assert_true(s.done);
	assert_false(s.terminable);
	assert_int_equal(s.stack, 512 << 10);
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
}

static void *stay(void *arg)
{
	struct seen *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->done)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void threads_have_names(void **state)
{
	struct seen s;
	struct err err;
	pthread_t t;

	seen_init(&s);
	assert_int_equal(thread_start(&t, "dunlin-looker", stay, &s, &err), 0);
	assert_int_equal(pthread_getname_np(t, s.name, sizeof(s.name)), 0);
	assert_string_equal(s.name, "dunlin-looker");
	pthread_mutex_lock(&s.lock);
	s.done = true;
	pthread_cond_broadcast(&s.changed);
	pthread_mutex_unlock(&s.lock);
	pthread_join(t, NULL);
}

static void detached_threads_run(void **state)
{
	struct seen s;
	struct err err;

	seen_init(&s);
	pthread_mutex_lock(&s.lock);
	assert_int_equal(thread_detached("looker", look, &s, &err), 0);
	while (!s.done)
		assert_true(cond_wait_until(&s.changed, &s.lock, PATIENCE));
	pthread_mutex_unlock(&s.lock);
	assert_false(s.terminable);
}

static void waits_end_at_their_deadline(void **state)
{
	int64_t start = clock_ms();
	struct seen s;

	seen_init(&s);
	pthread_mutex_lock(&s.lock);
	assert_false(cond_wait_until(&s.changed, &s.lock, deadline_in(20)));
	assert_true(clock_ms() - start >= 20);
	assert_false(cond_wait_until(&s.changed, &s.lock, clock_ms() - 1));
	assert_false(cond_wait_until(&s.changed, &s.lock, 1));
	assert_true(clock_ms() - start < 20000);
	pthread_mutex_unlock(&s.lock);
}

static void no_deadline_waits_for_the_event(void **state)
{
	struct seen s;
	struct err err;
	pthread_t t;

	seen_init(&s);
	pthread_mutex_lock(&s.lock);
	assert_int_equal(thread_start(&t, "looker", look, &s, &err), 0);
	while (!s.done)
		assert_true(cond_wait_until(&s.changed, &s.lock, 0));
	pthread_mutex_unlock(&s.lock);
	pthread_join(t, NULL);
}

static bool readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

static void wakes_count_as_one_until_cleared(void **state)
{
	int fd = wake_new();

	assert_true(fd >= 0);
	assert_false(readable(fd));
	for (int i = 0; i < 1000; i++)
		wake_set(fd);
	assert_true(readable(fd));
	wake_clear(fd);
	assert_false(readable(fd));
	wake_clear(fd); /* does not wait */
	wake_set(fd);
	assert_true(readable(fd));
	close(fd);
}

static void a_full_counter_stays_readable(void **state)
{
	uint64_t most = UINT64_MAX - 1;
	int fd = wake_new();

	assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most));
	wake_set(fd);
	assert_true(readable(fd));
	wake_clear(fd);
	assert_false(readable(fd));
	close(fd);
}

static void no_descriptor_is_harmless(void **state)
{
	wake_set(-1);
	wake_clear(-1);
	assert_false(readable(-1));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_take_no_signals),
		cmocka_unit_test(threads_have_names),
		cmocka_unit_test(detached_threads_run),
		cmocka_unit_test(waits_end_at_their_deadline),
		cmocka_unit_test(no_deadline_waits_for_the_event),
		cmocka_unit_test(wakes_count_as_one_until_cleared),
		cmocka_unit_test(a_full_counter_stays_readable),
		cmocka_unit_test(no_descriptor_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
