/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/kept.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/storage/copy.h"

#define NEW ".new"
#define TAKEN ".taken"

static char *with(const char *path, const char *stage)
{
	assert(path[0] == '/');
	return xasprintf("%s%s", path, stage);
}

char *kept_new(const char *path)
{
	return with(path, NEW);
}

char *kept_taken(const char *path)
{
	return with(path, TAKEN);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool kept_is_there(const char *path)
{
	return is_folder(path);
}

bool kept_is_taken(const char *path)
{
	_free_ char *taken = kept_taken(path);

	return is_folder(taken);
}

/* The names in the folder that holds it. */
static int sync_names(const char *path, struct err *err)
{
	_free_ char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	return storage_write_out(folder, fsync, err);
}

static int become(const char *path, const char *from, const char *to, struct err *err)
{
	if (rename(from, to) < 0)
		return err_sys(err, "rename %s", from);
	return sync_names(path, err);
}

int kept_begin(const char *path, struct err *err)
{
	_free_ char *new = kept_new(path);

	return kept_drop(path, err) < 0 ? -1 : io_folder(new, 0700, err);
}

int kept_finish(const char *path, struct err *err)
{
	_free_ char *new = kept_new(path);

	/* The container's files as well, which its memory belongs to. */
	if (storage_write_out(new, syncfs, err) < 0)
		return -1;
	return become(path, new, path, err);
}

int kept_take(const char *path, struct err *err)
{
	_free_ char *taken = kept_taken(path);

	return kept_is_taken(path) ? 0 : become(path, path, taken, err);
}

int kept_return(const char *path, struct err *err)
{
	_free_ char *taken = kept_taken(path);

	return become(path, taken, path, err);
}

int kept_drop(const char *path, struct err *err)
{
	_free_ char *new = kept_new(path), *taken = kept_taken(path);

	if (io_remove_tree(taken, err) < 0 || io_remove_tree(new, err) < 0)
		return -1;
	if (!kept_is_there(path))
		return 0;
	/* Half of it must not look whole. */
	return kept_take(path, err) < 0 ? -1 : io_remove_tree(taken, err);
}

static void each_file(const char *folder,
		      void (*fn)(void *arg, const char *name, const struct stat *st), void *arg)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			fn(arg, e->d_name, &st);
	}
	if (d)
		closedir(d);
}

static void add_size(void *sizes, const char *name, const struct stat *st)
{
	if (str_ends(name, ".img"))
		json_put_int(sizes, name, st->st_size);
}

json_t *kept_sizes(const char *folder)
{
	json_t *sizes = json_object();

	each_file(folder, add_size, sizes);
	return sizes;
}

static void add_bytes(void *bytes, const char *name, const struct stat *st)
{
	*(int64_t *)bytes += (int64_t)st->st_blocks * 512;
}

int64_t kept_bytes(const char *path)
{
	int64_t bytes = 0;

	each_file(path, add_bytes, &bytes);
	return bytes;
}
