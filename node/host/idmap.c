/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

#define ID_LIMIT 0xfffffffeLL /* (uid_t)-1 means "none" to the kernel */

int idmap_of_spec(const json_t *spec, struct idmap *ret, struct err *err)
{
	const json_t *map = json_obj(spec, "idmap");
	int64_t base = json_int(map, "base", -1), size = json_int(map, "size", -1);

	*ret = (struct idmap){ 0 };
	if (json_bool(spec, "privileged", false))
		return 0;
	if (base < 1 || size < 1 || base + size > ID_LIMIT)
		return err_set(err, ERR_INVALID, "instance %s: no usable id map",
			       json_str(spec, "name", "?"));
	ret->base = (uint32_t)base;
	ret->size = (uint32_t)size;
	return 0;
}

static int put_proc(pid_t pid, const char *file, const char *text, struct err *err)
{
	_free_ char *path = xasprintf("/proc/%d/%s", pid, file);
	_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return err_sys(err, "write %s", path);
	return 0;
}

static char *map_text(const struct idmap *m, bool with_root)
{
	if (with_root)
		return xasprintf("0 %u %u\n%u 0 1\n", m->base, m->size, m->size);
	return xasprintf("0 %u %u\n", m->base, m->size);
}

static int read_userns(pid_t pid, const char *map, struct err *err)
{
	_free_ char *path = xasprintf("/proc/%d/ns/user", pid);
	int fd;

	if (put_proc(pid, "uid_map", map, err) < 0 || put_proc(pid, "gid_map", map, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open %s", path) : fd;
}

int idmap_userns(const struct idmap *m, bool with_root, struct err *err)
{
	_free_ char *map = map_text(m, with_root);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);
	int fd;

	if (pid < 0)
		return err_sys(err, "make a user namespace");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	fd = read_userns(pid, map, err);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

int idmap_userns_of_spec(const json_t *spec, bool with_root, int *ret, struct err *err)
{
	struct idmap m;
	int userns;

	if (idmap_of_spec(spec, &m, err) < 0)
		return -1;
	userns = m.size ? idmap_userns(&m, with_root, err) : -1;
	if (m.size && userns < 0)
		return -1;
	*ret = userns;
	return 0;
}

static int clone_mount(const char *src, int userns, bool readonly, struct err *err)
{
	_close_ int tree =
		(int)syscall(SYS_open_tree, AT_FDCWD, src, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr attr = { .propagation = MS_PRIVATE };

	if (tree < 0)
		return err_sys(err, "clone the mount at %s", src);
	if (userns >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns;
	}
	if (readonly)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		if (errno == EINVAL && userns >= 0)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: its file system does not take idmapped mounts; put it "
				       "on ext4, xfs or btrfs, or set security.privileged",
				       src);
		return err_sys(err, "set attributes of the mount of %s", src);
	}
	return take_fd(&tree);
}

int idmap_mount(const char *src, const char *dst, int userns, bool readonly, struct err *err)
{
	_close_ int tree = clone_mount(src, userns, readonly, err);

	if (tree < 0)
		return -1;
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, dst, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "mount %s at %s", src, dst);
	return 0;
}
