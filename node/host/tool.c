/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/tool.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"

#ifndef DUNLIN_PREFIX
#define DUNLIN_PREFIX "/usr/local"
#endif
#define INSTALLED "libexec/dunlin"

/* Relative to the folder of this program; unit tests are one below the other programs. */
static const char *const folders[] = { "", "/../" INSTALLED, "/..", NULL };

char *tool_path(const char *name, struct err *err)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *installed;

	exe[len > 0 ? len : 0] = '\0';
	if (strrchr(exe, '/'))
		*strrchr(exe, '/') = '\0';
	for (size_t i = 0; len > 0 && folders[i]; i++) {
		char *path = xasprintf("%s%s/%s", exe, folders[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	installed = xasprintf(DUNLIN_PREFIX "/" INSTALLED "/%s", name);
	if (access(installed, X_OK) == 0)
		return installed;
	free(installed);
	err_set(err, ERR_UNAVAILABLE, "%s is neither beside dunlind nor in %s", name,
		DUNLIN_PREFIX "/" INSTALLED);
	return NULL;
}
