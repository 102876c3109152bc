/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/folder.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/node_int.h"
#include "node/storage/mark.h"

#define USAGE_ENTRIES 200000 /* beyond that the walk costs more than the number is worth */
#define USAGE_DEPTH 100
#define USAGE_LOOK 256 /* entries between looks at the clock */

static char *volumes_of(const struct storage_pool *p)
{
	return xasprintf("%s/containers", p->source);
}

/* --- pools ---------------------------------------------------------------------------------- */

static bool folder_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool empty = true;

	while (d && (e = readdir(d)))
		empty = empty && (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
				  str_eq(e->d_name, "lost+found") ||
				  str_starts(e->d_name, POOL_MARK ".")); /* cut off while written */
	if (d)
		closedir(d);
	return d && empty;
}

static int check_source(const struct storage_pool *p, struct err *err)
{
	const char *folder = p->source;
	struct stat st;

	if (folder[0] != '/' || strstr(folder, "/../") || str_ends(folder, "/.."))
		return err_set(err, ERR_INVALID,
			       "storage pool \"%s\": source \"%s\" is not an absolute path",
			       p->name, folder);
	if (lstat(folder, &st) < 0)
		return err_set(err, ERR_INVALID,
			       "storage pool \"%s\": source \"%s\" does not exist on this member",
			       p->name, folder);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID,
			       "storage pool \"%s\": source \"%s\" is no directory", p->name,
			       folder);
	if (!pool_mark_is_ours(p, folder) && !folder_empty(folder))
		return err_set(
			err, ERR_CONFLICT,
			"storage pool \"%s\": source \"%s\" is not empty: name an empty directory",
			p->name, folder);
	return 0;
}

static int make_here(const struct storage_pool *p, bool *ret_made, struct err *err)
{
	*ret_made = mkdir(p->here, 0700) == 0;
	return *ret_made || errno == EEXIST ? 0 : err_sys(err, "create %s", p->here);
}

static int link_here(const struct storage_pool *p, bool *ret_made, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len;

	*ret_made = false;
	len = readlink(p->here, target, sizeof(target));
	if (len > 0 && (size_t)len == strlen(p->source) && memcmp(target, p->source, len) == 0)
		return 0;
	if (symlink(p->source, p->here) < 0)
		return err_sys(err, "create %s", p->here);
	*ret_made = true;
	return 0;
}

static int fill_pool(const struct storage_pool *p, struct err *err)
{
	const struct folder_ops *ops = p->driver->ops->folder;
	_free_ char *volumes = volumes_of(p);

	if (ops->check && ops->check(p->source, err) < 0)
		return -1;
	if (pool_mark_write(p, p->source, err) < 0)
		return -1;
	return io_folder(volumes, 0700, err);
}

/* In this order: what has a mark is found at `here`, by who deletes it. */
int folder_pool_create(const struct storage_pool *p, struct err *err)
{
	bool elsewhere = !str_eq(p->source, p->here), made;

	if (!elsewhere && make_here(p, &made, err) < 0)
		return -1;
	if (check_source(p, err) < 0)
		return -1;
	if (elsewhere && link_here(p, &made, err) < 0)
		return -1;
	if (fill_pool(p, err) == 0)
		return 0;
	if (made)
		remove(p->here);
	return -1;
}

static int count_volumes(const char *volumes, struct err *err)
{
	DIR *d = opendir(volumes);
	struct dirent *e;
	int count = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(err, "open %s", volumes);
	errno = 0;
	while ((e = readdir(d)))
		count += e->d_name[0] != '.';
	if (errno)
		count = err_sys(err, "read %s", volumes);
	closedir(d);
	return count;
}

int folder_pool_delete(const struct storage_pool *p, struct err *err)
{
	_free_ char *volumes = volumes_of(p);
	int count = count_volumes(volumes, err);

	if (count < 0)
		return -1;
	if (count)
		return err_set(err, ERR_CONFLICT, "storage pool \"%s\" still holds %d volumes",
			       p->name, count);
	if (!pool_mark_is_ours(p, p->source))
		return 0;
	return io_remove_tree(volumes, err) < 0 ? -1 : pool_mark_remove(p->source, err);
}

json_t *folder_pool_usage(const struct storage_pool *p, struct err *err)
{
	json_t *usage, *space, *inodes;
	struct statvfs v;

	if (statvfs(p->source, &v) < 0) {
		err_sys(err, "storage pool \"%s\"", p->name);
		return NULL;
	}
	usage = json_object();
	space = json_object();
	inodes = json_object();
	json_put_int(space, "used", (int64_t)(v.f_blocks - v.f_bfree) * (int64_t)v.f_frsize);
	json_put_int(space, "total", (int64_t)v.f_blocks * (int64_t)v.f_frsize);
	json_put_int(inodes, "used", (int64_t)(v.f_files - v.f_ffree));
	json_put_int(inodes, "total", (int64_t)v.f_files);
	json_object_set_new(usage, "space", space);
	json_object_set_new(usage, "inodes", inodes);
	return usage;
}

/* What was half-made or half-removed in a folder, by its name. */
static int drop_hidden(const struct storage_pool *p, const char *folder, struct err *err)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int rc = 0;

	while (rc == 0 && d && (e = readdir(d))) {
		_free_ char *path = xasprintf("%s/%s", folder, e->d_name);

		if (!str_starts(e->d_name, FOLDER_TEMP) && !str_starts(e->d_name, FOLDER_DELETED))
			continue;
		log_info("leftover of an interrupted job removed", "path", path);
		rc = p->driver->ops->folder->drop(path, err);
	}
	if (d)
		closedir(d);
	return rc;
}

static int recover_volume(const struct storage_pool *p, const char *volume, struct err *err)
{
	_free_ char *path = folder_path(p, volume);
	_free_ char *snapshots = folder_snapshots(p, volume);

	return drop_hidden(p, path, err) < 0 ? -1 : drop_hidden(p, snapshots, err);
}

int folder_recover(const struct storage_pool *p, struct err *err)
{
	_free_ char *volumes = volumes_of(p);
	_json_ json_t *names = NULL;
	json_t *v;
	size_t i;

	if (drop_hidden(p, volumes, err) < 0)
		return -1;
	names = folder_list(p);
	json_array_foreach(names, i, v) {
		if (recover_volume(p, json_string_value(v), err) < 0)
			return -1;
	}
	return 0;
}

json_t *folder_list(const struct storage_pool *p)
{
	_free_ char *volumes = volumes_of(p);

	return node_names(volumes);
}

/* --- volumes -------------------------------------------------------------------------------- */

char *folder_path(const struct storage_pool *p, const char *volume)
{
	return xasprintf("%s/containers/%s", p->source, volume);
}

char *folder_snapshots(const struct storage_pool *p, const char *volume)
{
	return xasprintf("%s/containers/%s/snapshots", p->source, volume);
}

char *folder_data_path(const struct storage_pool *p, const char *volume)
{
	_free_ char *path = folder_path(p, volume);

	return xasprintf("%s/%s", path, p->driver->ops->folder->data);
}

char *folder_kept_path(const struct storage_pool *p, const char *volume)
{
	_free_ char *path = folder_path(p, volume);

	return xasprintf("%s/memory", path);
}

char *folder_stands_on(const struct storage_pool *p, const char *volume)
{
	_free_ char *path = folder_path(p, volume);

	return p->driver->ops->folder->stands_on(path);
}

static char *hidden_path(const struct storage_pool *p, const char *prefix, const char *volume)
{
	char hex[17];

	return xasprintf("%s/containers/%s%s-%s", p->source, prefix, volume, rng_hex(hex, 8));
}

int folder_make(const char *volume, struct err *err)
{
	if (mkdir(volume, 0700) == 0)
		return 0;
	return errno == ENOENT ? err_set(err, ERR_NOT_FOUND,
					 "the storage pool does not exist on this member")
			       : err_sys(err, "create %s", volume);
}

static int build(const struct storage_pool *p, const char *temp, const char *volume,
		 const char *image_root, struct err *err)
{
	_free_ char *path = folder_path(p, volume);

	if (p->driver->ops->folder->make(temp, image_root, err) < 0)
		return -1;
	/* Renaming a folder onto another one fails unless that is empty; volumes never are. */
	if (rename(temp, path) < 0)
		return errno == ENOTEMPTY || errno == EEXIST
			       ? err_set(err, ERR_CONFLICT, "volume \"%s\" exists", volume)
			       : err_sys(err, "create %s", path);
	return 0;
}

int folder_create(const struct storage_pool *p, const char *volume, const char *image_root,
		  struct err *err)
{
	_free_ char *path = folder_path(p, volume), *temp = NULL;
	struct err ignored;

	assert(volume[0] != '.');
	if (io_exists(path))
		return err_set(err, ERR_CONFLICT, "volume \"%s\" exists", volume);
	temp = hidden_path(p, FOLDER_TEMP, volume);
	if (build(p, temp, volume, image_root, err) == 0)
		return 0;
	p->driver->ops->folder->drop(temp, &ignored);
	return -1;
}

int folder_remove(const struct storage_pool *p, const char *volume, struct err *err)
{
	_free_ char *path = folder_path(p, volume);
	_free_ char *hidden = hidden_path(p, FOLDER_DELETED, volume);

	assert(volume[0] != '.');
	if (rename(path, hidden) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "delete volume %s", path);
	if (p->driver->ops->folder->drop(hidden, err) < 0)
		return err_wrap(err, "delete volume \"%s\"", volume);
	return 0;
}

int folder_rename(const struct storage_pool *p, const char *volume, const char *new_name,
		  struct err *err)
{
	_free_ char *from = folder_path(p, volume), *to = folder_path(p, new_name);

	if (rename(from, to) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return err_set(err, ERR_CONFLICT, "volume \"%s\" exists", new_name);
	return err_sys(err, "rename volume \"%s\" to \"%s\"", volume, new_name);
}

/* --- what a volume takes -------------------------------------------------------------------- */

struct walk {
	int64_t bytes, deadline;
	int left; /* entries that may still come */
};

static bool goes_on(struct walk *w, int depth)
{
	return --w->left > 0 && depth < USAGE_DEPTH &&
	       (w->left % USAGE_LOOK != 0 || deadline_left(w->deadline) != 0);
}

/* Adds what is allocated below fd, which it closes; false when there are too many entries, or too
 * deep ones: a container must not use up the daemon's descriptors. */
static bool add_usage(int fd, struct walk *w, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	struct stat st;
	bool ok = true;

	if (!d)
		close(fd);
	while (ok && d && (e = readdir(d))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* Each name of a hard-linked file carries its share. */
		w->bytes += (int64_t)st.st_blocks * 512 /
			    (S_ISDIR(st.st_mode) ? 1 : (int64_t)st.st_nlink);
		ok = goes_on(w, depth);
		if (ok && S_ISDIR(st.st_mode)) {
			int sub = openat(dirfd(d), e->d_name,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			ok = sub < 0 || add_usage(sub, w, depth + 1);
		}
	}
	if (d)
		closedir(d);
	return ok;
}

int64_t folder_usage(const struct storage_pool *p, const char *volume, int64_t deadline)
{
	_free_ char *data = folder_data_path(p, volume);
	int fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct walk w = { .deadline = deadline, .left = USAGE_ENTRIES };

	return fd >= 0 && add_usage(fd, &w, 0) ? w.bytes : -1;
}
