/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/lockfile.h"
#include "base/mem.h"

static char dir[] = "/tmp/dunlin-io-XXXXXX";

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct err err;

	return io_remove_tree(dir, &err);
}

static void write_is_atomic_and_private(void **state)
{
	_free_ char *path = xasprintf("%s/file", dir);
	_free_ char *text = NULL;
	struct stat st;
	struct err err;
	size_t len;

	assert_int_equal(io_write_file(path, "one", 3, 0600, &err), 0);
	assert_int_equal(io_write_file(path, "second", 6, 0600, &err), 0);
	text = io_read_file(path, 100, &len, &err);
	assert_string_equal(text, "second");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_null(io_read_file(path, 5, &len, &err));
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_null(io_read_file("/nonexistent/x", 5, &len, &err));
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "/nonexistent/x"));
}

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

static void descriptors_travel(void **state)
{
	int pair[2], fd;
	char buf[4] = "";

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fd = io_temp_fd(dir, &(struct err){ 0 });
	assert_true(fd >= 0);
	assert_int_equal(io_send_fd(pair[0], fd), 0);
	assert_int_equal(io_write_full(fd, "abc", 3), 0);
	close(fd);
	fd = io_recv_fd(pair[1]);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, buf, 3, 0), 3);
	assert_string_equal(buf, "abc");
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

static void empties_a_folder_that_stays(void **state)
{
	_free_ char *tree = xasprintf("%s/full", dir);
	_free_ char *deep = xasprintf("%s/full/a/b/c", dir);
	_free_ char *first = xasprintf("%s/full/a", dir);
	struct err err;

	assert_int_equal(io_mkdirs(deep, 0700, &err), 0);
	assert_int_equal(io_empty_dir(tree, &err), 0);
	assert_true(io_exists(tree));
	assert_false(io_exists(first));
	assert_int_equal(io_empty_dir(first, &err), 0);
}

static void lock_is_waited_for_and_names_its_holder(void **state)
{
	_free_ char *path = xasprintf("%s/lock", dir);
	_free_ char *pid = xasprintf("process %d", (int)getpid());
	int fd, other;
	struct err err;

	fd = lockfile_take(path, deadline_in(0), &err);
	assert_true(fd >= 0);
	assert_int_equal(lockfile_take(path, deadline_in(0), &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, pid));
	close(fd);
	other = fork();
	if (other == 0) {
		fd = lockfile_take(path, deadline_in(0), &err);
		kill(getpid(), fd >= 0 ? SIGKILL : SIGTERM);
	}
	fd = lockfile_take(path, deadline_in(60000), &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(waitpid(other, NULL, 0), other);
}

static void lock_of_a_folder_is_one_threads(void **state)
{
	_free_ char *path = xasprintf("%s/folder", dir);
	struct err err;
	int fd = lockfile_folder(path, 0711, &err), other = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	close(fd);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_is_atomic_and_private),
		cmocka_unit_test(removes_trees_of_any_depth_without_following_links),
		cmocka_unit_test(empties_a_folder_that_stays),
		cmocka_unit_test(lock_is_waited_for_and_names_its_holder),
		cmocka_unit_test(lock_of_a_folder_is_one_threads),
		cmocka_unit_test(descriptors_travel),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
