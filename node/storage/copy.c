/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define DEPTH_MAX 160        /* descriptors are held on the way down */
#define NAMES_MAX (64 << 10) /* bytes of an entry's list of attribute names, and of one value */

/* Files with more than one name, by inode, and where the first name was copied to. */
struct linked {
	dev_t dev;
	ino_t ino;
	char *path; /* below the target */
};

struct copy {
	int to_root;
	struct linked *links; /* open addressing on the inode */
	size_t room, used;
	struct err *err;
};

static size_t link_slot(const struct copy *c, const struct stat *st)
{
	size_t i = (st->st_ino * 0x9e3779b97f4a7c15ULL >> 20) & (c->room - 1);

	while (c->links[i].path && (c->links[i].ino != st->st_ino || c->links[i].dev != st->st_dev))
		i = (i + 1) & (c->room - 1);
	return i;
}

static void links_grow(struct copy *c)
{
	struct copy old = *c;

	c->room = old.room ? old.room * 2 : 256;
	c->links = xcalloc(c->room, sizeof(*c->links));
	for (size_t i = 0; i < old.room; i++) {
		struct stat st = { .st_dev = old.links[i].dev, .st_ino = old.links[i].ino };

		if (old.links[i].path)
			c->links[link_slot(c, &st)] = old.links[i];
	}
	free(old.links);
}

/* The path of an earlier copy of the same inode, or NULL after remembering this one. */
static const char *seen_before(struct copy *c, const struct stat *st, const char *path)
{
	struct linked *l;

	if (c->used * 2 >= c->room)
		links_grow(c);
	l = &c->links[link_slot(c, st)];
	if (l->path)
		return l->path;
	*l = (struct linked){ st->st_dev, st->st_ino, xstrdup(path) };
	c->used++;
	return NULL;
}

static int copy_xattr(const char *from, const char *to, const char *name)
{
	_free_ char *value = xcalloc(1, NAMES_MAX);
	ssize_t len = lgetxattr(from, name, value, NAMES_MAX);

	if (len < 0)
		return errno == ENODATA ? 0 : -1;
	return lsetxattr(to, name, value, len, 0);
}

static int copy_xattrs(int from_at, int to_at, const char *name)
{
	char from[64 + NAME_MAX], to[64 + NAME_MAX];
	_free_ char *names = NULL;
	ssize_t len;

	snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", from_at, name);
	snprintf(to, sizeof(to), "/proc/self/fd/%d/%s", to_at, name);
	len = llistxattr(from, NULL, 0);
	if (len <= 0)
		return len < 0 && errno != EOPNOTSUPP ? -1 : 0;
	names = xcalloc(1, NAMES_MAX);
	len = llistxattr(from, names, NAMES_MAX);
	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1) {
		if (copy_xattr(from, to, names + i) < 0)
			return -1;
	}
	return len < 0 ? -1 : 0;
}

static int copy_attrs(int from_at, int to_at, const char *name, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(to_at, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISLNK(st->st_mode) && fchmodat(to_at, name, st->st_mode & 07777, 0) < 0)
		return -1;
	if (copy_xattrs(from_at, to_at, name) < 0)
		return -1;
	return utimensat(to_at, name, times, AT_SYMLINK_NOFOLLOW);
}

static int copy_range_by_hand(int from, int to, off_t off, off_t end)
{
	_free_ char *buf = xcalloc(1, 256 << 10);

	if (lseek(to, off, SEEK_SET) < 0)
		return -1;
	while (off < end) {
		size_t want = end - off < (256 << 10) ? (size_t)(end - off) : 256 << 10;
		ssize_t n = pread(from, buf, want, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		if (io_write_full(to, buf, n) < 0)
			return -1;
		off += n;
	}
	return 0;
}

static int copy_range(int from, int to, off_t off, off_t end)
{
	while (off < end) {
		off_t in = off, out = off;
		ssize_t n = copy_file_range(from, &in, to, &out, end - off, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 &&
		    (errno == EXDEV || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS))
			return copy_range_by_hand(from, to, off, end);
		if (n <= 0)
			return (int)n;
		off += n;
	}
	return 0;
}

static int copy_content(int from, int to, off_t size)
{
	off_t pos = 0;

	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	while (pos < size) {
		off_t data = lseek(from, pos, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
		if (data < 0 || hole < 0) { /* no map of holes here */
			data = pos;
			hole = size;
		}
		if (copy_range(from, to, data, hole) < 0)
			return -1;
		pos = hole;
	}
	return ftruncate(to, size);
}

static int copy_file(int from_at, int to_at, const char *name, const struct stat *st)
{
	_close_ int from = openat(from_at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_close_ int to = openat(to_at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return from < 0 || to < 0 ? -1 : copy_content(from, to, st->st_size);
}

static int copy_symlink(int from_at, int to_at, const char *name)
{
	_free_ char *target = xcalloc(1, PATH_MAX);

	if (readlinkat(from_at, name, target, PATH_MAX - 1) < 0)
		return -1;
	return symlinkat(target, to_at, name);
}

static int copy_dir(struct copy *c, int from, int to, const char *path, int depth);

static int copy_subdir(struct copy *c, int from_at, int to_at, const char *name, const char *path,
		       int depth)
{
	_close_ int from = openat(from_at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_close_ int to = -1;

	if (from < 0 || mkdirat(to_at, name, 0700) < 0)
		return -1;
	to = openat(to_at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -1;
	return copy_dir(c, from, to, path, depth + 1);
}

static int copy_entry(struct copy *c, int from_at, int to_at, const char *name, const char *path,
		      int depth)
{
	const char *first;
	struct stat st;
	int rc;

	if (fstatat(from_at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
		first = seen_before(c, &st, path);
		if (first)
			return linkat(c->to_root, first, to_at, name, 0);
	}
	if (S_ISDIR(st.st_mode))
		rc = copy_subdir(c, from_at, to_at, name, path, depth);
	else if (S_ISREG(st.st_mode))
		rc = copy_file(from_at, to_at, name, &st);
	else if (S_ISLNK(st.st_mode))
		rc = copy_symlink(from_at, to_at, name);
	else
		rc = mknodat(to_at, name, st.st_mode, st.st_rdev);
	return rc < 0 ? -1 : copy_attrs(from_at, to_at, name, &st);
}

static int copy_dir(struct copy *c, int from, int to, const char *path, int depth)
{
	struct dirent *e;
	DIR *d;
	int rc = 0, fd = depth > DEPTH_MAX ? -1 : fcntl(from, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return err_set(c->err, ERR_INTERNAL, "copy \"%.300s\": too deep", path);
	d = fdopendir(fd);
	while (rc == 0 && d && (e = readdir(d))) {
		_free_ char *below = NULL;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		below = xasprintf("%s%s%s", path, *path ? "/" : "", e->d_name);
		rc = copy_entry(c, from, to, e->d_name, below, depth);
		/* The innermost failure names itself; its folders pass it on. */
		if (rc < 0 && c->err->kind == ERR_NONE)
			err_sys(c->err, "copy \"%.300s\"", below);
	}
	if (d)
		closedir(d);
	return rc;
}

int storage_copy_attrs(const char *from, const char *to, struct err *err)
{
	_close_ int a = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_close_ int b = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (a < 0 || b < 0 || fstat(a, &st) < 0 || copy_attrs(a, b, ".", &st) < 0)
		return err_sys(err, "copy the attributes of %s to %s", from, to);
	return 0;
}

int storage_copy_tree(const char *from, const char *to, struct err *err)
{
	_close_ int a = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_close_ int b = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct copy c = { .to_root = b, .err = err };
	int rc;

	if (a < 0 || b < 0)
		return err_sys(err, "copy %s to %s", from, to);
	err->kind = ERR_NONE;
	rc = copy_dir(&c, a, b, "", 0);
	for (size_t i = 0; i < c.room; i++)
		free(c.links[i].path);
	free(c.links);
	return rc < 0 ? -1 : storage_copy_attrs(from, to, err);
}

int storage_write_out(const char *folder, int (*sync)(int fd), struct err *err)
{
	_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || sync(fd) < 0 ? err_sys(err, "write out %s", folder) : 0;
}
