/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/storage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/lockfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/image/image.h"
#include "node/node_int.h"
#include "node/storage/keys.h"

#define NAME_BYTES 200
#define USAGE_ENTRIES 200000 /* beyond that the walk costs more than the number is worth */
#define USAGE_DEPTH 100
#define USAGE_LOOK 256 /* entries between looks at the clock */
#define TEMP_PREFIX ".tmp-"
#define DELETED_PREFIX ".deleted-"
#define MARK ".dunlin-pool"

static const struct storage_ops *const drivers[] = { &storage_dir, &storage_overlay };

static const struct storage_ops *ops_of(const json_t *pool, struct err *err)
{
	const char *driver = json_str(pool, "driver", "");

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (str_eq(drivers[i]->driver, driver))
			return drivers[i];
	}
	err_set(err, ERR_INVALID,
		"storage pool \"%s\": unknown driver \"%s\": dir and overlay exist",
		json_str(pool, "name", ""), driver);
	return NULL;
}

struct driver_list {
	pthread_once_t once;
	json_t *list;
};

static struct driver_list driver_list = { .once = PTHREAD_ONCE_INIT };

static void list_drivers(void)
{
	driver_list.list = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		json_t *d = json_object();

		json_put_str(d, "Name", drivers[i]->driver);
		json_put_str(d, "Version", drivers[i]->version);
		json_put_bool(d, "Remote", false);
		json_array_append_new(driver_list.list, d);
	}
}

const json_t *storage_drivers(void)
{
	pthread_once(&driver_list.once, list_drivers);
	return driver_list.list;
}

/* --- pools ---------------------------------------------------------------------------------- */

static char *own_folder(struct node *n, const char *pool)
{
	return node_path(n, "storage-pools/%s", pool);
}

static char *pool_folder(struct node *n, const json_t *pool)
{
	const char *source = keys_text(&pool_keys, json_obj(pool, "config"), "source");

	return source ? xstrdup(source) : own_folder(n, json_str(pool, "name", ""));
}

static int check_pool_name(const json_t *pool, struct err *err)
{
	const char *name = json_str(pool, "name", "");

	if (!str_is_name(name, 63) || name[0] == '.')
		return err_set(err, ERR_INVALID, "storage pool: invalid name \"%.80s\"", name);
	return 0;
}

static bool folder_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool empty = true;

	while (d && (e = readdir(d)))
		empty = empty && (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
				  str_eq(e->d_name, "lost+found") ||
				  str_starts(e->d_name, MARK ".")); /* cut off while written */
	if (d)
		closedir(d);
	return d && empty;
}

/* Says whose pool a folder is, so that two daemons or pools never share one. */
static char *mark_text(struct node *n, const json_t *pool)
{
	return xasprintf("%s %s %s\n", node_dir(n), json_str(pool, "name", ""),
			 json_str(pool, "driver", ""));
}

static bool is_ours(struct node *n, const json_t *pool, const char *folder)
{
	_free_ char *path = xasprintf("%s/" MARK, folder), *want = mark_text(n, pool), *text = NULL;
	struct err err;

	text = io_read_file(path, PATH_MAX + 256, NULL, &err);
	return str_eq(text, want);
}

static int check_source(struct node *n, const json_t *pool, const char *folder, struct err *err)
{
	const char *name = json_str(pool, "name", "");
	struct stat st;

	if (folder[0] != '/' || strstr(folder, "/../") || str_ends(folder, "/.."))
		return err_set(err, ERR_INVALID,
			       "storage pool \"%s\": source \"%s\" is not an absolute path", name,
			       folder);
	if (lstat(folder, &st) < 0)
		return err_set(err, ERR_INVALID,
			       "storage pool \"%s\": source \"%s\" does not exist on this member",
			       name, folder);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID,
			       "storage pool \"%s\": source \"%s\" is no directory", name, folder);
	if (!is_ours(n, pool, folder) && !folder_empty(folder))
		return err_set(
			err, ERR_CONFLICT,
			"storage pool \"%s\": source \"%s\" is not empty: name an empty directory",
			name, folder);
	return 0;
}

static int link_source(const char *folder, const char *own, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len;

	if (str_eq(folder, own))
		return 0;
	len = readlink(own, target, sizeof(target));
	if (len > 0 && (size_t)len == strlen(folder) && memcmp(target, folder, len) == 0)
		return 0;
	if (symlink(folder, own) < 0)
		return err_sys(err, "create %s", own);
	return 0;
}

static int fill_pool(struct node *n, const json_t *pool, const char *folder, struct err *err)
{
	_free_ char *mark = xasprintf("%s/" MARK, folder), *text = mark_text(n, pool);
	_free_ char *containers = xasprintf("%s/containers", folder);
	const struct storage_ops *ops = ops_of(pool, err);

	if (!ops || (ops->check && ops->check(folder, err) < 0))
		return -1;
	if (!is_ours(n, pool, folder) && io_write_file(mark, text, strlen(text), 0600, err) < 0)
		return -1;
	return io_folder(containers, 0700, err);
}

/* The lock of all pools of this member, held while the descriptor is open: whoever needs a pool
 * first makes it, and several may. */
static int lock_pools(struct node *n, struct err *err)
{
	_free_ char *path = node_path(n, "storage-pools");

	return lockfile_folder(path, 0700, err);
}

int pool_create(struct node *n, const json_t *pool, struct err *err)
{
	_free_ char *folder = pool_folder(n, pool), *own = NULL;
	_close_ int lock = -1;
	bool made = false;

	if (check_pool_name(pool, err) < 0 || !ops_of(pool, err))
		return -1;
	lock = lock_pools(n, err);
	if (lock < 0)
		return -1;
	own = own_folder(n, json_str(pool, "name", ""));
	if (str_eq(folder, own)) {
		made = mkdir(own, 0700) == 0;
		if (!made && errno != EEXIST)
			return err_sys(err, "create %s", own);
	}
	if (check_source(n, pool, folder, err) < 0)
		return -1;
	if (fill_pool(n, pool, folder, err) < 0) {
		if (made)
			rmdir(own);
		return -1;
	}
	return link_source(folder, own, err);
}

static int count_volumes(const char *containers, struct err *err)
{
	DIR *d = opendir(containers);
	struct dirent *e;
	int count = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(err, "open %s", containers);
	errno = 0;
	while ((e = readdir(d)))
		count += e->d_name[0] != '.';
	if (errno)
		count = err_sys(err, "read %s", containers);
	closedir(d);
	return count;
}

int pool_delete(struct node *n, const json_t *pool, struct err *err)
{
	_free_ char *folder = pool_folder(n, pool), *own = NULL, *containers = NULL, *mark = NULL;
	_close_ int lock = -1;
	struct stat st;
	int volumes;

	if (check_pool_name(pool, err) < 0)
		return -1;
	lock = lock_pools(n, err);
	if (lock < 0)
		return -1;
	own = own_folder(n, json_str(pool, "name", ""));
	containers = xasprintf("%s/containers", folder);
	mark = xasprintf("%s/" MARK, folder);
	volumes = count_volumes(containers, err);
	if (volumes < 0)
		return -1;
	if (volumes)
		return err_set(err, ERR_CONFLICT, "storage pool \"%s\" still holds %d volumes",
			       json_str(pool, "name", ""), volumes);
	if (is_ours(n, pool, folder)) {
		if (io_remove_tree(containers, err) < 0)
			return -1;
		if (unlink(mark) < 0 && errno != ENOENT)
			return err_sys(err, "delete %s", mark);
	}
	if (lstat(own, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "delete %s", own);
	if ((S_ISLNK(st.st_mode) ? unlink(own) : rmdir(own)) < 0)
		return err_sys(err, "delete %s", own);
	return 0;
}

json_t *pool_usage(struct node *n, const json_t *pool, struct err *err)
{
	_free_ char *folder = pool_folder(n, pool);
	json_t *usage, *space, *inodes;
	struct statvfs v;

	if (statvfs(folder, &v) < 0) {
		err_sys(err, "storage pool \"%s\"", json_str(pool, "name", ""));
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

/* --- volumes -------------------------------------------------------------------------------- */

static int check_volume_name(const char *name, struct err *err)
{
	if (!str_is_name(name, NAME_BYTES) || name[0] == '.')
		return err_set(err, ERR_INVALID, "volume: invalid name \"%.80s\"",
			       name ? name : "");
	return 0;
}

char *volume_path(struct node *n, const json_t *pool, const char *name)
{
	_free_ char *folder = pool_folder(n, pool);

	return xasprintf("%s/containers/%s", folder, name);
}

char *volume_data_path(struct node *n, const json_t *pool, const char *name)
{
	_free_ char *vol = volume_path(n, pool, name);
	struct err err;
	const struct storage_ops *ops = ops_of(pool, &err);

	return ops ? xasprintf("%s/%s", vol, ops->data) : NULL;
}

static char *hidden_path(struct node *n, const json_t *pool, const char *prefix, const char *name)
{
	_free_ char *folder = pool_folder(n, pool);
	char hex[17];

	return xasprintf("%s/containers/%s%s-%s", folder, prefix, name, rng_hex(hex, 8));
}

static int build_volume(const struct storage_ops *ops, const char *temp, const char *path,
			const char *name, const char *image_root, struct err *err)
{
	struct stat st;

	if (mkdir(temp, 0700) < 0)
		return errno == ENOENT ? err_set(err, ERR_NOT_FOUND,
						 "the storage pool does not exist on this member")
				       : err_sys(err, "create %s", temp);
	if (ops->fill(temp, image_root, err) < 0)
		return -1;
	/* Renaming a folder onto another one fails unless that is empty; volumes never are. */
	if (rename(temp, path) < 0)
		return errno == ENOTEMPTY || errno == EEXIST
			       ? err_set(err, ERR_CONFLICT, "volume \"%s\" exists", name)
			       : err_sys(err, "create %s", path);
	/* image_delete looks for volumes first and removes then: one of both sees the other. */
	if (ops->stands_on && image_root && stat(image_root, &st) < 0) {
		io_remove_tree(path, err);
		return err_set(err, ERR_NOT_FOUND, "the image was deleted meanwhile");
	}
	return 0;
}

int volume_create(struct node *n, const json_t *pool, const char *name, const char *image_root,
		  struct err *err)
{
	const struct storage_ops *ops = ops_of(pool, err);
	_free_ char *path = volume_path(n, pool, name), *temp = NULL;
	struct err ignored;

	if (!ops || check_volume_name(name, err) < 0)
		return -1;
	if (io_exists(path))
		return err_set(err, ERR_CONFLICT, "volume \"%s\" exists", name);
	temp = hidden_path(n, pool, TEMP_PREFIX, name);
	if (build_volume(ops, temp, path, name, image_root, err) < 0) {
		io_remove_tree(temp, &ignored);
		return err_wrap(err, "storage pool \"%s\"", json_str(pool, "name", ""));
	}
	return 0;
}

int volume_check_free(struct node *n, const json_t *pool, const char *name, struct err *err)
{
	_free_ char *volume = volume_path(n, pool, name);
	_free_ char *folder = node_path(n, "containers/%s", name);

	if (!io_exists(volume) && !io_exists(folder))
		return 0;
	return err_set(err, ERR_CONFLICT,
		       "%s is there already, of an earlier instance that the cluster does not "
		       "know: copy what is needed, and delete it, or choose another name than "
		       "\"%s\"",
		       io_exists(volume) ? volume : folder, name);
}

int volume_delete(struct node *n, const json_t *pool, const char *name, struct err *err)
{
	const struct storage_ops *ops = ops_of(pool, err);
	_free_ char *path = volume_path(n, pool, name), *hidden = NULL, *fp = NULL;

	if (!ops || check_volume_name(name, err) < 0)
		return -1;
	fp = ops->stands_on ? ops->stands_on(path) : NULL;
	hidden = hidden_path(n, pool, DELETED_PREFIX, name);
	if (rename(path, hidden) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "delete volume %s", path);
	if (io_remove_tree(hidden, err) < 0)
		return err_wrap(err, "delete volume \"%s\"", name);
	if (fp)
		image_released(n, fp);
	return 0;
}

int volume_rename(struct node *n, const json_t *pool, const char *name, const char *new_name,
		  struct err *err)
{
	_free_ char *from = volume_path(n, pool, name), *to = volume_path(n, pool, new_name);

	if (check_volume_name(name, err) < 0 || check_volume_name(new_name, err) < 0)
		return -1;
	if (rename(from, to) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return err_set(err, ERR_CONFLICT, "volume \"%s\" exists", new_name);
	return err_sys(err, "rename volume \"%s\" to \"%s\"", name, new_name);
}

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

int64_t volume_usage(struct node *n, const json_t *pool, const char *name, int64_t deadline)
{
	_free_ char *data = volume_data_path(n, pool, name);
	int fd = data ? open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct walk w = { .deadline = deadline, .left = USAGE_ENTRIES };

	return fd >= 0 && add_usage(fd, &w, 0) ? w.bytes : -1;
}

json_t *volume_list(struct node *n, const json_t *pool)
{
	_free_ char *folder = pool_folder(n, pool),
		    *containers = xasprintf("%s/containers", folder);
	json_t *list = json_array();
	DIR *d = opendir(containers);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			json_array_append_new(list, json_string(e->d_name));
	}
	if (d)
		closedir(d);
	return list;
}

/* --- all pools ------------------------------------------------------------------------------ */

/* Calls fn with the path of every entry of every pool's containers/, until it returns non-zero. */
static int each_volume(struct node *n, int (*fn)(void *arg, const char *path, const char *name),
		       void *arg)
{
	_free_ char *top = node_path(n, "storage-pools");
	DIR *pools = opendir(top);
	struct dirent *p, *e;
	int rc = 0;

	while (rc == 0 && pools && (p = readdir(pools))) {
		_free_ char *containers = NULL;
		DIR *d;

		if (p->d_name[0] == '.')
			continue;
		containers = xasprintf("%s/%s/containers", top, p->d_name);
		d = opendir(containers);
		while (rc == 0 && d && (e = readdir(d))) {
			_free_ char *path = xasprintf("%s/%s", containers, e->d_name);

			rc = fn(arg, path, e->d_name);
		}
		if (d)
			closedir(d);
	}
	if (pools)
		closedir(pools);
	return rc;
}

static int match_image(void *arg, const char *path, const char *name)
{
	_free_ char *fp = name[0] == '.' ? NULL : storage_overlay.stands_on(path);

	return str_eq(fp, arg);
}

bool storage_uses_image(struct node *n, const char *fp)
{
	return each_volume(n, match_image, (void *)fp) != 0;
}

static int remove_hidden(void *arg, const char *path, const char *name)
{
	if (!str_starts(name, TEMP_PREFIX) && !str_starts(name, DELETED_PREFIX))
		return 0;
	log_info("leftover of an interrupted job removed", "path", path);
	return io_remove_tree(path, arg);
}

int storage_recover(struct node *n, struct err *err)
{
	return each_volume(n, remove_hidden, err);
}
