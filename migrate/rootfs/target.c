/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving half. A path's folder is opened beneath the root without following any link; the
 * last component is only ever used with calls that do not follow either. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/rootfs/sync.h"

struct sync_target {
	struct sync_target_opts o;
	/* the file whose data come */
	int fd;
	bool unwritten; /* something was taken since sync_flush() */
	uint8_t *entry_buf;
	struct sync_entry file;
	/* the folder used last */
	char folder[SYNC_PATH_MAX + 1];
	int folder_fd;
};

struct sync_target *sync_target_new(const struct sync_target_opts *o)
{
	struct sync_target *t = xnew(struct sync_target);

	assert(o->root_fd >= 0);
	t->o = *o;
	t->fd = t->folder_fd = -1;
	return t;
}

static void drop_file(struct sync_target *t)
{
	if (t->fd >= 0)
		close(take_fd(&t->fd));
	free(take_ptr(t->entry_buf));
}

static void drop_folder(struct sync_target *t)
{
	if (t->folder_fd >= 0)
		close(take_fd(&t->folder_fd));
}

void sync_target_free(struct sync_target *t)
{
	if (!t)
		return;
	drop_file(t);
	drop_folder(t);
	free(t);
}

/* --- finding places ----------------------------------------------------------------------- */

static int open_beneath(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

/* The folder that holds `path`, kept open for its neighbours; *ret_name is the last component. */
static int parent_of(struct sync_target *t, const char *path, const char **ret_name,
		     struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	if (t->folder_fd >= 0 && strncmp(t->folder, path, len) == 0 && t->folder[len] == '\0')
		return t->folder_fd;
	drop_folder(t);
	memcpy(t->folder, path, len);
	t->folder[len] = '\0';
	t->folder_fd = open_beneath(t->o.root_fd, t->folder, O_PATH | O_DIRECTORY);
	if (t->folder_fd < 0)
		err_sys(err, "open the folder of %s", path);
	return t->folder_fd;
}

/* --- what may come ------------------------------------------------------------------------ */

static bool is_device(uint32_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

static bool is_whiteout(const struct sync_target *t, const struct sync_entry *e)
{
	return t->o.whiteouts && e->kind == SYNC_SPECIAL && S_ISCHR(e->mode) && e->rdev == 0;
}

static int check_entry(const struct sync_target *t, const struct sync_entry *e, struct err *err)
{
	uint32_t max = t->o.id_max;

	for (size_t i = 0; i < e->nxattr; i++) {
		if (!sync_wants_xattr(e->xattr[i].name, t->o.marks))
			return err_set(err, ERR_INVALID, "%s: attribute %.100s is not taken",
				       e->path, e->xattr[i].name);
	}
	/* The id beyond the map is root's of this host, for the driver's own files. */
	if (is_whiteout(t, e) && e->uid == max + 1 && e->gid == max + 1)
		return 0;
	if (e->uid > max || e->gid > max)
		return err_set(err, ERR_INVALID, "%s: owner %u:%u is beyond the container's ids",
			       e->path, e->uid, e->gid);
	if (is_device(e->mode) && !is_whiteout(t, e) && !t->o.devices)
		return err_set(err, ERR_INVALID,
			       "%s: an unprivileged container has no device nodes", e->path);
	return 0;
}

/* --- removing ----------------------------------------------------------------------------- */

static int remove_at(int dir, const char *name, int depth, struct err *err);

static int remove_below(int fd, int depth, struct err *err)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return err_sys(err, "list a folder");
	while (rc == 0 && (e = readdir(d))) {
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			rc = remove_at(dirfd(d), e->d_name, depth + 1, err);
	}
	closedir(d);
	return rc;
}

static int remove_at(int dir, const char *name, int depth, struct err *err)
{
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(err, "remove %s", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open %s", name);
	if (depth > SYNC_DEPTH_MAX) {
		close(fd);
		return err_set(err, ERR_LIMIT, "%s: folders are nested too deeply", name);
	}
	if (remove_below(fd, depth, err) < 0)
		return -1;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? err_sys(err, "remove folder %s", name) : 0;
}

/* --- attributes --------------------------------------------------------------------------- */

static bool sent_with(const struct sync_entry *e, const char *name)
{
	for (size_t i = 0; i < e->nxattr; i++) {
		if (str_eq(e->xattr[i].name, name))
			return true;
	}
	return false;
}

/* Those that the source has no more; new inodes have none, but for what a folder's default ACL
 * gave. */
static int drop_xattrs(const struct sync_target *t, const char *proc, const struct sync_entry *e,
		       struct err *err)
{
	char list[16384];
	ssize_t len = listxattr(proc, list, sizeof(list));

	for (const char *name = list; name < list + len; name += strlen(name) + 1) {
		if (sync_wants_xattr(name, t->o.marks) && !sent_with(e, name) &&
		    removexattr(proc, name) < 0 && errno != ENODATA)
			return err_sys(err, "%s: attribute %s", e->path, name);
	}
	return 0;
}

static int set_xattrs(const struct sync_target *t, const char *proc, const struct sync_entry *e,
		      struct err *err)
{
	if (drop_xattrs(t, proc, e, err) < 0)
		return -1;
	for (size_t i = 0; i < e->nxattr; i++) {
		const struct sync_xattr *x = &e->xattr[i];

		if (setxattr(proc, x->name, x->value, x->len, 0) < 0)
			return err_sys(err, "%s: attribute %s", e->path, x->name);
	}
	return 0;
}

static struct timespec timespec_of(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	if (t.tv_nsec < 0) {
		t.tv_sec--;
		t.tv_nsec += 1000000000;
	}
	return t;
}

/* Owner first: it takes away set-id bits and capabilities. fd is of the inode itself. */
static int set_attrs(const struct sync_target *t, int fd, const struct sync_entry *e,
		     struct err *err)
{
	struct timespec times[2] = { timespec_of(e->atime_ns), timespec_of(e->mtime_ns) };
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", e->uid, e->gid, AT_EMPTY_PATH) < 0)
		return err_sys(err, "owner of %s", e->path);
	if (!S_ISLNK(e->mode) && chmod(proc, e->mode & 07777) < 0)
		return err_sys(err, "mode of %s", e->path);
	if (!S_ISLNK(e->mode) && set_xattrs(t, proc, e, err) < 0)
		return -1;
	if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
		return err_sys(err, "times of %s", e->path);
	return 0;
}

/* --- entries ------------------------------------------------------------------------------ */

static int set_attrs_at(const struct sync_target *t, int dir, const char *name,
			const struct sync_entry *e, struct err *err)
{
	_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open %s", e->path);
	if ((st.st_mode & S_IFMT) != (e->mode & S_IFMT))
		return err_set(err, ERR_INVALID, "%s: it is of another type here", e->path);
	return set_attrs(t, fd, e, err);
}

static int take_folder(struct sync_target *t, const struct sync_entry *e, struct err *err)
{
	const char *name;
	struct stat st;
	int dir;

	if (!*e->path)
		return set_attrs_at(t, t->o.root_fd, ".", e, err);
	dir = parent_of(t, e->path, &name, err);
	if (dir < 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
	    unlinkat(dir, name, 0) < 0)
		return err_sys(err, "replace %s", e->path);
	if (e->kind == SYNC_DIR && mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "create folder %s", e->path);
	return set_attrs_at(t, dir, name, e, err);
}

static int take_file(struct sync_target *t, const struct sync_entry *e, uint8_t *own_buf,
		     struct err *err)
{
	const char *name;
	int dir;

	assert(own_buf);
	assert(t->fd < 0);
	t->entry_buf = own_buf;
	t->file = *e;
	dir = parent_of(t, e->path, &name, err);
	/* Never written in place: it may have other names that keep the old content. */
	if (dir < 0 || remove_at(dir, name, 0, err) < 0)
		return -1;
	t->fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->fd < 0)
		return err_sys(err, "create %s", e->path);
	return 0;
}

static int take_hard(struct sync_target *t, const struct sync_entry *e, struct err *err)
{
	_close_ int target = open_beneath(t->o.root_fd, e->target, O_PATH | O_NOFOLLOW);
	const char *name;
	struct stat st;
	char proc[64];
	int dir;

	if (target < 0 || fstat(target, &st) < 0 || S_ISDIR(st.st_mode))
		return err_sys(err, "link %s: %s", e->path, e->target);
	dir = parent_of(t, e->path, &name, err);
	if (dir < 0 || remove_at(dir, name, 0, err) < 0)
		return -1;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", target);
	if (linkat(AT_FDCWD, proc, dir, name, AT_SYMLINK_FOLLOW) < 0)
		return err_sys(err, "link %s to %s", e->path, e->target);
	return 0;
}

static int take_node(struct sync_target *t, const struct sync_entry *e, struct err *err)
{
	const char *name;
	int dir = parent_of(t, e->path, &name, err), rc;

	if (dir < 0 || remove_at(dir, name, 0, err) < 0)
		return -1;
	rc = e->kind == SYNC_LINK ? symlinkat(e->target, dir, name)
				  : mknodat(dir, name, (e->mode & S_IFMT) | 0600, e->rdev);
	if (rc < 0)
		return err_sys(err, "create %s", e->path);
	return set_attrs_at(t, dir, name, e, err);
}

static int take_removal(struct sync_target *t, const struct sync_entry *e, struct err *err)
{
	const char *name;
	int dir = parent_of(t, e->path, &name, err), rc;

	if (dir < 0)
		return err->sys == ENOENT ? 0 : -1;
	rc = remove_at(dir, name, 0, err);
	return rc < 0 ? err_wrap(err, "%s", e->path) : 0;
}

static int take_entry(struct sync_target *t, const struct frame *f, struct err *err)
{
	_free_ uint8_t *buf = xcalloc(f->len + 1, 1);
	_free_ struct sync_entry *e = xnew(struct sync_entry);

	if (t->fd >= 0)
		return err_set(err, ERR_INVALID, "migration stream: a file is not complete");
	memcpy(buf, f->data, f->len);
	if (sync_decode(buf, f->len, e, err) < 0 ||
	    (e->kind != SYNC_REMOVE && e->kind != SYNC_HARD && check_entry(t, e, err) < 0))
		return -1;
	switch (e->kind) {
	case SYNC_DIR:
	case SYNC_CLOSE:
		return take_folder(t, e, err);
	case SYNC_FILE:
		return take_file(t, e, take_ptr(buf), err);
	case SYNC_HARD:
		return take_hard(t, e, err);
	case SYNC_LINK:
	case SYNC_SPECIAL:
		return take_node(t, e, err);
	case SYNC_REMOVE:
		break;
	}
	return take_removal(t, e, err);
}

static int take_data(struct sync_target *t, const struct frame *f, struct err *err)
{
	uint64_t at = f->len > 8 ? get_u64(f->data) : UINT64_MAX, len = f->len - 8;

	if (t->fd < 0 || at > t->file.size || len > t->file.size - at)
		return err_set(err, ERR_INVALID, "migration stream: data outside of a file");
	if (io_write_at(t->fd, f->data + 8, len, (off_t)at) < 0)
		return err_sys(err, "write %s", t->file.path);
	return 0;
}

static int end_file(struct sync_target *t, struct err *err)
{
	int rc;

	if (t->fd < 0)
		return err_set(err, ERR_INVALID, "migration stream: no file was begun");
	rc = ftruncate(t->fd, (off_t)t->file.size) < 0 ? err_sys(err, "size of %s", t->file.path)
						       : set_attrs(t, t->fd, &t->file, err);
	drop_file(t);
	return rc;
}

int sync_flush(struct sync_target *t, struct err *err)
{
	/* What others have written to the same file system is not waited for without need. */
	if (t->unwritten && syncfs(t->o.root_fd) < 0)
		return err_sys(err, "write to disk");
	t->unwritten = false;
	return 0;
}

int sync_take(struct sync_target *t, const struct frame *f, struct err *err)
{
	t->unwritten = true;
	if (f->type == FR_SYNC)
		return take_entry(t, f, err);
	if (f->type == FR_SYNC_DATA)
		return take_data(t, f, err);
	if (f->type == FR_SYNC_END)
		return end_file(t, err);
	return err_set(err, ERR_INVALID, "migration stream: %s is no part of a root file system",
		       frame_name(f->type));
}
