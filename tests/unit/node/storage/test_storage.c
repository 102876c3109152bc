/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/image/image.h"
#include "node/node_int.h"
#include "node/storage/storage.h"

#define FP "e58293b7c3de3e7efe1d7414e64978fe86b1e6dca50101012e675b60d5ad3024"

struct world {
	struct node n;
	char dir[64];
	char *image; /* images/FP.root */
};

static char *path_in(struct world *w, const char *rest)
{
	return xasprintf("%s/%s", w->dir, rest);
}

static void put_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	_free_ char *path = xasprintf("%s/%s", dir, name);
	struct err err;

	if (io_write_file(path, text, strlen(text), mode, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(chmod(path, mode), 0);
}

/* An image as if it were unpacked: what a copy has to keep. */
static void make_image(struct world *w)
{
	_free_ char *tarball = path_in(w, "images/" FP),
		    *etc = path_in(w, "images/" FP ".root/etc");
	_free_ char *a = xasprintf("%s/a", etc), *b = xasprintf("%s/b", etc);
	_free_ char *link = xasprintf("%s/link", etc), *sparse = xasprintf("%s/sparse", etc);
	_free_ char *pipe = xasprintf("%s/pipe", etc);
	_close_ int fd = -1;
	struct err err;

	w->image = path_in(w, "images/" FP ".root");
	assert_int_equal(io_mkdirs(etc, 0755, &err), 0);
	put_file(w->dir, "images/" FP, "tarball", 0600);
	assert_true(io_exists(tarball));
	put_file(etc, "a", "content", 04755);
	assert_int_equal(chown(a, 7, 8), 0);
	assert_int_equal(chmod(a, 04755), 0);
	assert_int_equal(setxattr(a, "user.note", "x", 1, 0), 0);
	assert_int_equal(linkat(AT_FDCWD, a, AT_FDCWD, b, 0), 0);
	assert_int_equal(symlink("/nowhere", link), 0);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	fd = open(sparse, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	assert_int_equal(pwrite(fd, "data", 4, 8 << 20), 4);
	assert_int_equal(chmod(etc, 0711), 0);
	assert_int_equal(chmod(w->image, 0751), 0);
}

static int set_up(void **state)
{
	struct world *w = xnew(struct world);

	snprintf(w->dir, sizeof(w->dir), "/tmp/dunlin-storage-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->n.dir = w->dir;
	make_image(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(io_remove_tree(w->dir, &err), 0);
	free(w->image);
	free(w);
	return 0;
}

static json_t *pool_of(const char *driver, const char *source)
{
	json_t *p = json_object(), *config = json_object();

	json_put_str(p, "name", "default");
	json_put_str(p, "driver", driver);
	json_put_str(config, "source", source);
	json_object_set_new(p, "config", config);
	return p;
}

static void check_ok(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s", err->msg);
}

static int count_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += !str_eq(e->d_name, ".") && !str_eq(e->d_name, "..");
	if (d)
		closedir(d);
	return n;
}

static void check_copy(const char *root)
{
	_free_ char *a = xasprintf("%s/etc/a", root), *b = xasprintf("%s/etc/b", root);
	_free_ char *link = xasprintf("%s/etc/link", root), *etc = xasprintf("%s/etc", root);
	_free_ char *sparse = xasprintf("%s/etc/sparse", root);
	_free_ char *pipe = xasprintf("%s/etc/pipe", root);
	char buf[16] = "";
	struct stat sa, sb;

	assert_int_equal(stat(a, &sa), 0);
	assert_int_equal(stat(b, &sb), 0);
	assert_int_equal(sa.st_ino, sb.st_ino);
	assert_int_equal(sa.st_mode & 07777, 04755);
	assert_int_equal(sa.st_uid, 7);
	assert_int_equal(sa.st_gid, 8);
	assert_int_equal(getxattr(a, "user.note", buf, sizeof(buf)), 1);
	assert_int_equal(readlink(link, buf, sizeof(buf)), 8);
	assert_int_equal(lstat(pipe, &sa), 0);
	assert_true(S_ISFIFO(sa.st_mode));
	assert_int_equal(stat(sparse, &sa), 0);
	assert_int_equal(sa.st_size, 16 << 20);
	assert_true(sa.st_blocks * 512 < 1 << 20);
	assert_int_equal(stat(etc, &sa), 0);
	assert_int_equal(sa.st_mode & 07777, 0711);
	assert_int_equal(stat(root, &sa), 0);
	assert_int_equal(sa.st_mode & 07777, 0751);
}

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
		check_ok(pool_delete(&w->n, pool, &err), &err);
	}
	pthread_barrier_destroy(&together);
}

static void dir_volume(void **state)
{
	struct world *w = *state;
	_json_ json_t *pool = pool_of("dir", NULL), *usage = NULL;
	_free_ char *root = NULL, *other = NULL;
	struct err err = { 0 };

	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(volume_create(&w->n, pool, "c1", w->image, &err), &err);
	root = volume_data_path(&w->n, pool, "c1");
	assert_true(str_ends(root, "/storage-pools/default/containers/c1/rootfs"));
	check_copy(root);
	assert_int_equal(volume_create(&w->n, pool, "c1", w->image, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_true(volume_usage(&w->n, pool, "c1", 0) > 4096);
	assert_int_equal(volume_usage(&w->n, pool, "none", 0), -1);
	usage = pool_usage(&w->n, pool, &err);
	assert_true(json_int(json_obj(usage, "space"), "total", 0) > 0);

	check_ok(volume_create(&w->n, pool, "c2", NULL, &err), &err);
	assert_int_equal(volume_rename(&w->n, pool, "c1", "c2", &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	check_ok(volume_rename(&w->n, pool, "c1", "c3", &err), &err);
	other = volume_data_path(&w->n, pool, "c3");
	check_copy(other);
	assert_int_equal(pool_delete(&w->n, pool, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	check_ok(volume_delete(&w->n, pool, "c3", &err), &err);
	check_ok(volume_delete(&w->n, pool, "c3", &err), &err);
	check_ok(volume_delete(&w->n, pool, "c2", &err), &err);
	check_ok(pool_delete(&w->n, pool, &err), &err);
	check_ok(pool_delete(&w->n, pool, &err), &err);
}

static void overlay_volume(void **state)
{
	struct world *w = *state;
	_json_ json_t *pool = pool_of("overlay", NULL);
	_free_ char *vol = NULL, *upper = NULL, *merged = path_in(w, "merged"), *opts = NULL;
	struct err err = { 0 };
	struct stat st;

	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(volume_create(&w->n, pool, "c1", w->image, &err), &err);
	vol = volume_path(&w->n, pool, "c1");
	upper = volume_data_path(&w->n, pool, "c1");
	assert_int_equal(count_all(upper), 0);
	assert_int_equal(stat(upper, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	opts = xasprintf("lowerdir=%s,upperdir=%s,workdir=%s/work", w->image, upper, vol);
	assert_int_equal(mkdir(merged, 0755), 0);
	assert_int_equal(mount("test", merged, "overlay", 0, opts), 0);
	put_file(merged, "etc/new", "text", 0644);
	assert_int_equal(umount(merged), 0);
	assert_true(volume_usage(&w->n, pool, "c1", 0) > 0);
	check_ok(volume_delete(&w->n, pool, "c1", &err), &err);
	check_ok(pool_delete(&w->n, pool, &err), &err);
}

static void image_outlives_its_row(void **state)
{
	struct world *w = *state;
	_json_ json_t *pool = pool_of("overlay", NULL);
	struct err err = { 0 };

	check_ok(pool_create(&w->n, pool, &err), &err);
	check_ok(volume_create(&w->n, pool, "c1", w->image, &err), &err);
	assert_true(storage_uses_image(&w->n, FP));
	check_ok(image_delete(&w->n, FP, &err), &err);
	assert_true(io_exists(w->image));
	assert_true(image_present(&w->n, FP));
	check_ok(volume_delete(&w->n, pool, "c1", &err), &err);
	assert_false(io_exists(w->image));
	assert_false(image_present(&w->n, FP));
	assert_int_equal(volume_create(&w->n, pool, "c2", w->image, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
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
	check_ok(pool_delete(&w->n, pool, &err), &err);
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
	assert_string_equal(json_str(json_array_get(d, 1), "Name", ""), "overlay");
	assert_ptr_equal(d, storage_drivers());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(first_uses_at_once),
		T(dir_volume),
		T(overlay_volume),
		T(image_outlives_its_row),
		T(source),
		T(refuses),
		T(recovers),
		T(disk_full),
		T(lists_drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
