/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about storage pools: their driver, and the folder that they are in. */
#include "tests/unit/api/api_world.h"

#include <sys/stat.h>

#include "node/storage/storage.h"

static void are_made_with_a_driver(void **state)
{
	struct api_world *t = *state;
	_free_ char *source = NULL;
	_json_ json_t *j = NULL;
	struct stat st;

	api_expect(t, "POST /1.0/storage-pools", "{\"name\":\"p\", \"driver\":\"dir\"}", 201);
	api_expect(t, "GET /1.0/storage-pools/p", NULL, 200);
	j = api_answer(t);
	source = xasprintf("%s/storage-pools/p", t->w.dir);
	assert_string_equal(json_str(j, "driver", ""), "dir");
	assert_string_equal(json_str(j, "status", ""), "Created");
	assert_string_equal(json_str(json_obj(j, "config"), "source", ""), source);
	assert_int_equal(json_array_size(json_arr(j, "locations")), 1);
	assert_int_equal(stat(source, &st), 0);
	api_expect(t, "DELETE /1.0/storage-pools/p", NULL, 200);
	assert_int_equal(stat(source, &st), -1);
}

static void the_first_driver_is_that_of_a_pool_without_one(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *j = NULL;

	api_expect(t, "POST /1.0/storage-pools", "{\"name\":\"p\"}", 201);
	api_expect(t, "GET /1.0/storage-pools/p", NULL, 200);
	j = api_answer(t);
	assert_string_equal(json_str(j, "driver", ""), storage_driver_default());
	api_expect(t, "DELETE /1.0/storage-pools/p", NULL, 200);
}

/* Clients send back what they were shown, the folder as well, which is in no row. */
static void the_source_stays(void **state)
{
	static const struct api_case cases[] = {
		{ "PUT /1.0/storage-pools/p", "{'config':{'source':'/elsewhere'}}", 400,
		  "storage pool \"p\": \"source\" can't be changed" },
		{ "PATCH /1.0/storage-pools/p", "{'config':{'source':'/elsewhere'}}", 400,
		  "\"source\" can't be changed" },
		{ "PUT /1.0/storage-pools/p", "{'driver':'overlay'}", 400, "driver" },
		{ "PUT /1.0/storage-pools/p", "{'config':{'size':'1GiB'}}", 400, "size" },
	};
	struct api_world *t = *state;
	_free_ char *body = NULL;
	_row_ struct row row = { 0 };
	struct err err;

	api_expect(t, "POST /1.0/storage-pools", "{\"name\":\"p\", \"driver\":\"dir\"}", 201);
	api_cases(t, cases, ARRAY_SIZE(cases));
	body = xasprintf("{\"config\":{\"source\":\"%s/storage-pools/p\", \"user.a\":\"b\"}}",
			 t->w.dir);
	api_expect(t, "PUT /1.0/storage-pools/p", body, 200);
	assert_int_equal(store_get(t->w.store, ENT_POOL, "p", &row, &err), 0);
	assert_string_equal(json_str(json_obj(row.doc, "config"), "user.a", ""), "b");
	assert_null(json_object_get(json_obj(row.doc, "config"), "source"));
}

static void the_source_is_not_taken_away(void **state)
{
	struct api_world *t = *state;
	_free_ char *body = xasprintf("{\"name\":\"p\", \"driver\":\"dir\", \"config\":"
				      "{\"source\":\"%s/disk\"}}",
				      t->w.dir);
	_free_ char *folder = xasprintf("%s/disk", t->w.dir);

	assert_int_equal(mkdir(folder, 0700), 0);
	api_expect(t, "POST /1.0/storage-pools", body, 201);
	api_refused(t, "PUT /1.0/storage-pools/p", "{}", 400, "source can't be changed");
	api_expect(t, "PATCH /1.0/storage-pools/p", "{\"description\":\"d\"}", 200);
}

static void what_is_refused(void **state)
{
	static const struct api_case cases[] = {
		{ "POST /1.0/storage-pools", "{}", 400, "name" },
		{ "POST /1.0/storage-pools", "{'name':'a/b'}", 400, "1 to 63 bytes" },
		{ "POST /1.0/storage-pools", "{'name':'a~b'}", 400, "1 to 63 bytes" },
		{ "POST /1.0/storage-pools", "{'name':'..'}", 400, "name" },
		{ "POST /1.0/storage-pools", "{'name':'p', 'driver':'floppy'}", 400, "floppy" },
		{ "POST /1.0/storage-pools", "{'name':'p', 'driver':'dir', 'config':{'x':'y'}}",
		  400, "x" },
		{ "POST /1.0/storage-pools",
		  "{'name':'p', 'driver':'dir', 'config':{'source':'relative'}}", 400, "source" },
		{ "GET /1.0/storage-pools/p", NULL, 404, "Storage pool not found: \"p\"" },
		{ "GET /1.0/storage-pools/p/resources", NULL, 404,
		  "Storage pool not found: \"p\"" },
		{ "DELETE /1.0/storage-pools/p", NULL, 404, "Storage pool not found: \"p\"" },
	};
	struct api_world *t = *state;

	api_cases(t, cases, ARRAY_SIZE(cases));
}

/* What could not be written down is not left on the disk. */
static void a_pool_that_is_there_stays_as_it_is(void **state)
{
	struct api_world *t = *state;
	_free_ char *source = xasprintf("%s/storage-pools/p", t->w.dir);
	struct stat st;

	api_expect(t, "POST /1.0/storage-pools", "{\"name\":\"p\", \"driver\":\"dir\"}", 201);
	api_expect(t, "POST /1.0/storage-pools", "{\"name\":\"p\", \"driver\":\"dir\"}", 409);
	assert_int_equal(stat(source, &st), 0);
}

static void its_space(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *j = NULL;
	const json_t *space;

	api_expect(t, "POST /1.0/storage-pools", "{\"name\":\"p\", \"driver\":\"dir\"}", 201);
	api_expect(t, "GET /1.0/storage-pools/p/resources", NULL, 200);
	j = api_answer(t);
	space = json_obj(j, "space");
	assert_true(json_int(space, "total", 0) > 0);
	assert_in_range(json_int(space, "used", -1), 0, json_int(space, "total", 0));
}

static void one_that_is_used_stays(void **state)
{
	struct api_world *t = *state;

	api_expect(t, "POST /1.0/storage-pools", "{\"name\":\"p\", \"driver\":\"dir\"}", 201);
	api_expect(t, "POST /1.0/profiles",
		   "{\"name\":\"big\", \"devices\":{\"root\":{\"type\":\"disk\", \"path\":\"/\", "
		   "\"pool\":\"p\"}}}",
		   201);
	api_refused(t, "DELETE /1.0/storage-pools/p", NULL, 400, "by profile \"big\"");
	api_expect(t, "DELETE /1.0/profiles/big", NULL, 200);
	api_expect(t, "DELETE /1.0/storage-pools/p", NULL, 200);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_world_open, api_world_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(are_made_with_a_driver),
		T(the_first_driver_is_that_of_a_pool_without_one),
		T(the_source_stays),
		T(the_source_is_not_taken_away),
		T(what_is_refused),
		T(a_pool_that_is_there_stays_as_it_is),
		T(its_space),
		T(one_that_is_used_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
