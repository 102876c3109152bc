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

static void source(void **state)
{
	struct world *w = *state;
	_free_ char *place = path_in(w, "place"), *link = path_in(w, "storage-pools/default");
	_json_ json_t *pool = pool_of("dir", place), *same_name = pool_of("overlay", place);
	struct err err = { 0 };

	assert_int_equal(pool_create(&w->n, pool, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(mkdir(place, 0755), 0);
	put_file(place, "precious", "mine", 0600);
	assert_int_equal(pool_create(&w->n, pool, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(count_all(place), 1);
	{
		_free_ char *precious = xasprintf("%s/precious", place);

		unlink(precious);
	}
	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(pool_create(&w->n, pool, &err), &err);
	assert_int_equal(pool_create(&w->n, same_name, &err), -1);
	check_ok(volume_create(&w->n, pool, "c1", NULL, &err), &err);
	check_ok(volume_delete(&w->n, pool, "c1", &err), &err);
	put_file(place, "precious", "mine", 0600);
	check_ok(pool_delete(&w->n, "default", &err), &err);
	assert_false(io_exists(link));
	assert_int_equal(count_all(place), 1);
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

static void recovers(void **state)
{
	struct world *w = *state;
	_free_ char *place = path_in(w, "place"), *half = NULL, *gone = NULL, *containers = NULL;
	_json_ json_t *pool = pool_of("dir", place), *list = NULL;
	struct err err = { 0 };

	assert_int_equal(mkdir(place, 0755), 0);
	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(volume_create(&w->n, pool, "c1", NULL, &err), &err);
	containers = xasprintf("%s/containers", place);
	half = xasprintf("%s/.tmp-c2-0011", containers);
	gone = xasprintf("%s/.deleted-c3-0011/rootfs", containers);
	assert_int_equal(io_mkdirs(half, 0700, &err), 0);
	assert_int_equal(io_mkdirs(gone, 0700, &err), 0);
	check_ok(storage_recover(&w->n, &err), &err);
	assert_int_equal(count_all(containers), 1);
	list = volume_list(&w->n, pool);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_array_get(list, 0)), "c1");
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

	assert_int_equal(json_array_size(d), 2);
	assert_string_equal(json_str(json_array_get(d, 0), "Name", ""), storage_driver_default());
	assert_ptr_equal(d, storage_drivers());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(first_uses_at_once), T(image_is_gone), T(source),        T(refuses),
		T(recovers),           T(disk_full),     T(lists_drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
