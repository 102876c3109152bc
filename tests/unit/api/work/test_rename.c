/* SPDX-License-Identifier: Apache-2.0 */
/* An instance gets another name, with all that bears it. */
#include "tests/unit/api/instance/instance_world.h"

#include "api/work/job.h"
#include "cluster/model/state.h"

static char *volume_of(struct api_world *t, const char *name)
{
	return xasprintf("%s/storage-pools/default/containers/%s", t->w.dir, name);
}

static void make_volume(struct api_world *t, const char *name)
{
	_free_ char *dir = volume_of(t, name);
	struct err err = { 0 };

	assert_int_equal(io_mkdirs(dir, 0700, &err), 0);
}

static bool has_volume(struct api_world *t, const char *name)
{
	_free_ char *dir = volume_of(t, name);

	return io_exists(dir);
}

static void the_row_and_the_volume(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *j = NULL;

	make_volume(t, "c2");
	api_expect(t, "POST /1.0/instances/c2", "{\"name\":\"c5\"}", 202);
	api_await(t);
	api_expect(t, "GET /1.0/instances/c2", NULL, 404);
	api_expect(t, "GET /1.0/instances/c5", NULL, 200);
	j = api_answer(t);
	assert_string_equal(json_str(j, "name", ""), "c5");
	assert_string_equal(json_str(json_obj(j, "config"), "user.b", ""), "own");
	assert_false(has_volume(t, "c2"));
	assert_true(has_volume(t, "c5"));
}

/* Files that no row speaks of are another server's, or of an earlier life. */
static void not_over_files_that_are_there(void **state)
{
	struct api_world *t = *state;
	_row_ struct row row = { 0 };
	struct err err;

	make_volume(t, "c2");
	make_volume(t, "c5");
	api_expect(t, "POST /1.0/instances/c2", "{\"name\":\"c5\"}", 202);
	api_await_failure(t, "containers/c5 is there already");
	assert_int_equal(store_get(t->w.store, ENT_INSTANCE, "c2", &row, &err), 0);
	assert_string_equal(json_str(row.doc, "state", ""), "ready");
	assert_true(has_volume(t, "c2"));
	assert_true(has_volume(t, "c5"));
	api_expect(t, "GET /1.0/instances/c5", NULL, 404);
}

static char *folder_of(struct api_world *t, const char *name)
{
	return xasprintf("%s/containers/%s", t->w.dir, name);
}

/* A daemon that ended within a rename finds its row when it starts. */
static void settle(struct api_world *t, const char *name, const char *new_name)
{
	_row_ struct row row = { 0 }, after = { 0 };
	struct err err;

	assert_int_equal(store_get(t->w.store, ENT_INSTANCE, name, &row, &err), 0);
	assert_int_equal(inst_become(row.doc, INST_RENAMING, new_name, &err), 0);
	world_put(&t->w, ENT_INSTANCE, name, json_incref(row.doc));
	if (rename_settle(&t->env, &row, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(store_get(t->w.store, ENT_INSTANCE, name, &after, &err), 0);
	assert_string_equal(json_str(after.doc, "state", ""), "ready");
}

static void what_has_the_new_name_gets_the_old_one_back(void **state)
{
	struct api_world *t = *state;
	_free_ char *here = folder_of(t, "c2"), *there = folder_of(t, "c5");
	struct err err;

	make_volume(t, "c2");
	assert_int_equal(io_mkdirs(there, 0700, &err), 0);
	settle(t, "c2", "c5");
	assert_true(io_exists(here));
	assert_false(io_exists(there));
	assert_true(has_volume(t, "c2"));
}

/* One that has never run has no folder of its own. */
static void nothing_is_taken_from_the_one_that_has_the_name(void **state)
{
	struct api_world *t = *state;
	_free_ char *here = folder_of(t, "c2"), *there = folder_of(t, "c1");
	struct err err;

	make_volume(t, "c1");
	assert_int_equal(io_mkdirs(there, 0700, &err), 0);
	settle(t, "c2", "c1");
	assert_true(io_exists(there));
	assert_false(io_exists(here));
	assert_true(has_volume(t, "c1"));
	assert_false(has_volume(t, "c2"));
}

static void to_names_that_are_taken(void **state)
{
	static const struct api_case cases[] = {
		{ "POST /1.0/instances/c2", "{'name':'c1'}", 409, "\"c1\" already exists" },
		{ "POST /1.0/instances/c2", "{'name':'a b'}", 400, "a b" },
		{ "POST /1.0/instances/c9", "{'name':'c8'}", 404, "c9" },
	};
	struct api_world *t = *state;

	api_cases(t, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_row_and_the_volume, instance_world_open,
						api_world_close),
		cmocka_unit_test_setup_teardown(not_over_files_that_are_there, instance_world_open,
						api_world_close),
		cmocka_unit_test_setup_teardown(what_has_the_new_name_gets_the_old_one_back,
						instance_world_open, api_world_close),
		cmocka_unit_test_setup_teardown(nothing_is_taken_from_the_one_that_has_the_name,
						instance_world_open, api_world_close),
		cmocka_unit_test_setup_teardown(to_names_that_are_taken, instance_world_open,
						api_world_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
