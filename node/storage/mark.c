/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/mark.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define MARK_MAX (PATH_MAX + 256)

static char *mark_path(const char *folder)
{
	return xasprintf("%s/" POOL_MARK, folder);
}

static char *mark_text(const struct storage_pool *p)
{
	return xasprintf("%s %s %s\n", node_dir(p->node), p->name, p->driver->name);
}

static char *read_mark(const char *folder)
{
	_free_ char *path = mark_path(folder);
	struct err err;

	return io_read_file(path, MARK_MAX, NULL, &err);
}

bool pool_mark_is_ours(const struct storage_pool *p, const char *folder)
{
	_free_ char *want = mark_text(p), *text = read_mark(folder);

	return str_eq(text, want);
}

int pool_mark_write(const struct storage_pool *p, const char *folder, struct err *err)
{
	_free_ char *path = mark_path(folder), *text = mark_text(p);

	if (pool_mark_is_ours(p, folder))
		return 0;
	return io_write_file(path, text, strlen(text), 0600, err);
}

int pool_mark_remove(const char *folder, struct err *err)
{
	_free_ char *path = mark_path(folder);

	return unlink(path) < 0 && errno != ENOENT ? err_sys(err, "delete %s", path) : 0;
}

/* The folder of the daemon may have spaces in its name. */
char *pool_mark_driver(const char *folder)
{
	_free_ char *text = read_mark(folder);
	char *last;

	if (!text)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	last = strrchr(text, ' ');
	return last && last[1] ? xstrdup(last + 1) : NULL;
}
