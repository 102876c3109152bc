/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of an instance that does not run: their routes, rows and copies. */
#include "tests/unit/api/instance/instance_world.h"

#include "api/work/snapshot.h"
#include "api/work/job.h"
#include "api/work/spec.h"
#include "api/work/task.h"
#include "cluster/model/state.h"
#include "node/node_int.h"
#include "node/storage/storage.h"

#define S "/1.0/instances/c1/snapshots"

static int open_world(void **state)
{
	struct api_world *t;
	_free_ char *root = NULL, *file = NULL;
	struct err err = { 0 };

	instance_world_open(state);
	t = *state;
	root = xasprintf("%s/storage-pools/default/containers/c1/rootfs", t->w.dir);
	file = xasprintf("%s/file", root);
	assert_int_equal(io_mkdirs(root, 0755, &err), 0);
	assert_int_equal(io_write_file(file, "text", 4, 0644, &err), 0);
	return 0;
}

static void take(struct api_world *t, const char *body)
{
	api_expect(t, "POST " S, body, 202);
	api_await(t);
}

/* How many copies there are on the disk. */
static int copies(struct api_world *t, const char *instance)
{
	_free_ char *dir = xasprintf("%s/storage-pools/default/containers/%s/snapshots", t->w.dir,
				     instance);
	_json_ json_t *names = node_names(dir);

	return (int)json_array_size(names);
}

static void make_and_look(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *one = NULL, *full = NULL, *list = NULL;

	api_expect(t, "GET " S, NULL, 200);
	api_answers(t, "[]");
	take(t, "{}");
	take(t, "{\"name\":\"a1\", \"expires_at\":null, \"stateful\":false}");
	take(t, "{\"name\":\"\", \"expires_at\":\"2100-01-02T03:04:05Z\"}");
	api_expect(t, "GET " S, NULL, 200);
	api_answers(t, "['" S "/snap0', '" S "/a1', '" S "/snap1']"); /* by age */
	api_expect(t, "GET /1.0/containers/c1/snapshots", NULL, 200);
	assert_int_equal(copies(t, "c1"), 3);
	api_expect(t, "GET " S "/snap1", NULL, 200);
	one = api_answer(t);
	assert_string_equal(json_str(one, "name", ""), "snap1");
	assert_string_equal(json_str(one, "expires_at", ""), "2100-01-02T03:04:05Z");
	assert_string_equal(json_str(json_obj(one, "config"), "user.b", ""), "own");
	assert_string_equal(json_str(json_obj(one, "expanded_config"), "user.a", ""), "profile");
	assert_non_null(json_obj(json_obj(one, "expanded_devices"), "root"));
	assert_true(json_is_false(json_object_get(one, "stateful")));
	assert_null(json_object_get(one, "id"));
	api_expect(t, "GET /1.0/instances/c1?recursion=1", NULL, 200);
	full = api_answer(t);
	assert_int_equal(json_array_size(json_arr(full, "snapshots")), 3);
	api_expect(t, "GET /1.0/instances?recursion=2", NULL, 200);
	list = api_answer(t);
	assert_int_equal(json_array_size(json_arr(json_array_get(list, 0), "snapshots")), 3);
	assert_true(json_is_null(json_object_get(json_array_get(list, 1), "snapshots")));
}

/* What it shows is of then, whatever becomes of the instance. */
static void keeps_what_was(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *one = NULL;

	take(t, "{\"name\":\"then\"}");
	api_expect(t, "PATCH /1.0/instances/c1", "{\"config\":{\"user.b\":\"new\"}}", 200);
	api_expect(t, "GET " S "/then", NULL, 200);
	one = api_answer(t);
	assert_string_equal(json_str(json_obj(one, "config"), "user.b", ""), "own");
}

static void rename_change_delete(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *one = NULL;

	take(t, "{\"name\":\"s0\"}");
	api_expect(t, "POST " S "/s0", "{\"name\":\"s1\"}", 202);
	api_await(t);
	api_expect(t, "PUT " S "/s1", "{\"expires_at\":\"2100-01-02T03:04:05Z\"}", 202);
	api_await(t);
	api_expect(t, "PATCH " S "/s1", "{}", 202);
	api_await(t);
	api_expect(t, "GET " S "/s1", NULL, 200);
	one = api_answer(t);
	assert_string_equal(json_str(one, "expires_at", ""), "2100-01-02T03:04:05Z");
	api_expect(t, "PUT " S "/s1", "{\"name\":\"s1\", \"config\":{\"user.b\":\"own\"}}",
		   202);
	api_await(t);
	api_expect(t, "GET " S "/s0", NULL, 404);
	api_expect(t, "DELETE " S "/s1", NULL, 202);
	api_await(t);
	api_expect(t, "GET " S "/s1", NULL, 404);
	assert_int_equal(copies(t, "c1"), 0);
}

static void with_its_instance(void **state)
{
	struct api_world *t = *state;

	take(t, "{\"name\":\"s0\"}");
	api_expect(t, "POST /1.0/instances/c1", "{\"name\":\"c7\"}", 202);
	api_await(t);
	api_expect(t, "GET /1.0/instances/c7/snapshots", NULL, 200);
	api_answers(t, "['/1.0/instances/c7/snapshots/s0']");
	assert_int_equal(copies(t, "c7"), 1);
	api_expect(t, "DELETE /1.0/instances/c7", NULL, 202);
	api_await(t);
	assert_int_equal(store_count(t->w.store, ENT_SNAPSHOT, NULL), 0);
	assert_int_equal(copies(t, "c7"), 0);
}

static void names_and_ends_of_keys(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *one = NULL;

	api_expect(t, "PATCH /1.0/instances/c1",
		   "{\"config\":{\"snapshots.pattern\":\"at-%d\","
		   "\"snapshots.expiry\":\"1d\"}}",
		   200);
	take(t, "{}");
	take(t, "{\"expires_at\":\"0001-01-01T00:00:00Z\"}");
	api_expect(t, "GET " S "/at-1", NULL, 200);
	one = api_answer(t);
	assert_string_equal(json_str(one, "expires_at", ""), SNAPSHOT_NEVER);
	json_decref(one);
	api_expect(t, "GET " S "/at-0", NULL, 200);
	one = api_answer(t);
	assert_in_range(clock_parse(json_str(one, "expires_at", "")), clock_wall() + 86000,
			clock_wall() + 86401);
}

static void those_that_expire(void **state)
{
	struct api_world *t = *state;

	take(t, "{\"name\":\"old\", \"expires_at\":\"2020-01-01T00:00:00Z\"}");
	take(t, "{\"name\":\"late\", \"expires_at\":\"2100-01-01T00:00:00Z\"}");
	take(t, "{\"name\":\"never\"}");
	task_drop_snapshots(&t->env, "c1");
	api_expect(t, "GET " S, NULL, 200);
	api_answers(t, "['" S "/late', '" S "/never']");
	assert_int_equal(copies(t, "c1"), 2);
}

static void refused(void **state)
{
	static const struct api_case cases[] = {
		{ "POST " S, "{'name':'s0'}", 409, "\"s0\" already exists" },
		{ "POST " S, "{'name':'a/b'}", 400, "a/b" },
		{ "POST " S, "{'name':'a b'}", 400, "a b" },
		{ "POST " S, "{'name':'a~b'}", 400, "a~b" },
		{ "POST " S, "{'name':'..'}", 400, ".." },
		{ "POST " S, "{'expires_at':'soon'}", 400, "soon" },
		{ "POST " S, "{'color':'red'}", 400, "color" },
		{ "POST /1.0/instances/c9/snapshots", "{}", 404, "c9" },
		{ "GET /1.0/instances/c9/snapshots", NULL, 404, "c9" },
		{ "GET " S "/s9", NULL, 404, "s9" },
		{ "PUT " S "/s9", "{}", 404, "s9" },
		{ "PUT " S "/s0", "{'expires_at':'soon'}", 400, "soon" },
		{ "PUT " S "/s0", "{'config':{'user.b':'other'}}", 400, "config" },
		{ "PUT " S "/s0", "{'name':'s2'}", 400, "name" },
		{ "PATCH " S "/s0", "{'color':'red'}", 400, "color" },
		{ "POST " S "/s0", "{}", 400, "name" },
		{ "POST " S "/s0", "{'name':'a/b'}", 400, "a/b" },
		{ "POST " S "/s0", "{'name':'s1'}", 409, "\"s1\" already exists" },
		{ "POST " S "/s9", "{'name':'s2'}", 404, "s9" },
		{ "DELETE " S "/s9", NULL, 404, "s9" },
		{ "PUT /1.0/instances/c1", "{'restore':'s9'}", 404, "s9" },
		{ "PATCH /1.0/instances/c1", "{'restore':'s0'}", 400, "PUT" },
		{ "PATCH /1.0/instances/c1", "{'config':{'snapshots.expiry':'soon'}}", 400,
		  "soon" },
		{ "PATCH /1.0/instances/c1", "{'config':{'snapshots.pattern':'a/b'}}", 400,
		  "a/b" },
	};
	struct api_world *t = *state;

	take(t, "{\"name\":\"s0\"}");
	take(t, "{\"name\":\"s1\"}");
	api_cases(t, cases, ARRAY_SIZE(cases));
	assert_int_equal(copies(t, "c1"), 2);
}

static char *file_of(struct api_world *t)
{
	return xasprintf("%s/storage-pools/default/containers/c1/rootfs/file", t->w.dir);
}

static void write_now(struct api_world *t, const char *text)
{
	_free_ char *file = file_of(t);
	struct err err = { 0 };

	assert_int_equal(io_write_file(file, text, strlen(text), 0644, &err), 0);
}

static void assert_now(struct api_world *t, const char *text, const char *user)
{
	_free_ char *file = file_of(t), *is = NULL;
	_json_ json_t *j = NULL;
	struct err err = { 0 };
	size_t len;

	is = io_read_file(file, 100, &len, &err);
	assert_string_equal(is, text);
	api_expect(t, "GET /1.0/instances/c1", NULL, 200);
	j = api_answer(t);
	assert_string_equal(json_str(json_obj(j, "config"), "user.b", ""), user);
	assert_string_equal(json_str(j, "description", ""), "later");
}

static void goes_back(void **state)
{
	static const char *const given[] = { "then", "c1/then" };
	struct api_world *t = *state;

	take(t, "{\"name\":\"then\"}");
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		_free_ char *body = xasprintf("{\"restore\":\"%s\", \"config\":null, "
					      "\"stateful\":false}", given[i]);

		write_now(t, "new text");
		api_expect(t, "PATCH /1.0/instances/c1",
			   "{\"description\":\"later\", \"config\":{\"user.b\":\"new\"}}",
			   200);
		assert_now(t, "new text", "new");
		api_expect(t, "PUT /1.0/instances/c1", body, 202);
		api_await(t);
		assert_now(t, "text", "own");
	}
	assert_int_equal(copies(t, "c1"), 1);
}

/* A daemon that died within a restore: it is as before until that was decided. */
static void half_of_a_restore(void **state)
{
	struct api_world *t = *state;

	take(t, "{\"name\":\"then\"}");
	write_now(t, "new text");
	api_expect(t, "PATCH /1.0/instances/c1", "{\"description\":\"later\"}", 200);
	for (int decided = 0; decided < 2; decided++) {
		_row_ struct row row = { 0 }, snapshot = { 0 };
		struct err err = { 0 };
		_json_ json_t *pool = spec_pool_of(&t->env, "default", &err);

		assert_int_equal(store_get(t->w.store, ENT_SNAPSHOT, "c1/then", &snapshot, &err),
				 0);
		assert_int_equal(volume_restore_prepare(t->env.node, pool, "c1",
							json_str(snapshot.doc, "id", ""), &err),
				 0);
		assert_int_equal(store_get(t->w.store, ENT_INSTANCE, "c1", &row, &err), 0);
		assert_int_equal(inst_become(row.doc, INST_RESTORING, NULL, &err), 0);
		json_object_set_new(row.doc, "restore", json_pack("{s:b}", "decided", decided));
		world_put(&t->w, ENT_INSTANCE, "c1", json_incref(row.doc));
		assert_int_equal(restore_settle(&t->env, &row, &err), 0);
		assert_now(t, decided ? "text" : "new text", "own");
	}
}

/* A daemon that died within finds its rows when it starts; what is whole stays. */
static void half_of_one(void **state)
{
	static const char *const flags[] = { SNAPSHOT_MAKING, SNAPSHOT_LEAVING };
	struct api_world *t = *state;
	_row_ struct row row = { 0 };
	struct err err;

	take(t, "{\"name\":\"whole\"}");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		take(t, "{\"name\":\"half\"}");
		assert_int_equal(store_get(t->w.store, ENT_SNAPSHOT, "c1/half", &row, &err), 0);
		json_put_bool(row.doc, flags[i], true);
		world_put(&t->w, ENT_SNAPSHOT, "c1/half", json_incref(row.doc));
		row_free(&row);
		row = (struct row){ 0 };
		task_settle_snapshots(&t->env, "c1");
		api_expect(t, "GET " S, NULL, 200);
		api_answers(t, "['" S "/whole']");
		assert_int_equal(copies(t, "c1"), 1);
	}
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, open_world, api_world_close)
	static const struct CMUnitTest tests[] = {
		WITH(make_and_look),	      WITH(keeps_what_was),    WITH(rename_change_delete),
		WITH(with_its_instance),      WITH(refused),	       WITH(half_of_one),
		WITH(names_and_ends_of_keys), WITH(those_that_expire), WITH(goes_back),
		WITH(half_of_a_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
