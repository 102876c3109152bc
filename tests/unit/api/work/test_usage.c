/* SPDX-License-Identifier: Apache-2.0 */
/* What instances use, of one and of all. */
#include "node/helper/verbs.h"
#include "tests/unit/api/instance/instance_world.h"

#include "api/work/usage.h"

static void make_volume(struct api_world *t, const char *name, size_t bytes)
{
	_free_ char *dir =
		xasprintf("%s/storage-pools/default/containers/%s/rootfs", t->w.dir, name);
	_free_ char *path = xasprintf("%s/file", dir), *text = xcalloc(bytes + 1, 1);
	struct err err = { 0 };

	assert_int_equal(io_mkdirs(dir, 0700, &err), 0);
	assert_int_equal(io_write_file(path, text, bytes, 0600, &err), 0);
}

static int64_t disk_of(const json_t *state)
{
	return json_int(json_obj(json_obj(state, "disk"), "root"), "usage", -1);
}

/* A volume is walked; one that is not there, or whose pool is not, has no figure. */
static void of_one_that_does_not_run(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *with = NULL, *without = NULL, *strange = NULL;

	make_volume(t, "c1", 100000);
	with = usage_of(&t->env, "c1");
	assert_string_equal(json_str(with, "status", ""), "Stopped");
	assert_true(disk_of(with) >= 100000 && disk_of(with) < 200000);
	without = usage_of(&t->env, "c2");
	assert_true(disk_of(without) <= 0);
	strange = usage_of(&t->env, "c9");
	assert_int_equal(disk_of(strange), -1);
}

/* By its row: here it is looked at, of another member that one is asked. */
static void by_the_member_that_has_it(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *here = json_pack("{ss,ss}", "name", "c1", "member", "none");
	_json_ json_t *there = json_pack("{ss,ss}", "name", "c4", "member", "m2");
	_json_ json_t *is = NULL;
	struct err err = { 0 };

	make_volume(t, "c1", 5000);
	is = usage_at(&t->env, here, &err);
	assert_true(disk_of(is) >= 5000);
	assert_null(usage_at(&t->env, there, &err));
	assert_non_null(strstr(err.msg, "m2"));
}

/* A list has those that run. */
static void of_all_that_run(void **state)
{
	struct api_world *t = *state;

	for (int disk = 0; disk < 2; disk++) {
		_json_ json_t *here = usage_here(&t->env, disk), *all = usage_all(&t->env, disk);

		assert_int_equal(json_object_size(here), 0);
		assert_int_equal(json_object_size(all), 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, instance_world_open, api_world_close)
		T(of_one_that_does_not_run),
		T(by_the_member_that_has_it),
		T(of_all_that_run),
	};
	int rc = helper_main(helper_verbs, argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
