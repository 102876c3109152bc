/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lockfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

/* The text may be that of an earlier holder, so nobody is waited for longer without a look. */
#define LOOK_MS 100

static pid_t holder(int fd)
{
	char text[32] = "";
	uint64_t pid;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return str_to_u64(text, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

static void wait_end(pid_t pid, int ms)
{
	_close_ int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	/* A pidfd is readable once the process is a zombie, which holds nothing any more. */
	poll(&p, 1, ms);
}

static int wait_free(int fd, const char *path, int64_t deadline, struct err *err)
{
	assert(fd >= 0);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int left = deadline_left(deadline);

		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, "lock %s", path);
		if (left == 0)
			return err_set(err, ERR_CONFLICT, "%s is held by process %d", path,
				       (int)holder(fd));
		wait_end(holder(fd), left < 0 || left > LOOK_MS ? LOOK_MS : left);
	}
	return 0;
}

int lockfile_take(const char *path, int64_t deadline, struct err *err)
{
	_close_ int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	char text[32];

	if (fd < 0)
		return err_sys(err, "open %s", path);
	if (wait_free(fd, path, deadline, err) < 0)
		return -1;
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0)
		return err_sys(err, "write %s", path);
	return take_fd(&fd);
}

int lockfile_folder(const char *path, mode_t mode, struct err *err)
{
	_close_ int fd = -1;

	if (io_folder(path, mode, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open %s", path);
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys(err, "lock %s", path);
	}
	return take_fd(&fd);
}
