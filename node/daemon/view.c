/* SPDX-License-Identifier: Apache-2.0 */
#include "node/daemon/view.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define CGROUP_DIR "/sys/fs/cgroup"
#define FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME)
#define HIERARCHIES_MAX 32

static bool have_cgroups(void)
{
	struct statfs s;

	/* A tmpfs with one mount per controller, or the unified hierarchy itself. */
	return statfs(CGROUP_DIR, &s) == 0 &&
	       (s.f_type == TMPFS_MAGIC || s.f_type == CGROUP2_SUPER_MAGIC);
}

static int mount_at(const char *type, const char *dir, const char *options, struct err *err)
{
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "create %s", dir);
	if (mount(type, dir, type, FLAGS, options) < 0)
		return err_sys(err, "mount %s on %s", type, dir);
	return 0;
}

/* One line of /proc/self/cgroup, "N:controllers:path"; controllers is empty for version 2. */
static int mount_hierarchy(char *line, bool only, struct err *err)
{
	char *parts[3];
	_free_ char *dir = NULL, *options = NULL;
	const char *controllers;

	if (str_split(line, ':', parts, 3) < 3)
		return 0;
	controllers = parts[1];
	if (!*controllers) {
		dir = xstrdup(only ? CGROUP_DIR : CGROUP_DIR "/unified");
		return mount_at("cgroup2", dir, NULL, err);
	}
	if (str_starts(controllers, "name=")) {
		dir = xasprintf(CGROUP_DIR "/%s", controllers + strlen("name="));
		options = xasprintf("none,%s", controllers);
	} else {
		dir = xasprintf(CGROUP_DIR "/%s", controllers);
		options = xstrdup(controllers);
	}
	return mount_at("cgroup", dir, options, err);
}

int view_restore_cgroups(struct err *err)
{
	_free_ char *text = NULL;
	char *lines[HIERARCHIES_MAX];
	size_t n;

	if (have_cgroups())
		return 0;
	text = io_read_file("/proc/self/cgroup", 16 << 10, NULL, err);
	if (!text)
		return -1;
	n = str_split(text, '\n', lines, HIERARCHIES_MAX);
	if (n > HIERARCHIES_MAX)
		return err_set(err, ERR_INTERNAL, "more than %d cgroup hierarchies",
			       HIERARCHIES_MAX);
	if (n > 2 && mount_at("tmpfs", CGROUP_DIR, "mode=755,size=1m", err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (*lines[i] && mount_hierarchy(lines[i], n <= 2, err) < 0)
			return -1;
	}
	log_info("cgroup hierarchies mounted for this mount namespace");
	return 0;
}
