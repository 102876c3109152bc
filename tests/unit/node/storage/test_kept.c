/* SPDX-License-Identifier: Apache-2.0 */
/* Memory in a volume: whole, or not there. */
#include "node/storage/kept.h"
#include "node/storage/storage.h"
#include "tests/unit/node/storage/storage_world.h"

static char *begun(struct world *w)
{
	char *path = path_in(w, "memory");
	_free_ char *new = kept_new(path);
	struct err err = { 0 };

	check_ok(kept_begin(path, &err), &err);
	put_file(new, "pages-1.img", "pages", 0600);
	put_file(new, "dump.log", "words", 0600);
	return path;
}

static void assert_stages(const char *path, bool new, bool there, bool taken)
{
	_free_ char *folder = kept_new(path);

	assert_int_equal(io_exists(folder), new);
	assert_int_equal(kept_is_there(path), there);
	assert_int_equal(kept_is_taken(path), taken);
}

static void goes_from_stage_to_stage(void **state)
{
	_free_ char *path = begun(*state);
	struct err err = { 0 };
	struct stat st;

	assert_stages(path, true, false, false);
	check_ok(kept_finish(path, &err), &err);
	assert_stages(path, false, true, false);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	check_ok(kept_take(path, &err), &err);
	check_ok(kept_take(path, &err), &err);
	assert_stages(path, false, false, true);
	check_ok(kept_return(path, &err), &err);
	assert_stages(path, false, true, false);
	check_ok(kept_drop(path, &err), &err);
	check_ok(kept_drop(path, &err), &err);
	assert_stages(path, false, false, false);
}

/* What an earlier stop has left is nobody's. */
static void begins_empty(void **state)
{
	_free_ char *path = begun(*state), *again = NULL;
	_free_ char *new = kept_new(path);
	struct err err = { 0 };

	check_ok(kept_finish(path, &err), &err);
	again = begun(*state);
	check_ok(kept_begin(path, &err), &err);
	assert_int_equal(count_all(new), 0);
	assert_stages(path, true, false, false);
}

static void is_dropped_in_any_stage(void **state)
{
	static int (*const steps[])(const char *path, struct err *err) = { kept_finish, kept_take };

	for (size_t n = 0; n <= ARRAY_SIZE(steps); n++) {
		_free_ char *path = begun(*state);
		struct err err = { 0 };

		for (size_t i = 0; i < n; i++)
			check_ok(steps[i](path, &err), &err);
		check_ok(kept_drop(path, &err), &err);
		assert_stages(path, false, false, false);
	}
}

static void fails_without_it(void **state)
{
	_free_ char *path = path_in(*state, "memory");
	struct err err = { 0 };

	assert_int_equal(kept_finish(path, &err), -1);
	assert_int_equal(kept_take(path, &err), -1);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(kept_return(path, &err), -1);
	assert_int_equal(kept_bytes(path), 0);
}

static void counts_what_it_takes(void **state)
{
	_free_ char *path = begun(*state), *new = kept_new(path);
	_json_ json_t *sizes = kept_sizes(new);
	_free_ char *text = json_text(sizes);
	struct err err = { 0 };

	assert_string_equal(text, "{\"pages-1.img\":5}");
	check_ok(kept_finish(path, &err), &err);
	assert_true(kept_bytes(path) >= 10);
}

/* It goes with its volume, and is renamed with it. */
static void belongs_to_its_volume(void **state)
{
	struct world *w = *state;
	_json_ json_t *pool = pool_of("dir", NULL);
	_free_ char *path = NULL, *renamed = NULL;
	struct err err = { 0 };

	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(volume_create(&w->n, pool, "c1", NULL, &err), &err);
	path = volume_kept_path(&w->n, pool, "c1");
	check_ok(kept_begin(path, &err), &err);
	assert_false(volume_is_kept(&w->n, pool, "c1"));
	check_ok(kept_finish(path, &err), &err);
	assert_true(volume_is_kept(&w->n, pool, "c1"));
	check_ok(volume_rename(&w->n, pool, "c1", "c2", &err), &err);
	assert_false(volume_is_kept(&w->n, pool, "c1"));
	assert_true(volume_is_kept(&w->n, pool, "c2"));
	renamed = volume_kept_path(&w->n, pool, "c2");
	check_ok(volume_delete(&w->n, pool, "c2", &err), &err);
	assert_false(io_exists(renamed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(goes_from_stage_to_stage), T(begins_empty),         T(is_dropped_in_any_stage),
		T(fails_without_it),         T(counts_what_it_takes), T(belongs_to_its_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
