/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of volumes that are folders: VOLUME/snapshots/ID has a copy of the data, by blocks that
 * are shared where the file system can, and VOLUME/restore what is about to take its place. What
 * bears one of these names is whole and on the disk. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/storage/copy.h"
#include "node/storage/folder.h"
#include "node/storage/kept.h"

#define SNAPSHOTS "snapshots"
#define RESTORE "restore"

static const struct folder_ops *ops_of(const struct storage_pool *p)
{
	return p->driver->ops->folder;
}

static char *within(const char *folder, const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

static char *snapshot_of(const struct storage_pool *p, const char *volume, const char *id)
{
	_free_ char *snapshots = folder_snapshots(p, volume);

	return within(snapshots, id);
}

static char *restore_of(const struct storage_pool *p, const char *volume)
{
	_free_ char *path = folder_path(p, volume);

	return within(path, RESTORE);
}

/* --- making copies -------------------------------------------------------------------------- */

static int copy_data(const struct storage_pool *p, const char *from, const char *to,
		     struct err *err)
{
	const struct folder_ops *ops = ops_of(p);
	_free_ char *source = within(from, ops->data), *data = within(to, ops->data);

	if (folder_make(to, err) < 0 || io_folder(data, 0755, err) < 0 ||
	    storage_copy_tree(source, data, err) < 0)
		return -1;
	return ops->detach ? ops->detach(data, err) : 0;
}

static char *temp_of(const char *folder, const char *name)
{
	return xasprintf("%s/" FOLDER_TEMP "%s", folder, name);
}

static int copy_aside(const struct storage_pool *p, const char *from, const char *temp,
		      struct err *err)
{
	struct err ignored;

	if (io_remove_tree(temp, err) < 0)
		return -1;
	if (copy_data(p, from, temp, err) == 0)
		return 0;
	io_remove_tree(temp, &ignored);
	return -1;
}

/* On the disk, and then by its name. */
static int keep(const char *folder, const char *name, struct err *err)
{
	_free_ char *temp = temp_of(folder, name), *to = within(folder, name);

	if (storage_write_out(temp, syncfs, err) < 0)
		return -1;
	return rename(temp, to) < 0 ? err_sys(err, "create %s", to)
				    : storage_write_out(folder, fsync, err);
}

static int drop(const char *folder, const char *name, struct err *err)
{
	_free_ char *path = within(folder, name);
	_free_ char *hidden = xasprintf("%s/" FOLDER_DELETED "%s", folder, name);
	_free_ char *temp = temp_of(folder, name);

	if (io_remove_tree(temp, err) < 0 || io_remove_tree(hidden, err) < 0)
		return -1;
	if (rename(path, hidden) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "delete %s", path);
	return io_remove_tree(hidden, err);
}

int folder_snapshot(const struct storage_pool *p, const char *volume, const char *id,
		    struct err *err)
{
	_free_ char *path = folder_path(p, volume), *snapshots = folder_snapshots(p, volume);
	_free_ char *taken = snapshot_of(p, volume, id), *temp = temp_of(snapshots, id);

	assert(id[0] != '.');
	if (io_exists(taken))
		return err_set(err, ERR_CONFLICT, "%s exists", taken);
	if (io_folder(snapshots, 0700, err) < 0)
		return -1;
	return copy_aside(p, path, temp, err);
}

int folder_snapshot_keep(const struct storage_pool *p, const char *volume, const char *id,
			 struct err *err)
{
	_free_ char *snapshots = folder_snapshots(p, volume);

	assert(id[0] != '.');
	return keep(snapshots, id, err);
}

int folder_snapshot_remove(const struct storage_pool *p, const char *volume, const char *id,
			   struct err *err)
{
	_free_ char *snapshots = folder_snapshots(p, volume);

	assert(id[0] != '.');
	if (drop(snapshots, id, err) < 0)
		return -1;
	/* With the last one. */
	rmdir(snapshots);
	return 0;
}

/* --- going back to one ---------------------------------------------------------------------- */

int folder_restore_prepare(const struct storage_pool *p, const char *volume, const char *id,
			   struct err *err)
{
	_free_ char *path = folder_path(p, volume);
	_free_ char *from = snapshot_of(p, volume, id), *temp = temp_of(path, RESTORE);

	if (folder_restore_drop(p, volume, err) < 0 || copy_aside(p, from, temp, err) < 0)
		return -1;
	return keep(path, RESTORE, err);
}

int folder_restore_drop(const struct storage_pool *p, const char *volume, struct err *err)
{
	_free_ char *path = folder_path(p, volume);

	return drop(path, RESTORE, err);
}

/* Each renaming is done once: what it takes is there no more. */
static int replace(const char *from, const char *to, const char *old, struct err *err)
{
	if (!io_exists(from))
		return 0;
	if (io_exists(to) && (io_remove_tree(old, err) < 0 || rename(to, old) < 0))
		return err_sys(err, "replace %s", to);
	return rename(from, to) < 0 ? err_sys(err, "replace %s", to) : 0;
}

int folder_restore(const struct storage_pool *p, const char *volume, struct err *err)
{
	const struct folder_ops *ops = ops_of(p);
	_free_ char *path = folder_path(p, volume), *from = restore_of(p, volume);
	_free_ char *data = within(path, ops->data), *new = within(from, ops->data);
	_free_ char *old = xasprintf("%s/" FOLDER_DELETED "%s", path, ops->data);
	_free_ char *kept = folder_kept_path(p, volume);

	if (!io_exists(from))
		return 0;
	/* Memory belongs to the files that go. */
	if (kept_drop(kept, err) < 0 || replace(new, data, old, err) < 0 ||
	    (ops->replaced && ops->replaced(path, err) < 0) ||
	    storage_write_out(path, syncfs, err) < 0 || folder_restore_drop(p, volume, err) < 0)
		return -1;
	return io_remove_tree(old, err);
}
