/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/storage.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/lockfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/image/image.h"
#include "node/node_int.h"
#include "node/storage/driver.h"
#include "node/storage/kept.h"
#include "node/storage/keys.h"
#include "node/storage/mark.h"

#define NAME_BYTES 200
#define NAMES_MAX 1024 /* bytes of all drivers in a sentence */

/* --- the table ------------------------------------------------------------------------------ */

#define DRIVER(name, version, doc) extern const struct storage_ops storage_##name;
#define KEY(...)
#define REFUSED(...)
#include "node/storage/driver.def"
#undef REFUSED
#undef KEY
#undef DRIVER

static const struct storage_driver drivers[] = {
#define DRIVER(name, version, doc) { #name, version, &storage_##name },
#define KEY(...)
#define REFUSED(...)
#include "node/storage/driver.def"
#undef REFUSED
#undef KEY
#undef DRIVER
};

const struct storage_driver *storage_driver_find(const char *name, struct err *err)
{
	_free_ char *names = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (str_eq(drivers[i].name, name))
			return &drivers[i];
	}
	names = storage_driver_names();
	err_set(err, ERR_INVALID, "unknown driver \"%.20s\" (%s)", name, names);
	return NULL;
}

int storage_driver_check(const char *name, struct err *err)
{
	return storage_driver_find(name, err) ? 0 : -1;
}

char *storage_driver_names(void)
{
	_sbuf_ struct sbuf names = SBUF(NAMES_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		sbuf_printf(&names, "%s%s", i ? ", " : "", drivers[i].name);
	return sbuf_take(&names);
}

const char *storage_driver_default(void)
{
	return drivers[0].name;
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

		json_put_str(d, "Name", drivers[i].name);
		json_put_str(d, "Version", drivers[i].version);
		json_put_bool(d, "Remote", false);
		json_array_append_new(driver_list.list, d);
	}
}

const json_t *storage_drivers(void)
{
	pthread_once(&driver_list.once, list_drivers);
	return driver_list.list;
}

static const struct storage_ops *ops_of(const json_t *pool)
{
	struct err err;
	const struct storage_driver *driver =
		storage_driver_find(json_str(pool, "driver", ""), &err);

	return driver ? driver->ops : NULL;
}

bool pool_stands_on_images(const json_t *pool)
{
	const struct storage_ops *ops = ops_of(pool);

	return ops && ops->stands_on;
}

bool pool_has_whiteouts(const json_t *pool)
{
	const struct storage_ops *ops = ops_of(pool);

	return ops && ops->whiteouts;
}

const char *const *pool_marks(const json_t *pool)
{
	const struct storage_ops *ops = ops_of(pool);

	return ops ? ops->marks : NULL;
}

/* --- pools ---------------------------------------------------------------------------------- */

static void pool_done(struct storage_pool *p)
{
	free(p->here);
	free(p->source);
}

#define _pool_ _cleanup_(pool_done)

/* The name is the caller's for as long as the pool lives. */
static int pool_open(struct storage_pool *ret, struct node *n, const json_t *pool, struct err *err)
{
	const char *name = json_str(pool, "name", "");
	const char *source = keys_text(&pool_keys, json_obj(pool, "config"), "source");
	const struct storage_driver *driver =
		storage_driver_find(json_str(pool, "driver", ""), err);

	if (!driver)
		return err_wrap(err, "storage pool \"%.64s\"", name);
	ret->node = n;
	ret->driver = driver;
	ret->name = name;
	ret->here = node_path(n, "storage-pools/%s", name);
	ret->source = xstrdup(source ? source : ret->here);
	return 0;
}

/* A pool of which only the name is known: its mark tells the driver. */
static int pool_open_here(struct storage_pool *ret, struct node *n, const char *name,
			  struct err *err)
{
	_free_ char *here = node_path(n, "storage-pools/%s", name);
	_free_ char *driver = pool_mark_driver(here);

	assert(!ret->here);
	if (!driver)
		return err_set(err, ERR_NOT_FOUND, "storage pool \"%.64s\" is not on this member",
			       name);
	ret->driver = storage_driver_find(driver, err);
	if (!ret->driver)
		return err_wrap(err, "storage pool \"%.64s\"", name);
	ret->node = n;
	ret->name = name;
	ret->source = xstrdup(here);
	ret->here = take_ptr(here);
	return 0;
}

static int check_pool_name(const char *name, struct err *err)
{
	if (!str_is_name(name, 63) || name[0] == '.')
		return err_set(err, ERR_INVALID, "storage pool: invalid name \"%.80s\"", name);
	return 0;
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
	_pool_ struct storage_pool p = { 0 };
	_close_ int lock = -1;

	if (check_pool_name(json_str(pool, "name", ""), err) < 0 || pool_open(&p, n, pool, err) < 0)
		return -1;
	lock = lock_pools(n, err);
	return lock < 0 ? -1 : p.driver->ops->pool_create(&p, err);
}

/* The mark is the last that goes before this. */
static int remove_here(struct node *n, const char *name, struct err *err)
{
	_free_ char *here = node_path(n, "storage-pools/%s", name);

	return remove(here) < 0 && errno != ENOENT ? err_sys(err, "delete %s", here) : 0;
}

int pool_delete(struct node *n, const char *name, struct err *err)
{
	_pool_ struct storage_pool p = { 0 };
	_close_ int lock = -1;

	if (check_pool_name(name, err) < 0)
		return -1;
	lock = lock_pools(n, err);
	if (lock < 0)
		return -1;
	if (pool_open_here(&p, n, name, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
	} else if (p.driver->ops->pool_delete(&p, err) < 0) {
		return -1;
	}
	return remove_here(n, name, err);
}

json_t *pool_usage(struct node *n, const json_t *pool, struct err *err)
{
	_pool_ struct storage_pool p = { 0 };

	return pool_open(&p, n, pool, err) < 0 ? NULL : p.driver->ops->pool_usage(&p, err);
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
	_pool_ struct storage_pool p = { 0 };
	struct err err;

	return pool_open(&p, n, pool, &err) < 0 ? NULL : p.driver->ops->path(&p, name);
}

char *volume_data_path(struct node *n, const json_t *pool, const char *name)
{
	_pool_ struct storage_pool p = { 0 };
	struct err err;

	return pool_open(&p, n, pool, &err) < 0 ? NULL : p.driver->ops->data_path(&p, name);
}

char *volume_kept_path(struct node *n, const json_t *pool, const char *name)
{
	_pool_ struct storage_pool p = { 0 };
	struct err err;

	return pool_open(&p, n, pool, &err) < 0 ? NULL : p.driver->ops->kept_path(&p, name);
}

bool volume_is_kept(struct node *n, const json_t *pool, const char *name)
{
	_free_ char *kept = volume_kept_path(n, pool, name);

	return kept && kept_is_there(kept);
}

int volume_create(struct node *n, const json_t *pool, const char *name, const char *image_root,
		  struct err *err)
{
	_pool_ struct storage_pool p = { 0 };
	struct err ignored;
	struct stat st;

	if (pool_open(&p, n, pool, err) < 0 || check_volume_name(name, err) < 0)
		return -1;
	if (p.driver->ops->create(&p, name, image_root, err) < 0)
		return err_wrap(err, "storage pool \"%s\"", p.name);
	/* image_delete takes the root away first and looks for volumes then: one sees the other. */
	if (p.driver->ops->stands_on && image_root && stat(image_root, &st) < 0) {
		p.driver->ops->remove(&p, name, &ignored);
		return err_set(err, ERR_NOT_FOUND,
			       "storage pool \"%s\": the image was deleted meanwhile", p.name);
	}
	return 0;
}

int volume_check_free(struct node *n, const json_t *pool, const char *name, struct err *err)
{
	_free_ char *volume = volume_path(n, pool, name);
	_free_ char *folder = node_path(n, "containers/%s", name);
	bool taken = volume && io_exists(volume);

	if (!taken && !io_exists(folder))
		return 0;
	return err_set(err, ERR_CONFLICT,
		       "%s is there already, of an earlier instance that the cluster does not "
		       "know: copy what is needed, and delete it, or choose another name than "
		       "\"%s\"",
		       taken ? volume : folder, name);
}

int volume_delete(struct node *n, const json_t *pool, const char *name, struct err *err)
{
	_pool_ struct storage_pool p = { 0 };
	_free_ char *fp = NULL;

	if (pool_open(&p, n, pool, err) < 0 || check_volume_name(name, err) < 0)
		return -1;
	fp = p.driver->ops->stands_on ? p.driver->ops->stands_on(&p, name) : NULL;
	if (p.driver->ops->remove(&p, name, err) < 0)
		return -1;
	if (fp)
		image_released(n, fp, storage_uses_image);
	return 0;
}

int volume_rename(struct node *n, const json_t *pool, const char *name, const char *new_name,
		  struct err *err)
{
	_pool_ struct storage_pool p = { 0 };

	if (pool_open(&p, n, pool, err) < 0 || check_volume_name(name, err) < 0 ||
	    check_volume_name(new_name, err) < 0)
		return -1;
	return p.driver->ops->rename(&p, name, new_name, err);
}

static int open_volume(struct storage_pool *ret, struct node *n, const json_t *pool,
		       const char *name, struct err *err)
{
	return pool_open(ret, n, pool, err) < 0 ? -1 : check_volume_name(name, err);
}

int volume_snapshot(struct node *n, const json_t *pool, const char *name, const char *id,
		    struct err *err)
{
	_pool_ struct storage_pool p = { 0 };

	if (open_volume(&p, n, pool, name, err) < 0 || check_volume_name(id, err) < 0)
		return -1;
	return p.driver->ops->snapshot(&p, name, id, err);
}

int volume_snapshot_keep(struct node *n, const json_t *pool, const char *name, const char *id,
			 struct err *err)
{
	_pool_ struct storage_pool p = { 0 };

	if (open_volume(&p, n, pool, name, err) < 0 || check_volume_name(id, err) < 0)
		return -1;
	return p.driver->ops->snapshot_keep(&p, name, id, err);
}

int volume_snapshot_delete(struct node *n, const json_t *pool, const char *name, const char *id,
			   struct err *err)
{
	_pool_ struct storage_pool p = { 0 };

	if (open_volume(&p, n, pool, name, err) < 0 || check_volume_name(id, err) < 0)
		return -1;
	return p.driver->ops->snapshot_remove(&p, name, id, err);
}

int volume_restore_prepare(struct node *n, const json_t *pool, const char *name, const char *id,
			   struct err *err)
{
	_pool_ struct storage_pool p = { 0 };

	if (open_volume(&p, n, pool, name, err) < 0 || check_volume_name(id, err) < 0)
		return -1;
	return p.driver->ops->restore_prepare(&p, name, id, err);
}

int volume_restore(struct node *n, const json_t *pool, const char *name, struct err *err)
{
	_pool_ struct storage_pool p = { 0 };

	return open_volume(&p, n, pool, name, err) < 0 ? -1 : p.driver->ops->restore(&p, name, err);
}

int volume_restore_drop(struct node *n, const json_t *pool, const char *name, struct err *err)
{
	_pool_ struct storage_pool p = { 0 };

	if (open_volume(&p, n, pool, name, err) < 0)
		return -1;
	return p.driver->ops->restore_drop(&p, name, err);
}

int64_t volume_usage(struct node *n, const json_t *pool, const char *name, int64_t deadline)
{
	_pool_ struct storage_pool p = { 0 };
	struct err err;

	return pool_open(&p, n, pool, &err) < 0 ? -1 : p.driver->ops->usage(&p, name, deadline);
}

json_t *volume_list(struct node *n, const json_t *pool)
{
	_pool_ struct storage_pool p = { 0 };
	struct err err;

	return pool_open(&p, n, pool, &err) < 0 ? json_array() : p.driver->ops->list(&p);
}

/* --- all pools ------------------------------------------------------------------------------ */

/* Calls fn with every pool that is here, until it returns non-zero. */
static int each_pool(struct node *n, int (*fn)(void *arg, const struct storage_pool *p), void *arg)
{
	_free_ char *top = node_path(n, "storage-pools");
	DIR *d = opendir(top);
	struct dirent *e;
	int rc = 0;

	while (rc == 0 && d && (e = readdir(d))) {
		_pool_ struct storage_pool p = { 0 };
		struct err err;

		if (e->d_name[0] == '.')
			continue;
		if (pool_open_here(&p, n, e->d_name, &err) == 0)
			rc = fn(arg, &p);
		else if (err.kind != ERR_NOT_FOUND)
			log_err(LOG_WARN, "a storage pool is left alone", &err);
	}
	if (d)
		closedir(d);
	return rc;
}

static int match_image(void *arg, const struct storage_pool *p)
{
	const struct storage_ops *ops = p->driver->ops;
	_json_ json_t *volumes = ops->stands_on ? ops->list(p) : NULL;
	json_t *v;
	size_t i;

	json_array_foreach(volumes, i, v) {
		_free_ char *fp = ops->stands_on(p, json_string_value(v));

		if (str_eq(fp, arg))
			return 1;
	}
	return 0;
}

bool storage_uses_image(struct node *n, const char *fp)
{
	return each_pool(n, match_image, (void *)fp) != 0;
}

int storage_delete_image(struct node *n, const char *fp, struct err *err)
{
	return image_delete(n, fp, storage_uses_image, err);
}

static int recover_pool(void *arg, const struct storage_pool *p)
{
	return p->driver->ops->recover(p, arg);
}

int storage_recover(struct node *n, struct err *err)
{
	return each_pool(n, recover_pool, err);
}
