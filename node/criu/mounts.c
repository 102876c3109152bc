/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/cgroup.h"
#include "node/host/mountinfo.h"

#define MOUNTINFO_MAX (4 << 20)
#define CONSOLE "/dev/console"
#define NULL_DEVICE "/dev/null"

/* --- what is to be done ------------------------------------------------------------------- */

struct needs {
	bool end_relations, replace_console, detach;
};

/* The console is a terminal of this member, and has another number on each. */
static bool is_console(const struct mountinfo *m)
{
	return str_eq(m->at, CONSOLE) && str_eq(m->type, "devpts");
}

static bool is_ramfs(const struct mountinfo *m)
{
	return str_eq(m->type, "ramfs");
}

static struct needs needs_of(const char *mountinfo, bool nested)
{
	_free_ char *copy = xstrdup(mountinfo);
	struct needs needs = { 0 };
	char *text = copy;
	struct mountinfo m;

	while (mountinfo_next(&text, &m)) {
		needs.end_relations |= nested && m.related;
		needs.replace_console |= nested && is_console(&m);
		needs.detach |= is_ramfs(&m);
	}
	return needs;
}

static ino_t namespace_of(pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/ns/mnt", pid);
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* --- inside ------------------------------------------------------------------------------- */

/* Those with credentials of a service in them stay: somebody has need of these. */
static void detach_empty(char *mountinfo)
{
	struct mountinfo m;
	struct err err;

	while (mountinfo_next(&mountinfo, &m)) {
		if (is_ramfs(&m) && io_is_empty(m.at, &err) == 1)
			umount2(m.at, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
}

static int replace_console(void)
{
	if (umount2(CONSOLE, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return -1;
	return mount(NULL_DEVICE, CONSOLE, NULL, MS_BIND, NULL);
}

/* A number that has come to mean another process leads nowhere. */
static int enter(pid_t pid, ino_t ino)
{
	_free_ char *ns = xasprintf("/proc/%d/ns/mnt", pid), *top = xasprintf("/proc/%d/root", pid);
	_close_ int fd = open(ns, O_RDONLY | O_CLOEXEC);
	_close_ int root = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || root < 0 || fstat(fd, &st) < 0)
		return -1;
	if (st.st_ino != ino)
		return errno = ESRCH, -1;
	if (setns(fd, CLONE_NEWNS) < 0 || fchdir(root) < 0)
		return -1;
	return chroot(".");
}

static int settle_inside(pid_t pid, ino_t ino, const struct needs *needs, char *mountinfo)
{
	if (enter(pid, ino) < 0)
		return -1;
	if (needs->end_relations && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	if (needs->replace_console && replace_console() < 0)
		return -1;
	if (needs->detach)
		detach_empty(mountinfo);
	return 0;
}

static bool is_gone(pid_t pid, ino_t ino)
{
	return namespace_of(pid) != ino;
}

/* In a process of its own, which does not come back. */
static int settle_one(pid_t pid, ino_t ino, bool nested, struct err *err)
{
	_free_ char *path = xasprintf("/proc/%d/mountinfo", pid);
	_free_ char *mountinfo = io_read_file(path, MOUNTINFO_MAX, NULL, err);
	struct needs needs;
	int status = 0;
	pid_t child;

	if (!mountinfo)
		return is_gone(pid, ino) ? 0 : -1;
	needs = needs_of(mountinfo, nested);
	if (!needs.end_relations && !needs.replace_console && !needs.detach)
		return 0;
	child = fork();
	if (child == 0)
		_exit(settle_inside(pid, ino, &needs, mountinfo) < 0 ? errno : 0);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if ((child > 0 && status == 0) || is_gone(pid, ino))
		return 0;
	errno = child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
	return err_sys(err, "mount namespace of process %d", pid);
}

/* --- all of them -------------------------------------------------------------------------- */

struct walk {
	ino_t init, *seen; /* namespaces */
	size_t n;
	struct err *err;
};

static bool is_seen(const struct walk *w, ino_t ino)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->seen[i] == ino)
			return true;
	}
	return false;
}

static int settle_of(void *arg, pid_t pid)
{
	struct walk *w = arg;
	ino_t ino = namespace_of(pid);

	/* Without one it is ending. */
	if (!ino || is_seen(w, ino))
		return 0;
	w->seen = xrealloc(w->seen, (w->n + 1) * sizeof(*w->seen));
	w->seen[w->n++] = ino;
	return settle_one(pid, ino, ino != w->init, w->err);
}

int criu_mounts_settle(const char *cgroup_name, const char *name, pid_t init, struct err *err)
{
	struct walk w = { .init = namespace_of(init), .err = err };
	int rc;

	if (!w.init)
		return err_set(err, ERR_CONFLICT, "%s has ended", name);
	rc = cgroup_each_pid(cgroup_name, name, "payload", settle_of, &w);
	free(w.seen);
	return rc < 0 ? -1 : 0;
}
