/* SPDX-License-Identifier: Apache-2.0 */
/* The table of jobs, and how one is started: with a real store and pool, and jobs of this test. */
#include "tests/unit/cluster/store_world.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api/work/job.h"
#include "api/work/state.h"
#include "tests/unit/base/patience.h"

/* --- the table ------------------------------------------------------------------------------- */

static void test_rows_are_whole(void **state)
{
	for (size_t i = 0; i < JOB_COUNT; i++) {
		const struct job_kind *k = &jobs[i];

		assert_true(strlen(k->description) > 0);
		assert_non_null(k->run);
		/* Recovery knows a job by the state of an instance's row alone. */
		assert_int_equal(k->settle != NULL, k->state != INST_READY);
		assert_int_equal(k->settled != NULL, k->settle != NULL);
		if (k->settle)
			assert_int_equal(k->on, ENT_INSTANCE);
		for (size_t n = 0; n < i; n++)
			assert_string_not_equal(jobs[n].description, k->description);
	}
}

/* What a crash can leave in a row is settled by one job, and the other way round. */
static void test_each_state_has_one_job(void **state)
{
	struct api_state tables = { 0 };
	struct api_env env = { .state = &tables };

	state_give_tables(&tables);
	for (int s = 0; s <= INST_FOREIGN; s++) {
		const struct job_kind *found = job_of_state(&env, (enum inst_state)s);
		int n = 0;

		for (size_t i = 0; i < JOB_COUNT; i++)
			n += jobs[i].settle && (int)jobs[i].state == s;
		assert_int_equal(n, s != INST_READY && s != INST_FOREIGN);
		assert_int_equal(found != NULL, n == 1);
	}
	assert_ptr_equal(job_of_state(&env, INST_RENAMING), &jobs[JOB_RENAME]);
}

/* --- starting one ---------------------------------------------------------------------------- */

struct world {
	struct store_world w;
	struct api_env env;
	struct box box;
	int busy, most; /* jobs of one object at once */
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);

	world_open(&t->w);
	t->env = (struct api_env){
		.dir = t->w.dir, .cluster = t->w.cluster, .store = t->w.store, .pool = t->w.pool
	};
	t->env.ops = ops_new(t->w.store, t->w.pool, world_location, t->w.cluster);
	world_start(&t->w);
	box_init(&t->box);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	assert_true(ops_drain(t->env.ops, PATIENCE));
	ops_free(t->env.ops);
	world_close(&t->w);
	free(t);
	return 0;
}

static struct world *world_of(const struct job *j)
{
	return (struct world *)((char *)j->env - offsetof(struct world, env));
}

static int run_one(struct job *j, struct err *err)
{
	struct world *t = world_of(j);
	int busy = __atomic_add_fetch(&t->busy, 1, __ATOMIC_SEQ_CST);

	if (busy > t->most)
		t->most = busy;
	assert_non_null(j->op);
	box_put(&t->box, json_str(j->args, "word", "none"));
	__atomic_sub_fetch(&t->busy, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static int refuse(struct job *j, struct err *err)
{
	return err_set(err, ERR_FORBIDDEN, "%s may not: %s", j->name,
		       json_str(j->args, "word", ""));
}

static const struct job_kind on_image = {
	.description = "Testing",
	.on = ENT_IMAGE,
	.run = run_one,
	.state = INST_READY,
};
static const struct job_kind alone = {
	.description = "Testing",
	.on = ENT_MAX,
	.lock = "test",
	.run = run_one,
	.state = INST_READY,
};
static const struct job_kind refused = {
	.description = "Testing",
	.on = ENT_INSTANCE,
	.check = refuse,
	.run = run_one,
	.state = INST_READY,
};

static struct op *start(struct world *t, const struct job_kind *k, const char *name,
			struct err *err)
{
	return job_start(&t->env,
			 &(struct job_order){ .kind = k,
					      .name = name,
					      .own_args = json_pack("{s:s}", "word", "hello") },
			 err);
}

static void test_arguments_and_resources(void **state)
{
	struct world *t = *state;
	_json_ json_t *shown = NULL;
	struct err err = { 0 };
	struct op *op = start(t, &on_image, "abc", &err);
	json_t *urls;

	assert_non_null(op);
	assert_true(box_wait(&t->box, 1, PATIENCE_MS));
	assert_string_equal(t->box.last, "hello");
	shown = op_json(op);
	assert_string_equal(json_str(shown, "description", ""), "Testing");
	urls = json_arr(json_obj(shown, "resources"), "images");
	assert_string_equal(json_string_value(json_array_get(urls, 0)), "/1.0/images/abc");
	op_unref(op);
}

static void test_metadata(void **state)
{
	struct world *t = *state;
	struct job_order o = { .kind = &alone,
			       .own_metadata = json_pack("{s:s}", "why", "because") };
	_json_ json_t *shown = NULL;
	struct err err = { 0 };
	struct op *op = job_start(&t->env, &o, &err);

	assert_non_null(op);
	assert_true(box_wait(&t->box, 1, PATIENCE_MS));
	assert_string_equal(t->box.last, "none");
	shown = op_json(op);
	assert_string_equal(json_str(json_obj(shown, "metadata"), "why", ""), "because");
	op_unref(op);
}

static void test_refused_before_there_is_an_operation(void **state)
{
	struct world *t = *state;
	struct err err = { 0 };

	assert_null(start(t, &refused, "c1", &err));
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	assert_string_equal(err.msg, "c1 may not: hello");
	assert_int_equal(t->box.count, 0);
}

/* Descriptors are closed whether it ran or not. */
static void test_descriptors(void **state)
{
	static const struct job_kind *const kinds[] = { &alone, &refused };
	struct world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		struct job_order o = { .kind = kinds[i],
				       .name = i ? "c1" : NULL,
				       .own_fd = { fd, -1 },
				       .has_fds = true };
		struct err err = { 0 };
		struct op *op = job_start(&t->env, &o, &err);

		assert_true(fd >= 0);
		assert_int_equal(op != NULL, i == 0);
		if (op)
			op_unref(op);
		assert_true(i || box_wait(&t->box, 1, PATIENCE_MS));
		assert_true(i == 0 || fcntl(fd, F_GETFD) < 0);
	}
}

static void test_one_at_a_time(void **state)
{
	struct world *t = *state;
	struct err err = { 0 };

	for (int i = 0; i < 20; i++) {
		struct op *op = start(t, &on_image, "abc", &err);

		assert_non_null(op);
		op_unref(op);
	}
	assert_true(box_wait(&t->box, 20, PATIENCE_MS));
	assert_int_equal(t->most, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_whole),
		cmocka_unit_test(test_each_state_has_one_job),
		cmocka_unit_test_setup_teardown(test_arguments_and_resources, setup, teardown),
		cmocka_unit_test_setup_teardown(test_metadata, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_before_there_is_an_operation, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
