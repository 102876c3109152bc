/* SPDX-License-Identifier: Apache-2.0 */
/* A tarball into a folder, in this process: what comes out of it, and what it cannot reach. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/image/image_int.h"
#include "tests/unit/node/image/tarball.h"

struct folder {
	char dir[64];
	int fd; /* of the folder "root" in it, where tarballs go */
};

static int set_up(void **state)
{
	struct folder *f = xnew(struct folder);

	str_copy(f->dir, sizeof(f->dir), "/tmp/dunlin-test-unpack-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(chdir(f->dir), 0);
	assert_int_equal(mkdir("root", 0755), 0);
	assert_int_equal(mkdir("outside", 0755), 0);
	f->fd = open("root", O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct folder *f = *state;
	struct err err;
	int rc = chdir("/");

	close(f->fd);
	rc |= io_remove_tree(f->dir, &err);
	free(f);
	return rc;
}

static int unpack(const struct folder *f, const char *prefix, const struct item *items,
		  struct err *err)
{
	_close_ int tar = make_tar(f->dir, ARCHIVE_FILTER_NONE, items);

	return image_unpack(tar, f->fd, prefix, &image_limits_default, err);
}

static void unpacks(const struct folder *f, const char *prefix, const struct item *items)
{
	struct err err = { 0 };

	if (unpack(f, prefix, items, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct stat stat_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		fail_msg("there is no %s", path);
	return st;
}

static void assert_holds(const char *path, const char *text)
{
	struct err err;
	_free_ char *is = io_read_file(path, 1 << 20, NULL, &err);

	if (!is)
		fail_msg("%s", err.msg);
	assert_string_equal(is, text);
}

static void assert_link(const char *path, const char *want)
{
	char target[256] = "";

	assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, want);
}

static void keeps_what_an_entry_says(void **state)
{
	static const struct item items[] = {
		DIR_("rootfs"),
		{ .path = "rootfs/d", .type = AE_IFDIR, .mode = 02511 },
		{ .path = "rootfs/d/su", .type = AE_IFREG, .text = "S", .mode = 06755 },
		{ .path = "rootfs/d/none", .type = AE_IFREG, .text = "", .mode = 0000 },
		{ .path = "rootfs/p", .type = AE_IFIFO, .mode = 0620 },
		LINK_("rootfs/l", "/etc/passwd"),
		HARD_("rootfs/h", "rootfs/d/su"),
		FILE_("elsewhere", "not of the root"),
		FILE_("rootfsx", "nor this"),
		{ .path = NULL }
	};
	struct stat su, h;

	unpacks(*state, "rootfs", items);
	su = stat_of("root/d/su");
	h = stat_of("root/h");
	assert_int_equal(su.st_mode, S_IFREG | 06755);
	assert_int_equal(su.st_uid, 7);
	assert_int_equal(su.st_gid, 8);
	assert_int_equal(su.st_mtime, 1600000000);
	assert_int_equal(su.st_ino, h.st_ino);
	assert_holds("root/d/su", "S");
	assert_int_equal(stat_of("root/d").st_mode, S_IFDIR | 02511);
	assert_int_equal(stat_of("root/d").st_mtime, 1600000000);
	assert_int_equal(stat_of("root").st_mtime, 1600000000);
	assert_int_equal(stat_of("root/d/none").st_mode, S_IFREG);
	assert_int_equal(stat_of("root/p").st_mode, S_IFIFO | 0620);
	assert_link("root/l", "/etc/passwd");
	assert_int_equal(stat_of("root/l").st_uid, 7);
	assert_int_equal(access("root/elsewhere", F_OK), -1);
	assert_int_equal(access("root/rootfsx", F_OK), -1);
	assert_int_equal(access("rootx", F_OK), -1);
}

static void without_a_prefix_all_is_of_the_root(void **state)
{
	static const struct item items[] = { FILE_("a", "A"), { .path = NULL } };

	unpacks(*state, "", items);
	assert_holds("root/a", "A");
}

/* Folders that no entry describes are root's, and everybody may pass. */
static void makes_parents(void **state)
{
	static const struct item items[] = { FILE_("rootfs/a/b/c/f", "F"),
					     FILE_("rootfs/a/b/g", "G"),
					     { .path = NULL } };

	unpacks(*state, "rootfs", items);
	assert_holds("root/a/b/c/f", "F");
	assert_holds("root/a/b/g", "G");
	assert_int_equal(stat_of("root/a/b").st_mode, S_IFDIR | 0755);
	assert_int_equal(stat_of("root/a/b").st_uid, 0);
}

/* As with tar: the last one wins, whatever it replaces, but a folder stays. */
static void later_entries_win(void **state)
{
	static const struct item items[] = { FILE_("a", "first"), FILE_("a", "second"),
					     LINK_("b", "a"),     FILE_("b", "B"),
					     FILE_("c", "C"),     HARD_("c", "a"),
					     DIR_("d"),           FILE_("d/f", "F"),
					     DIR_("d"),           { .path = NULL } };

	unpacks(*state, "", items);
	assert_holds("root/a", "second");
	assert_holds("root/b", "B");
	assert_true(S_ISREG(stat_of("root/b").st_mode));
	assert_holds("root/c", "second");
	assert_holds("root/d/f", "F");
}

static void leaves_out_devices(void **state)
{
	static const struct item items[] = { DIR_("dev"),
					     DEV_("dev/null", AE_IFCHR),
					     DEV_("dev/sda", AE_IFBLK),
					     FILE_("x", "X"),
					     { .path = NULL } };

	unpacks(*state, "", items);
	assert_int_equal(access("root/dev/null", F_OK), -1);
	assert_int_equal(access("root/dev/sda", F_OK), -1);
	assert_holds("root/x", "X");
}

static void keeps_holes(void **state)
{
	static const struct item items[] = {
		{ .path = "big", .type = AE_IFREG, .zeros = 3 << 20, .mode = 0644 },
		{ .path = NULL }
	};

	unpacks(*state, "", items);
	assert_int_equal(stat_of("root/big").st_size, 3 << 20);
}

/* What the tarball made is no way out of the folder. */
static void walks_through_no_link(void **state)
{
	static const struct item cases[][4] = {
		{ LINK_("l", "../outside"), FILE_("l/f", "F"), { .path = NULL } },
		{ LINK_("l", "/tmp"), FILE_("l/dunlin-unpacked", "F"), { .path = NULL } },
		{ LINK_("l", "../outside"), DIR_("l/d"), { .path = NULL } },
		{ LINK_("l", "../outside"), LINK_("l/k", "x"), { .path = NULL } },
		/* not even to a place inside, which may be a link by then */
		{ DIR_("d"), LINK_("l", "d"), FILE_("l/f", "F"), { .path = NULL } },
		{ LINK_("l", "../outside"), DIR_("l"), { .path = NULL } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_close_ int outside = open("outside", O_DIRECTORY | O_CLOEXEC);
		struct err err = { 0 };

		if (unpack(*state, "", cases[i], &err) == 0)
			fail_msg("case %zu was taken", i);
		assert_true(outside >= 0);
		assert_int_equal(io_is_empty("outside", &err), 1);
		assert_int_equal(access("/tmp/dunlin-unpacked", F_OK), -1);
		assert_int_equal(access("root/d/f", F_OK), -1);
		assert_int_equal(io_remove_tree("root/l", &err), 0);
	}
}

/* Nor is what is there already, though the reader would let the entry pass. */
static void walks_through_no_link_of_others(void **state)
{
	static const struct {
		const char *target;
		struct item items[2];
	} cases[] = {
		{ "../outside", { FILE_("l/f", "F"), { .path = NULL } } },
		{ "/proc/self/cwd/outside", { FILE_("l/f", "F"), { .path = NULL } } },
		{ "d", { FILE_("l/f", "F"), { .path = NULL } } },
		{ "d", { FILE_("l/deep/er/f", "F"), { .path = NULL } } },
		{ "d", { DIR_("l"), { .path = NULL } } },
	};
	struct err err = { 0 };

	assert_int_equal(mkdir("root/d", 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(symlink(cases[i].target, "root/l"), 0);
		if (unpack(*state, "", cases[i].items, &err) == 0)
			fail_msg("case %zu was taken", i);
		assert_int_equal(io_is_empty("outside", &err), 1);
		assert_int_equal(io_is_empty("root/d", &err), 1);
		assert_link("root/l", cases[i].target);
		assert_int_equal(unlink("root/l"), 0);
	}
}

static void what_is_no_root_is_refused(void **state)
{
	static const struct item items[] = { FILE_("rootfs", "a file"), { .path = NULL } };
	struct err err = { 0 };

	assert_int_equal(unpack(*state, "rootfs", items, &err), -1);
	assert_string_equal(err.msg, "image: its root is no directory");
}

/* A hard link may name what is below the prefix only: the rest is not unpacked. */
static void links_stay_below_the_prefix(void **state)
{
	static const struct item items[] = { FILE_("metadata.yaml", META),
					     DIR_("rootfs"),
					     HARD_("rootfs/h", "metadata.yaml"),
					     { .path = NULL } };
	struct err err = { 0 };

	assert_int_equal(unpack(*state, "rootfs", items, &err), -1);
	assert_int_equal(access("root/h", F_OK), -1);
}

/* --- attributes ------------------------------------------------------------------------------ */

static int tar_with_xattrs(const char *dir)
{
	static const char *const names[] = { "user.mine", "user.overlay.redirect",
					     "trusted.overlay.opaque", "security.evil" };
	struct err err;
	int fd = io_temp_fd(dir, &err);
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	archive_write_set_format_pax_restricted(a);
	assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
	archive_entry_set_pathname(e, "f");
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		archive_entry_xattr_add_entry(e, names[i], "v", 1);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	archive_entry_free(e);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	return fd;
}

/* Those of overlayfs would let a layer redirect what is looked up in another. */
static void takes_few_attributes(void **state)
{
	const struct folder *f = *state;
	_close_ int tar = tar_with_xattrs(f->dir);
	struct err err = { 0 };
	char names[256] = "";

	if (image_unpack(tar, f->fd, "", &image_limits_default, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(listxattr("root/f", names, sizeof(names)), sizeof("user.mine"));
	assert_string_equal(names, "user.mine");
}

#define UNPACK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNPACK_TEST(keeps_what_an_entry_says),
		UNPACK_TEST(without_a_prefix_all_is_of_the_root),
		UNPACK_TEST(makes_parents),
		UNPACK_TEST(later_entries_win),
		UNPACK_TEST(leaves_out_devices),
		UNPACK_TEST(keeps_holes),
		UNPACK_TEST(walks_through_no_link),
		UNPACK_TEST(walks_through_no_link_of_others),
		UNPACK_TEST(what_is_no_root_is_refused),
		UNPACK_TEST(links_stay_below_the_prefix),
		UNPACK_TEST(takes_few_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
