/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/watches.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/pids.h"

#define WATCHES_MAX 4096
#define DEPTH_MAX 100
#define FDINFO_MAX (1 << 20)
#define SEARCH_MS 10000
#define KERNEL_MINOR_BITS 20 /* as fdinfo writes a device, unlike stat(2) */

struct watches {
	int root;
	dev_t dev;
	int64_t deadline;
	size_t n, left;
	struct {
		ino_t ino;
		int fd; /* -1: not found */
	} v[WATCHES_MAX];
};

struct watches *watches_new(pid_t init)
{
	_free_ char *path = xasprintf("/proc/%d/root", init);
	struct watches *w = xnew(struct watches);
	struct stat st;

	w->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->root >= 0 && fstat(w->root, &st) == 0)
		w->dev = st.st_dev;
	return w;
}

void watches_free(struct watches *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++) {
		if (w->v[i].fd >= 0)
			close(w->v[i].fd);
	}
	if (w->root >= 0)
		close(w->root);
	free(w);
}

/* --- what is watched ---------------------------------------------------------------------- */

static void note(struct watches *w, ino_t ino)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->v[i].ino == ino)
			return;
	}
	if (w->n == WATCHES_MAX)
		return;
	w->v[w->n].ino = ino;
	w->v[w->n++].fd = -1;
	w->left++;
}

/* "inotify wd:1 ino:10a276 sdev:28 mask:2c8 ...", "fanotify ino:10a276 sdev:28 ..."; with a handle
 * "... fhandle-bytes:20 ..." */
static void read_line(struct watches *w, const char *line)
{
	unsigned dev = (major(w->dev) << KERNEL_MINOR_BITS) | minor(w->dev), sdev;
	unsigned long ino;

	if ((sscanf(line, "inotify wd:%*x ino:%lx sdev:%x", &ino, &sdev) == 2 ||
	     sscanf(line, "fanotify ino:%lx sdev:%x", &ino, &sdev) == 2) &&
	    sdev == dev && !strstr(line, "fhandle-bytes:"))
		note(w, ino);
}

static void read_info(void *arg, pid_t pid, const char *fd, const char *target)
{
	_free_ char *path = xasprintf("/proc/%d/fdinfo/%s", pid, fd), *text = NULL;
	struct err ignored;
	char *rest, *line;

	if (!str_eq(target, "anon_inode:inotify") && !str_eq(target, "anon_inode:[fanotify]"))
		return;
	rest = text = io_read_file(path, FDINFO_MAX, NULL, &ignored);
	while ((line = strsep(&rest, "\n")))
		read_line(arg, line);
}

void watches_look(struct watches *w, pid_t pid)
{
	assert(pid > 0);
	pids_each_fd(pid, read_info, w);
}

/* --- where it is -------------------------------------------------------------------------- */

static void keep(struct watches *w, int folder, ino_t ino)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->v[i].ino != ino || w->v[i].fd >= 0)
			continue;
		w->v[i].fd = fcntl(folder, F_DUPFD_CLOEXEC, 0);
		w->left -= w->v[i].fd >= 0;
		return;
	}
}

/* The container changes its files meanwhile: no name is followed that it could have exchanged. */
static void search(struct watches *w, int at, const char *name, int depth)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!d && fd >= 0)
		close(fd);
	if (!d)
		return;
	if (fstat(fd, &st) < 0 || st.st_dev != w->dev) {
		closedir(d);
		return;
	}
	keep(w, fd, st.st_ino);
	while (w->left && clock_ms() < w->deadline && (e = readdir(d))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (e->d_type == DT_DIR && depth < DEPTH_MAX)
			search(w, fd, e->d_name, depth + 1);
	}
	closedir(d);
}

size_t watches_hold(struct watches *w)
{
	w->deadline = deadline_in(SEARCH_MS);
	if (w->left && w->root >= 0)
		search(w, w->root, ".", 0);
	return w->left;
}
