/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cluster/store_world.h"

#include <string.h>

#include "cluster/op/operation.h"
#include "tests/unit/base/patience.h"

struct world {
	struct store_world w;
	struct ops *ops;
	struct box box;
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);

	world_open(&t->w);
	t->ops = ops_new(t->w.store, t->w.pool, world_location, t->w.cluster);
	world_start(&t->w);
	box_init(&t->box);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	assert_true(ops_drain(t->ops, PATIENCE));
	ops_free(t->ops);
	world_close(&t->w);
	free(t);
	return 0;
}

static void on_end(void *arg, struct op *op)
{
	_json_ json_t *j = op_json(op);

	box_put(arg, json_str(j, "status", "?"));
}

static int succeed(struct op *op, void *arg, struct err *err)
{
	op_set(op, "answer", json_integer(42));
	op_progress(op, "rootfs", "%d%%", 50);
	return 0;
}

static int refuse(struct op *op, void *arg, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "it is in the way");
}

static struct op *start(struct world *t, int (*run)(struct op *op, void *arg, struct err *err))
{
	struct err err = { 0 };
	struct op *op = op_start(t->ops,
				 &(struct op_spec){ .class = OP_TASK,
						    .description = "Testing",
						    .resource_kind = "instances",
						    .resource_name = "c1",
						    .key = "instance/c1",
						    .run = run },
				 &err);

	assert_non_null(op);
	return op;
}

/* An operation is of its resource's project, or says it when it has none. */
static void test_project(void **state)
{
	static const struct {
		const char *kind, *key, *said, *project, *url;
	} t[] = {
		{ "instances", "c1", NULL, PROJECT_DEFAULT, "/1.0/instances/c1" },
		{ "instances", "web~c1", NULL, "web", "/1.0/instances/c1?project=web" },
		{ NULL, NULL, "web", "web", NULL },
		{ NULL, NULL, PROJECT_DEFAULT, PROJECT_DEFAULT, NULL },
		{ NULL, NULL, NULL, PROJECT_DEFAULT, NULL },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct op_spec spec = { .class = OP_TASK,
					.description = "Testing",
					.resource_kind = t[i].kind,
					.resource_name = t[i].key,
					.project = t[i].said,
					.run = succeed };
		struct err err = { 0 };
		struct op *op = op_start(w->ops, &spec, &err);
		_json_ json_t *j = op_json(op);
		json_t *urls = json_arr(json_obj(j, "resources"), "instances");
		char project[PROJECT_SIZE];

		op_project(j, project);
		assert_string_equal(project, t[i].project);
		/* Clients that know no projects see what they always saw. */
		assert_int_equal(json_object_get(j, "project") != NULL, i == 2);
		if (t[i].url)
			assert_string_equal(json_string_value(json_array_get(urls, 0)), t[i].url);
		op_unref(op);
	}
}

static void test_success(void **state)
{
	struct world *t = *state;
	struct op *op = start(t, succeed), *found;
	_json_ json_t *j = NULL, *fact = NULL;
	char member[64];

	op_on_end(op, on_end, &t->box);
	assert_true(box_wait(&t->box, 1, PATIENCE_MS));
	assert_string_equal(t->box.last, "Success");
	j = op_json(op);
	assert_int_equal(json_int(j, "status_code", 0), 200);
	assert_int_equal(json_int(json_obj(j, "metadata"), "answer", 0), 42);
	assert_string_equal(json_str(json_obj(j, "metadata"), "rootfs_progress", ""), "50%");
	assert_string_equal(json_string_value(json_array_get(
				    json_arr(json_obj(j, "resources"), "containers"), 0)),
			    "/1.0/containers/c1");
	assert_string_equal(json_str(j, "location", ""), "none");
	fact = store_fact_get(t->w.store, FACT_OPERATION, op_id(op), member);
	assert_true(json_equal(fact, j));
	found = ops_find(t->ops, op_id(op));
	assert_ptr_equal(found, op);
	op_unref(found);
	/* A late listener is told at once. */
	op_on_end(op, on_end, &t->box);
	assert_int_equal(t->box.count, 2);
	op_unref(op);
}

static void test_failure(void **state)
{
	struct world *t = *state;
	struct op *op = start(t, refuse);
	_json_ json_t *j = NULL;

	op_on_end(op, on_end, &t->box);
	assert_true(box_wait(&t->box, 1, PATIENCE_MS));
	j = op_json(op);
	assert_int_equal(json_int(j, "status_code", 0), 400);
	assert_string_equal(json_str(j, "err", ""), "it is in the way");
	op_unref(op);
}

static int count_freed(void *arg)
{
	return ++*(int *)arg;
}

static void free_arg(void *arg)
{
	count_freed(arg);
}

/* Without a run function somebody else ends it, or it is cancelled. */
static void test_cancel(void **state)
{
	struct world *t = *state;
	struct op_spec spec = { .class = OP_TOKEN, .description = "Executing operation" };
	struct err err = { 0 }, again = { 0 };
	struct op *op = op_start(t->ops, &spec, &err);
	_json_ json_t *j = NULL;

	assert_non_null(op);
	assert_int_equal(op_cancel(op, &err), 0);
	j = op_json(op);
	assert_int_equal(json_int(j, "status_code", 0), 401);
	assert_int_equal(op_cancel(op, &again), -1);
	assert_int_equal(again.kind, ERR_INVALID);
	op_unref(op);
}

static void test_not_cancellable(void **state)
{
	struct world *t = *state;
	int freed = 0;
	struct op_spec spec = { .class = OP_WEBSOCKET,
				.description = "Executing command",
				.arg = &freed,
				.free_arg = free_arg };
	struct err err = { 0 };
	struct op *op = op_start(t->ops, &spec, &err);

	assert_int_equal(op_cancel(op, &err), -1);
	op_set_data(op, &freed);
	assert_ptr_equal(op_data(op), &freed);
	op_end(op, NULL);
	op_end(op, &err); /* the first end counts */
	op_unref(op);
	assert_true(ops_drain(t->ops, PATIENCE));
	ops_free(t->ops);
	assert_int_equal(freed, 1);
	t->ops = ops_new(t->w.store, t->w.pool, world_location, t->w.cluster);
}

struct order {
	pthread_mutex_t lock;
	int running, overlaps;
	struct box *box;
};

static int overlap(struct op *op, void *arg, struct err *err)
{
	struct order *o = arg;

	pthread_mutex_lock(&o->lock);
	o->overlaps += o->running++ > 0;
	pthread_mutex_unlock(&o->lock);
	for (int i = 0; i < 100; i++)
		op_check(op, err);
	pthread_mutex_lock(&o->lock);
	o->running--;
	pthread_mutex_unlock(&o->lock);
	box_put(o->box, "");
	return 0;
}

static void test_same_key_in_order(void **state)
{
	struct world *t = *state;
	struct order o = { .lock = PTHREAD_MUTEX_INITIALIZER, .box = &t->box };
	struct err err = { 0 };

	for (int i = 0; i < 50; i++)
		op_unref(op_start(t->ops,
				  &(struct op_spec){ .description = "Testing",
						     .key = "instance/c1",
						     .run = overlap,
						     .arg = &o },
				  &err));
	assert_true(box_wait(&t->box, 50, PATIENCE_MS));
	assert_int_equal(o.overlaps, 0);
}

static void cancelled(void *arg)
{
	box_put(arg, "cancelled");
}

/* A stop ends what nobody runs, takes nothing new, and waits for the rest. */
static void test_drain(void **state)
{
	struct world *t = *state;
	struct op_spec spec = { .class = OP_WEBSOCKET,
				.description = "Executing command",
				.arg = &t->box,
				.cancel = cancelled };
	struct err err = { 0 };
	struct op *open = op_start(t->ops, &spec, &err), *job = start(t, succeed);
	_json_ json_t *ended = NULL, *done = NULL;

	assert_non_null(open);
	assert_true(ops_drain(t->ops, PATIENCE));
	assert_true(box_wait(&t->box, 1, 0));
	ended = op_json(open);
	assert_int_equal(json_int(ended, "status_code", 0), 401);
	done = op_json(job);
	assert_true(json_int(done, "status_code", 0) >= 200);
	assert_null(op_start(t->ops, &spec, &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	op_unref(open);
	op_unref(job);
}

/* updated_at orders the versions of an operation: it grows with every publication. */
static void test_updates_grow(void **state)
{
	struct world *t = *state;
	struct op_spec spec = { .class = OP_TASK, .description = "Testing" };
	struct err err = { 0 };
	struct op *op = op_start(t->ops, &spec, &err);
	_free_ char *before = NULL;

	for (int i = 0; i < 200; i++) {
		_json_ json_t *j = NULL;

		op_set(op, "i", json_integer(i));
		j = op_json(op);
		if (before)
			assert_true(strcmp(before, json_str(j, "updated_at", "")) < 0);
		free(before);
		before = xstrdup(json_str(j, "updated_at", ""));
	}
	op_end(op, NULL);
	op_unref(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_project, setup, teardown),
		cmocka_unit_test_setup_teardown(test_success, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_cancellable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_key_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_updates_grow, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
