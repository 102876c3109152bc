/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/node/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/helper/confine.h"

#define NOBODY 65534

struct place {
	char dir[64];
	int fd;
};

static bool confine(int root, uint64_t keep, struct err *err)
{
	const struct confine c = { .keep = keep,
				   .root = root,
				   .memory_bytes = 1ULL << 30,
				   .cpu_s = 10,
				   .file_bytes = 4096 };

	return confine_process(&c, err) == 0;
}

static bool refused(long rc)
{
	return rc < 0 && (errno == EPERM || errno == EACCES);
}

/* Descriptors that are open, and nothing else. */
static bool can_only_read(void *arg, struct err *err)
{
	const struct place *p = arg;
	char c;

	if (!confine(-1, 0, err))
		return false;
	return read(p->fd, &c, 1) == 1 && refused(open("/etc/passwd", O_RDONLY)) &&
	       refused(openat(AT_FDCWD, "new", O_WRONLY | O_CREAT, 0600)) &&
	       refused(socket(AF_UNIX, SOCK_STREAM, 0)) && refused(fork()) && refused(kill(1, 0)) &&
	       refused(chroot("/")) && refused(mount("a", "/", "tmpfs", 0, NULL));
}

static bool is_refused_the_rest(void *arg, struct err *err)
{
	return confine(-1, 0, err) && refused(setuid(0)) && refused(execl("/bin/true", "x", NULL));
}

/* Below the folder, which is its root. */
static bool writes_below(void *arg, struct err *err)
{
	const struct place *p = arg;
	_close_ int dir = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (dir < 0 || !confine(dir, CONFINE_CAP(CAP_CHOWN) | CONFINE_CAP(CAP_FOWNER), err))
		return false;
	fd = openat(dir, "made", O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd >= 0 && fchown(fd, 7, 8) == 0 && mkdirat(dir, "folder", 0700) == 0 &&
	       openat(AT_FDCWD, "/etc/passwd", O_RDONLY) < 0 && errno == ENOENT &&
	       refused(socket(AF_UNIX, SOCK_STREAM, 0));
}

static void child_side(void **state)
{
	struct place p = { .dir = "/tmp/dunlin-test-confine-XXXXXX",
			   .fd = open("/dev/zero", O_RDONLY) };
	_free_ char *made = NULL;
	struct err err = { 0 };
	struct stat st;

	assert_non_null(mkdtemp(p.dir));
	assert_int_equal(chown(p.dir, NOBODY, NOBODY), 0);
	made = xasprintf("%s/made", p.dir);
	assert_true(in_child(can_only_read, &p));
	assert_true(in_child(is_refused_the_rest, &p));
	assert_true(in_child(writes_below, &p));
	assert_int_equal(stat(made, &st), 0);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, 8);
	close(p.fd);
	assert_int_equal(io_remove_tree(p.dir, &err), 0);
}

/* What it makes is nobody's, and no longer than the limit. */
static bool writes_too_much(void *arg, struct err *err)
{
	const struct place *p = arg;
	_close_ int dir = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char block[4096] = "";
	int fd;

	if (dir < 0 || !confine(dir, 0, err))
		return false;
	fd = openat(dir, "long", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, block, sizeof(block)) != sizeof(block))
		return false;
	return write(fd, block, 1) < 0; /* or SIGXFSZ ends it */
}

static void limits(void **state)
{
	struct place p = { .dir = "/tmp/dunlin-test-confine-XXXXXX" };
	_free_ char *path = NULL;
	struct err err = { 0 };
	struct stat st;

	assert_non_null(mkdtemp(p.dir));
	assert_int_equal(chown(p.dir, NOBODY, NOBODY), 0);
	path = xasprintf("%s/long", p.dir);
	in_child(writes_too_much, &p);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, NOBODY);
	assert_int_equal(st.st_gid, NOBODY);
	assert_int_equal(st.st_size, 4096);
	assert_int_equal(io_remove_tree(p.dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_side),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
