/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "node/storage/copy.h"
#include "tests/unit/node/storage/storage_world.h"

#define LINKS 700 /* more than the table of hard links begins with */
#define TOO_DEEP 170

static char *make_to(struct world *w)
{
	char *to = path_in(w, "to");

	assert_int_equal(mkdir(to, 0700), 0);
	return to;
}

/* Owners, modes, attributes, hard links, symlinks, fifos, holes: check_copy() looks. */
static void keeps_what_an_image_has(void **state)
{
	struct world *w = *state;
	_free_ char *to = make_to(w);
	struct err err = { 0 };

	check_ok(storage_copy_tree(w->image, to, &err), &err);
	check_copy(to);
	check_copy(w->image);
}

static void keeps_times_and_devices(void **state)
{
	struct world *w = *state;
	_free_ char *to = make_to(w), *from = path_in(w, "from"), *old = path_in(w, "from/old");
	_free_ char *null = path_in(w, "from/null"), *empty = path_in(w, "from/empty");
	struct timespec times[2] = { { .tv_sec = 1000000000 }, { 1234567890, 123456789 } };
	struct err err = { 0 };
	struct stat st;

	assert_int_equal(mkdir(from, 0700), 0);
	assert_int_equal(mkdir(empty, 0500), 0);
	put_file(from, "old", "text", 0400);
	assert_int_equal(mknod(null, S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(utimensat(AT_FDCWD, old, times, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, from, times, 0), 0);
	check_ok(storage_copy_tree(from, to, &err), &err);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1234567890);
	{
		_free_ char *copy = path_in(w, "to/old"), *device = path_in(w, "to/null");
		_free_ char *folder = path_in(w, "to/empty");

		assert_int_equal(stat(copy, &st), 0);
		assert_int_equal(st.st_mtim.tv_sec, 1234567890);
		assert_int_equal(st.st_mtim.tv_nsec, 123456789);
		assert_int_equal(st.st_mode & 07777, 0400);
		assert_int_equal(stat(device, &st), 0);
		assert_true(S_ISCHR(st.st_mode));
		assert_int_equal(st.st_rdev, makedev(1, 3));
		assert_int_equal(stat(folder, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0500);
	}
}

/* Names of one file stay names of one file, however many there are, and in other folders. */
static void keeps_many_hard_links(void **state)
{
	struct world *w = *state;
	_free_ char *to = make_to(w), *from = path_in(w, "from"), *sub = path_in(w, "from/sub");
	struct err err = { 0 };
	struct stat a, b;

	assert_int_equal(io_mkdirs(sub, 0755, &err), 0);
	for (int i = 0; i < LINKS; i++) {
		char name[16];
		_free_ char *one = NULL, *other = NULL;

		snprintf(name, sizeof(name), "f%d", i);
		put_file(from, name, name, 0644);
		one = xasprintf("%s/%s", from, name);
		other = xasprintf("%s/%s", sub, name);
		assert_int_equal(link(one, other), 0);
	}
	check_ok(storage_copy_tree(from, to, &err), &err);
	for (int i = 0; i < LINKS; i++) {
		_free_ char *one = xasprintf("%s/f%d", to, i);
		_free_ char *other = xasprintf("%s/sub/f%d", to, i);

		assert_int_equal(stat(one, &a), 0);
		assert_int_equal(stat(other, &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		assert_int_equal(a.st_nlink, 2);
	}
}

/* What a link names is not copied, nor followed into. */
static void follows_no_links(void **state)
{
	struct world *w = *state;
	_free_ char *to = make_to(w), *from = path_in(w, "from"), *out = path_in(w, "from/out");
	_free_ char *copy = path_in(w, "to/out");
	struct err err = { 0 };
	struct stat st;

	assert_int_equal(mkdir(from, 0755), 0);
	assert_int_equal(symlink(w->image, out), 0);
	check_ok(storage_copy_tree(from, to, &err), &err);
	assert_int_equal(lstat(copy, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void has_a_limit_of_depth(void **state)
{
	struct world *w = *state;
	_free_ char *to = make_to(w), *from = path_in(w, "from"), *at = xstrdup(from);
	struct err err = { 0 };

	for (int i = 0; i < TOO_DEEP; i++) {
		char *below = xasprintf("%s/d", at);

		free(at);
		at = below;
	}
	assert_int_equal(io_mkdirs(at, 0755, &err), 0);
	assert_int_equal(storage_copy_tree(from, to, &err), -1);
	assert_non_null(strstr(err.msg, "too deep"));
}

static void says_what_fails(void **state)
{
	struct world *w = *state;
	_free_ char *to = make_to(w), *none = path_in(w, "none"), *taken = path_in(w, "to/etc");
	struct err err = { 0 };

	assert_int_equal(storage_copy_tree(none, to, &err), -1);
	assert_non_null(strstr(err.msg, none));
	assert_int_equal(storage_copy_attrs(w->image, none, &err), -1);
	assert_non_null(strstr(err.msg, none));
	put_file(to, "etc", "in the way", 0600);
	assert_int_equal(storage_copy_tree(w->image, to, &err), -1);
	assert_non_null(strstr(err.msg, "\"etc\""));
	assert_true(io_exists(taken));
}

static void attributes_alone(void **state)
{
	struct world *w = *state;
	_free_ char *to = make_to(w);
	struct err err = { 0 };
	struct stat st;

	assert_int_equal(chown(w->image, 70000, 80000), 0);
	assert_int_equal(setxattr(w->image, "user.top", "t", 1, 0), 0);
	check_ok(storage_copy_attrs(w->image, to, &err), &err);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_uid, 70000);
	assert_int_equal(st.st_gid, 80000);
	assert_int_equal(st.st_mode & 07777, 0751);
	assert_int_equal(getxattr(to, "user.top", NULL, 0), 1);
	assert_int_equal(count_all(to), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(keeps_what_an_image_has), T(keeps_times_and_devices), T(keeps_many_hard_links),
		T(follows_no_links),        T(has_a_limit_of_depth),    T(says_what_fails),
		T(attributes_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
