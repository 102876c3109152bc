/* SPDX-License-Identifier: Apache-2.0 */
#include "node/device/inside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/helper/helper.h"
#include "node/host/pids.h"

#define FD_INIT HELPER_FD_EXTRA
#define DIR_MODE 0755
#define FILE_MODE 0644

/* --- the container's namespaces ------------------------------------------------------------- */

int inside_enter(int init, int flags, struct err *err)
{
	if (setns(init, flags) == 0)
		return 0;
	return errno == ESRCH ? err_set(err, ERR_CONFLICT, "the container has just ended")
			      : err_sys(err, "enter the container");
}

int inside_become_root(struct err *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(err, "become root of the container");
	return 0;
}

int inside_enter_userns(const struct device_inside *c, struct err *err)
{
	_free_ char *path = xasprintf("/proc/%d/ns/user", c->pid);
	struct stat a, b;

	if (stat(path, &a) < 0 || stat("/proc/self/ns/user", &b) < 0)
		return err_sys(err, "look at the user namespace");
	if (a.st_ino == b.st_ino)
		return 0;
	return inside_enter(FD_INIT, CLONE_NEWUSER, err) < 0 ? -1 : inside_become_root(err);
}

int inside_enter_mounts(struct err *err)
{
	return inside_enter(FD_INIT, CLONE_NEWNS, err);
}

int inside_open_network(const struct device_inside *c, struct err *err)
{
	_free_ char *path = xasprintf("/proc/%d/ns/net", c->pid);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert(c->pid > 0);
	if (fd < 0)
		return err_sys(err, "open %s", path);
	/* The number was init's only if init is still there. */
	if (pids_signal(FD_INIT, 0) < 0)
		return err_set(err, ERR_CONFLICT, "the container has just ended");
	return take_fd(&fd);
}

/* --- mounts --------------------------------------------------------------------------------- */

/* The folder that path is in, and the last part of it. Missing folders are made; links are not
 * followed, as liblxc does not at a start. */
static int open_parent(const char *path, bool make, char ret_name[NAME_MAX + 1], struct err *err)
{
	_close_ int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_free_ char *copy = xstrdup(path);

	for (char *s = copy + strspn(copy, "/"), *end; at >= 0; s = end + strspn(end, "/")) {
		int next;

		end = s + strcspn(s, "/");
		if (!end[strspn(end, "/")]) {
			*end = '\0';
			if (!*s || str_eq(s, ".") || str_eq(s, "..") ||
			    !str_copy(ret_name, NAME_MAX + 1, s))
				return err_set(err, ERR_INVALID, "%s: no place for a mount", path);
			return take_fd(&at);
		}
		*end++ = '\0';
		if (make)
			mkdirat(at, s, DIR_MODE);
		next = openat(at, s, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
	}
	err_sys(err, "%s", path);
	return err_blame_path(err);
}

static int make_mountpoint(int at, const char *name, bool file)
{
	_close_ int fd = -1;

	if (!file)
		return mkdirat(at, name, DIR_MODE) < 0 && errno != EEXIST ? -1 : 0;
	fd = openat(at, name, O_CREAT | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
	return fd < 0 ? -1 : 0;
}

static bool is_mount(int at, const char *name)
{
	struct statx x;

	return statx(at, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &x) == 0 &&
	       (x.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* The place to mount at. What an interrupted change of the same left there goes first. */
static int open_target(int at, const char *name, int tree)
{
	_close_ int target = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	assert(at >= 0);
	assert(tree >= 0);
	if (target < 0 || !is_mount(at, name) || !same_file(target, tree))
		return take_fd(&target);
	if (fchdir(at) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return -1;
	return openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int inside_mount(int tree, const char *path, bool file, struct err *err)
{
	char name[NAME_MAX + 1];
	_close_ int at = -1, target = -1;

	umask(0);
	at = open_parent(path, true, name, err);
	if (at < 0)
		return -1;
	if (make_mountpoint(at, name, file) < 0) {
		err_sys(err, "create %s inside", path);
		return err_blame_path(err);
	}
	target = open_target(at, name, tree);
	if (target < 0 || syscall(SYS_move_mount, tree, "", target, "",
				  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
		err_sys(err, "mount at %s inside", path);
		return err_blame_path(err);
	}
	return 0;
}

int inside_unmount(const char *path, struct err *err)
{
	char name[NAME_MAX + 1];
	_close_ int at = open_parent(path, false, name, err);

	if (at < 0)
		return err->sys == ENOENT ? 0 : -1;
	if (!is_mount(at, name))
		return 0;
	if (fchdir(at) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return err_sys(err, "unmount %s inside", path);
	return 0;
}
