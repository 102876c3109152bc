/* SPDX-License-Identifier: Apache-2.0 */
/* An instance gets another name, with all that bears it. */
#include "tests/unit/api/instance/instance_world.h"

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
		cmocka_unit_test_setup_teardown(to_names_that_are_taken, instance_world_open,
						api_world_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
