/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: files inside a container, running or not.
 *
 * The job becomes root of the container first (its user and mount namespaces), so it can do no more
 * than that root can, ids are what the container sees, and every path ends up below its root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/device/inside.h"
#include "node/helper/verbs.h"
#include "node/host/idmap.h"
#include "node/storage/rootfs.h"

#define FD_PAYLOAD HELPER_FD_EXTRA
#define FD_INIT (HELPER_FD_EXTRA + 1)
#define LIST_MAX 100000
#define COPY_BYTES 65536
#define DEFAULT_FILE_MODE 0644
#define DEFAULT_DIR_MODE 0755

/* --- becoming the container's root -------------------------------------------------------- */

static bool other_userns(pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/ns/user", pid);
	struct stat a, b;

	return stat(path, &a) == 0 && stat("/proc/self/ns/user", &b) == 0 && a.st_ino != b.st_ino;
}

static int enter_running(pid_t pid, struct err *err)
{
	int flags = CLONE_NEWNS | (other_userns(pid) ? CLONE_NEWUSER : 0);

	return inside_enter(FD_INIT, flags, err) < 0 ? -1 : inside_become_root(err);
}

static int enter_stopped(const json_t *request, struct err *err)
{
	const json_t *spec = json_obj(request, "spec");
	_free_ char *root =
		rootfs_mountpoint(json_str(request, "lxcpath", ""), json_str(request, "name", ""));
	_close_ int userns = -1;
	struct idmap m;

	if (idmap_of_spec(spec, &m, err) < 0 || rootfs_private_ns(err) < 0 ||
	    rootfs_assemble(spec, root, err) < 0)
		return -1;
	if (m.size && (userns = idmap_userns(&m, false, err)) < 0)
		return -1;
	if (chdir(root) < 0 || chroot(".") < 0)
		return err_sys(err, "enter %s", root);
	if (userns >= 0 && setns(userns, CLONE_NEWUSER) < 0)
		return err_sys(err, "enter the user namespace");
	return inside_become_root(err);
}

/* --- paths -------------------------------------------------------------------------------- */

static int open_path(const char *path, int flags)
{
	_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return io_open_within(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* The folder of path, and its last part. */
static int open_parent(const char *path, char ret_name[NAME_MAX + 1], struct err *err)
{
	_free_ char *copy = xstrdup(path);
	size_t len = strlen(copy);
	char *slash;
	int fd;

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	if (!slash || !slash[1] || str_eq(slash + 1, ".") || str_eq(slash + 1, "..") ||
	    !str_copy(ret_name, NAME_MAX + 1, slash + 1))
		return err_set(err, ERR_INVALID, "%s: does not name a file", path);
	slash[1] = '\0';
	fd = open_path(copy, O_PATH | O_DIRECTORY);
	return fd < 0 ? err_sys(err, "%s", copy) : fd;
}

/* --- get ---------------------------------------------------------------------------------- */

static int get_file(const char *path, struct err *err)
{
	_close_ int fd = open_path(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFLICT, "%s was replaced meanwhile", path);
	return io_send_fd(FD_PAYLOAD, fd) < 0 ? err_sys(err, "hand over %s", path) : 0;
}

static json_t *get_list(const char *path, struct err *err)
{
	int fd = open_path(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	json_t *list = json_array();
	struct dirent *e;

	if (!d) {
		err_sys(err, "open %s", path);
		json_decref(list);
		return NULL;
	}
	while (json_array_size(list) < LIST_MAX && (e = readdir(d))) {
		/* Names that are not UTF-8 cannot be told in JSON and are left out. */
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			json_array_append_new(list, json_string(e->d_name));
	}
	closedir(d);
	return list;
}

static json_t *info_json(const char *type, const struct stat *st)
{
	return json_pack("{ss,sI,sI,sI,sI,sI}", "type", type, "uid", (json_int_t)st->st_uid, "gid",
			 (json_int_t)st->st_gid, "mode", (json_int_t)(st->st_mode & 07777), "size",
			 (json_int_t)st->st_size, "mtime", (json_int_t)st->st_mtime);
}

static json_t *op_get(const json_t *request, const char *path, struct err *err)
{
	_close_ int fd = open_path(path, O_PATH | O_NOFOLLOW);
	char target[PATH_MAX] = "";
	struct stat st;
	json_t *j, *list;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(err, "%s", path);
		return NULL;
	}
	if (S_ISREG(st.st_mode))
		return get_file(path, err) < 0 ? NULL : info_json("file", &st);
	if (S_ISDIR(st.st_mode)) {
		list = get_list(path, err);
		j = list ? info_json("directory", &st) : NULL;
		if (j)
			json_object_set_new(j, "list", list);
		return j;
	}
	if (!S_ISLNK(st.st_mode) || readlinkat(fd, "", target, sizeof(target) - 1) < 0) {
		err_set(err, ERR_INVALID, "%s is neither a file, a directory nor a symbolic link",
			path);
		return NULL;
	}
	j = info_json("symlink", &st);
	json_put_str(j, "target", target);
	return j;
}

/* --- put ---------------------------------------------------------------------------------- */

/* What was asked for; for a new one also what was not. */
static int set_attributes(int fd, const json_t *request, bool fresh, int default_mode,
			  struct err *err)
{
	int64_t uid = json_int(request, "uid", -1), gid = json_int(request, "gid", -1);
	int64_t mode = json_int(request, "mode", -1);

	if (fresh && uid < 0)
		uid = 0;
	if (fresh && gid < 0)
		gid = 0;
	if (fresh && mode < 0)
		mode = default_mode;
	if ((uid >= 0 || gid >= 0) && fchown(fd, (uid_t)uid, (gid_t)gid) < 0)
		return err_sys(err, "set owner %lld:%lld", (long long)uid, (long long)gid);
	/* After the owner: a change of owner clears set-user-id. */
	if (mode >= 0 && fchmod(fd, (mode_t)(mode & 07777)) < 0)
		return err_sys(err, "set mode");
	return 0;
}

static int copy_content(int to, struct err *err)
{
	_free_ char *buf = xcalloc(1, COPY_BYTES);
	ssize_t n;

	while ((n = read(FD_PAYLOAD, buf, COPY_BYTES)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read the content");
		if (io_write_full(to, buf, (size_t)n) < 0)
			return err_sys(err, "write");
	}
	return 0;
}

static int put_file(const json_t *request, const char *path, struct err *err)
{
	int how = json_bool(request, "append", false) ? O_APPEND : 0;
	_close_ int old = open_path(path, O_PATH);
	_close_ int fd = open_path(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | how);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "exists and is not a regular file");
	if (!how && ftruncate(fd, 0) < 0)
		return err_sys(err, "empty it");
	if (copy_content(fd, err) < 0)
		return -1;
	return set_attributes(fd, request, old < 0, DEFAULT_FILE_MODE, err);
}

static int put_directory(const json_t *request, const char *path, struct err *err)
{
	char name[NAME_MAX + 1];
	_close_ int at = open_parent(path, name, err);
	_close_ int fd = -1;
	bool fresh;

	if (at < 0)
		return -1;
	fresh = mkdirat(at, name, 0700) == 0;
	if (!fresh && errno != EEXIST)
		return err_sys(err, "create");
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "exists and cannot be used as a directory");
	return set_attributes(fd, request, fresh, DEFAULT_DIR_MODE, err);
}

static int put_symlink(const json_t *request, const char *path, struct err *err)
{
	const char *target = json_str(request, "target", "");
	int64_t uid = json_int(request, "uid", -1), gid = json_int(request, "gid", -1);
	char name[NAME_MAX + 1];
	_close_ int at = open_parent(path, name, err);
	int rc;

	if (at < 0)
		return -1;
	rc = symlinkat(target, at, name);
	if (rc < 0 && errno == EEXIST && unlinkat(at, name, 0) == 0)
		rc = symlinkat(target, at, name);
	if (rc < 0)
		return err_sys(err, "create a link to %s", target);
	if (fchownat(at, name, uid < 0 ? 0 : (uid_t)uid, gid < 0 ? 0 : (gid_t)gid,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set owner");
	return 0;
}

static const struct {
	const char *type;
	int (*put)(const json_t *request, const char *path, struct err *err);
} put_types[] = {
	{ "file", put_file },
	{ "directory", put_directory },
	{ "symlink", put_symlink },
};

static json_t *op_put(const json_t *request, const char *path, struct err *err)
{
	const char *type = json_str(request, "type", "file");

	for (size_t i = 0; i < ARRAY_SIZE(put_types); i++) {
		if (!str_eq(type, put_types[i].type))
			continue;
		if (put_types[i].put(request, path, err) == 0)
			return json_object();
		err_wrap(err, "%s", path);
		return NULL;
	}
	err_set(err, ERR_INVALID, "\"%s\" is no type of file", type);
	return NULL;
}

/* --- delete ------------------------------------------------------------------------------- */

static json_t *op_delete(const json_t *request, const char *path, struct err *err)
{
	char name[NAME_MAX + 1];
	_close_ int at = open_parent(path, name, err);

	if (at < 0)
		return NULL;
	if (unlinkat(at, name, 0) == 0 ||
	    (errno == EISDIR && unlinkat(at, name, AT_REMOVEDIR) == 0))
		return json_object();
	if (errno == ENOTEMPTY)
		err_set(err, ERR_CONFLICT, "%s is not empty", path);
	else
		err_sys(err, "delete %s", path);
	return NULL;
}

static const struct {
	const char *op;
	json_t *(*run)(const json_t *request, const char *path, struct err *err);
} ops[] = {
	{ "get", op_get },
	{ "put", op_put },
	{ "delete", op_delete },
};

static json_t *run(const json_t *request, struct err *err)
{
	const char *op = json_str(request, "op", "");

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (str_eq(op, ops[i].op))
			return ops[i].run(request, json_str(request, "path", ""), err);
	}
	err_set(err, ERR_INTERNAL, "no file operation \"%s\"", op);
	return NULL;
}

/* {name, lxcpath, op, path, pid | spec, ...}; descriptor 5 is the content of a put or the socket
 * that takes the file of a get, 6 a pidfd of init when it runs. */
json_t *helper_file(const json_t *request, struct err *err)
{
	pid_t pid = (pid_t)json_int(request, "pid", 0);
	int rc = pid > 0 ? enter_running(pid, err) : enter_stopped(request, err);
	json_t *answer;

	if (rc < 0)
		return NULL;
	umask(0);
	answer = run(request, err);
	if (!answer)
		err_blame_path(err);
	return answer;
}
