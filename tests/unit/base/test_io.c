/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

static char dir[] = "/tmp/dunlin-test-io-XXXXXX";

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct err err;

	return io_remove_tree(dir, &err);
}

static void put(const char *path, const char *text)
{
	struct err err;

	if (io_write_file(path, text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.msg);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* --- whole reads and writes ------------------------------------------------------------------- */

static void a_short_read_is_told_from_an_error(void **state)
{
	char buf[8] = "";
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(io_write_full(fds[1], "abcde", 5), 0);
	assert_int_equal(io_read_full(fds[0], buf, 0), 0);
	assert_int_equal(io_read_full(fds[0], buf, 3), 0);
	assert_string_equal(buf, "abc");
	close(fds[1]);
	errno = EIO;
	assert_int_equal(io_read_full(fds[0], buf, 3), -1);
	assert_int_equal(errno, 0);
	close(fds[0]);
	assert_int_equal(io_read_full(fds[0], buf, 1), -1);
	assert_int_equal(errno, EBADF);
}

static void *write_slowly(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "0123456789", 10), 10);
	close(fd);
	return NULL;
}

static void pieces_are_put_together(void **state)
{
	_free_ char *buf = xcalloc(10001, 1);
	pthread_t t;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&t, NULL, write_slowly, &fds[1]), 0);
	assert_int_equal(io_read_full(fds[0], buf, 10000), 0);
	pthread_join(t, NULL);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf[i], '0' + i % 10);
	close(fds[0]);
}

static void writing_to_nobody_fails(void **state)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	assert_int_equal(io_write_full(fds[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(io_write_full(fds[1], "x", 0), 0);
	close(fds[1]);
	signal(SIGPIPE, SIG_DFL);
}

/* The part that there is room for is no success, and the error is that of the rest. */
static void writing_at_a_place_goes_on_to_the_cause(void **state)
{
	_free_ char *path = xasprintf("%s/at", dir);
	struct rlimit was, small;
	char data[100] = "abc", back[100];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(io_write_at(fd, data, sizeof(data), 50), 0);
	assert_int_equal(io_write_at(fd, data, 0, 5000), 0);
	assert_int_equal(pread(fd, back, sizeof(back), 50), sizeof(back));
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = (struct rlimit){ 200, was.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(io_write_at(fd, data, sizeof(data), 150), -1);
	assert_int_equal(errno, EFBIG);
	setrlimit(RLIMIT_FSIZE, &was);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(lseek(fd, 0, SEEK_END), 200);
	close(fd);
	unlink(path);
	assert_int_equal(io_write_at(-1, data, 1, 0), -1);
}

static void reading_a_file_keeps_its_limit(void **state)
{
	_free_ char *path = xasprintf("%s/limit", dir);
	static const struct {
		size_t max;
		bool ok;
	} cases[] = { { 6, true }, { 7, true }, { 1 << 20, true }, { 5, false }, { 0, false } };

	put(path, "second");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		size_t len = 0;
		_free_ char *text = io_read_file(path, cases[i].max, &len, &err);

		assert_int_equal(text != NULL, cases[i].ok);
		if (cases[i].ok) {
			assert_string_equal(text, "second");
			assert_int_equal(len, 6);
			continue;
		}
		assert_int_equal(err.kind, ERR_TOO_LARGE);
		assert_non_null(strstr(err.msg, path));
	}
}

static void reading_ends_at_the_limit(void **state)
{
	struct err err = { 0 };

	assert_null(io_read_file("/dev/zero", 100000, NULL, &err));
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void reading_odd_files(void **state)
{
	_free_ char *empty = xasprintf("%s/empty", dir);
	_free_ char *text = NULL, *nuls = NULL;
	struct err err = { 0 };
	size_t len = 9;

	put(empty, "");
	text = io_read_file(empty, 0, &len, &err);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	assert_int_equal(io_write_file(empty, "a\0b", 3, 0600, &err), 0);
	nuls = io_read_file(empty, 10, &len, &err);
	assert_int_equal(len, 3);
	assert_memory_equal(nuls, "a\0b\0", 4);
	assert_null(io_read_file("/nonexistent/x", 5, &len, &err));
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "/nonexistent/x"));
	assert_null(io_read_file(dir, 5, &len, &err));
	assert_int_equal(err.sys, EISDIR);
}

/* --- replacing -------------------------------------------------------------------------------- */

static void a_file_is_replaced_whole(void **state)
{
	_free_ char *folder = xasprintf("%s/replace", dir);
	_free_ char *path = xasprintf("%s/file", folder);
	_free_ char *text = NULL;
	struct err err = { 0 };
	char old[4] = "";
	int fd;

	assert_int_equal(io_mkdirs(folder, 0700, &err), 0);
	assert_int_equal(io_write_file(path, "one", 3, 0600, &err), 0);
	assert_int_equal(mode_of(path), 0600);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(io_write_file(path, "second", 6, 0644, &err), 0);
	assert_int_equal(mode_of(path), 0644);
	/* who reads the old one goes on reading it */
	assert_int_equal(io_read_full(fd, old, 3), 0);
	assert_string_equal(old, "one");
	close(fd);
	text = io_read_file(path, 100, NULL, &err);
	assert_string_equal(text, "second");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0); /* nothing temporary is left */
}

static void a_failed_replacement_leaves_the_old(void **state)
{
	_free_ char *folder = xasprintf("%s/fails", dir);
	_free_ char *inside = xasprintf("%s/fails/target/inside", dir);
	_free_ char *target = xasprintf("%s/target", folder);
	struct err err = { 0 };

	assert_int_equal(io_write_file("/nonexistent/x", "a", 1, 0600, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(io_mkdirs(target, 0700, &err), 0);
	put(inside, "x");
	assert_int_equal(io_write_file(target, "a", 1, 0600, &err), -1);
	assert_non_null(strstr(err.msg, target));
	assert_int_equal(unlink(inside), 0);
	assert_int_equal(rmdir(target), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* --- folders ---------------------------------------------------------------------------------- */

static void folders_are_made_with_their_parents(void **state)
{
	_free_ char *deep = xasprintf("%s/a/b/c", dir);
	_free_ char *parent = xasprintf("%s/a", dir);
	_free_ char *slash = xasprintf("%s/x/y/", dir);
	struct err err = { 0 };

	assert_int_equal(io_mkdirs(deep, 0750, &err), 0);
	assert_int_equal(io_mkdirs(deep, 0700, &err), 0);
	assert_int_equal(mode_of(parent), 0750);
	assert_int_equal(mode_of(deep), 0750);
	assert_int_equal(io_mkdirs(slash, 0755, &err), 0);
	assert_true(io_exists(slash));
	assert_int_equal(io_mkdirs("/", 0755, &err), 0);
}

static void a_folder_gets_its_mode_whatever_the_mask(void **state)
{
	_free_ char *parent = xasprintf("%s/exact", dir);
	_free_ char *deep = xasprintf("%s/exact/b", dir);
	struct err err = { 0 };
	mode_t old = umask(077);

	assert_int_equal(io_folder(deep, 0755, &err), 0);
	umask(old);
	assert_int_equal(mode_of(parent), 0755);
	assert_int_equal(mode_of(deep), 0755);
	assert_int_equal(io_folder(deep, 0700, &err), 0);
	assert_int_equal(mode_of(parent), 0755);
	assert_int_equal(mode_of(deep), 0700);
}

static void a_file_in_the_way_is_named(void **state)
{
	_free_ char *file = xasprintf("%s/in-the-way", dir);
	_free_ char *below = xasprintf("%s/in-the-way/x", dir);
	struct err err = { 0 };

	put(file, "");
	assert_int_equal(io_mkdirs(below, 0755, &err), -1);
	assert_non_null(strstr(err.msg, "in-the-way"));
	assert_int_equal(io_folder(below, 0755, &err), -1);
}

/* --- removing --------------------------------------------------------------------------------- */

static void removes_trees_of_any_depth_without_following_links(void **state)
{
	_free_ char *tree = xasprintf("%s/tree", dir);
	_free_ char *kept = xasprintf("%s/kept", dir);
	_free_ char *link = xasprintf("%s/tree/link", dir);
	struct err err;
	int fd;

	assert_int_equal(io_mkdirs(kept, 0755, &err), 0);
	assert_int_equal(io_mkdirs(tree, 0755, &err), 0);
	assert_int_equal(symlink(kept, link), 0);
	fd = open(tree, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(io_remove_tree(tree, &err), 0);
	assert_false(io_exists(tree));
	assert_true(io_exists(kept));
	assert_int_equal(io_remove_tree(tree, &err), 0);
	assert_int_equal(rmdir(kept), 0);
}

static void removes_files_and_links_themselves(void **state)
{
	_free_ char *file = xasprintf("%s/one-file", dir);
	_free_ char *link = xasprintf("%s/one-link", dir);
	struct err err;

	put(file, "x");
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(io_remove_tree(link, &err), 0);
	assert_true(io_exists(file));
	assert_int_equal(io_remove_tree(file, &err), 0);
	assert_false(io_exists(file));
	assert_int_equal(io_remove_tree("/nonexistent/x/y", &err), 0);
}

/* A relative path, and names that the code could take for its own. */
static void removes_odd_names(void **state)
{
	struct err err;
	char cwd[4096];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(io_mkdirs("odd/..a/-x/.removed.deep-0", 0700, &err), 0);
	assert_int_equal(io_remove_tree("odd", &err), 0);
	assert_false(io_exists("odd"));
	assert_int_equal(chdir(cwd), 0);
}

static void mounts_are_not_crossed(void **state)
{
	_free_ char *tree = xasprintf("%s/mounted", dir);
	_free_ char *at = xasprintf("%s/mounted/m", dir);
	_free_ char *file = xasprintf("%s/mounted/m/file", dir);
	struct err err = { 0 };

	/* in a namespace of its own, so that nothing stays behind a failure */
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(io_mkdirs(at, 0700, &err), 0);
	assert_int_equal(mount("none", at, "tmpfs", 0, "size=1m"), 0);
	put(file, "kept");
	assert_int_equal(io_remove_tree(tree, &err), -1);
	assert_non_null(strstr(err.msg, tree));
	assert_true(io_exists(file));
	/* the folder of io_empty_dir may be a mount itself */
	assert_int_equal(io_empty_dir(at, &err), 0);
	assert_false(io_exists(file));
	assert_int_equal(umount(at), 0);
	assert_int_equal(io_remove_tree(tree, &err), 0);
}

static void empties_a_folder_that_stays(void **state)
{
	_free_ char *tree = xasprintf("%s/full", dir);
	_free_ char *deep = xasprintf("%s/full/a/b/c", dir);
	_free_ char *hidden = xasprintf("%s/full/.hidden", dir);
	_free_ char *first = xasprintf("%s/full/a", dir);
	struct err err;

	assert_int_equal(io_mkdirs(deep, 0700, &err), 0);
	put(hidden, "x");
	assert_int_equal(io_empty_dir(tree, &err), 0);
	assert_true(io_exists(tree));
	assert_false(io_exists(first));
	assert_false(io_exists(hidden));
	assert_int_equal(io_empty_dir(tree, &err), 0);
	assert_int_equal(io_empty_dir(first, &err), 0); /* absent */
	put(first, "a file");
	assert_int_equal(io_empty_dir(first, &err), -1);
	assert_true(io_exists(first));
}

/* --- looking ---------------------------------------------------------------------------------- */

static void absence_is_certain(void **state)
{
	_free_ char *file = xasprintf("%s/there", dir);
	_free_ char *below = xasprintf("%s/there/below", dir);
	char long_name[400];

	put(file, "");
	assert_true(io_exists(file));
	assert_true(io_exists(dir));
	assert_false(io_exists("/nonexistent/x"));
	assert_false(io_exists(below));
	/* what cannot be looked at may be there */
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[0] = '/';
	long_name[sizeof(long_name) - 1] = '\0';
	assert_true(io_exists(long_name));
}

static void emptiness(void **state)
{
	static const struct {
		const char *name; /* put into the folder before it is asked */
		int empty;
	} steps[] = { { NULL, 1 }, { ".snapshot", 1 }, { "lost+found", 1 }, { "a", 0 } };
	_free_ char *folder = xasprintf("%s/maybe", dir);
	_free_ char *file = xasprintf("%s/maybe/a", dir);
	struct err err = { 0 };

	assert_int_equal(io_is_empty(folder, &err), 1); /* no folder */
	assert_int_equal(mkdir(folder, 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_free_ char *path = xasprintf("%s/%s", folder, steps[i].name);

		if (steps[i].name)
			put(path, "");
		assert_int_equal(io_is_empty(folder, &err), steps[i].empty);
	}
	assert_int_equal(io_is_empty(file, &err), -1);
	assert_int_equal(err.sys, ENOTDIR);
	assert_non_null(strstr(err.msg, file));
}

static void free_space(void **state)
{
	uint64_t n = io_free_bytes(dir);

	assert_true(n > 0 && n < UINT64_MAX);
	assert_true(io_free_bytes("/nonexistent/x") == UINT64_MAX);
	assert_int_equal(io_free_bytes("/proc"), 0);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static void temporary_files_have_no_name(void **state)
{
	_free_ char *folder = xasprintf("%s/temp", dir);
	struct err err = { 0 };
	struct stat st;
	int fd;

	assert_int_equal(mkdir(folder, 0700), 0);
	fd = io_temp_fd(folder, &err);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(io_write_full(fd, "x", 1), 0);
	assert_int_equal(rmdir(folder), 0);
	close(fd);
	assert_int_equal(io_temp_fd(folder, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, folder));
}

static void blocking_is_switched(void **state)
{
	char b;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(io_set_nonblock(fds[0], true), 0);
	assert_int_equal(read(fds[0], &b, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(io_set_nonblock(fds[0], false), 0);
	assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(io_set_nonblock(fds[0], true), -1);
}

static void descriptors_travel(void **state)
{
	int pair[2], fd;
	char buf[4] = "";

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fd = io_temp_fd(dir, &(struct err){ 0 });
	assert_true(fd >= 0);
	assert_int_equal(io_send_fd(pair[0], fd), 0);
	assert_int_equal(io_write_full(fd, "abc", 3), 0);
	close(fd);
	fd = io_recv_fd(pair[1]);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(pread(fd, buf, 3, 0), 3);
	assert_string_equal(buf, "abc");
	close(fd);
	/* a byte without a descriptor, a descriptor that is none, and the end */
	assert_int_equal(write(pair[0], "f", 1), 1);
	assert_int_equal(io_recv_fd(pair[1]), -1);
	assert_int_equal(io_send_fd(pair[0], -1), -1);
	close(pair[0]);
	assert_int_equal(io_recv_fd(pair[1]), -1);
	assert_int_equal(io_send_fd(pair[1], 0), -1); /* and no SIGPIPE */
	close(pair[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_read_is_told_from_an_error),
		cmocka_unit_test(pieces_are_put_together),
		cmocka_unit_test(writing_to_nobody_fails),
		cmocka_unit_test(writing_at_a_place_goes_on_to_the_cause),
		cmocka_unit_test(reading_a_file_keeps_its_limit),
		cmocka_unit_test(reading_ends_at_the_limit),
		cmocka_unit_test(reading_odd_files),
		cmocka_unit_test(a_file_is_replaced_whole),
		cmocka_unit_test(a_failed_replacement_leaves_the_old),
		cmocka_unit_test(folders_are_made_with_their_parents),
		cmocka_unit_test(a_folder_gets_its_mode_whatever_the_mask),
		cmocka_unit_test(a_file_in_the_way_is_named),
		cmocka_unit_test(removes_trees_of_any_depth_without_following_links),
		cmocka_unit_test(removes_files_and_links_themselves),
		cmocka_unit_test(removes_odd_names),
		cmocka_unit_test(mounts_are_not_crossed),
		cmocka_unit_test(empties_a_folder_that_stays),
		cmocka_unit_test(absence_is_certain),
		cmocka_unit_test(emptiness),
		cmocka_unit_test(free_space),
		cmocka_unit_test(temporary_files_have_no_name),
		cmocka_unit_test(blocking_is_switched),
		cmocka_unit_test(descriptors_travel),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
