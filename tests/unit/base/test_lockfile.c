/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/lockfile.h"
#include "base/mem.h"

static char dir[] = "/tmp/dunlin-test-lock-XXXXXX";

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct err err;

	return io_remove_tree(dir, &err);
}

static void the_file_names_its_holder(void **state)
{
	_free_ char *path = xasprintf("%s/text", dir);
	_free_ char *want = xasprintf("%d\n", (int)getpid());
	_free_ char *text = NULL;
	struct err err;
	struct stat st;
	int fd;

	/* a longer text of an earlier holder goes away whole */
	assert_int_equal(io_write_file(path, "12345678901234567890\nmore\n", 26, 0644, &err), 0);
	fd = lockfile_take(path, deadline_in(0), &err);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	text = io_read_file(path, 100, NULL, &err);
	assert_string_equal(text, want);
	close(fd);
	assert_int_equal(unlink(path), 0);
	fd = lockfile_take(path, deadline_in(0), &err);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
}

static void a_held_lock_is_refused_with_its_holder(void **state)
{
	_free_ char *path = xasprintf("%s/held", dir);
	_free_ char *want = xasprintf("%s is held by process %d", path, (int)getpid());
	struct err err = { 0 };
	int64_t start = clock_ms();
	int fd = lockfile_take(path, deadline_in(0), &err);

	assert_true(fd >= 0);
	assert_int_equal(lockfile_take(path, deadline_in(0), &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_string_equal(err.msg, want);
	assert_int_equal(lockfile_take(path, deadline_in(30), &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_true(clock_ms() - start >= 30);
	close(fd);
	fd = lockfile_take(path, deadline_in(0), &err);
	assert_true(fd >= 0);
	close(fd);
}

static void a_text_that_names_nobody_does_no_harm(void **state)
{
	static const char *const texts[] = {
		"", "\n", "nonsense\n", "-5\n", "0\n", "2147483647\n", "99999999999999999999\n"
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_free_ char *path = xasprintf("%s/odd-%zu", dir, i);
		struct err err = { 0 };
		int held = lockfile_take(path, deadline_in(0), &err);

		assert_int_equal(ftruncate(held, 0), 0);
		assert_int_equal(pwrite(held, texts[i], strlen(texts[i]), 0), strlen(texts[i]));
		assert_int_equal(lockfile_take(path, deadline_in(5), &err), -1);
		assert_int_equal(err.kind, ERR_CONFLICT);
		close(held);
	}
}

static void the_end_of_the_holder_is_waited_for(void **state)
{
	_free_ char *path = xasprintf("%s/killed", dir);
	int fd, to_child[2], from_child[2];
	struct err err = { 0 };
	pid_t other;
	char c;

	assert_int_equal(pipe2(to_child, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from_child, O_CLOEXEC), 0);
	other = fork();
	if (other == 0) {
		close(to_child[1]);
		fd = lockfile_take(path, deadline_in(0), &err);
		if (fd >= 0 && write(from_child[1], "x", 1) == 1 && read(to_child[0], &c, 1) == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(read(from_child[0], &c, 1), 1);
	assert_int_equal(lockfile_take(path, deadline_in(0), &err), -1);
	close(to_child[1]);
	fd = lockfile_take(path, deadline_in(60000), &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(waitpid(other, NULL, 0), other);
	close(to_child[0]);
	close(from_child[0]);
	close(from_child[1]);
}

static void what_cannot_be_a_lock_is_refused(void **state)
{
	_free_ char *missing = xasprintf("%s/none/lock", dir);
	_free_ char *link = xasprintf("%s/link", dir);
	_free_ char *target = xasprintf("%s/target", dir);
	_free_ char *folder = xasprintf("%s/folder", dir);
	struct err err = { 0 };

	assert_int_equal(lockfile_take(missing, deadline_in(0), &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(lockfile_take(link, deadline_in(0), &err), -1);
	assert_false(io_exists(target));
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(lockfile_take(folder, deadline_in(0), &err), -1);
	assert_non_null(strstr(err.msg, folder));
	assert_int_equal(lockfile_folder("/proc/dunlin/none", 0700, &err), -1);
	assert_non_null(strstr(err.msg, "/proc/dunlin"));
}

static void a_folder_gets_its_mode(void **state)
{
	_free_ char *path = xasprintf("%s/made/here", dir);
	struct err err;
	int fd = lockfile_folder(path, 0711, &err), other = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	close(fd);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
}

struct visits {
	const char *path;
	int inside, most, total;
};

static void *visit(void *arg)
{
	struct visits *v = arg;

	for (int i = 0; i < 50; i++) {
		struct err err;
		int fd = lockfile_folder(v->path, 0700, &err), inside;

		assert_true(fd >= 0);
		inside = __atomic_add_fetch(&v->inside, 1, __ATOMIC_SEQ_CST);
		if (inside > v->most)
			v->most = inside;
		v->total++; /* the lock guards it */
		__atomic_sub_fetch(&v->inside, 1, __ATOMIC_SEQ_CST);
		close(fd);
	}
	return NULL;
}

static void threads_of_one_process_wait_for_each_other(void **state)
{
	_free_ char *path = xasprintf("%s/threads", dir);
	struct visits v = { .path = path };
	pthread_t t[4];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, visit, &v), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(v.most, 1);
	assert_int_equal(v.total, 200);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_names_its_holder),
		cmocka_unit_test(a_held_lock_is_refused_with_its_holder),
		cmocka_unit_test(a_text_that_names_nobody_does_no_harm),
		cmocka_unit_test(the_end_of_the_holder_is_waited_for),
		cmocka_unit_test(what_cannot_be_a_lock_is_refused),
		cmocka_unit_test(a_folder_gets_its_mode),
		cmocka_unit_test(threads_of_one_process_wait_for_each_other),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
