/* SPDX-License-Identifier: Apache-2.0 */
/* The set of operations: who is known, how they end, and how much is taken. */
#include <string.h>

#include "cluster/op/operation.h"
#include "tests/unit/cluster/store_world.h"
#include "tests/unit/base/patience.h"

#define JOBS_MAX 68 /* that run and wait in the world's pool */

static struct store_world world;
static struct ops *ops;

static int open_world(void **state)
{
	world_open(&world);
	world_start(&world);
	ops = ops_new(world.store, world.pool, world_location, world.cluster);
	return 0;
}

static int close_world(void **state)
{
	ops_free(ops);
	world_close(&world);
	return 0;
}

static struct op *begin(const struct op_spec *spec)
{
	struct err err = { 0 };
	struct op *op = op_start(ops, spec, &err);

	if (!op)
		fail_msg("%s", err.msg);
	return op;
}

static struct op *by_hand(void)
{
	return begin(&(struct op_spec){ .class = OP_WEBSOCKET, .description = "By hand" });
}

static void expect(struct op *op, const char *status, const char *error)
{
	_json_ json_t *j = op_json(op),
		      *fact = store_fact_get(world.store, FACT_OPERATION, op_id(op), NULL);

	assert_string_equal(json_str(j, "status", ""), status);
	assert_string_equal(json_str(j, "err", ""), error);
	/* what others see is what is said here */
	assert_string_equal(json_str(fact, "status", ""), status);
}

static void count(void *arg, struct op *op)
{
	++*(int *)arg;
}

static void count_cancel(void *arg)
{
	++*(int *)arg;
}

static void who_is_unknown_is_not_found(void **state)
{
	struct op *op = by_hand(), *found;

	assert_null(ops_find(ops, ""));
	assert_null(ops_find(ops, "550e8400-e29b-41d4-a716-446655440000"));
	found = ops_find(ops, op_id(op));
	assert_ptr_equal(found, op);
	op_unref(found);
	/* it is known as long as it runs, whoever lets go of it */
	found = op_ref(op);
	op_unref(op);
	expect(found, "Running", "");
	op_end(found, NULL);
	op_unref(found);
	op_unref(NULL);
}

static void an_end_is_one_end(void **state)
{
	struct op *op = by_hand();
	struct err late;
	int ended = 0;

	op_on_end(op, count, &ended);
	op_on_end(op, count, &ended);
	assert_int_equal(ended, 0);
	op_end(op, NULL);
	assert_int_equal(ended, 2);
	err_set(&late, ERR_INTERNAL, "too late");
	op_end(op, &late);
	assert_int_equal(ended, 2);
	expect(op, "Success", "");
	/* who asks afterwards is told at once */
	op_on_end(op, count, &ended);
	assert_int_equal(ended, 3);
	op_unref(op);
}

static void a_failure_says_why(void **state)
{
	struct op *op = by_hand();
	struct err why;

	err_set(&why, ERR_NO_SPACE, "the pool is full");
	op_end(op, &why);
	expect(op, "Failure", "the pool is full");
	op_unref(op);
}

static void what_is_set_after_the_end_is_not_told(void **state)
{
	struct op *op = by_hand();
	_json_ json_t *fact = NULL;

	op_set(op, "before", json_integer(1));
	op_end(op, NULL);
	op_set(op, "after", json_integer(2));
	op_progress(op, "late", "%d%%", 99);
	fact = store_fact_get(world.store, FACT_OPERATION, op_id(op), NULL);
	assert_int_equal(json_int(json_obj(fact, "metadata"), "before", 0), 1);
	assert_null(json_object_get(json_obj(fact, "metadata"), "after"));
	op_unref(op);
}

static void cancelling_is_told_once(void **state)
{
	int cancelled = 0, ended = 0;
	struct op *op = begin(&(struct op_spec){ .class = OP_WEBSOCKET,
						 .description = "Cancelled",
						 .may_cancel = true,
						 .arg = &cancelled,
						 .cancel = count_cancel });
	struct err err = { 0 };

	op_on_end(op, count, &ended);
	assert_false(op_cancelled(op));
	assert_int_equal(op_check(op, &err), 0);
	assert_int_equal(op_cancel(op, &err), 0);
	assert_int_equal(cancelled, 1);
	assert_int_equal(ended, 1);
	assert_true(op_cancelled(op));
	assert_int_equal(op_check(op, &err), -1);
	assert_int_equal(err.kind, ERR_CANCELLED);
	expect(op, "Cancelled", "the operation was cancelled");
	assert_int_equal(op_cancel(op, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(cancelled, 1);
	op_unref(op);
}

static void only_some_may_be_cancelled(void **state)
{
	struct op *task = by_hand();
	struct op *token = begin(&(struct op_spec){ .class = OP_TOKEN, .description = "Token" });
	struct err err = { 0 };

	assert_int_equal(op_cancel(task, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, op_id(task)));
	expect(task, "Running", "");
	assert_int_equal(op_cancel(token, &err), 0);
	op_end(task, NULL);
	op_unref(task);
	op_unref(token);
}

static void data_is_kept(void **state)
{
	struct op *op = by_hand();
	int data;

	assert_null(op_data(op));
	op_set_data(op, &data);
	assert_ptr_equal(op_data(op), &data);
	op_end(op, NULL);
	op_unref(op);
}

/* --- jobs ------------------------------------------------------------------------------------- */

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool open;
	int freed;
};

static int pass(struct op *op, void *arg, struct err *err)
{
	struct gate *g = arg;

	pthread_mutex_lock(&g->lock);
	while (!g->open)
		pthread_cond_wait(&g->opened, &g->lock);
	pthread_mutex_unlock(&g->lock);
	return 0;
}

static void note_freed(void *arg)
{
	__atomic_add_fetch(&((struct gate *)arg)->freed, 1, __ATOMIC_SEQ_CST);
}

static void too_much_work_is_refused(void **state)
{
	/* outlives the test: operations are known for some seconds more */
	static struct gate g = { .lock = PTHREAD_MUTEX_INITIALIZER,
				 .opened = PTHREAD_COND_INITIALIZER };
	struct op_spec spec = { .class = OP_TASK,
				.description = "Waiting",
				.run = pass,
				.arg = &g,
				.free_arg = note_freed };
	struct op *v[JOBS_MAX + 1], *op;
	struct err err = { 0 };
	int n = 0;

	while ((op = op_start(ops, &spec, &err))) {
		assert_true(n <= JOBS_MAX);
		v[n++] = op;
	}
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_in_range(n, JOBS_MAX - 4, JOBS_MAX);
	pthread_mutex_lock(&g.lock);
	g.open = true;
	pthread_cond_broadcast(&g.opened);
	pthread_mutex_unlock(&g.lock);
	/* what was taken comes to an end, all of it */
	assert_true(ops_drain(ops, PATIENCE));
	for (int i = 0; i < n; i++) {
		_json_ json_t *j = op_json(v[i]);
		const char *status = json_str(j, "status", "");

		assert_true(str_eq(status, "Success") || str_eq(status, "Cancelled"));
		op_unref(v[i]);
	}
}

/* The set of before is being ended: nothing new begins, and what was handed over is freed. */
static void nothing_begins_while_draining(void **state)
{
	struct gate g = { .open = true };
	struct op_spec spec = { .class = OP_TASK,
				.description = "Late",
				.run = pass,
				.arg = &g,
				.free_arg = note_freed };
	struct err err = { 0 };

	assert_null(op_start(ops, &spec, &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.msg, "the daemon is stopping");
	assert_int_equal(g.freed, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_unknown_is_not_found),
		cmocka_unit_test(an_end_is_one_end),
		cmocka_unit_test(a_failure_says_why),
		cmocka_unit_test(what_is_set_after_the_end_is_not_told),
		cmocka_unit_test(cancelling_is_told_once),
		cmocka_unit_test(only_some_may_be_cancelled),
		cmocka_unit_test(data_is_kept),
		cmocka_unit_test(too_much_work_is_refused),
		cmocka_unit_test(nothing_begins_while_draining),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
