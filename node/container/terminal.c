/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/console/console.h"
#include "node/console/wire.h"
#include "node/container/container_int.h"

int container_console(struct node *n, const char *name, int width, int height, struct err *err)
{
	_free_ char *folder = ct_dir(n, name);
	int fd;

	if (container_pid(n, name) == 0)
		return err_set(err, ERR_CONFLICT, "instance %s is not running", name);
	fd = console_attach(folder, width, height);
	return fd >= 0 ? fd :
			 err_sys(err, "instance %s has no console (restart it to get one)", name);
}

void container_console_resize(struct node *n, const char *name, int width, int height)
{
	_free_ char *folder = ct_dir(n, name);

	console_resize(folder, width, height);
}

static int open_log(struct node *n, const char *name, int flags)
{
	_free_ char *path = ct_file(n, name, CONSOLE_LOG);

	return open(path, flags | O_NOFOLLOW | O_CLOEXEC);
}

char *container_console_log(struct node *n, const char *name, size_t *ret_len, struct err *err)
{
	_close_ int fd = open_log(n, name, O_RDONLY);
	char *text = xcalloc(CONSOLE_LOG_MAX + 1, 1);
	ssize_t got = fd >= 0 ? pread(fd, text, CONSOLE_LOG_MAX, 0) : 0;

	*ret_len = 0;
	if (got < 0 || (fd < 0 && errno != ENOENT)) {
		free(text);
		err_sys(err, "console log of %s", name);
		return NULL;
	}
	*ret_len = (size_t)got;
	return text;
}

int container_console_clear(struct node *n, const char *name, struct err *err)
{
	_close_ int fd = open_log(n, name, O_WRONLY);

	if (fd < 0 && errno == ENOENT)
		return 0;
	return fd < 0 || ftruncate(fd, 0) < 0 ? err_sys(err, "console log of %s", name) : 0;
}
