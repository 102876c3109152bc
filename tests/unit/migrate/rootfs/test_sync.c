/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/migrate/rootfs/sync_world.h"

#define NS 123456789

/* --- what there is in a root file system -------------------------------------------------- */

/* cap_net_bind_service, version 2 */
static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 4 };
/* user::rw- user:7:r-- group::r-- mask::r-- other::--- */
static const uint8_t acl[44] = { 2, 0, 0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  4,
				 0, 7, 0,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
				 4, 0, 255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255 };

static void make_socket(const struct world *w, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(str_copy(un.sun_path, sizeof(un.sun_path), in(w, path)));
	assert_int_equal(bind(s, (struct sockaddr *)&un, sizeof(un)), 0);
}

static void make_sparse(const struct world *w, const char *path)
{
	_close_ int fd = open(in(w, path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "middle", 6, 8 << 20), 6);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
}

static void old_times(const struct world *w, const char *path)
{
	struct timespec t[2] = { { 1000000, NS }, { 1000000, NS } };

	assert_int_equal(utimensat(AT_FDCWD, in(w, path), t, AT_SYMLINK_NOFOLLOW), 0);
}

static void populate(const struct world *w)
{
	put(w, "plain", "text");
	put(w, "empty", "");
	put(w, "suid", "#!");
	assert_int_equal(chown(in(w, "suid"), 1000, 65535), 0);
	assert_int_equal(chmod(in(w, "suid"), 06755), 0);
	put(w, "capable", "x");
	assert_int_equal(setxattr(in(w, "capable"), "security.capability", capability,
				  sizeof(capability), 0),
			 0);
	assert_int_equal(setxattr(in(w, "plain"), "user.note", "hello", 5, 0), 0);
	assert_int_equal(mkdir(in(w, "d"), 0700), 0);
	assert_int_equal(mkdir(in(w, "d/e"), 0555), 0);
	put(w, "d/e/deep", "deep");
	put(w, "d/acl", "acl");
	assert_int_equal(setxattr(in(w, "d/acl"), "system.posix_acl_access", acl, sizeof(acl), 0),
			 0);
	assert_int_equal(symlink("/etc/passwd", in(w, "d/link")), 0);
	assert_int_equal(lchown(in(w, "d/link"), 5, 6), 0);
	assert_int_equal(symlink("nowhere", in(w, "dangling")), 0);
	assert_int_equal(mkfifo(in(w, "fifo"), 0622), 0);
	make_socket(w, "socket");
	make_sparse(w, "sparse");
	put(w, "d/one", "linked");
	_free_ char *one = xstrdup(in(w, "d/one"));
	assert_int_equal(link(one, in(w, "two")), 0);
	put(w, "name with \n and \xff", "odd");
	old_times(w, "plain");
	old_times(w, "dangling");
	old_times(w, "d/e");
}

static void everything_arrives(void **state)
{
	struct world *w = *state;
	struct stat st;

	populate(w);
	assert_true(pass(w) > 15);
	same_tree(w->from, w->to);
	assert_int_equal(fstatat(w->to_fd, "sparse", &st, 0), 0);
	assert_true(st.st_blocks * 512 < 1 << 20);
}

/* Until its ctime is old enough to show a change, an entry is sent again. */
static void let_clock_pass(void)
{
	int64_t until = clock_wall_ns() + 60 * 1000000;

	while (clock_wall_ns() < until)
		sched_yield();
}

static void nothing_is_sent_twice(void **state)
{
	struct world *w = *state;

	populate(w);
	let_clock_pass();
	pass(w);
	assert_int_equal(pass(w), 0);
}

static void changes_are_found(void **state)
{
	struct world *w = *state;
	_free_ char *two = xstrdup(in(w, "two"));
	_free_ char *plain = xstrdup(in(w, "plain"));

	populate(w);
	let_clock_pass();
	pass(w);
	put(w, "plain", "tex!");
	old_times(w, "plain"); /* as if nothing had been written */
	put(w, "two", "linked, changed");
	put(w, "d/new", "new");
	assert_int_equal(unlink(in(w, "empty")), 0);
	assert_int_equal(chmod(in(w, "suid"), 0600), 0);
	assert_int_equal(removexattr(in(w, "capable"), "security.capability"), 0);
	assert_true(pass(w) > 0);
	same_tree(w->from, w->to);
	/* Another file under the name of one of several. */
	assert_int_equal(unlink(two), 0);
	put(w, "two", "alone");
	assert_int_equal(link(plain, in(w, "third")), 0);
	pass(w);
	same_tree(w->from, w->to);
}

static void types_change(void **state)
{
	struct world *w = *state;
	struct err err;
	_free_ char *from = xstrdup(in(w, "d")), *away = xstrdup(in(w, "moved"));

	populate(w);
	let_clock_pass();
	pass(w);
	assert_int_equal(unlink(in(w, "plain")), 0);
	assert_int_equal(mkdir(in(w, "plain"), 0755), 0);
	put(w, "plain/inside", "a folder now");
	assert_int_equal(rename(from, away), 0);
	assert_int_equal(symlink("moved", from), 0);
	assert_int_equal(unlink(in(w, "fifo")), 0);
	put(w, "fifo", "a file now");
	pass(w);
	same_tree(w->from, w->to);
	assert_int_equal(unlink(from), 0);
	assert_int_equal(mkdir(from, 0711), 0);
	put(w, "d/x", "x");
	assert_int_equal(io_remove_tree(away, &err), 0);
	put(w, "moved", "a file");
	pass(w);
	same_tree(w->from, w->to);
}

/* Pages that are dirty already change without a touch of the times, until they are written out. */
static void writes_by_mapping_are_found(void **state)
{
	struct world *w = *state;
	int fd;
	char *map;

	put(w, "mapped", "0000");
	fd = open(in(w, "mapped"), O_RDWR | O_CLOEXEC);
	map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	map[0] = '1';
	let_clock_pass();
	pass(w);
	map[1] = '1';
	pass(w);
	same_tree(w->from, w->to);
	munmap(map, 4);
	close(fd);
}

static void overlay_marks_are_chosen(void **state)
{
	static const struct {
		const char *name;
		bool kept;
	} rows[] = {
		{ "trusted.overlay.opaque", true },  { "trusted.overlay.redirect", true },
		{ "trusted.overlay.origin", false }, { "trusted.overlay.uuid", false },
		{ "trusted.overlay.impure", false }, { "trusted.overlay.nlink", false },
		{ "trusted.overlay.upper", false },  { "trusted.other", false },
		{ "security.selinux2", false },      { "user.any", true },
	};
	struct world *w = *state;
	_free_ char *there = xasprintf("%s/d", w->to);
	char value[16];
	struct stat st;

	assert_int_equal(mkdir(in(w, "d"), 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		setxattr(in(w, "d"), rows[i].name, "y", 1, 0);
	assert_int_equal(mknod(in(w, "gone"), S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(lchown(in(w, "gone"), 65536, 65536), 0);
	pass(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(getxattr(there, rows[i].name, value, sizeof(value)),
				 rows[i].kept ? 1 : -1);
	assert_int_equal(fstatat(w->to_fd, "gone", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0 && st.st_uid == 65536);
}

/* An overlay whose upper layer was moved to another file system mounts and shows the same. */
static int mount_at(const char *top)
{
	_free_ char *at = xasprintf("%s/merged", top);
	_free_ char *opt = xasprintf("lowerdir=%s/low,upperdir=%s/vol/upper,workdir=%s/vol/work,"
				     "index=on,nfs_export=on,metacopy=off,redirect_dir=on,xino=off",
				     top, top, top);

	return mount("test", at, "overlay", 0, opt);
}

static void make_image(const char *top)
{
	static const char *const sub[] = { "low",       "low/dir",  "vol",
					   "vol/upper", "vol/work", "merged" };
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(sub); i++) {
		_free_ char *path = xasprintf("%s/%s", top, sub[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	for (int i = 0; i < 4; i++) {
		_free_ char *path = xasprintf("%s/low/dir/f%d", top, i);

		assert_int_equal(io_write_file(path, "low", 3, 0644, &err), 0);
	}
}

static void change_merged(const struct world *w)
{
	_free_ char *dir = xstrdup(in(w, "merged/dir")), *other = xstrdup(in(w, "merged/other"));

	put(w, "merged/dir/f0", "changed");
	assert_int_equal(unlink(in(w, "merged/dir/f1")), 0);
	assert_int_equal(rename(dir, other), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	put(w, "merged/dir/fresh", "fresh");
}

/* Sends the upper layers only. */
static void send_upper(struct world *w)
{
	_free_ char *to = xasprintf("%s/vol/upper", w->to);
	struct sync_target_opts o;

	sync_source_free(w->source);
	sync_target_free(w->target);
	close(w->to_fd);
	w->source = sync_source_new(open(in(w, "vol/upper"), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				    marks);
	w->to_fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	o = options(w->to_fd);
	w->target = sync_target_new(&o);
	pass(w);
}

static void same_names(const struct world *w, const char *path, int want)
{
	_free_ char *a = xstrdup(in(w, path)), *b = xasprintf("%s/%s", w->to, path);

	assert_int_equal(count(a), want + 2);
	assert_int_equal(count(b), want + 2);
}

static void an_overlay_goes_on_elsewhere(void **state)
{
	struct world *w = *state;
	_free_ char *there = xasprintf("%s/merged", w->to), *f0 = NULL, *g0 = NULL;

	if (mount("test", w->from, "tmpfs", 0, "mode=0755") < 0)
		skip();
	assert_int_equal(mount("test", w->to, "tmpfs", 0, "mode=0755"), 0);
	make_image(w->from);
	make_image(w->to);
	assert_int_equal(mount_at(w->from), 0);
	change_merged(w);
	send_upper(w);
	assert_int_equal(mount_at(w->to), 0);
	same_names(w, "merged/other", 3);
	same_names(w, "merged/dir", 1);
	f0 = xstrdup(in(w, "merged/other/f0"));
	g0 = xasprintf("%s/other/f0", there);
	same_content(f0, g0);
	umount(there);
	umount(in(w, "merged"));
	umount2(w->from, MNT_DETACH);
	umount2(w->to, MNT_DETACH);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(everything_arrives),
		T(nothing_is_sent_twice),
		T(changes_are_found),
		T(types_change),
		T(writes_by_mapping_are_found),
		T(overlay_marks_are_chosen),
		T(an_overlay_goes_on_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
