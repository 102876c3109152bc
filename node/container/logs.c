/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/console/wire.h"
#include "node/container/container_int.h"
#include "node/container/logs.h"

/* What is shown, under the names that LXD's clients ask for. Those to be kept are in use. */
static const struct {
	const char *shown, *file;
	bool keep;
} logs[] = {
	{ "lxc.log", "lxc.log", true },          { "lxc.conf", "config", true },
	{ "console.log", CONSOLE_LOG, true },
	{ "lxc.log.old", "lxc.log.old", false }, { "dump.log", "dump.log", false },
	{ "restore.log", "restore.log", false },
};

json_t *container_logs(struct node *n, const char *name)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		_free_ char *path = ct_file(n, name, logs[i].file);

		if (io_exists(path))
			json_array_append_new(list, json_string(logs[i].shown));
	}
	return list;
}

/* The path; NULL with ERR_NOT_FOUND when there is no log of that name. */
static char *find_log(struct node *n, const char *name, const char *file, bool *ret_keep,
		      struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		*ret_keep = logs[i].keep;
		if (str_eq(file, logs[i].shown) && str_is_folder(name))
			return ct_file(n, name, logs[i].file);
	}
	err_set(err, ERR_NOT_FOUND, "instance %s has no log file \"%.100s\"", name, file);
	return NULL;
}

int container_log_open(struct node *n, const char *name, const char *file, struct err *err)
{
	bool keep;
	_free_ char *path = find_log(n, name, file, &keep, err);
	int fd;

	if (!path)
		return -1;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "log file %s of %s", file, name) : fd;
}

int container_log_delete(struct node *n, const char *name, const char *file, struct err *err)
{
	bool keep;
	_free_ char *path = find_log(n, name, file, &keep, err);

	if (!path)
		return -1;
	if (keep)
		return err_set(err, ERR_INVALID, "%s of %s may not be deleted", file, name);
	return unlink(path) < 0 ? err_sys(err, "delete log file %s of %s", file, name) : 0;
}
