/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"

#define OPEN_TRIES 10000

int io_read_full(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = 0;
			return -1;
		}
		p += n;
		len -= n;
	}
	return 0;
}

int io_write_full(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

int io_write_at(int fd, const void *buf, size_t len, off_t at)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

char *io_read_file(const char *path, size_t max, size_t *ret_len, struct err *err)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_sbuf_ struct sbuf b = SBUF(max);
	char chunk[16384];
	ssize_t n = 0;

	if (fd < 0) {
		err_sys(err, "open %s", path);
		return NULL;
	}
	while (!b.overflow && (n = read(fd, chunk, sizeof(chunk))) > 0)
		sbuf_add(&b, chunk, n);
	if (n < 0) {
		err_sys(err, "read %s", path);
		return NULL;
	}
	if (b.overflow) {
		err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max);
		return NULL;
	}
	if (ret_len)
		*ret_len = b.len;
	return sbuf_take(&b);
}

static void sync_folder_of(const char *path)
{
	_free_ char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	_close_ int fd = -1;

	if (!slash)
		return;
	*slash = '\0';
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

int io_write_file(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	_free_ char *tmp = xasprintf("%s.XXXXXX", path);
	_close_ int fd = mkostemp(tmp, O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "create %s", tmp);
	if (io_write_full(fd, data, len) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
	    rename(tmp, path) < 0) {
		err_sys(err, "write %s", path);
		unlink(tmp);
		return -1;
	}
	sync_folder_of(path);
	return 0;
}

static int make_dirs(const char *path, mode_t mode, bool exact, struct err *err)
{
	_free_ char *p = xstrdup(path);

	assert(*path);
	for (char *s = p + 1;; s++) {
		char c = *s;

		if (c != '/' && c != '\0')
			continue;
		*s = '\0';
		if (mkdir(p, mode) == 0 ? exact && chmod(p, mode) < 0 : errno != EEXIST)
			return err_sys(err, "create directory %s", p);
		*s = c;
		if (c == '\0')
			return 0;
	}
}

int io_mkdirs(const char *path, mode_t mode, struct err *err)
{
	return make_dirs(path, mode, false, err);
}

int io_folder(const char *path, mode_t mode, struct err *err)
{
	if (make_dirs(path, mode, true, err) < 0)
		return -1;
	return chmod(path, mode) < 0 ? err_sys(err, "permissions of %s", path) : 0;
}

/* Below this depth a folder is first moved up beside the top, so that no tree is too deep for
 * our stack and descriptors. */
#define REMOVE_DEPTH_MAX 64

struct removal {
	int top; /* the folder that holds the tree */
	dev_t dev;
	unsigned moved;
	char prefix[NAME_MAX];
};

static int remove_at(struct removal *r, int at, const char *name, int depth);

static int move_up(struct removal *r, int at, const char *name)
{
	char aside[NAME_MAX + 1];

	snprintf(aside, sizeof(aside), "%.200s.deep-%u", r->prefix, r->moved++);
	if (renameat2(at, name, r->top, aside, RENAME_NOREPLACE) < 0)
		return -1;
	return remove_at(r, r->top, aside, 1);
}

static int remove_content(struct removal *r, int own_fd, int depth)
{
	DIR *d = fdopendir(own_fd);
	struct dirent *e;
	int rc = 0;

	assert(own_fd >= 0);
	if (!d) {
		close(own_fd);
		return -1;
	}
	while ((e = readdir(d))) {
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    remove_at(r, dirfd(d), e->d_name, depth + 1) < 0)
			rc = -1;
	}
	closedir(d);
	return rc;
}

static int remove_at(struct removal *r, int at, const char *name, int depth)
{
	struct stat st;
	int fd;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (depth > REMOVE_DEPTH_MAX)
		return move_up(r, at, name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || st.st_dev != r->dev) {
		close(fd);
		errno = EBUSY;
		return -1;
	}
	return remove_content(r, fd, depth) < 0 ? -1 : unlinkat(at, name, AT_REMOVEDIR);
}

int io_remove_tree(const char *path, struct err *err)
{
	_free_ char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	struct removal r = { .top = AT_FDCWD };
	_close_ int top = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "remove %s", path);
	str_copy(r.prefix, sizeof(r.prefix), slash ? slash + 1 : path);
	if (slash) {
		slash[slash == dir] = '\0';
		r.top = top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (top < 0)
			return err_sys(err, "open %s", dir);
	}
	r.dev = st.st_dev;
	if (remove_at(&r, AT_FDCWD, path, 0) < 0)
		return err_sys(err, "remove %s", path);
	return 0;
}

int io_empty_dir(const char *path, struct err *err)
{
	struct removal r = { .top = AT_FDCWD };
	_close_ int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int own_fd;

	if (top < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open %s", path);
	own_fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (own_fd < 0 || fstat(own_fd, &st) < 0) {
		err_sys(err, "open %s", path);
		if (own_fd >= 0)
			close(own_fd);
		return -1;
	}
	r.top = top;
	r.dev = st.st_dev;
	str_copy(r.prefix, sizeof(r.prefix), ".removed");
	return remove_content(&r, own_fd, 0) < 0 ? err_sys(err, "empty %s", path) : 0;
}

bool io_exists(const char *path)
{
	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int io_is_empty(const char *path, struct err *err)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int rc = 1;

	if (!d)
		return errno == ENOENT ? 1 : err_sys(err, "open %s", path);
	errno = 0;
	while (rc == 1 && (e = readdir(d)))
		rc = e->d_name[0] == '.' || strcmp(e->d_name, "lost+found") == 0;
	if (rc == 1 && errno)
		rc = err_sys(err, "read %s", path);
	closedir(d);
	return rc;
}

int io_temp_fd(const char *dir, struct err *err)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		_free_ char *name = xasprintf("%s/.tmp-XXXXXX", dir);

		fd = mkostemp(name, O_CLOEXEC);
		if (fd >= 0)
			unlink(name);
	}
	return fd < 0 ? err_sys(err, "create a temporary file in %s", dir) : fd;
}

uint64_t io_free_bytes(const char *path)
{
	struct statvfs v;

	return statvfs(path, &v) < 0 ? UINT64_MAX : (uint64_t)v.f_bavail * v.f_frsize;
}

int io_set_nonblock(int fd, bool on)
{
	int fl = fcntl(fd, F_GETFL);

	return fl < 0 ? -1 : fcntl(fd, F_SETFL, on ? fl | O_NONBLOCK : fl & ~O_NONBLOCK);
}

int io_send_fd(int sock, int fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} u = { 0 };
	char byte = 'f';
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u)
	};

	u.h.cmsg_level = SOL_SOCKET;
	u.h.cmsg_type = SCM_RIGHTS;
	u.h.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&u.h), &fd, sizeof(int));
	return sendmsg(sock, &m, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int io_recv_fd(int sock)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} u = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u)
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int io_open_within(int at, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.mode = flags & O_CREAT ? 0600 : 0,
				.resolve = resolve };
	int fd = -1;

	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		fd = (int)syscall(SYS_openat2, at, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}
