/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/yard.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/cgroup.h"

#define CGROUP_MAX (64 << 10)
#define UNIFIED "unified" /* what CRIU calls the v2 tree, and hybrid hosts do */

/* This process' own place shows that it is the whole hierarchy. */
static bool add(const char *dir, const char *name, const char *own)
{
	_free_ char *at = xasprintf("%s/%s", dir, name);
	_free_ char *below = xasprintf(CGROUP_ROOT "/%s", name);
	_free_ char *file = xasprintf("%s/%s/cgroup.procs", at, own);
	/* A host with v2 alone has it at the root. */
	const char *place = str_eq(name, UNIFIED) && !io_exists(below) ? CGROUP_ROOT : below;

	return (symlink(place, at) == 0 || errno == EEXIST) && io_exists(file);
}

bool criu_yard_make(const char *dir)
{
	struct err ignored;
	_free_ char *text = io_read_file("/proc/self/cgroup", CGROUP_MAX, NULL, &ignored);
	char *rest = text, *line;

	if (!text || io_folder(dir, 0700, &ignored) < 0)
		return false;
	while ((line = strsep(&rest, "\n")) && *line) {
		char *list = strchr(line, ':'), *end = list ? strchr(list + 1, ':') : NULL;

		if (!end)
			return false;
		*end++ = '\0';
		list += str_starts(list + 1, "name=") ? strlen(":name=") : 1;
		if (!add(dir, *list ? list : UNIFIED, end))
			return false;
	}
	return true;
}
