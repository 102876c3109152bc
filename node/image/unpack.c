/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image/image_int.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

/* Owner, mode and times of a directory come last: filling it changes its times and may need its
 * modes. */
struct dir_attrs {
	char *path;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	struct timespec mtime;
};

struct unpack {
	int root;
	const char *prefix;
	struct dir_attrs *dirs;
	size_t ndirs, room;
	char *parent_path; /* of parent_fd: neighbours come one after the other */
	int parent_fd;
};

/* Below the root, and never through a link, whatever the tarball made there. */
static int open_beneath(int root, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

/* A folder that no entry describes. */
static int make_parent(int at, const char *name)
{
	if (mkdirat(at, name, 0700) < 0)
		return errno == EEXIST ? 0 : -1;
	if (fchownat(at, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return fchmodat(at, name, 0755, 0);
}

/* Tarballs may leave parents out. */
static int make_parents(int root, const char *path)
{
	_free_ char *p = xstrdup(path);

	for (char *s = p;; s++) {
		char c = *s;

		if (c != '/' && c != '\0')
			continue;
		*s = '\0';
		_close_ int up = -1;
		char *name = strrchr(p, '/');

		if (name)
			*name = '\0';
		up = open_beneath(root, name ? p : "");
		if (up < 0)
			return -1;
		if (make_parent(up, name ? name + 1 : p) < 0)
			return -1;
		if (name)
			*name = '/';
		*s = c;
		if (c == '\0')
			return 0;
	}
}

static int open_folder(struct unpack *u, const char *path)
{
	int fd = open_beneath(u->root, path);

	if (fd < 0 && errno == ENOENT && make_parents(u->root, path) == 0)
		fd = open_beneath(u->root, path);
	return fd;
}

/* The folder of path (borrowed descriptor) and the last component. */
static int open_parent(struct unpack *u, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	_free_ char *folder = slash ? xstrndup(path, slash - path) : xstrdup("");
	int fd;

	assert(*path);
	*ret_name = slash ? slash + 1 : path;
	if (u->parent_fd >= 0 && str_eq(folder, u->parent_path))
		return u->parent_fd;
	fd = open_folder(u, folder);
	if (fd < 0)
		return -1;
	if (u->parent_fd >= 0)
		close(u->parent_fd);
	free(u->parent_path);
	u->parent_path = take_ptr(folder);
	u->parent_fd = fd;
	return fd;
}

static void later_dir(struct unpack *u, const char *path, struct archive_entry *ae)
{
	if (u->ndirs == u->room) {
		u->room = u->room ? u->room * 2 : 256;
		u->dirs = xrealloc(u->dirs, u->room * sizeof(*u->dirs));
	}
	u->dirs[u->ndirs++] = (struct dir_attrs){
		.path = xstrdup(path),
		.uid = (uid_t)archive_entry_uid(ae),
		.gid = (gid_t)archive_entry_gid(ae),
		.mode = archive_entry_perm(ae) & 07777,
		.mtime = { archive_entry_mtime(ae), archive_entry_mtime_nsec(ae) },
	};
}

static bool xattr_wanted(const char *name)
{
	/* Overlay's own attributes would let a lower layer redirect lookups. */
	return str_eq(name, "security.capability") ||
	       (str_starts(name, "user.") && !str_starts(name, "user.overlay."));
}

static int set_xattrs(int at, const char *name, struct archive_entry *ae)
{
	_close_ int fd = -1;
	const char *key;
	const void *value;
	size_t len;

	archive_entry_xattr_reset(ae);
	while (archive_entry_xattr_next(ae, &key, &value, &len) == ARCHIVE_OK) {
		if (!xattr_wanted(key))
			continue;
		if (fd < 0)
			fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || (fsetxattr(fd, key, value, len, 0) < 0 && errno != EOPNOTSUPP))
			return -1;
	}
	return 0;
}

/* chown clears set-id bits and capabilities, so it comes first. */
static int set_attrs(int at, const char *name, struct archive_entry *ae)
{
	struct timespec times[2] = {
		{ archive_entry_mtime(ae), archive_entry_mtime_nsec(ae) },
		{ archive_entry_mtime(ae), archive_entry_mtime_nsec(ae) },
	};

	if (fchownat(at, name, archive_entry_uid(ae), archive_entry_gid(ae), AT_SYMLINK_NOFOLLOW) <
	    0)
		return -1;
	if (archive_entry_filetype(ae) != AE_IFLNK &&
	    (fchmodat(at, name, archive_entry_perm(ae) & 07777, 0) < 0 ||
	     set_xattrs(at, name, ae) < 0))
		return -1;
	return utimensat(at, name, times, AT_SYMLINK_NOFOLLOW);
}

static int make_file(int at, const char *name, struct image_entry *e, struct err *err)
{
	_close_ int fd =
		openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const void *data;
	size_t len;
	int64_t off, end = 0;
	int rc;

	if (fd < 0)
		return err_sys(err, "image: create \"%.200s\"", e->path);
	while ((rc = image_entry_data(e, &data, &len, &off, err)) > 0) {
		if (io_write_at(fd, data, len, off) < 0)
			return err_sys(err, "image: write \"%.200s\"", e->path);
		end = off + (int64_t)len;
	}
	if (rc == 0 && archive_entry_size(e->ae) > end &&
	    ftruncate(fd, archive_entry_size(e->ae)) < 0)
		return err_sys(err, "image: write \"%.200s\"", e->path);
	return rc;
}

static const char *below(const char *prefix, const char *path)
{
	size_t n = strlen(prefix);

	if (n == 0)
		return path;
	if (strncmp(path, prefix, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

static int make_link(struct unpack *u, int at, const char *name, struct image_entry *e)
{
	const char *target = below(u->prefix, e->link), *slash;
	_free_ char *folder = NULL;
	_close_ int fd = -1;

	if (str_empty(target)) {
		errno = EXDEV;
		return -1;
	}
	if (str_eq(e->link, e->path))
		return 0;
	slash = strrchr(target, '/');
	folder = slash ? xstrndup(target, slash - target) : xstrdup("");
	fd = open_beneath(u->root, folder);
	if (fd < 0)
		return -1;
	/* A later entry of the same name wins, as with tar. */
	unlinkat(at, name, 0);
	return linkat(fd, slash ? slash + 1 : target, at, name, 0);
}

static int make_folder(int at, const char *name)
{
	struct stat st;

	if (mkdirat(at, name, 0700) == 0)
		return 0;
	if (errno == EEXIST && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return 0;
	errno = EEXIST;
	return -1;
}

static int make_other(int at, const char *name, struct image_entry *e, struct err *err)
{
	const char *target = archive_entry_symlink(e->ae);
	int rc;

	unlinkat(at, name, 0);
	switch (archive_entry_filetype(e->ae)) {
	case AE_IFREG:
		if (make_file(at, name, e, err) < 0)
			return -1;
		rc = 0;
		break;
	case AE_IFLNK:
		rc = symlinkat(target ? target : "", at, name);
		break;
	case AE_IFIFO:
		rc = mkfifoat(at, name, 0600);
		break;
	default:
		return err_set(err, ERR_INVALID, "image: \"%.200s\" is of an unknown type",
			       e->path);
	}
	if (rc < 0 || set_attrs(at, name, e->ae) < 0)
		return err_sys(err, "image: create \"%.200s\"", e->path);
	return 0;
}

static int unpack_entry(void *arg, struct image_entry *e, struct err *err)
{
	struct unpack *u = arg;
	const char *path = below(u->prefix, e->path), *name;
	bool is_dir = !e->link && archive_entry_filetype(e->ae) == AE_IFDIR;
	int at;

	if (!path || e->left_out)
		return 0;
	if (!*path) {
		if (!is_dir)
			return err_set(err, ERR_INVALID, "image: its root is no directory");
		later_dir(u, path, e->ae);
		return 0;
	}
	at = open_parent(u, path, &name);
	if (at < 0)
		return err_sys(err, "image: the folder of \"%.200s\"", e->path);
	if (e->link)
		return make_link(u, at, name, e) < 0
			       ? err_sys(err, "image: link \"%.200s\"", e->path)
			       : 0;
	if (!is_dir)
		return make_other(at, name, e, err);
	if (make_folder(at, name) < 0 || set_xattrs(at, name, e->ae) < 0)
		return err_sys(err, "image: create \"%.200s\"", e->path);
	later_dir(u, path, e->ae);
	return 0;
}

static int finish_dir(struct unpack *u, const struct dir_attrs *d, struct err *err)
{
	struct timespec times[2] = { d->mtime, d->mtime };
	_close_ int fd = open_beneath(u->root, d->path);

	if (fd < 0 || fchown(fd, d->uid, d->gid) < 0 || fchmod(fd, d->mode) < 0 ||
	    futimens(fd, times) < 0)
		return err_sys(err, "image: directory \"%.200s\"", d->path);
	return 0;
}

int image_unpack(int fd, int dir_fd, const char *prefix, const struct image_limits *limits,
		 struct err *err)
{
	struct unpack u = { .root = dir_fd, .prefix = prefix, .parent_fd = -1 };
	struct image_walk w = { .fd = fd, .limits = limits, .entry = unpack_entry, .arg = &u };
	int rc = image_tar_walk(&w, err);

	/* Children before parents: times of a parent change with nothing inside it any more. */
	while (u.ndirs > 0) {
		struct dir_attrs *d = &u.dirs[--u.ndirs];

		if (rc == 0)
			rc = finish_dir(&u, d, err);
		free(d->path);
	}
	free(u.dirs);
	free(u.parent_path);
	if (u.parent_fd >= 0)
		close(u.parent_fd);
	return rc;
}
