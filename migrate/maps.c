/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrate/task.h"

/* Of memory, and not of a file system. */
static const char *const memory[] = {
	"/memfd:", "/SYSV", "/[aio]", "/anon_hugepage", "/dev/zero",
};

static bool is_memory(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(memory); i++) {
		if (str_starts(path, memory[i]))
			return true;
	}
	return false;
}

static bool is_device(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       (S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode));
}

/* "7f00-7f01 rw-s 00000000 00:10 1234   /path" */
static void look_at_map(const struct task *t, const char *line)
{
	_free_ char *path = NULL;
	const char *what;
	char range[40];
	int skip = 0;

	if (sscanf(line, "%39s %*s %*s %*s %*s %n", range, &skip) != 1 || !skip)
		return;
	what = line + skip;
	path = xasprintf("%s/map_files/%s", t->dir, range);
	if (str_starts(what, "anon_inode:"))
		task_object(t, what);
	else if (str_starts(what, "/secretmem"))
		task_refuse(t, "has secret memory (memfd_secret), which nobody else can read");
	else if (is_memory(what))
		return;
	else if (str_ends(what, " (deleted)"))
		task_ghost(t, path, what);
	else if (str_starts(what, "/dev/") && is_device(path))
		task_refuse(t, "has the device %s in its memory", what);
}

void task_maps(const struct task *t)
{
	_free_ char *text = task_read(t, "maps");
	char exe[TASK_LINK_MAX];

	if (task_link(t, "exe", exe) && str_starts(exe, "/memfd:"))
		task_refuse(t, "runs a program that is in memory only (memfd), which CRIU cannot "
			       "carry over");
	for (char *line = text, *next; line && *line; line = next) {
		size_t len = strcspn(line, "\n");

		next = line + len + (line[len] == '\n');
		line[len] = '\0';
		look_at_map(t, line);
	}
}
