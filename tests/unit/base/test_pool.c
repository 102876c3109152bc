/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "tests/unit/base/patience.h"

/* Items enter, are counted, and stay until the gate opens. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	int inside, most, done;
};

static void gate_init(struct gate *g)
{
	*g = (struct gate){ .lock = PTHREAD_MUTEX_INITIALIZER };
	cond_init(&g->changed);
}

static void pass(void *arg)
{
	struct gate *g = arg;

	pthread_mutex_lock(&g->lock);
	g->inside++;
	g->most = g->inside > g->most ? g->inside : g->most;
	pthread_cond_broadcast(&g->changed);
	while (!g->open)
		pthread_cond_wait(&g->changed, &g->lock);
	g->inside--;
	g->done++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void gate_wait(struct gate *g, const int *counter, int want)
{
	int64_t deadline = PATIENCE;

	pthread_mutex_lock(&g->lock);
	while (*counter < want)
		assert_true(cond_wait_until(&g->changed, &g->lock, deadline));
	pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void keys_are_of_the_text(void **state)
{
	assert_true(pool_key("") != 0);
	assert_true(pool_key("c1") == pool_key("c1"));
	assert_true(pool_key("c1") != pool_key("c2"));
	assert_true(pool_key("c1") != pool_key("c11"));
	assert_true(pool_key("ab") != pool_key("ba"));
}

struct trace {
	pthread_mutex_t lock;
	int inside, most, next;
	bool broken;
};

struct numbered {
	struct trace *trace;
	int number;
};

static void note(void *arg)
{
	struct numbered *n = arg;
	struct trace *t = n->trace;

	pthread_mutex_lock(&t->lock);
	t->inside++;
	t->most = t->inside > t->most ? t->inside : t->most;
	t->broken |= n->number != t->next++;
	pthread_mutex_unlock(&t->lock);
	sched_yield();
	pthread_mutex_lock(&t->lock);
	t->inside--;
	pthread_mutex_unlock(&t->lock);
	free(n);
}

/* Three keys in turn: each alone is in order and one at a time. */
static void a_key_runs_in_order_one_at_a_time(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = { [POOL_FAST] = { 8, 4096 } };
	struct trace traces[3] = { [0 ... 2] = { .lock = PTHREAD_MUTEX_INITIALIZER } };
	static const char *const keys[] = { "c1", "c2", "c3" };
	struct pool *p = pool_new(bounds);
	struct err err;

	for (int i = 0; i < 900; i++) {
		struct numbered *n = xnew(struct numbered);

		*n = (struct numbered){ &traces[i % 3], i / 3 };
		assert_int_equal(pool_submit(p, POOL_FAST, pool_key(keys[i % 3]), note, n, &err),
				 0);
	}
	pool_free(p);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(traces[i].next, 300);
		assert_int_equal(traces[i].most, 1);
		assert_false(traces[i].broken);
	}
}

static void items_without_a_key_run_side_by_side(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = { [POOL_JOB] = { 4, 100 } };
	struct pool *p = pool_new(bounds);
	struct gate g;
	struct err err;

	gate_init(&g);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pool_submit(p, POOL_JOB, 0, pass, &g, &err), 0);
	gate_wait(&g, &g.inside, 4);
	gate_open(&g);
	pool_free(p);
	assert_int_equal(g.done, 4);
}

static void a_lane_keeps_to_its_threads(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = { [POOL_JOB] = { 2, 100 } };
	struct pool *p = pool_new(bounds);
	struct gate g;
	struct err err;

	gate_init(&g);
	for (int i = 0; i < 20; i++)
		assert_int_equal(pool_submit(p, POOL_JOB, 0, pass, &g, &err), 0);
	gate_wait(&g, &g.inside, 2);
	gate_open(&g);
	pool_free(p);
	assert_int_equal(g.done, 20);
	assert_int_equal(g.most, 2);
}

/* An item behind a busy key does not wait for it, though it came later. */
static void a_busy_key_holds_up_only_itself(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = { [POOL_FAST] = { 2, 100 } };
	struct pool *p = pool_new(bounds);
	struct gate held, other;
	struct err err;

	gate_init(&held);
	gate_init(&other);
	gate_open(&other);
	assert_int_equal(pool_submit(p, POOL_FAST, 7, pass, &held, &err), 0);
	gate_wait(&held, &held.inside, 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(pool_submit(p, POOL_FAST, 7, pass, &held, &err), 0);
	assert_int_equal(pool_submit(p, POOL_FAST, 8, pass, &other, &err), 0);
	assert_int_equal(pool_submit(p, POOL_FAST, 0, pass, &other, &err), 0);
	gate_wait(&other, &other.done, 2);
	assert_int_equal(held.done, 0);
	gate_open(&held);
	pool_free(p);
	assert_int_equal(held.done, 6);
	assert_int_equal(held.most, 1);
}

static void a_full_queue_refuses(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = { [POOL_JOB] = { 1, 10 } };
	struct pool *p = pool_new(bounds);
	struct err err = { 0 };
	struct gate g;

	gate_init(&g);
	assert_int_equal(pool_submit(p, POOL_JOB, 0, pass, &g, &err), 0);
	gate_wait(&g, &g.inside, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pool_submit(p, POOL_JOB, 0, pass, &g, &err), 0);
	assert_int_equal(pool_submit(p, POOL_JOB, 0, pass, &g, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_non_null(strstr(err.msg, "try again"));
	gate_open(&g);
	pool_free(p);
	assert_int_equal(g.done, 11);
}

/* What fills one lane leaves the others as they are. */
static void lanes_are_apart(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = {
		[POOL_FAST] = { 1, 1 }, [POOL_GUEST] = { 1, 1 }
	};
	struct pool *p = pool_new(bounds);
	struct gate stuck, free_way;
	struct err err = { 0 };

	gate_init(&stuck);
	gate_init(&free_way);
	gate_open(&free_way);
	assert_int_equal(pool_submit(p, POOL_GUEST, 5, pass, &stuck, &err), 0);
	gate_wait(&stuck, &stuck.inside, 1);
	assert_int_equal(pool_submit(p, POOL_GUEST, 5, pass, &stuck, &err), 0);
	assert_int_equal(pool_submit(p, POOL_GUEST, 5, pass, &stuck, &err), -1);
	/* the same key in another lane is another key */
	assert_int_equal(pool_submit(p, POOL_FAST, 5, pass, &free_way, &err), 0);
	gate_wait(&free_way, &free_way.done, 1);
	gate_open(&stuck);
	pool_free(p);
	assert_int_equal(stuck.done, 2);
}

static void a_lane_without_threads_takes_nothing(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = {
		[POOL_JOB] = { 0, 100 }, [POOL_FAST] = { 1, 0 }
	};
	struct pool *p = pool_new(bounds);
	struct err err = { 0 };

	for (int lane = 0; lane < POOL_LANES; lane++) {
		assert_int_equal(pool_submit(p, lane, 0, pass, NULL, &err), -1);
		assert_int_equal(err.kind, ERR_LIMIT);
	}
	pool_free(p);
}

struct chain {
	struct pool *pool;
	struct gate *gate;
	int left;
};

static void submit_next(void *arg)
{
	struct chain *c = arg;
	struct err err;

	if (c->left-- > 0)
		assert_int_equal(pool_submit(c->pool, POOL_JOB, 1, submit_next, c, &err), 0);
	else
		pass(c->gate);
}

static void items_may_submit_more(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = { [POOL_JOB] = { 2, 2 } };
	struct pool *p = pool_new(bounds);
	struct gate g;
	struct chain c = { p, &g, 50 };
	struct err err;

	gate_init(&g);
	gate_open(&g);
	assert_int_equal(pool_submit(p, POOL_JOB, 1, submit_next, &c, &err), 0);
	gate_wait(&g, &g.done, 1);
	pool_free(p);
}

struct submitter {
	struct pool *pool;
	struct gate *gate;
};

static void *submit_many(void *arg)
{
	struct submitter *s = arg;
	struct err err;

	for (uint64_t i = 0; i < 200; i++)
		assert_int_equal(pool_submit(s->pool, i % POOL_LANES, i % 3, pass, s->gate, &err),
				 0);
	return NULL;
}

static void many_threads_submit(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = { [0 ... POOL_LANES - 1] = { 3,
											 1000 } };
	struct pool *p = pool_new(bounds);
	struct submitter s = { p, NULL };
	pthread_t t[4];
	struct gate g;

	gate_init(&g);
	gate_open(&g);
	s.gate = &g;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, submit_many, &s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	pool_free(p);
	assert_int_equal(g.done, 800);
	assert_in_range(g.most, 1, 3 * POOL_LANES);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_of_the_text),
		cmocka_unit_test(a_key_runs_in_order_one_at_a_time),
		cmocka_unit_test(items_without_a_key_run_side_by_side),
		cmocka_unit_test(a_lane_keeps_to_its_threads),
		cmocka_unit_test(a_busy_key_holds_up_only_itself),
		cmocka_unit_test(a_full_queue_refuses),
		cmocka_unit_test(lanes_are_apart),
		cmocka_unit_test(a_lane_without_threads_takes_nothing),
		cmocka_unit_test(items_may_submit_more),
		cmocka_unit_test(many_threads_submit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
