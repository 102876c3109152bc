/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sys/mount.h>

#include "node/image/image.h"
#include "node/storage/storage.h"
#include "tests/unit/node/storage/storage_world.h"

#define FIRSTS 16

struct first {
	struct world *w;
	pthread_barrier_t *together;
	const json_t *pool;
	struct err err;
	int rc;
};

static void *use_first(void *arg)
{
	struct first *f = arg;

	pthread_barrier_wait(f->together);
	f->rc = pool_create(&f->w->n, f->pool, &f->err);
	return NULL;
}

/* Whoever needs a pool makes it: many may be the first. */
static void first_uses_at_once(void **state)
{
	struct world *w = *state;
	_json_ json_t *pool = pool_of("dir", NULL);
	pthread_barrier_t together;
	struct first f[FIRSTS];
	pthread_t t[FIRSTS];
	struct err err = { 0 };

	pthread_barrier_init(&together, NULL, FIRSTS);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < FIRSTS; i++) {
			f[i] = (struct first){ .w = w, .together = &together, .pool = pool };
			assert_int_equal(pthread_create(&t[i], NULL, use_first, &f[i]), 0);
		}
		for (int i = 0; i < FIRSTS; i++) {
			pthread_join(t[i], NULL);
			check_ok(f[i].rc, &f[i].err);
		}
		check_ok(pool_delete(&w->n, "default", &err), &err);
	}
	pthread_barrier_destroy(&together);
}

/* Who made a volume while the image went has none. */
static void image_is_gone(void **state)
{
	struct world *w = *state;
	_json_ json_t *pool = pool_of("overlay", NULL), *list = NULL;
	struct err err = { 0 };

	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(storage_delete_image(&w->n, FP, &err), &err);
	assert_int_equal(volume_create(&w->n, pool, "c1", w->image, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	list = volume_list(&w->n, pool);
	assert_int_equal(json_array_size(list), 0);
}

static void refuses(void **state)
{
	struct world *w = *state;
	static const char *const names[] = { "", ".", "..", "a/b", ".hidden", "../x" };
	_json_ json_t *pool = pool_of("dir", NULL), *zfs = pool_of("zfs", NULL);
	_json_ json_t *relative = pool_of("dir", "some/where"), *up = pool_of("dir", "/tmp/../etc");
	struct err err = { 0 };

	assert_int_equal(pool_create(&w->n, zfs, &err), -1);
	assert_non_null(strstr(err.msg, "zfs"));
	assert_int_equal(pool_create(&w->n, relative, &err), -1);
	assert_non_null(strstr(err.msg, "absolute"));
	assert_int_equal(pool_create(&w->n, up, &err), -1);
	check_ok(pool_create(&w->n, pool, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(volume_create(&w->n, pool, names[i], NULL, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(volume_delete(&w->n, pool, names[i], &err), -1);
	}
}

/* Pools of which only the folder is known: by their marks. */
static void recovers_every_pool(void **state)
{
	struct world *w = *state;
	_free_ char *left = path_in(w, "storage-pools/default/containers/.tmp-c2-0011");
	_free_ char *strange = path_in(w, "storage-pools/strange");
	_free_ char *half = path_in(w, "storage-pools/strange/.tmp-c2-0011");
	_json_ json_t *pool = pool_of("dir", NULL);
	struct err err = { 0 };

	check_ok(storage_recover(&w->n, &err), &err); /* no pools at all */
	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(io_mkdirs(left, 0700, &err), &err);
	check_ok(io_mkdirs(half, 0700, &err), &err);
	put_file(strange, ".dunlin-pool", "/var/lib/dunlin strange zfs\n", 0600);
	check_ok(storage_recover(&w->n, &err), &err);
	assert_false(io_exists(left));
	assert_true(io_exists(half)); /* who knows what a later version keeps there */
	assert_false(storage_uses_image(&w->n, FP));
	assert_int_equal(pool_delete(&w->n, "strange", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, "\"zfs\""));
	assert_true(io_exists(half));
}

/* What is left of a pool whose making was cut off, or whose source was taken away. */
static void deletes_what_has_no_mark(void **state)
{
	struct world *w = *state;
	_free_ char *pools = path_in(w, "storage-pools"), *half = path_in(w, "storage-pools/half");
	_free_ char *link = path_in(w, "storage-pools/gone");
	_free_ char *full = path_in(w, "storage-pools/full/precious");
	struct err err = { 0 };

	check_ok(io_mkdirs(half, 0700, &err), &err);
	check_ok(io_mkdirs(full, 0700, &err), &err);
	assert_int_equal(symlink("/nowhere/at/all", link), 0);
	check_ok(pool_delete(&w->n, "half", &err), &err);
	check_ok(pool_delete(&w->n, "gone", &err), &err);
	check_ok(pool_delete(&w->n, "never-was", &err), &err);
	assert_int_equal(pool_delete(&w->n, "full", &err), -1);
	assert_int_equal(pool_delete(&w->n, "../images", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(count_all(pools), 1);
	assert_true(io_exists(full));
}

static void names_that_are_taken(void **state)
{
	struct world *w = *state;
	_json_ json_t *pool = pool_of("dir", NULL);
	_free_ char *folder = path_in(w, "containers/c2");
	struct err err = { 0 };

	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(volume_create(&w->n, pool, "c1", NULL, &err), &err);
	check_ok(io_mkdirs(folder, 0700, &err), &err);
	assert_int_equal(volume_check_free(&w->n, pool, "c1", &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "/default/containers/c1 is there already"));
	assert_int_equal(volume_check_free(&w->n, pool, "c2", &err), -1);
	assert_non_null(strstr(err.msg, folder));
	check_ok(volume_check_free(&w->n, pool, "c3", &err), &err);
}

/* A pool's driver may be one that this version does not have. */
static void knows_no_driver(void **state)
{
	struct world *w = *state;
	_json_ json_t *pool = pool_of("zfs", NULL), *list = NULL;
	struct err err = { 0 };

	assert_false(pool_stands_on_images(pool));
	assert_false(pool_has_whiteouts(pool));
	assert_null(pool_marks(pool));
	assert_null(volume_path(&w->n, pool, "c1"));
	assert_null(volume_data_path(&w->n, pool, "c1"));
	assert_int_equal(volume_usage(&w->n, pool, "c1", 0), -1);
	list = volume_list(&w->n, pool);
	assert_int_equal(json_array_size(list), 0);
	assert_int_equal(volume_create(&w->n, pool, "c1", NULL, &err), -1);
	assert_int_equal(volume_delete(&w->n, pool, "c1", &err), -1);
	assert_int_equal(volume_rename(&w->n, pool, "c1", "c2", &err), -1);
	assert_null(pool_usage(&w->n, pool, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, "storage pool \"default\": unknown driver \"zfs\""));
}

/* Nothing half-made stays when the disk fills up. */
static void disk_full(void **state)
{
	struct world *w = *state;
	_free_ char *place = path_in(w, "small"), *containers = path_in(w, "small/containers");
	_json_ json_t *pool = pool_of("dir", place);
	_free_ char *text = xcalloc(1, (2 << 20) + 1);
	struct err err = { 0 };
	int rc, left;

	memset(text, 'x', 2 << 20);
	put_file(w->image, "big", text, 0600);
	assert_int_equal(mkdir(place, 0755), 0);
	assert_int_equal(mount("test", place, "tmpfs", 0, "size=1m"), 0);
	rc = pool_create(&w->n, pool, &err) == 0 ? volume_create(&w->n, pool, "c1", w->image, &err)
						 : 0;
	left = count_all(containers);
	assert_int_equal(umount(place), 0);
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_int_equal(left, 0);
}

static void lists_drivers(void **state)
{
	const json_t *d = storage_drivers();
	_free_ char *names = storage_driver_names();
	struct err err = { 0 };
	json_t *row;
	size_t i;

	assert_string_equal(json_str(json_array_get(d, 0), "Name", ""), storage_driver_default());
	json_array_foreach((json_t *)d, i, row) {
		assert_non_null(strstr(names, json_str(row, "Name", "?")));
		check_ok(storage_driver_check(json_str(row, "Name", ""), &err), &err);
		assert_false(json_bool(row, "Remote", true));
	}
	assert_ptr_equal(d, storage_drivers());
	assert_int_equal(storage_driver_check("zfs", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, names));
	assert_int_equal(storage_driver_check("", &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(first_uses_at_once),
		T(image_is_gone),
		T(refuses),
		T(recovers_every_pool),
		T(deletes_what_has_no_mark),
		T(names_that_are_taken),
		T(knows_no_driver),
		T(disk_full),
		T(lists_drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
