/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/reach.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define AT_RECURSIVE_FLAG 0x8000 /* AT_RECURSIVE of linux/fcntl.h, which clashes with fcntl.h */
#define FDCWD (-100)             /* AT_FDCWD */
#define KEPT_MAX 3

struct kept {
	char *path;
	int tree;
};

/* The first parent without search permission for others; NULL when there is none. The caller
 * frees. */
static char *closed_parent(const char *dir)
{
	_free_ char *path = xstrdup(dir);
	struct stat st;

	for (char *s = path + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		if (stat(path, &st) == 0 && !(st.st_mode & S_IXOTH))
			return take_ptr(path);
		*s = '/';
	}
	return NULL;
}

static bool is_below(const char *path, const char *parent)
{
	return str_starts(path, parent) && path[strlen(parent)] == '/';
}

static int take_tree(struct kept *k, const char *path, struct err *err)
{
	k->path = xstrdup(path);
	k->tree = (int)syscall(SYS_open_tree, FDCWD, path,
			       1 /* OPEN_TREE_CLONE */ | 02000000 /* O_CLOEXEC */ |
				       AT_RECURSIVE_FLAG);
	return k->tree < 0 ? err_sys(err, "copy the mounts of %s", path) : 0;
}

static int put_tree(const struct kept *k, struct err *err)
{
	if (!io_exists(k->path) && io_folder(k->path, 0755, err) < 0)
		return -1;
	if (syscall(SYS_move_mount, k->tree, "", FDCWD, k->path, 4 /* MOVE_MOUNT_F_EMPTY_PATH */) <
	    0)
		return err_sys(err, "mount %s", k->path);
	return 0;
}

static void drop_kept(struct kept *kept, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (kept[i].tree >= 0)
			close(kept[i].tree);
		free(kept[i].path);
	}
}

static bool own_folder(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	char *slash;

	buf[n < 0 ? 0 : n] = '\0';
	slash = strrchr(buf, '/');
	if (slash)
		*slash = '\0';
	return slash && io_exists(buf);
}

static int cover(const char *parent, const char *dir, struct kept *kept, size_t *n, struct err *err)
{
	char program[PATH_MAX];
	const char *const wanted[] = { dir, own_folder(program, sizeof(program)) ? program : dir,
				       CRIU_PREFIX };

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		bool inside_dir = i > 0 && (str_eq(wanted[i], dir) || is_below(wanted[i], dir));

		if (inside_dir || !is_below(wanted[i], parent) || !io_exists(wanted[i]))
			continue;
		if (take_tree(&kept[(*n)++], wanted[i], err) < 0)
			return -1;
	}
	if (mount("dunlin", parent, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64k") < 0)
		return err_sys(err, "cover %s", parent);
	for (size_t i = 0; i < *n; i++) {
		if (put_tree(&kept[i], err) < 0)
			return -1;
	}
	return 0;
}

int reach_open_parents(const char *dir, struct err *err)
{
	_free_ char *parent = closed_parent(dir);
	struct kept kept[KEPT_MAX];
	size_t n = 0;
	int rc;

	if (!parent)
		return 0;
	if (chdir("/") < 0)
		return err_sys(err, "leave the working directory");
	rc = cover(parent, dir, kept, &n, err);
	drop_kept(kept, n);
	return rc;
}

int reach_see_link(const char *link, struct err *err)
{
	_free_ char *path = xasprintf("/sys/class/net/%s", link);
	struct kept cgroups = { .tree = -1 };
	int rc;

	if (io_exists(path))
		return 0;
	if (take_tree(&cgroups, "/sys/fs/cgroup", err) < 0)
		rc = -1;
	else if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		rc = err_sys(err, "mount /sys");
	else
		rc = put_tree(&cgroups, err);
	drop_kept(&cgroups, 1);
	return rc;
}
